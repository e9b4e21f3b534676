import numpy as np
import pytest
from adaptive_neon.evaluation.spread import MOST, delete_one_block_variances, spread


def test_mean_and_deviation_are_numpys():
    pixels = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 3), dtype=np.uint8)
    found = spread(pixels)
    assert found["mean"] == pytest.approx(pixels.mean())
    assert found["deviation"] == pytest.approx(np.sqrt(pixels.var(axis=0, ddof=1).mean()))


def test_the_norm_of_the_covariance_has_no_bias():
    """20 dimensions of variance 1 have ‖Σ‖² = 20; the square of a covariance of 50 rows is (20² + 20)/49 above."""
    rng = np.random.default_rng(0)
    squares = [spread(rng.standard_normal((50, 20)))["covariance_norm"] ** 2 for _ in range(300)]
    error = np.std(squares, ddof=1) / np.sqrt(len(squares))
    assert abs(np.mean(squares) - 20) < 4 * error + 20 / 50  # which centring leaves
    assert np.mean([np.linalg.norm(np.cov(rng.standard_normal((50, 20)).T)) ** 2 for _ in range(50)]) > 26


def test_the_norm_of_a_correlated_covariance():
    rng = np.random.default_rng(1)
    root = rng.standard_normal((6, 6))
    rows = rng.standard_normal((MOST, 6)) @ root.T
    assert spread(rows)["covariance_norm"] == pytest.approx(np.linalg.norm(np.cov(rows.T)), rel=0.02)


def test_total_variance_and_its_replicates():
    rows = np.random.default_rng(2).random((40, 5), np.float32)
    full, without = delete_one_block_variances(rows, 4)
    assert full == pytest.approx(np.trace(np.cov(rows.T)), rel=1e-6)
    expected = [np.trace(np.cov(np.delete(rows, slice(10 * i, 10 * i + 10), axis=0).T)) for i in range(4)]
    assert without == pytest.approx(expected, rel=1e-6)
