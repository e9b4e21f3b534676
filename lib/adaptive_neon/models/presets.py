"""Blocks by the names of tensors alone: presets for networks that no family here knows.

A preset is block → pattern, as in `merging.blocks`, and is offered only if it puts each name in exactly one block.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from adaptive_neon.families.networks.settings import UNET2D_BLOCKS, UNET_BLOCKS
from adaptive_neon.merging.blocks import lowest_resolution

# Lists of blocks that transformers are made of, in the order of their depth: of diffusers, of the original
# code of Flux and SD3, of DiT, and of language models.
STACKS = (
    ("transformer_blocks", "single_transformer_blocks"),
    ("double_blocks", "single_blocks"),
    ("joint_blocks",),
    ("blocks",),
    ("layers",),
)
HEAD = r"(norm_out|proj_out(_\d)?|final_layer(_norm)?|final_norm|head|lm_head|norm)\."

Preset = Mapping[str, str]


def presets(names: Collection[str]) -> dict[str, Preset]:
    """The presets that split these names, by name; the first is the one to propose, the last is plain Neon."""
    return dict(_fitting(names))


def proposed(names: Collection[str]) -> tuple[str, Preset]:
    """The preset to take where none is asked for: its name, and the patterns."""
    return next(_fitting(names))


def split(names: Collection[str], patterns: Preset) -> dict[str, str] | None:
    """Each name's block; None unless each matches exactly one pattern, and each pattern some name.

    It is `merging.blocks.assign_blocks` for patterns that are known to be harmless.
    """
    compiled = [(block, re.compile(pattern)) for block, pattern in patterns.items()]
    block_of = {}
    for name in names:
        matching = [block for block, pattern in compiled if pattern.search(name)]
        if len(matching) != 1:
            return None
        block_of[name] = matching[0]
    return block_of if set(block_of.values()) == set(patterns) else None


def _fitting(names: Collection[str]) -> Iterator[tuple[str, Preset]]:
    return ((preset, patterns) for preset, patterns in _candidates(names) if split(names, patterns))


def _candidates(names: Collection[str]) -> Iterator[tuple[str, Preset]]:
    if any(name.startswith("up_blocks.") for name in names):
        yield "down-mid-up", UNET2D_BLOCKS
        yield "block-weighted", block_weighted(names)
    elif any("input_blocks." in name for name in names):
        yield "down-mid-up", _without_empty(LATENT_DIFFUSION, names)
        yield "block-weighted", _without_empty(block_weighted_original(names), names)
    elif any(re.search(r"\b(enc|dec)\.\d+x\d+_", name) for name in names):
        lowest = lowest_resolution(names)
        yield "enc-mid-dec", {block: p.replace("{lowest}", lowest) for block, p in UNET_BLOCKS.items()}
    elif depth := _depth(names):
        yield "thirds", _without_empty(_by_depth(depth, 3), names)
        yield "every-block", _without_empty(_by_depth(depth, len(depth)), names)
    yield "all", {"all": "."}


def _without_empty(patterns: Preset, names: Collection[str]) -> Preset:
    return {block: p for block, p in patterns.items() if any(re.search(p, name) for name in names)}


# The blocks of diffusers' U-Nets in the names of the original code of latent diffusion, as in the single files of
# Stable Diffusion.
_ORIGINAL = r"^(?:model\.diffusion_model\.)?"
_ANY_ORIGINAL = r"(input_blocks|middle_block|time_embed|label_emb|output_blocks|out)\."
LATENT_DIFFUSION = {
    "down": rf"{_ORIGINAL}input_blocks\.",
    "mid": rf"{_ORIGINAL}(middle_block|time_embed|label_emb)\.",
    "up": rf"{_ORIGINAL}(output_blocks|out)\.",
    "other": rf"^(?!(model\.diffusion_model\.)?{_ANY_ORIGINAL})",
}


def block_weighted(names: Collection[str]) -> dict[str, str]:
    """The layout of block-weighted merging for a U-Net in diffusers' names: BASE, IN00 …, MID, OUT00 ….

    It counts the input and output blocks of the original code of latent diffusion: 12 and 12 in Stable Diffusion
    1 and 2, 9 and 9 in SDXL. BASE are the embeddings of time and classes.
    """
    inner, outer = ["^conv_in\\."], []
    for level, layers in sorted(_layers(names, "down_blocks").items()):
        inner += [rf"^down_blocks\.{level}\.(resnets|attentions)\.{layer}\." for layer in range(layers)]
        if any(name.startswith(f"down_blocks.{level}.downsamplers.") for name in names):
            inner.append(rf"^down_blocks\.{level}\.downsamplers\.")
    for level, layers in sorted(_layers(names, "up_blocks").items()):
        outer += [rf"^up_blocks\.{level}\.(resnets|attentions)\.{layer}\." for layer in range(layers)]
        outer[-1] += rf"|^up_blocks\.{level}\.upsamplers\."
    if outer:
        outer[-1] += r"|^(conv_norm_out|conv_out)\."
    return {
        "BASE": r"^(?!(conv_in|down_blocks|mid_block|up_blocks|conv_norm_out|conv_out)\.)",
        **{f"IN{i:02d}": pattern for i, pattern in enumerate(inner)},
        "MID": r"^mid_block\.",
        **{f"OUT{i:02d}": pattern for i, pattern in enumerate(outer)},
    }


def block_weighted_original(names: Collection[str]) -> dict[str, str]:
    """The same in the original names; BASE is also the text encoder and the autoencoder of a single file."""
    counts = {
        side: 1 + max((int(n) for name in names for n in re.findall(rf"\b{side}\.(\d+)\.", name)), default=-1)
        for side in ("input_blocks", "output_blocks")
    }
    last = counts["output_blocks"] - 1
    return {
        "BASE": rf"^(?!(model\.diffusion_model\.)?{_ANY_ORIGINAL})|{_ORIGINAL}(time_embed|label_emb)\.",
        **{f"IN{i:02d}": rf"{_ORIGINAL}input_blocks\.{i}\." for i in range(counts["input_blocks"])},
        "MID": rf"{_ORIGINAL}middle_block\.",
        **{
            f"OUT{i:02d}": rf"{_ORIGINAL}(output_blocks\.{i}{'|out' if i == last else ''})\."
            for i in range(counts["output_blocks"])
        },
    }


def _layers(names: Collection[str], side: str) -> dict[int, int]:
    """Level of a U-Net → its number of residual blocks."""
    found: dict[int, int] = {}
    for name in names:
        if match := re.match(rf"{side}\.(\d+)\.resnets\.(\d+)\.", name):
            level, layer = map(int, match.groups())
            found[level] = max(found.get(level, 0), layer + 1)
    return found


def _depth(names: Collection[str]) -> list[str]:
    """The blocks of a transformer by depth, each as the pattern that its names start with; else none."""
    for stacks in STACKS:
        counts: dict[str, set[int]] = {}
        for name in names:
            if match := re.match(rf"(.*?\b)?({'|'.join(stacks)})\.(\d+)\.", name):
                counts.setdefault((match[1] or "") + match[2], set()).add(int(match[3]))
        in_order = sorted(counts, key=lambda stack: stacks.index(stack.rpartition(".")[2]))
        depth = [rf"{re.escape(stack)}\.{i}\." for stack in in_order for i in sorted(counts[stack])]
        if len(depth) >= 3:
            return depth
    return []


def _by_depth(depth: list[str], parts: int) -> dict[str, str]:
    """Embeddings, the blocks of a transformer in so many parts, and the head."""
    ends = [round(part * len(depth) / parts) for part in range(parts + 1)]
    groups = [depth[ends[i] : ends[i + 1]] for i in range(parts)]
    digits = len(str(parts - 1))
    names = ["early", "middle", "late"] if parts == 3 else [f"block{i:0{digits}d}" for i in range(parts)]
    stacks = "|".join(dict.fromkeys(re.sub(r"\\\.\d+\\\.$", r"\\.\\d", block) for block in depth))
    return {
        "embedding": rf"^(?!{stacks}|(.*\.)?{HEAD})",
        **{name: f"^({'|'.join(group)})" for name, group in zip(names, groups, strict=True)},
        "head": rf"^(?!{stacks})(.*\.)?{HEAD}",
    }
