import json

import pytest
from adaptive_neon.rivals.figures import KINDS, plot_prices
from adaptive_neon.rivals.plan import read_rivals
from adaptive_neon.rivals.results import (
    TABLE_HEADER,
    choose,
    compare,
    own_points,
    pareto,
    sentences,
    shown,
    summarise,
    table_rows,
)
from adaptive_neon.studies.config import RIVAL_KEYS
from study_entries import DIVERGED, T, metrics

POINTS = {"base": "all~0.0", "global": "all~0.5", "blockwise": "all~0.75", "sims": "all~1.0@steps~4"}
CONFIG = {
    "intervals": {"seed_blocks": 2},
    "experiment": "digits",
    "features": {"extractor": "digits"},
    "heldout": {"images": 3000},
}


def about(kind, evaluations=15):
    return {"kind": kind, "candidates": 3, "evaluations": evaluations, "training_kimg": 12.0, "of_training": 0.1}


def entry(**changes):
    """Base 4, best single weight 3, per block 2.5, a guided model 2 that takes 30 evaluations."""
    measured = {
        "base": metrics(4.0, (4.1, 3.9)),
        "global": metrics(3.0, (3.2, 3.0)),  # pseudo-values 2.8, 3.0
        "blockwise": metrics(2.5, (2.65, 2.45)),
        "sims": metrics(2.0, (2.2, 2.1)),  # pseudo-values 1.8, 1.9
    } | changes
    kinds = {name: about("neon") for name in measured} | {"base": about("base"), "sims": about("guidance", 30)}
    return compare(12, POINTS, measured, kinds)


def test_of_a_single_block_the_best_per_block_is_the_best_single_weight():
    one = {"base": "all~0.0", "collapsed": "all~-1.0", "global": "all~0.5", "blockwise": "all~0.5"}
    assert list(own_points(one)) == ["base", "global"]
    two = {"base": "enc~0.0_dec~0.0", "global": "enc~0.5_dec~0.5", "blockwise": "enc~0.5_dec~1.0"}
    assert own_points(two) == two


def test_differences_are_paired():
    models = entry()["models"]
    sims = models["sims"]
    assert sims["w"] == {"all": 1.0} and sims["sampler"] == {"steps": 4} and sims["kind"] == "guidance"
    # Pseudo-values of the single weight less those of the rival: 1.0 and 1.1.
    assert sims["gain"]["fid_corrected"] == pytest.approx(1.05)
    assert sims["gain"]["interval"] == pytest.approx([1.05 - 0.05 * T, 1.05 + 0.05 * T])
    assert sims["improvement"]["fid"] == 2.0
    assert "improvement" not in models["base"] and "gain" not in models["global"]


def test_the_best_candidate_is_chosen_on_the_search_images():
    search = {"a": metrics(3.0, (3, 3)), "b": metrics(2.0, (2, 2)), "c": DIVERGED}
    assert choose(["a", "b", "c"], search) == {"point": "b", "search": {"a": 3.0, "b": 2.0, "c": None}}
    assert choose(["a", "c"], {"a": DIVERGED, "c": DIVERGED})["point"] == "a"
    assert choose(["only"], {}) == {"point": "only", "search": {}}


def test_over_replicas():
    other = entry(sims=metrics(2.4, (2.6, 2.5)))
    summary = summarise(CONFIG, [[entry()], [other]])
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    sims = summary["over_replicas"][0]["models"]["sims"]
    assert sims["gain"]["fid_corrected"] == pytest.approx((1.05 + 0.65) / 2)
    assert sims["gain"]["positive"] == 2
    model = shown(summary, 12)["sims"]
    assert model["fid"] == pytest.approx(2.2) and model["fid_corrected"] == pytest.approx((1.85 + 2.25) / 2)
    assert model["weights"] == "1 steps 4" and model["gain"] == sims["gain"]
    assert summary["snapshots"] == [entry()]


def test_the_pareto_front_falls_in_fid():
    prices = {"a": (15, 3.0), "b": (15, 2.5), "c": (30, 2.6), "d": (31, 2.5), "e": (60, 1.0), "f": (70, None)}
    models = {name: {"evaluations": cost, "fid": fid} for name, (cost, fid) in prices.items()}
    assert pareto(models) == ["b", "e"]


def test_in_words():
    summary = summarise(CONFIG, [[entry()]])
    rows = [dict(zip(TABLE_HEADER, row, strict=True)) for row in table_rows(summary)]
    assert [row["model"] for row in rows] == ["base", "best single weight", "best weights per block", "sims"]
    assert all(len(row) == len(TABLE_HEADER) for row in table_rows(summary))
    (text,) = sentences(summary, 12)
    assert (
        "against the best single weight (3.000, 15). By their paired intervals better: sims (2.000, 30)." in text
    )
    assert text.endswith("plain FIDs: best weights per block, sims.")
    gone = summarise(CONFIG, [[entry(sims=DIVERGED)]])
    assert table_rows(gone)[-1][7] == "diverged"
    assert "not distinguishable: sims (diverged, 30)" in sentences(gone, 12)[0]


def test_the_figure_has_every_model():
    summary = summarise(CONFIG, [[entry()]])
    figure = plot_prices(summary, 12)
    assert figure.axes[0].get_yscale() == "linear"
    labels = figure.legends[0].get_texts()
    assert {text.get_text() for text in labels} == {
        "Pareto front",
        "base",
        "best single weight",
        "best weights per block",
        "sims",
    }


def test_a_rival_far_off_leaves_the_others_apart():
    far = entry(sims=metrics(50.0, (51.0, 52.0)))
    assert plot_prices(summarise(CONFIG, [[far]]), 12).axes[0].get_yscale() == "log"


def test_every_kind_has_a_style(config):
    config["rivals"] = [{"name": kind, "kind": kind} for kind in RIVAL_KEYS]
    assert {rival.kind for rival in read_rivals(config).values()} == KINDS.keys() - {"base", "neon"}
