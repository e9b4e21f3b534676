import json

import pytest
from adaptive_neon.summary import (
    TABLE_HEADER,
    compare,
    markdown_table,
    summarise,
    table_rows,
    terminal_lines,
    weights_text,
)

ROLES = {
    "base": "enc~0.0_dec~0.0",
    "collapsed": "enc~-1.0_dec~-1.0",
    "global": "enc~0.75_dec~0.75",
    "blockwise": "enc~1.25_dec~0.5",
}
DIVERGED = {"fid": None, "diverged": True}
T = 12.706204736432095  # 97.5 % quantile of Student's t with one degree of freedom


def metrics(fid, without, **more):
    """Metrics with two blocks of seeds: the pseudo-values are 2·fid − without."""
    return {"fid": fid, "fid_without_block": list(without), **more}


def entry(kimg=12, **changes):
    """A snapshot with FIDs that are easy to work with by hand, some of them changed."""
    heldout = {
        "base": metrics(4.0, (4.1, 3.9), precision=0.8, recall=0.5),
        "collapsed": metrics(6.0, (6.0, 6.2)),
        "global": metrics(3.0, (3.2, 3.0)),  # pseudo-values 2.8, 3.0
        "blockwise": metrics(2.5, (2.65, 2.45)),  # pseudo-values 2.35, 2.55
    } | changes
    search = {ROLES["global"]: {"fid": 3.1}, ROLES["blockwise"]: {"fid": 2.4}}
    return compare(kimg, ROLES, search, {ROLES[role]: values for role, values in heldout.items()})


def study(*entries, replicas=()):
    images = {"search": 1000, "heldout": 5000}
    return summarise("digits", "digits", images, [list(entries), *map(list, replicas)])


# A snapshot


def test_entry():
    found = entry()
    assert list(found) == ["kimg", "base", "collapsed", "global", "blockwise", "gain"]
    assert found["kimg"] == 12
    assert found["global"]["w"] == {"enc": 0.75, "dec": 0.75}
    assert found["blockwise"]["w"] == {"enc": 1.25, "dec": 0.5}
    assert (found["global"]["search_fid"], found["blockwise"]["search_fid"]) == (3.1, 2.4)
    assert (found["global"]["fid"], found["blockwise"]["fid"]) == (3.0, 2.5)
    assert (found["base"]["precision"], found["base"]["recall"]) == (0.8, 0.5)
    assert not [role for role in ROLES if "fid_without_block" in found[role]]


def test_intervals_of_the_jackknife():
    """Of pseudo-values 2.8 and 3.0: mean 2.9, standard error 0.1."""
    found = entry()["global"]
    assert found["fid_corrected"] == pytest.approx(2.9)
    assert found["fid_interval"] == pytest.approx([2.9 - 0.1 * T, 2.9 + 0.1 * T])


@pytest.mark.parametrize(
    ("blockwise", "estimate", "error", "verdict"),
    [
        ((2.5, 2.65, 2.45), 0.45, 0, "better"),  # both pseudo-values are 0.45 below those of the single weight
        ((3.5, 3.65, 3.45), -0.55, 0, "worse"),
        ((2.9, 2.8, 3.1), 0.05, 0.25, "not distinguishable"),  # differences −0.2 and 0.3
        ((3.0, 3.2, 3.0), 0, 0, "not distinguishable"),  # the same model
    ],
)
def test_gain_is_paired(blockwise, estimate, error, verdict):
    fid, *without = blockwise
    gain = entry(blockwise=metrics(fid, without))["gain"]
    assert gain["fid"] == pytest.approx(3.0 - fid)
    assert gain["fid_corrected"] == pytest.approx(estimate)
    assert gain["interval"] == pytest.approx([estimate - error * T, estimate + error * T])
    assert gain["verdict"] == verdict


@pytest.mark.parametrize("role", ["global", "blockwise"])
def test_a_winner_that_diverged(role):
    found = entry(**{role: DIVERGED})
    kept = {key: entry()[role][key] for key in ("w", "search_fid")}
    assert found[role] == kept | DIVERGED
    assert found["gain"] == {"fid": None, "interval": None, "verdict": "not distinguishable"}


# The study


def test_summary_of_one_replica():
    entries = entry(12), entry(25, base=metrics(4.0, (4.1, 3.9)))
    summary = study(*entries)
    assert list(summary) == ["experiment", "features", "images", "base", "snapshots"]
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


# Text


@pytest.mark.parametrize(
    ("point", "text"),
    [
        ({"enc": 0.75, "mid": 0.75, "dec": 0.75}, "0.75"),
        ({"all": 1.0}, "1"),
        ({"enc": 0.5, "mid": -0.25, "dec": 1.0}, "enc 0.5, mid -0.25, dec 1"),
    ],
)
def test_weights(point, text):
    assert weights_text(point) == text


def test_table():
    rows = table_rows(study(entry(12), entry(25, blockwise=DIVERGED), entry(50, **{"global": DIVERGED})))
    single = ["0.75", "3.000", "2.900 [1.629, 4.171]"]
    blockwise = ["enc 1.25, dec 0.5", "2.500", "2.450 [1.179, 3.721]"]
    gone = ["diverged", "diverged"]
    assert rows == [
        ["12", *single, *blockwise, "0.450 [0.450, 0.450]", "better"],
        ["25", *single, blockwise[0], *gone, "diverged", "not distinguishable"],
        ["50", single[0], *gone, *blockwise, "diverged", "not distinguishable"],
    ]
    assert {len(row) for row in rows} == {len(TABLE_HEADER)}


def test_markdown():
    assert markdown_table(["w", "FID"], [["0.5", "2.0"], ["1", "3.0"]]) == (
        "| w | FID |\n| --- | --- |\n| 0.5 | 2.0 |\n| 1 | 3.0 |\n"
    )


def test_terminal_lines_are_of_the_best_snapshot():
    """By the single weight, so that the choice doesn't favour the blocks."""
    worse = entry(12, **{"global": metrics(3.3, (3.4, 3.2)), "blockwise": metrics(1.0, (1.1, 0.9))})
    assert terminal_lines(study(worse, entry(25))) == [
        "digits: FID (digits features) on 5000 held-out images, 25 kimg of self-training",
        "  base θ_r        4.000, collapsed θ_s 6.000",
        "  best single w   3.000 (-25% against base) at w = 0.75",
        "  best per block  2.500 (-38% against base) at w = enc 1.25, dec 0.5",
        "  gain per block  0.450 [0.450, 0.450], 95 % interval over seeds: better",
    ]


@pytest.mark.parametrize("role", ["base", "collapsed", "blockwise"])
def test_terminal_lines_with_a_diverged_model(role):
    lines = terminal_lines(study(entry(**{role: DIVERGED})))
    assert len(lines) == 5
    assert "diverged" in "".join(lines)


def test_terminal_lines_pass_over_a_snapshot_whose_best_diverged():
    lines = terminal_lines(study(entry(12, **{"global": DIVERGED}), entry(25)))
    assert len(lines) == 5
    assert "25 kimg" in lines[0]


def test_terminal_lines_without_any_result():
    lines = terminal_lines(study(entry(**{"global": DIVERGED, "blockwise": DIVERGED})))
    assert lines == ["digits: the best models of all snapshots diverged on the held-out images"]
