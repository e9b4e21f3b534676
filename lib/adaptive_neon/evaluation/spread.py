"""How widely images, or their features, are spread: mean, standard deviation, norm of the covariance."""

import numpy as np

MOST = 1000  # rows whose pairs tell the norm of the covariance


def spread(rows: np.ndarray) -> dict[str, float]:
    """Statistics of rows [N, D], such as pixels or features; N ≥ 2.

    Returns:
        `mean`: of all entries. `deviation`: the root of the mean variance of a column. `covariance_norm`: the
        Frobenius norm of the covariance Σ, from the scalar products of the first 1,000 rows x, centred:
        ‖Σ‖² = E[(xᵀy)²] for independent x and y. Pairs of different rows alone make it (but for the centring) free
        of the bias (tr Σ)²/N that the square of a sample covariance has, and no D × D matrix is formed.
    """
    rows = rows.reshape(len(rows), -1)
    columns = Columns(rows)
    first = rows[:MOST] - columns.mean
    gram = first @ first.T
    n = len(first)
    squares = (gram**2).sum() - (np.diag(gram) ** 2).sum()
    return {
        "mean": float(columns.mean.mean()),
        "deviation": float(np.sqrt(columns.variance.mean())),
        "covariance_norm": float(np.sqrt(squares / (n * (n - 1)))),
    }


class Columns:
    """Mean and unbiased variance [D] of the columns of rows [N, D], N ≥ 2, in float64."""

    BATCH = 256

    def __init__(self, rows: np.ndarray):
        parts = [rows[start : start + self.BATCH] for start in range(0, len(rows), self.BATCH)]
        self.mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / len(rows)
        self.variance = sum(((part - self.mean) ** 2).sum(axis=0) for part in parts) / (len(rows) - 1)


def total_variance(rows: np.ndarray) -> float:
    """tr Σ of the rows [N, D], unbiased."""
    return float(Columns(rows).variance.sum())


def delete_one_block_variances(rows: np.ndarray, blocks: int) -> tuple[float, list[float]]:
    """`total_variance` of all rows [N, D], and of those without each of K = `blocks` runs."""
    parts = np.array_split(np.arange(len(rows)), blocks)
    return total_variance(rows), [total_variance(np.delete(rows, part, axis=0)) for part in parts]
