import pytest
from adaptive_neon.toy import published
from adaptive_neon.toy.statements import below, gain, published_record, scale_text, statements, steps

BLOCKS = ("input", "block1", "block2", "block3", "block4", "output")


def sweep(base, *entries):
    keys = ("scale", "epochs", "w", "distance")
    return {"base": base, "self_training": [dict(zip(keys, entry, strict=True)) for entry in entries]}


@pytest.fixture
def record():
    """A seed in which every statement holds."""
    center, deltas = 0.5, (0.1, 1.72)
    points = [dict.fromkeys(BLOCKS, center) | {"input": center + d, "block3": center - d} for d in deltas]
    grids = [
        {"delta": delta, "point": point, "distance": distance}
        for delta, point, distance in zip(deltas, points, (0.09, 0.01), strict=True)
    ]
    return {
        "diffusion": {
            "sweep": sweep(0.5, (0.9, 50, -1.0, 0.2), (1.1, 250, center, 0.1)),
            "alignment": {"scales": [0.8, 1.0, 1.2], "cosines": [0.3, 0.7, -0.3]},
        },
        "autoregressive": {
            "sweep": sweep(0.5, (0.5, 50, 0.1, 0.2), (1.6, 50, -0.1, 0.2)),
            "alignment": {"scales": [0.6, 1.0, 1.4], "cosines": [-0.3, 0.7, 0.3]},
        },
        "layerwise": {"w": center, "single": 0.1, "grids": grids},
        "search": [{"distance": 0.001}],
    }


def failing(record):
    return [text for text, holds in statements(record).items() if not holds]


def test_all_hold(record):
    assert failing(record) == []


SINGLE = "the best single weight"
DIFFUSION, AUTOREGRESSIVE = "diffusion.sweep.self_training", "autoregressive.sweep.self_training"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (f"{DIFFUSION}.1.w", -0.5, [f"ζ = 1.1 (mode-seeking), 250 epochs: {SINGLE} is above"]),
        (f"{DIFFUSION}.0.w", 0.0, [f"ζ = 0.9 (diversity-seeking), 50 epochs: {SINGLE} is below"]),
        (f"{DIFFUSION}.0.distance", None, [f"ζ = 0.9 (diversity-seeking), 50 epochs: {SINGLE} improves"]),
        (f"{AUTOREGRESSIVE}.0.distance", 0.5, [f"τ = 0.5 (mode-seeking), 50 epochs: {SINGLE} improves"]),
        ("diffusion.alignment.cosines.2", 0.1, ["negative at every mode-seeking ζ"]),
        ("autoregressive.alignment.cosines.2", -0.1, ["positive at every diversity-seeking τ"]),
        ("layerwise.grids.0.distance", 0.11, ["δ = 0.1: the best point improves", "at every δ"]),
        ("layerwise.grids.0.distance", 0.005, ["the gain grows", "no δ gains more than 1.72"]),
        ("layerwise.grids.1.distance", 0.03, ["δ = 1.72: the gain is 73% or more"]),
        (
            "layerwise.grids.1.point.output",
            0.0,
            ["δ = 1.72: the winner is the published one (input +δ, block3 −δ)"],
        ),
        ("search.0.distance", 0.02, ["from w*: its end improves on the best point of all grids"]),
    ],
)
def test_one_fault_breaks_its_statements(record, path, value, expected):
    *keys, last = (int(key) if key.isdigit() else key for key in path.split("."))
    part = record
    for key in keys:
        part = part[key]
    part[last] = value
    found = failing(record)
    assert len(found) == len(expected)
    for text, words in zip(found, expected, strict=True):
        assert words in text


def test_the_published_numbers_show_what_is_published():
    """All but one: the distance at δ = 0.1 is above that at 0.05."""
    assert failing(published_record()) == ["layer-wise: the gain grows from each δ to the next"]


def test_the_published_winners_are_the_published_weights():
    weights = [entry["point"] for entry in published_record()["layerwise"]["grids"] if entry["delta"] == 1.72]
    assert list(weights[0].values()) == pytest.approx([2.0, 0.28, 0.28, -1.44, 0.28, 0.28])
    assert 1 - published.LAYERWISE[1.72] / published.SINGLE == pytest.approx(0.73, abs=0.005)


def test_a_diverged_model_is_farther_than_any():
    assert below(1.0, None)
    assert not below(None, 1.0)
    assert not below(None, None)
    assert not below(1.0, 1.0)


def test_the_gain_is_a_share_of_the_single_weights_distance(record):
    assert gain(record, {"distance": 0.025}) == pytest.approx(0.75)
    assert gain(record, {"distance": None}) is None


def test_steps_survive_the_rounding_of_weights():
    assert steps({"a": 0.1 + 0.2, "b": 0.3 - 0.1, "c": 0.4}, 0.3) == {"a": 0, "b": -1, "c": 1}


@pytest.mark.parametrize(
    ("family", "scale", "text"),
    [
        ("diffusion", 1.1, "ζ = 1.1 (mode-seeking)"),
        ("diffusion", 0.9, "ζ = 0.9 (diversity-seeking)"),
        ("autoregressive", 0.5, "τ = 0.5 (mode-seeking)"),
        ("autoregressive", 1.6, "τ = 1.6 (diversity-seeking)"),
        ("diffusion", 1.0, "ζ = 1"),
    ],
)
def test_which_scales_seek_modes(family, scale, text):
    assert scale_text(family, scale) == text
