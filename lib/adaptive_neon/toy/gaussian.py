"""The true distribution N(0, [[2, 1], [1, 2]]), the distance to it, and the random streams of a seed."""

import hashlib

import torch

COVARIANCE = torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)


def stream(seed: int, purpose: str) -> torch.Generator:
    """The random stream of one purpose in one seed: independent of what else the seed is used for."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


def real_data(n: int, generator: torch.Generator) -> torch.Tensor:
    """n points of the true distribution, [2, n] float32."""
    return torch.linalg.cholesky(COVARIANCE).float() @ torch.randn(2, n, generator=generator)


def moments(total: torch.Tensor, products: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [M, 2] and unbiased covariance [M, 2, 2] from Σx [M, 2] and Σxxᵀ [M, 2, 2] of n points."""
    mean = total / n
    return mean, (products - n * mean[:, :, None] * mean[:, None, :]) / (n - 1)


def frechet_distance(mean: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """|μ|² + tr(C + Σ − 2(CΣ)^½) to the truth N(0, Σ), for mean [M, 2] and covariance C [M, 2, 2] → [M].

    The eigenvalues a, b of the 2×2 matrix CΣ are not negative, so tr (CΣ)^½ = √a + √b = √(tr CΣ + 2√det CΣ).
    """
    product = covariance @ COVARIANCE.to(covariance)
    trace = product.diagonal(dim1=-2, dim2=-1).sum(-1)
    root = (trace + 2 * torch.linalg.det(product).clamp(min=0).sqrt()).sqrt()
    return (mean**2).sum(-1) + (covariance.diagonal(dim1=-2, dim2=-1).sum(-1) + COVARIANCE.trace()) - 2 * root
