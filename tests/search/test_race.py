"""The race: who drops out, and how often the best point wrongly does."""

import numpy as np
from adaptive_neon.search.race import survivors
from adaptive_neon.search.rounds import next_points, winners


def metrics(pseudo):
    """Of pseudo-values [K]."""
    pseudo = np.asarray(pseudo, float)
    full = pseudo.mean()
    without = full - (pseudo - full) / (len(pseudo) - 1)
    return {"images": 100, "dimension": 8, "fid": full, "without_block": {"fid": without.tolist()}}


def field(rng, fids, own=0.1, common=1.0, blocks=10):
    """Points with noise of their own and noise of common seeds."""
    seeds = rng.normal(size=blocks) * common
    return {name: metrics(fid + seeds + own * rng.normal(size=blocks)) for name, fid in fids.items()}


def test_what_is_clearly_worse_drops_out_in_spite_of_the_noise_of_the_seeds():
    fids = {"a~0.5_b~0.5": 1.0, "a~1.0_b~0.5": 1.02, "a~1.0_b~1.0": 2.0, "a~0.5_b~1.0": 3.0}
    found = field(np.random.default_rng(0), fids) | {"a~2.0_b~1.0": {"fid": None, "diverged": True}}
    assert survivors(found) == ["a~0.5_b~0.5", "a~1.0_b~0.5"]


def test_single_weights_run_a_race_of_their_own():
    fids = {"a~0.5_b~1.0": 1.0, "a~0.5_b~0.5": 2.0, "a~1.0_b~1.0": 3.0}
    assert survivors(field(np.random.default_rng(0), fids)) == ["a~0.5_b~1.0", "a~0.5_b~0.5"]


def test_of_equal_points_hardly_one_drops_out():
    """The comparisons hold together at 95 %; the best is chosen by the same images, so a little more drops out."""
    rng = np.random.default_rng(3)
    fids = {f"a~{a}_b~{b}": 1.0 for a in (0.5, 1.0, 1.5) for b in (0.25, 0.75)}
    wrong = np.mean([len(survivors(field(rng, fids))) < len(fids) for _ in range(400)])
    assert wrong < 0.12


def test_rounds_go_on_with_the_survivors_and_decide_by_all_their_images():
    rng = np.random.default_rng(5)
    fids = {"a~0.5_b~0.5": 1.1, "a~1.0_b~0.5": 1.0, "a~1.0_b~1.0": 4.0, "a~0.5_b~1.0": 4.0}
    first = field(rng, fids, own=0.3)
    second_points = next_points("race", (0.5, 1.0), list(fids), [first])
    assert second_points == ["a~0.5_b~0.5", "a~1.0_b~0.5"]
    second = field(rng, {name: fids[name] for name in second_points}, own=0.3)
    found = winners("race", (0.5, 1.0), list(fids), [first, second])
    assert found["global"] == "a~0.5_b~0.5"
    means = {name: (first[name]["fid"] + second[name]["fid"]) / 2 for name in second_points}
    assert found["blockwise"] == min(means, key=means.get)
    assert found["chosen_by"][found["blockwise"]]["fid"] == min(means.values())
    assert set(found["indistinguishable"]) <= set(second_points)
