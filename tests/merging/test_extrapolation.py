import subprocess
import sys

import numpy as np
import pytest
from adaptive_neon.merging.extrapolation import merge

BLOCK_OF = {"enc.weight": "enc", "enc.bias": "enc", "mid.weight": "mid", "dec.gain": "dec"}
SHAPES = {"enc.weight": (5, 3, 3, 3), "enc.bias": (5,), "mid.weight": (4, 7), "dec.gain": ()}


@pytest.fixture(params=["float32", "float16"])
def models(request):
    """θ_r and θ_s."""
    rng = np.random.default_rng(0)
    return [
        {name: np.asarray(rng.standard_normal(shape), request.param) for name, shape in SHAPES.items()}
        for _ in range(2)
    ]


@pytest.mark.parametrize(
    ("base", "tuned", "w", "expected"),
    [(1, 3, 0.5, 0), (2, 1, 1.25, 3.25), (-1, 1, 2, -5), (4, 8, -0.25, 5), (0.75, 0.75, 100, 0.75)],
)
def test_worked_examples(base, tuned, w, expected):
    merged = merge({"p": np.float32([base])}, {"p": np.float32([tuned])}, {"all": w}, {"p": "all"})
    assert merged["p"].tolist() == [expected]


def test_each_block_has_its_weight(models):
    base, tuned = models
    weights = {"enc": 1.25, "mid": -0.5, "dec": 3.0}
    merged = merge(base, tuned, weights, BLOCK_OF)
    assert list(merged) == list(SHAPES)
    for name, array in merged.items():
        r, s, w = np.longdouble(base[name]), np.longdouble(tuned[name]), weights[BLOCK_OF[name]]
        assert array.shape == SHAPES[name]
        assert array.dtype == base[name].dtype
        np.testing.assert_allclose(array, (1 + w) * r - w * s, rtol=np.finfo(array.dtype).eps, atol=1e-7)


def test_minus_one_is_the_tuned_and_zero_the_base_model(models):
    base, tuned = models
    merged = merge(base, tuned, {"enc": -1, "mid": 0, "dec": -1}, BLOCK_OF)
    for name, array in merged.items():
        np.testing.assert_array_equal(array, (base if BLOCK_OF[name] == "mid" else tuned)[name])


def test_models_that_do_not_fit(models, refuses):
    base, tuned = models
    weights = dict.fromkeys(("enc", "mid", "dec"), 1.0)
    fewer = {name: array for name, array in tuned.items() if name != "mid.weight"}
    for one, other in ((base, fewer), (fewer, base)):
        with refuses("differ", "mid.weight"):
            merge(one, other, weights, BLOCK_OF)
    with refuses("differ", "enc.bias", "(5,)", "(5, 1)"):
        merge(base, tuned | {"enc.bias": np.zeros((5, 1), np.float32)}, weights, BLOCK_OF)
    with refuses("weights", "block dec", "dec.gain"):
        merge(base, tuned, {"enc": 1.0, "mid": 1.0}, BLOCK_OF)


def test_a_merge_starts_without_torch():
    """A grid has many merges; importing torch takes longer than the work of one."""
    code = (
        "import sys; from adaptive_neon.families import checkpoints; from adaptive_neon.jobs import job;"
        "from adaptive_neon.merging import blocks, extrapolation, grid;"
        "print([name for name in sys.modules if name.partition('.')[0] == 'torch'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
