"""Drawing tokens scale by scale (Tian et al. 2024, arXiv 2404.02905): guidance, top-k, top-p, and random numbers.

A token is drawn as argmax p/E over independent exponential E, one for each code (the Gumbel-max trick, as in
torch's own multinomial). Two models whose probabilities are similar mostly choose alike from equal E, so that a
comparison of models on equal seeds has little noise.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from adaptive_neon.families.var.network import VAR, Cache
from adaptive_neon.families.var.quantizer import Quantizer

Race = Callable[[int, Tensor], Tensor]  # (scale, codes int64 [N, p², k]) → their E, the same shape


@torch.inference_mode()
def sample_features(
    network: VAR,
    quantizer: Quantizer,
    classes: Tensor,
    race: Race,
    guidance: float,
    top_k: int,
    top_p: float,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The features f̂ of images of some classes.

    Args:
        classes: int64 [N], on the network's device.
        race: gives the exponential random numbers.
        guidance: scale of classifier-free guidance at the last scale, rising linearly from 1, none, at the first:
            logits = cond + (guidance − 1)·s/(S − 1)·(cond − uncond). VAR's own `cfg` is guidance − 1.
        top_k: draw from the most likely codes, 0 from all.
        top_p: of these, from as few as have this share of the probability together.

    Returns:
        float32 [N, C, P, P]; NaN for an image any of whose logits is not finite.
    """
    stages = len(network.patch_nums)
    guided = guidance != 1
    if guided:
        classes = torch.cat([classes, torch.full_like(classes, network.label_dim)])
    count = len(classes) // (1 + guided)
    caches = [Cache(network.pos_1LC.shape[1]) for _ in network.blocks]
    side, width = network.patch_nums[-1], quantizer.embedding.weight.shape[1]
    f_hat = torch.zeros(count, width, side, side, device=classes.device)
    finite = torch.ones(count, dtype=torch.bool, device=classes.device)
    inputs = None
    for stage in range(stages):
        logits = network.stage_logits(stage, classes, inputs, caches, dtype)
        if guided:
            t = (guidance - 1) * stage / (stages - 1)
            logits, uncond = logits.chunk(2)
            logits = (1 + t) * logits - t * uncond
        finite &= logits.isfinite().all(2).all(1)
        tokens = choose(logits, top_k, top_p, partial(race, stage))
        f_hat = quantizer.add(stage, f_hat, tokens)
        inputs = quantizer.next_input(stage, f_hat)
    return f_hat.where(finite[:, None, None, None], torch.nan)


def choose(logits: Tensor, top_k: int, top_p: float, race: Callable[[Tensor], Tensor]) -> Tensor:
    """One code a token: logits [N, l, V] → int64 [N, l].

    Args:
        top_k, top_p: as in `sample_features`. Codes from the least likely on are left out as long as their
            probabilities add up to no more than 1 − top_p; the likeliest always stays.
        race: codes int64 [N, l, k] → exponential random numbers of that shape.
    """
    count = min(top_k, logits.shape[-1]) or logits.shape[-1]
    if count == logits.shape[-1] and top_p == 1:
        codes, p = torch.arange(count, device=logits.device).expand_as(logits), F.softmax(logits, dim=-1)
    else:
        logits, codes = logits.topk(count, dim=-1)
        p = F.softmax(logits, dim=-1)
        tail = p.flip(-1).cumsum(-1).flip(-1)  # of a code and of all less likely ones
        tail[..., 0] = torch.inf
        p.masked_fill_(tail <= 1 - top_p, 0)
    return codes.gather(-1, p.div_(race(codes)).argmax(-1, keepdim=True))[..., 0]


def seeded_keys(
    seeds: Sequence[int], label_dim: int, classes: Sequence[int] | None = None
) -> tuple[Tensor, Tensor]:
    """A key of 64 random bits and a class for each image, from one generator per seed on the CPU, in this order.

    Args:
        classes: of the images, in place of those that the streams would give.

    Returns:
        keys int64 [N]; classes int64 [N], zeros where label_dim is 0.
    """
    keys, drawn = (torch.zeros(len(seeds), dtype=torch.int64) for _ in range(2))
    for i, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(int(seed))
        keys[i] = torch.randint(-(2**63), 2**63 - 1, [], generator=generator)
        if label_dim:
            drawn[i] = torch.randint(label_dim, [], generator=generator)
    return keys, drawn if classes is None else torch.as_tensor(classes, dtype=torch.int64)


def keyed_race(keys: Tensor, patch_nums: Sequence[int], vocab_size: int) -> Race:
    """Exponential random numbers that are a function of an image's key, the token and the code alone.

    A sequential generator would have to draw a number for each of the V codes of each token, on the CPU if images
    are not to depend on the device; this computes those of the codes that are asked for, where they are needed.

    Args:
        keys: int64 [N], on the device of the codes.
    """
    sizes = [side**2 for side in patch_nums]

    def race(stage: int, codes: Tensor) -> Tensor:
        first = sum(sizes[:stage])
        tokens = torch.arange(first, first + sizes[stage], device=codes.device)
        bits = splitmix64(keys[:, None, None], tokens[:, None] * vocab_size + codes)
        uniform = ((bits >> 32 & 0xFFFFFFFF).float() + 0.5) * 2**-32
        return -torch.log1p(-uniform)

    return race


def splitmix64(key: Tensor, index: Tensor) -> Tensor:
    """Output number `index` of SplitMix64 (Steele, Lea and Flood 2014) from the state `key`, int64 for uint64."""
    z = key + (index + 1) * _signed(0x9E3779B97F4A7C15)
    z = (z ^ _shifted(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27)) * _signed(0x94D049BB133111EB)
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """To the right, with zeros from the left."""
    return z >> bits & (1 << 64 - bits) - 1


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
