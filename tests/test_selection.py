import pytest
from adaptive_neon.selection import best_point, best_single_point

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
