"""How widely images, or their features, are spread: mean, standard deviation, norm of the covariance."""

import numpy as np

MOST = 1000  # rows whose pairs tell the norm of the covariance
BATCH = 256  # rows that are held in float64 at a time


def spread(rows: np.ndarray) -> dict[str, float]:
    """Statistics of rows [N, D], such as pixels or features; N ≥ 2.

    Returns:
        `mean`: of all entries. `deviation`: the root of the mean variance of a column. `covariance_norm`: the
        Frobenius norm of the covariance Σ, from the scalar products of the first 1,000 rows x, centred:
        ‖Σ‖² = E[(xᵀy)²] for independent x and y. Pairs of different rows alone make it (but for the centring) free
        of the bias (tr Σ)²/N that the square of a sample covariance has, and no D × D matrix is formed.
    """
    rows = rows.reshape(len(rows), -1)
    mean, variance = _columns(rows)
    first = rows[:MOST] - mean
    gram = first @ first.T
    n = len(first)
    squares = (gram**2).sum() - (np.diag(gram) ** 2).sum()
    return {
        "mean": float(mean.mean()),
        "deviation": float(np.sqrt(variance.mean())),
        "covariance_norm": float(np.sqrt(squares / (n * (n - 1)))),
    }


def _columns(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and unbiased variance [D] of the columns of rows [N, D], in float64."""
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / len(rows)
    return mean, sum(((part - mean) ** 2).sum(axis=0) for part in parts) / (len(rows) - 1)


def delete_one_block_variances(rows: np.ndarray, blocks: int) -> tuple[float, list[float]]:
    """tr Σ, unbiased, of all rows [N, D], and of those without each of K = `blocks` runs."""
    centre = rows.mean(axis=0, dtype=np.float64)  # sums of what is centred don't cancel
    parts = [part - centre for part in np.array_split(rows, blocks)]
    counts = np.array([len(part) for part in parts])
    sums = np.stack([part.sum(axis=0) for part in parts])
    squares = np.array([(part**2).sum() for part in parts])

    def variance(n: int, total: np.ndarray, square: float) -> float:
        return float((square - total @ total / n) / (n - 1))

    whole = counts.sum(), sums.sum(axis=0), squares.sum()
    without = zip(whole[0] - counts, whole[1] - sums, whole[2] - squares, strict=True)
    return variance(*whole), [variance(*rest) for rest in without]
