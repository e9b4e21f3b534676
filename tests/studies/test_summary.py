import json
from itertools import pairwise

import pytest
from adaptive_neon.statistics.jackknife import Interval
from adaptive_neon.studies.summary import two_levels
from scipy import stats
from study_entries import DIVERGED, ROLES, entry, metrics, study


def test_summary_of_one_replica():
    entries = entry(12), entry(25, base=metrics(4.0, (4.1, 3.9)))
    summary = study(*entries)
    assert list(summary) == ["experiment", "features", "images", "seed_blocks", "base", "snapshots"]
    assert summary["base"] == entries[0]["base"]
    assert [snapshot["kimg"] for snapshot in summary["snapshots"]] == [12, 25]
    assert not [snapshot for snapshot in summary["snapshots"] if "base" in snapshot]
    assert summary["snapshots"][1]["gain"] == entries[1]["gain"]
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_summary_of_several_replicas():
    """The first one's stand where one replica's would; each has its own base images."""
    first, second = entry(), entry(base=metrics(4.2, (4.3, 4.1)), blockwise=metrics(3.5, (3.65, 3.45)))
    summary = study(first, replicas=[[second]])
    assert summary["snapshots"] == study(first)["snapshots"]
    assert [replica["base"]["fid"] for replica in summary["replicas"]] == [4.0, 4.2]
    assert [replica["snapshots"][0]["gain"]["verdict"] for replica in summary["replicas"]] == ["better", "worse"]
    assert summary["replicas"][0]["snapshots"] == summary["snapshots"]
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_the_verdict_over_replicas_uses_the_wider_interval():
    """Gains 0.45 and −0.55 without any error over seeds: each is sure of itself, together they say nothing."""
    second = entry(blockwise=metrics(3.5, (3.65, 3.45)))
    gain = study(entry(), replicas=[[second]])["over_replicas"][0]["gain"]
    assert gain["fid_corrected"] == pytest.approx(-0.05)
    expected = stats.ttest_1samp([0.45, -0.55], 0).confidence_interval(0.95)
    assert gain["over"] == gain["interval"] == pytest.approx(list(expected))
    assert gain["within"] == pytest.approx([-0.05, -0.05])
    assert (gain["rests_on"], gain["verdict"]) == ("replicas", "not distinguishable")
    assert (gain["positive"], gain["verdicts"]) == (1, {"better": 1, "worse": 1})


def test_within_replicas_the_errors_over_seeds_add_up():
    """Three gains of 1 with standard errors 0.1, 0.2, 0.2 over 4 blocks: that of the mean is 0.3/3 = 0.1."""
    t3, t9 = (stats.t.ppf(0.975, freedom) for freedom in (3, 9))
    found = two_levels([Interval(1.0, 1 - t3 * e, 1 + t3 * e) for e in (0.1, 0.2, 0.2)], 4)
    assert found["within"] == pytest.approx([1 - 0.1 * t9, 1 + 0.1 * t9])
    assert found["over"] == [1, 1]
    assert (found["rests_on"], found["replicas"]) == ("seeds", 3)


def test_weights_over_replicas():
    other = entry()
    other["global"]["w"] = {"enc": 1.25, "dec": 1.25}
    weights = study(entry(), replicas=[[other], [entry()]])["over_replicas"][0]["global"]["w"]
    assert weights["mean"] == pytest.approx({"enc": 2.75 / 3, "dec": 2.75 / 3})
    expected = stats.ttest_1samp([0.75, 1.25, 0.75], 0).confidence_interval(0.95)
    assert weights["interval"]["enc"] == pytest.approx(list(expected))
    assert weights["winners"] == {ROLES["global"]: 2, "enc~1.25_dec~1.25": 1}
    assert all(a >= b for a, b in pairwise(weights["winners"].values()))


def test_a_single_weight_stands_for_those_of_all_layers():
    layers, single = entry(), entry()
    layers["blockwise"]["w"], single["blockwise"]["w"] = {"enc.conv": 1.0, "dec.conv": 0.5}, {"all": 0.75}
    weights = study(single, replicas=[[layers], [single]])["over_replicas"][0]["blockwise"]["w"]
    assert weights["mean"] == pytest.approx({"enc.conv": 2.5 / 3, "dec.conv": 2 / 3})
    assert weights["winners"] == {"all~0.75": 2, "enc.conv~1.0_dec.conv~0.5": 1}


def test_diverged_replicas_are_left_out():
    gone = entry(blockwise=DIVERGED)
    over = study(entry(), replicas=[[gone], [entry()]])["over_replicas"][0]
    assert over["blockwise"]["fid"]["replicas"] == 2
    assert over["gain"]["verdicts"] == {"better": 2, "not distinguishable": 1}
    over = study(entry(), replicas=[[gone]])["over_replicas"][0]
    assert over["blockwise"]["fid"] is None
    assert (over["gain"]["interval"], over["gain"]["verdict"]) == (None, "not distinguishable")
