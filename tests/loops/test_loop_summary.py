"""What a summary says of a loop, from metrics that are easy to work with by hand."""

import pytest
from adaptive_neon.loops.figures import PANELS, plot_generations
from adaptive_neon.loops.summary import TABLES, described, summarise, terminal_lines
from study_entries import DIVERGED, metrics
from study_entries import T as ONE_DEGREE

REGIMES = [{"name": "replace", "data": "replace"}, {"name": "neon", "data": "replace", "neon": [0.5, 1]}]


def measured(fid, spread=0.1):
    """Two blocks of seeds, with pseudo-values fid ± spread."""
    found = metrics(fid, (fid - spread, fid + spread)) | {"variance": 0.9, "spread": {}}
    found["without_block"]["variance"] = [0.9, 0.9]
    return found


def summary(*, replace=((4.0, 6.0), (4.0, 7.0)), neon=((4.0, 4.5), (4.0, 4.6))):
    loops = {"replace": replace, "neon": neon}
    found = {
        name: [[DIVERGED if fid is None else measured(fid) for fid in fids] for fids in replicas]
        for name, replicas in loops.items()
    }
    weights = {"neon": [[0.5]] * len(neon)}
    return summarise("digits", "digits", 2000, 2, REGIMES, found, weights)


def test_means_and_intervals_over_loops():
    """Two loops: FIDs 6 and 7, so a mean of 6.5 and a standard error of 0.5, times Student's 12.7."""
    last = summary()["regimes"][0]["generations"][1]["fid"]
    assert last["mean"] == pytest.approx(6.5)
    assert last["interval"] == pytest.approx([6.5 - 0.5 * ONE_DEGREE, 6.5 + 0.5 * ONE_DEGREE])


def test_the_rise_is_paired():
    """The blocks of seeds deviate alike in both generations, so in their difference nothing is left of that."""
    result = summary(replace=((4.0, 6.0),), neon=((4.0, 4.5),))
    assert result["regimes"][0]["rise"] == {
        "mean": pytest.approx(2.0),
        "corrected": pytest.approx(2.0),
        "interval": pytest.approx([2.0, 2.0]),
        "verdict": "better",  # generation 0 is
    }


def test_neon_is_compared_with_the_same_regime_without_it():
    (entry,) = summary(replace=((4.0, 6.0), (4.0, 6.1)))["neon"]
    assert (entry["regime"], entry["without"]) == ("neon", "replace")
    assert entry["gain"][0]["corrected"] == pytest.approx(1.5)
    assert entry["gain"][0]["verdict"] == "better"


def test_chosen_weights_are_told():
    entries = summary()["regimes"][1]["replicas"]
    assert [[entry.get("w") for entry in replica] for replica in entries] == [[None, 0.5], [None, 0.5]]


def test_lines_say_what_became_of_each_regime():
    first, replace, neon, gain = terminal_lines(summary(replace=((4.0, 6.0), (4.0, 6.0)), neon=((4.0, 4.0),) * 2))
    assert "the mean of 2 loops" in first and "generation 0, has 4" in first
    assert "FID 6, worse than generation 0 (by 2 [2, 2], corrected)" in replace
    assert "recall 0.5 → 0.5" in replace
    assert "the best w of 0.5, 1" in neon and "not distinguishable from generation 0" in neon
    assert "neon is better than replace in the last generation" in gain and "= 2 [2, 2]" in gain


def test_a_loop_that_diverges_is_a_result():
    result = summary(neon=((4.0, None), (4.0, 4.6)))
    assert result["regimes"][1]["generations"][1]["fid"] is None
    *_, neon, gain = terminal_lines(result)
    assert neon.endswith("diverged") and gain.endswith("diverged")
    assert all("diverged" in table(result)[-1] for table in TABLES.values())
    plot_generations(result)


def test_tables_have_a_row_a_generation_and_a_regime():
    result = summary()
    assert [len(TABLES[name](result)) for name in ("generations", "regimes")] == [5, 3]
    assert all(len(row) == len(table[0]) for table in (TABLES[name](result) for name in TABLES) for row in table)


def test_one_line_a_regime_in_each_panel():
    figure = plot_generations(summary())
    for axes in figure.axes:
        assert [line.get_label() for line in axes.get_lines()][:2] == ["replace", "neon"]
    assert {axes.get_ylabel() for axes in figure.axes} == set(PANELS.values())


@pytest.mark.parametrize("data", ["replace", "accumulate", "subsample", "fixed", "fresh"])
def test_every_regime_has_words(data):
    words = described({"name": "a", "data": data, "real": 0.25, "start": "scratch", "neon": [1]})
    assert words.endswith(", from scratch; turned around by Neon, w = 1")
    assert ("25 %" in words) == (data in ("fixed", "fresh"))
