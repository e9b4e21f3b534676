import numpy as np
import pytest
from adaptive_neon.merging.drift import Drift, block_norms, describe, randomise

BLOCK_OF = {"a": "first", "b": "second", "buffer": "second"}


def tensors(a, b):
    return {"a": np.array(a, np.float32), "b": np.array(b, np.float32), "buffer": np.ones(4, np.float32)}


BASE = tensors([3.0, 4.0], [[0.0, 2.0]])


def test_a_straight_drift():
    """Twice the way in the same direction: 3-4-5 triangles."""
    rows = describe(BASE, {10: tensors([3.3, 4.4], [[0.0, 3.0]]), 20: tensors([3.6, 4.8], [[0.0, 4.0]])}, BLOCK_OF)
    assert [row["kimg"] for row in rows] == [10, 20]
    assert rows[0]["norm"] == pytest.approx({"first": 0.5, "second": 1.0}, rel=1e-6)
    assert rows[0]["relative"] == pytest.approx({"first": 0.1, "second": 1 / 8**0.5}, rel=1e-6)
    assert "cosine" not in rows[0]
    assert rows[1]["cosine"] == pytest.approx({"first": 1, "second": 1}, rel=1e-6)
    assert rows[1]["step_cosine"] == pytest.approx({"first": 1, "second": 1}, rel=1e-6)


def test_a_drift_that_turns():
    """First along one axis, then as far along the other: 45° to the drift before, 90° to its step."""
    rows = describe(BASE, {1: tensors([4.0, 4.0], [[0.0, 2.0]]), 2: tensors([4.0, 5.0], [[0.0, 2.0]])}, BLOCK_OF)
    assert rows[1]["cosine"] == {"first": pytest.approx(0.5**0.5, rel=1e-6), "second": None}
    assert rows[1]["step_cosine"] == {"first": pytest.approx(0, abs=1e-6), "second": None}


def test_a_random_direction_has_the_norm_of_the_drift_in_each_block():
    rng = np.random.default_rng(0)
    base = {name: rng.standard_normal((40, 50)).astype(np.float32) for name in BLOCK_OF}
    tuned = {name: array + 0.1 * rng.random(array.shape, np.float32) for name, array in base.items()}
    tuned["buffer"] = base["buffer"]
    null = randomise(base, tuned, BLOCK_OF, [1, 12])
    learned, random = Drift(base, tuned), Drift(base, null)
    assert block_norms(random, BLOCK_OF) == pytest.approx(block_norms(learned, BLOCK_OF), rel=1e-5)
    np.testing.assert_array_equal(null["buffer"], base["buffer"])
    assert null["a"].dtype == np.float32
    cosine = np.vdot(learned["a"], random["a"]) / (np.linalg.norm(learned["a"]) * np.linalg.norm(random["a"]))
    assert abs(cosine) < 5 / 2000**0.5  # independent directions in 2,000 dimensions
    again, other = (randomise(base, tuned, BLOCK_OF, [1, kimg])["a"] for kimg in (12, 25))
    np.testing.assert_array_equal(again, null["a"])
    assert (other != null["a"]).mean() > 0.99
