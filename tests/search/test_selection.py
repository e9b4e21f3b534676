import pytest
from adaptive_neon.search.selection import best_point, best_single_point, indistinguishable

FIDS = {
    "enc~1.0_dec~1.0": 2.0,
    "enc~1.0_dec~0.5": 1.5,
    "enc~0.5_dec~1.0": None,
    "enc~0.5_dec~0.5": 1.8,
}


def test_winners():
    assert best_point(FIDS) == "enc~1.0_dec~0.5"
    assert best_single_point(FIDS) == "enc~0.5_dec~0.5"


def test_a_diverged_point_never_wins():
    assert best_point({"all~1.0": None, "all~0.5": 1e9}) == "all~0.5"
    assert best_single_point(FIDS | {"enc~0.5_dec~0.5": None}) == "enc~1.0_dec~1.0"


def test_of_equals_the_first_wins():
    assert best_point({"all~2.0": 3.0, "all~1.0": 3.0, "all~0.5": 3.0}) == "all~2.0"


@pytest.mark.parametrize("best", [best_point, best_single_point])
def test_nothing_to_choose_from(best, refuses):
    with refuses("grid", "every point diverged"):
        best(dict.fromkeys(FIDS))


def test_what_cannot_be_told_from_the_best():
    """By the paired differences of the pseudo-values 2·full − without."""
    metrics = {
        "all~0.5": {"fid": 2.0, "without_block": {"fid": [2.0, 2.2]}},  # pseudo-values 2.0, 1.8
        "all~1.0": {"fid": 2.5, "without_block": {"fid": [2.5, 2.71]}},  # 2.5, 2.29: higher by 0.5 and 0.49
        "all~1.5": {"fid": 2.1, "without_block": {"fid": [2.3, 2.1]}},  # 1.9, 2.1: higher by −0.1 and 0.3
        "all~2.0": {"fid": None, "diverged": True},
    }
    assert indistinguishable(metrics, "all~0.5") == ["all~0.5", "all~1.5"]
