"""What a loop will ask for."""

import pytest
from adaptive_neon.loops.estimate import rules_of, work_of


@pytest.fixture
def loop(config):
    """Two replicas of three generations: one regime without Neon, one whose models it corrects after a search."""
    config["replicas"] = 2
    config["loop"] |= {"generations": 3, "images": 500, "kimg": 10}
    config["loop"]["regimes"] = [
        {"name": "replace", "data": "replace"},
        {"name": "half", "data": "fixed", "real": 0.5, "start": "scratch", "neon": [0.5, 1]},
    ]
    config["base"]["training"]["kimg"] = 100
    config["search"]["images"] = 200
    config["heldout"]["images"] = 1000
    return config


def test_what_the_rules_have_to_do(loop):
    assert {rule.name: (rule.jobs, rule.work) for rule in rules_of(loop, 1e6, 1e7)} == {
        "base": (1, 100_000),
        "generate": (2, 2000),
        "measure": (2, 2000),
        "loop_images": (2 * (1 + 2 * 2), 2 * 5 * 500),  # of generation 0 once, and of all but the last
        "loop_train": (12, 2 * 3 * (10_000 + 100_000)),
        "loop_own_images": (6, 6 * 500),
        "loop_self_train": (6, 6 * 10_000),
        "loop_search_images": (6, 6 * 2 * 200),
        "loop_search": (6, 6 * 2 * 200),
        "loop_heldout": (12, 12_000),
        "loop_measure": (12, 12_000),
    }


@pytest.mark.parametrize(
    ("name", "work"),
    [
        ("replica-1/loop-half/loop_train-3", ("loop_train", 100_000)),
        ("replica-1/loop-replace/loop_train-3", ("loop_train", 10_000)),
        ("replica-0/loop-base/loop_images-0", ("loop_images", 500)),
        ("replica-0/loop-half/loop_search-2", ("loop_search", 400)),
        ("replica-0/loop-half/loop_correct-2", None),
        ("replica-0/loop-gone/loop_train-2", None),
        ("summary", None),
    ],
)
def test_the_work_of_a_job_follows_from_its_name(loop, name, work):
    assert work_of(loop, name) == work
