"""θ_s − θ_r as a LoRA: of each weight's difference the best approximation of rank r, by its singular values.

A LoRA adds B·A to a weight, here θ_s − θ_r ≈ B·A (Eckart and Young 1936), so that scale 1 is about θ_s, and scale
−w is Neon with a single w. For a convolution A is one of r filters and B one of 1 × 1, as in LoCon (Yeh et al.
2023, arXiv 2309.14859).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from adaptive_neon.merging.grid import Point
from adaptive_neon.models.pairs import Blocks, Pair, differences
from adaptive_neon.models.tensors import Held, Tensor

# Tables of embeddings are matrices, but no product with an input: a LoRA of them is of another kind.
TABLES = re.compile(
    r"(^|\.)(class_embedding|embedding_table|\w*token_embedding|\w*position_embedding|wte|wpe|embed\w*)\.weight$"
)


@dataclass
class Kept:
    """How much of a block's drift a LoRA keeps: ‖B·A‖² and ‖θ_s − θ_r‖², over its weights."""

    kept: float = 0.0
    drift: float = 0.0

    @property
    def share(self) -> float:
        return self.kept / self.drift if self.drift else 1.0


def factors(difference: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """B [m, r] and A [r, n] of the best approximation B·A of a matrix [m, n], and ‖B·A‖²; all float64.

    The smaller of the two Gram matrices gives the singular vectors of one side, and the projection on them the
    rest, which is exact to rounding and no larger than the matrix. The factors share the singular values, √s each,
    so that neither leaves the range of 16 bits.
    """
    tall = difference.shape[0] > difference.shape[1]
    matrix = difference.T if tall else difference
    vectors = torch.linalg.eigh(matrix @ matrix.T).eigenvectors[:, -rank:].flip(1)
    projected = vectors.T @ matrix
    values = projected.norm(dim=1)
    root = values.sqrt().clamp_min(torch.finfo(torch.float64).tiny)
    missing = rank - len(values)  # of a matrix with a smaller side: zeros, so that all are of one rank
    up = torch.nn.functional.pad(vectors * root, (0, missing))
    down = torch.nn.functional.pad(projected / root[:, None], (0, 0, 0, missing))
    energy = float(values.square().sum())
    return (down.T, up.T, energy) if tall else (up, down, energy)


def factorised(
    pair: Pair, blocks: Blocks, rank: int, weights: Point | None
) -> Iterator[tuple[str, str, torch.Tensor | None, torch.Tensor | None, Kept]]:
    """Weight by weight: name, block, B, A and what they keep; None for what no LoRA holds, or did not move.

    Args:
        weights: block → w, to make −w·(θ_s − θ_r) of each block; None makes θ_s − θ_r.
    """
    for name, block in blocks.block_of[pair.name].items():
        shape = pair.theta_r.tensors[name].shape
        parts = [difference for _, difference in differences(pair, name)]
        difference = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)
        drift = float(difference.square().sum())
        if not drift or not _adaptable(name, shape):
            yield name, block, None, None, Kept(0.0, drift)
            continue
        up, down, kept = factors(difference.reshape(shape[0], -1), rank)
        if weights is not None:
            up = -weights[block] * up
        yield name, block, up, down, Kept(kept, drift)


def _adaptable(name: str, shape: tuple[int, ...]) -> bool:
    return name.endswith(".weight") and len(shape) in (2, 4) and min(shape) > 0 and not TABLES.search(name)


def lora(
    pairs: list[Pair], blocks: Blocks, rank: int, form: str, weights: Point | None = None
) -> tuple[dict[str, Tensor], dict[str, Kept]]:
    """The factors by the names of a form, and by block how much of the drift they keep.

    They are of the weights' type, or float32 for float64 and float8. α is the rank, so that scale 1 is 1.
    """
    tensors: dict[str, Tensor] = {}
    shares = {block: Kept() for block in blocks.patterns}
    for pair in pairs:
        component = pair.name or _usual(pair.theta_r.tensors)
        for name, block, up, down, kept in factorised(pair, blocks, rank, weights):
            total = shares[block]
            total.kept += kept.kept
            total.drift += kept.drift
            if up is None or down is None:
                continue
            base = pair.theta_r.tensors[name]
            dtype = base.dtype if base.dtype in (torch.float16, torch.bfloat16) else torch.float32
            window = base.shape[2:]
            shaped = {
                "down": down.reshape(len(down), base.shape[1], *window),
                "up": up.reshape(*up.shape, *[1] * len(window)),
            }
            for factor, tensor in shaped.items():
                key = _key(form, component, name.removesuffix(".weight"), factor)
                tensors[key] = Held(base.path, tensor.to(dtype).contiguous())
            if form == "kohya":
                alpha = torch.tensor(float(rank))
                tensors[_key(form, component, name.removesuffix(".weight"), "alpha")] = Held(base.path, alpha)
    return tensors, shares


def _usual(names: Mapping[str, Tensor]) -> str:
    """The component that a network alone is: the U-Net or the transformer of a pipeline."""
    blocks = any("transformer_blocks." in name for name in names) and not any("up_blocks" in n for n in names)
    return "transformer" if blocks else "unet"


def _key(form: str, component: str, module: str, factor: str) -> str:
    match form:
        case "kohya":
            shorts = {"text_encoder": "te1", "text_encoder_2": "te2"}
            name = f"lora_{shorts.get(component, component)}_{module.replace('.', '_')}"
            return f"{name}.alpha" if factor == "alpha" else f"{name}.lora_{factor}.weight"
        case "peft":
            prefix = "base_model.model"
        case _:
            prefix = component
    return f"{prefix}.{module}.lora_{'A' if factor == 'down' else 'B'}.weight"


def peft_config(tensors: Mapping[str, Tensor], rank: int) -> dict:
    """The `adapter_config.json` of peft for these factors."""
    modules = {
        match[1] for name in tensors if (match := re.fullmatch(r"base_model\.model\.(.*)\.lora_A\.weight", name))
    }
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": rank,
        "target_modules": f"({'|'.join(map(re.escape, sorted(modules)))})",  # a text is matched in full
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
    }
