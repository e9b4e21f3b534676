import numpy as np
import pytest
from adaptive_neon.collapse.exact.mixed import smallest_fresh
from adaptive_neon.collapse.layout import MODELS, TABLES
from adaptive_neon.collapse.metrics import interval_of_share
from adaptive_neon.collapse.prevention import SETTINGS, amounts, prevention, smallest
from adaptive_neon.collapse.summary import TABLES as WRITTEN


def test_every_name_has_its_content():
    assert list(SETTINGS) == list(MODELS)
    assert tuple(WRITTEN) == TABLES


@pytest.mark.parametrize("name", MODELS)
def test_the_truth_keeps_all_of_itself(name):
    setting = SETTINGS[name]
    np.testing.assert_allclose(setting.kept(setting.truth(3)), 1)


def test_amounts_rise_to_all_of_n():
    assert amounts(10, 1) == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert amounts(100, 6)[0] == 6
    assert amounts(100, 6)[-1] == 100


def test_the_smallest_amount_and_its_interval():
    """Of 400 runs 380 are 95 %; 369 reach it with the upper end of their interval, 388 clear it with the lower."""
    holding = {1: 100, 2: 372, 3: 381, 4: 395}
    assert interval_of_share(372, 400)[1] >= 0.95 > interval_of_share(381, 400)[0]
    assert smallest(list(holding), holding.get, 400) == {"low": 2, "amount": 3, "high": 4}
    assert smallest([1, 2], holding.get, 400) == {"low": 2, "amount": None, "high": None}


def test_fresh_real_data_of_a_gaussian_come_near_the_limit_of_large_n():
    """At n = 300, T = 150, some memories of the loop: the simulation's interval is around the diffusion's 7.5."""
    protocol = {"samples": [300], "generations": [150], "seeds": 400}
    found = next(entry for entry in prevention("gaussian", protocol, seed=0) if entry["regime"] == "fresh")
    (amount,) = found["smallest"]
    assert amount["low"] <= np.ceil(smallest_fresh(0.5, 2.0, 0.95)) <= amount["high"]
