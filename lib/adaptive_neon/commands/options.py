"""Arguments that several commands share, and what their texts mean."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adaptive_neon.errors import InputError
from adaptive_neon.families import settings_of

if TYPE_CHECKING:
    from adaptive_neon.evaluation.inception import Inception
    from adaptive_neon.families.checkpoints import Checkpoint


LARGEST_WEIGHT = 100  # as in a configuration
MOST_SEEDS = 1_000_000  # of one command; more are drawn in parts


def add_model(parser: argparse.ArgumentParser, name: str, what: str, **options) -> None:
    """A model to read."""
    parser.add_argument(
        name,
        metavar="MODEL",
        help=f"{what}: a published file such as an EDM .pkl, or a .safetensors of this program",
        **options,
    )


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """What a text-to-image model draws."""
    parser.add_argument(
        "--prompts",
        metavar="FILE",
        help="a text file, one prompt a line, of a text-to-image model: prompts are its classes",
    )


def add_any_model(parser: argparse.ArgumentParser, name: str, what: str, **options) -> None:
    """A checkpoint of any program."""
    parser.add_argument(
        name,
        metavar="MODEL",
        help=f"{what}: a .safetensors, the .index.json of shards, a folder of diffusers or transformers, a state "
        "dict of torch (.pt, .pth, .ckpt, .bin), or an EDM .pkl",
        **options,
    )


def of_a_family(path: str) -> bool:
    """Whether a model is one that this program builds, samples and trains, which `families.checkpoints` reads.

    Of what is no model at all the answer is yes too, for that reader says what is wrong. Torch is imported only
    for its own files that no family knows.
    """
    from safetensors import safe_open

    from adaptive_neon.families.published import READERS, read_published

    model = Path(path)
    if model.is_dir():
        if any((model / config).exists() for config in ("model_index.json", "config.json")):
            inside = model / "model.safetensors"
            return inside.is_file() and of_a_family(str(inside))
        return True
    if model.suffix == ".safetensors":
        try:
            with safe_open(model, framework="numpy") as file:
                return "architecture" in (file.metadata() or {})
        except Exception:  # whatever is wrong with it
            return True
    if model.suffix in READERS and model.suffix != ".pkl" and model.is_file():
        try:
            read_published(model)
        except InputError:
            return not _is_state_dict(model)
    return model.suffix not in (".json", ".bin")


def _is_state_dict(path: Path) -> bool:
    from adaptive_neon.models.opening import read_file

    try:
        return bool(read_file(path))
    except InputError:
        return False


def add_configs(parser: argparse.ArgumentParser) -> None:
    """The configuration of an experiment."""
    parser.add_argument("configs", type=Path, nargs="+", help="config.yaml, and the overlay of an experiment")


def add_blocks(parser: argparse.ArgumentParser) -> None:
    """How the network is cut into blocks."""
    parser.add_argument(
        "--block",
        dest="blocks",
        action="append",
        metavar="NAME=PATTERN",
        help="a block and the regular expression of its parameters' names; repeat it for each block. "
        "Default: those of the model's family, such as enc, mid and dec. --block all=. is plain Neon",
    )


def add_preset(parser: argparse.ArgumentParser) -> None:
    """A cut of a network that no family here knows."""
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="the blocks of a network of another program, such as down-mid-up or block-weighted; `inspect` lists "
        "those that fit. Default: the first of them",
    )


def add_device(parser: argparse.ArgumentParser, precision: str) -> None:
    """Where and in which type a network runs."""
    parser.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="auto: a GPU if there is one"
    )
    parser.add_argument(
        "--precision",
        default=precision,
        choices=["auto", "float32", "bfloat16", "float16"],
        help="type that the network computes in; auto: bfloat16 on a GPU, else float32 (default: %(default)s)",
    )


def add_features(parser: argparse.ArgumentParser) -> None:
    """Inception, where it runs and how images are brought to its size."""
    parser.add_argument(
        "--features",
        default="inception",
        choices=["inception", "inception-clean"],
        help="how images are resized: as in the first FID, or as in clean-fid (default: %(default)s)",
    )
    parser.add_argument(
        "--inception",
        metavar="FILE",
        help="the network's weights, inception-2015-12-05.pt; without it they are fetched once, and kept",
    )
    add_device(parser, precision="float32")


def extractor(features: str, inception: str | None, device: str, precision: str) -> "Inception":
    """The extractor of the arguments of `add_features`."""
    from adaptive_neon.evaluation.inception import Inception, weights_file
    from adaptive_neon.jobs.device import pick_device, pick_precision

    where = pick_device(device)
    return Inception(weights_file(inception), features, where, pick_precision(precision, where))


def block_patterns(blocks: Sequence[str] | None, architecture: Mapping) -> dict[str, str]:
    """Block → pattern from the texts of --block, or the first preset of the architecture's family."""
    return given_blocks(blocks) or dict(next(iter(settings_of(architecture).block_presets(architecture).values())))


def given_blocks(blocks: Sequence[str] | None) -> dict[str, str]:
    """Block → pattern from the texts of --block; empty without any."""
    blocks = blocks or []
    patterns = dict(text.partition("=")[::2] for text in blocks)
    if len(patterns) < len(blocks) or not all(name and pattern for name, pattern in patterns.items()):
        raise InputError(f"--block: {' '.join(blocks)}; give each block once, as NAME=PATTERN")
    return patterns


def parse_weights(text: str, blocks: Sequence[str]) -> dict[str, float]:
    """One w for all blocks, such as `0.75`, or one per block, such as `enc=1.25,mid=1.0,dec=0.75`.

    Raises:
        InputError: not numbers of a reasonable size, or not the blocks.
    """
    weights = _weights(text, blocks)
    if not all(abs(w) <= LARGEST_WEIGHT for w in weights.values()):  # nor is NaN
        raise InputError(f"--weights: {text!r} must be between -{LARGEST_WEIGHT} and {LARGEST_WEIGHT}")
    return weights


def _weights(text: str, blocks: Sequence[str]) -> dict[str, float]:
    try:
        if "=" not in text:
            return dict.fromkeys(blocks, float(text))
        pairs = [part.split("=") for part in text.split(",")]
        weights = {name.strip(): float(w) for name, w in pairs}
    except ValueError:
        raise InputError(
            f"--weights: {text!r} is neither a number nor a list such as {','.join(f'{b}=1.0' for b in blocks)}"
        ) from None
    if sorted(weights) != sorted(blocks) or len(pairs) != len(blocks):
        raise InputError(f"--weights: {text!r} must name each of the blocks {', '.join(blocks)} once")
    return {block: weights[block] for block in blocks}


def parse_sampler(texts: Sequence[str], checkpoint: "Checkpoint") -> dict:
    """The sampler settings of a model's study, or of its family, changed by texts such as `steps=18`.

    Raises:
        InputError: not settings of the family's sampler.
    """
    from adaptive_neon.studies.config import check_sampler
    from adaptive_neon.studies.layers import read_scalars

    family = settings_of(checkpoint.architecture)
    settings = family.SAMPLER
    if "sampler" in checkpoint.metadata:
        where = f"{checkpoint.metadata['source']}: sampler in its metadata"
        try:
            settings = json.loads(checkpoint.metadata["sampler"])
        except Exception:  # text of anyone
            raise InputError(f"{where}: no JSON; remove it") from None
        check_sampler(settings, checkpoint.architecture, where)
    given = dict(text.partition("=")[::2] for text in texts)
    if len(given) < len(texts):
        raise InputError(f"--sampler: {' '.join(texts)}; give each setting once, as KEY=VALUE")
    settings = dict(settings) | read_scalars(given)
    check_sampler(settings, checkpoint.architecture)
    return settings


def parse_seeds(text: str) -> list[int]:
    """Seeds and ranges of seeds, such as `0-63` or `1,2,5-10`.

    Raises:
        InputError: not such a list, or more than a command takes.
    """
    try:
        ends = [(int(first), int(last or first)) for first, _, last in (p.partition("-") for p in text.split(","))]
    except ValueError:
        raise InputError(f"--seeds: {text!r} is no list of seeds such as 0-63 or 1,2,5-10") from None
    if sum(last - first + 1 for first, last in ends) > MOST_SEEDS:
        raise InputError(f"--seeds: {text!r} are more than {MOST_SEEDS:,} images; draw them in parts")
    seeds = [seed for first, last in ends for seed in range(first, last + 1)]
    if not seeds or len(set(seeds)) < len(seeds) or not 0 <= min(seeds) <= max(seeds) < 2**32:
        raise InputError(f"--seeds: {text!r} is empty, repeats a seed or leaves 0 … 2³² − 1")
    return seeds
