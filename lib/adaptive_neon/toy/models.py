"""The models of one family and seed in a folder: θ_r, and θ_s for each scale and number of epochs."""

from collections.abc import Mapping
from pathlib import Path

from adaptive_neon.errors import InputError
from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.toy.network import Model

Tuned = dict[tuple[float, int], Model]  # (ζ or τ, epochs) → θ_s


def write_models(
    folder: str | Path, base: Model, tuned: Mapping[tuple[float, int], Model], sampler: Mapping
) -> None:
    """Write `base.safetensors`, and `1.1-250.safetensors` for ζ = 1.1 and 250 epochs; `sampler` is metadata."""
    write_checkpoint(Path(folder) / "base.safetensors", base, sampler)
    for (scale, epochs), model in tuned.items():
        write_checkpoint(Path(folder) / f"{scale}-{epochs}.safetensors", model, sampler)


def read_models(folder: str | Path) -> tuple[Model, Tuned]:
    """Read what `write_models` wrote, θ_s by rising scale and epochs.

    Raises:
        InputError: a file is missing or not readable.
    """
    tuned = {}
    for path in Path(folder).glob("*-*.safetensors"):
        scale, _, epochs = path.stem.rpartition("-")
        tuned[float(scale), int(epochs)] = dict(read_checkpoint(path).tensors)
    if not tuned:
        raise InputError(f"{folder}: no self-trained model; remove the folder and make it again")
    return dict(read_checkpoint(Path(folder) / "base.safetensors").tensors), dict(sorted(tuned.items()))
