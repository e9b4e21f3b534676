"""Which seeds, images and settings each generation of a loop takes."""

import pytest
from adaptive_neon.loops.plan import Loop, Regime


@pytest.fixture
def loop(config):
    config["loop"]["generations"] = 4
    config["replicas"] = 2
    return Loop(config)


def test_no_image_is_drawn_twice_nor_measured(loop, config):
    """The seeds of all generations, of Neon's own images and of the measured ones are disjoint."""
    ranges = [loop.seeds(replica, g, own) for replica in (0, 1) for g in range(5) for own in (False, True)]
    for section in ("search", "heldout"):
        first, images = config[section]["first_seed"], config[section]["images"]
        ranges += [(first + replica * config["replica_stride"], images) for replica in (0, 1)]
    seeds = [seed for first, count in ranges for seed in range(first, first + count)]
    assert len(seeds) == len(set(seeds))


def test_a_generation_more_leaves_those_before_as_they_are(loop, config):
    config["loop"]["generations"] = 5
    more = Loop(config)
    for generation in loop.generations:
        assert more.seeds(0, generation) == loop.seeds(0, generation)
        assert more.training_seed(0, generation, "previous") == loop.training_seed(0, generation, "previous")


def test_no_two_trainings_share_a_seed(loop):
    seeds = [loop.training_seed(r, g, "previous", own) for r in (0, 1) for g in (1, 2, 3) for own in (False, True)]
    assert len(seeds) == len(set(seeds))


def test_from_scratch_a_generation_is_trained_as_the_base_model(loop, config):
    base = {key: value for key, value in config["base"]["training"].items() if key != "seed"}
    assert loop.training("scratch") == base
    assert loop.training("previous")["kimg"] == config["loop"]["kimg"]
    assert loop.training("previous")["lr"] == config["finetune"]["lr"] != base["lr"]


@pytest.mark.parametrize(
    ("regime", "turns_step", "corrects_model"),
    [
        (Regime("a", "replace"), False, False),
        (Regime("a", "replace", neon=(1.0,)), True, False),
        (Regime("a", "replace", start="scratch", neon=(1.0,)), False, True),
        (Regime("a", "fixed", real=0.5, neon=(1.0,)), False, True),
    ],
)
def test_which_self_training_neon_turns_around(regime, turns_step, corrects_model):
    """Continuing on a model's own images alone is Neon's self-training; after all else it is yet to come."""
    assert (regime.turns_step, regime.corrects_model) == (turns_step, corrects_model)


def test_the_generations_that_a_set_is_made_of():
    assert list(Regime("a", "replace").sources(3)) == [2]
    assert list(Regime("a", "accumulate").sources(3)) == [0, 1, 2]
    assert list(Regime("a", "fresh", real=0.5).sources(1)) == [0]
