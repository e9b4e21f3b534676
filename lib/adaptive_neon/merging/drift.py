"""The drift θ_s − θ_r of self-training: how long, how straight, and a random one to compare it with.

A drift is a mapping parameter name → array, float64. Every function looks at the blocks apart.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Tensors = Mapping[str, np.ndarray]


class Drift(Mapping[str, np.ndarray]):
    """θ_s − θ_r, a tensor at a time: each is computed when it is asked for."""

    def __init__(self, base: Tensors, tuned: Tensors):
        self.base, self.tuned = base, tuned

    def __getitem__(self, name: str) -> np.ndarray:
        return self.tuned[name].astype(np.float64) - self.base[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.base)

    def __len__(self) -> int:
        return len(self.base)


def block_products(a: Tensors, b: Tensors, block_of: Mapping[str, str]) -> dict[str, float]:
    """The inner product ⟨a, b⟩ in each block, the blocks in the order of their first parameter."""
    products = dict.fromkeys(block_of.values(), 0.0)
    for name, block in block_of.items():
        products[block] += float(np.vdot(a[name].astype(np.float64), b[name].astype(np.float64)))
    return products


def block_norms(tensors: Tensors, block_of: Mapping[str, str]) -> dict[str, float]:
    """The Euclidean norm of each block."""
    return {block: product**0.5 for block, product in block_products(tensors, tensors, block_of).items()}


def block_cosines(a: Tensors, b: Tensors, block_of: Mapping[str, str]) -> dict[str, float | None]:
    """The cosine between a and b in each block; None where one of them is 0."""
    norms = block_norms(a, block_of), block_norms(b, block_of)
    products = block_products(a, b, block_of)
    return {
        block: product / (norms[0][block] * norms[1][block]) if norms[0][block] * norms[1][block] else None
        for block, product in products.items()
    }


def describe(base: Tensors, snapshots: Mapping[int, Tensors], block_of: Mapping[str, str]) -> list[dict]:
    """Length and straightness of the drift at each snapshot, block by block.

    Args:
        base: θ_r.
        snapshots: kimg of self-training, rising → θ_s.

    Returns:
        One dictionary per snapshot: `kimg`; `norm` of the drift; `relative` to the norm of θ_r; from the second on
        `cosine`, with the drift at the snapshot before, and `step_cosine`, of that drift with the step since.
        Both are 1 if self-training moves along one straight line.
    """
    of_base = block_norms(base, block_of)
    rows: list[dict] = []
    before = None
    for kimg, tuned in snapshots.items():
        now = Drift(base, tuned)
        norm = block_norms(now, block_of)
        row = {"kimg": kimg, "norm": norm, "relative": {block: norm[block] / of_base[block] for block in norm}}
        if before is not None:
            row["cosine"] = block_cosines(now, before, block_of)
            row["step_cosine"] = block_cosines(Drift(before, now), before, block_of)
        rows.append(row)
        before = now
    return rows


def randomise(
    base: Tensors, tuned: Tensors, block_of: Mapping[str, str], seed: Sequence[int]
) -> dict[str, np.ndarray]:
    """θ_r and a random direction that has the norm of θ_s − θ_r in each block: the null of a study.

    Normal numbers go to each weight that the self-training has moved; all else stays.
    """
    rng = np.random.default_rng(seed)
    learned = dict(Drift(base, tuned))
    noise = {name: rng.standard_normal(learned[name].shape) * learned[name].any() for name in sorted(learned)}
    target, norm = block_norms(learned, block_of), block_norms(noise, block_of)
    scale = {block: target[block] / norm[block] if norm[block] else 0.0 for block in norm}
    moved = {name: base[name] + scale[block] * noise[name] for name, block in block_of.items()}
    return dict(base) | {name: array.astype(base[name].dtype) for name, array in moved.items()}
