"""Networks from checkpoints, and back."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from adaptive_neon.errors import InputError
from adaptive_neon.families import family_of, name_of, settings_of
from adaptive_neon.families.checkpoints import Checkpoint, read_codec
from adaptive_neon.families.networks.low_rank import adapt
from adaptive_neon.jobs.files import replacing


def build(architecture: Mapping, training: Mapping | None = None) -> nn.Module:
    """A freshly initialised network of whatever family (see `protocol.Family.build`)."""
    return family_of(architecture).build(arguments(architecture), training)


def load(checkpoint: Checkpoint, training: Mapping | None = None) -> nn.Module:
    """The network of a checkpoint, with its weights, in evaluation mode on the CPU.

    For a training with `lora_rank` it has the factors of a LoRA, random ones from torch's global stream, and only
    they ask for gradients. Nothing is allocated before the tensors are known to be those of the architecture,
    which may claim any size.

    Raises:
        InputError: they are not, or there is no network of that architecture.
    """
    source = checkpoint.metadata.get("source", "model")
    try:
        with torch.device("meta"):
            network = build(checkpoint.architecture, training)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    network = _with_tensors(network, checkpoint.tensors, source)
    if training and training.get("lora_rank"):
        adapt(network, settings_of(checkpoint.architecture).ADAPTED, training["lora_rank"])
    return network


def load_codec(
    paths: Sequence[str | Path],
    architecture: Mapping,
    device: torch.device,
    read: Callable[[str | Path, Mapping], Mapping[str, np.ndarray]] = read_codec,
) -> dict[str, nn.Module]:
    """The frozen codec as the keyword argument of a family's `loss` and `draw`; nothing where there is none.

    Args:
        paths: its file, if there is one.
        architecture: of the model.
        read: (path, architecture) → its tensors.

    Raises:
        InputError: the file is not of the codec that the architecture says.
    """
    if not paths:
        return {}
    codec = family_of(architecture).build_codec(arguments(architecture))
    return {"codec": _with_tensors(codec, read(paths[0], architecture), str(paths[0])).to(device)}


def _with_tensors(network: nn.Module, tensors: Mapping[str, np.ndarray], source: str) -> nn.Module:
    state = {name: _tensor(array) for name, array in tensors.items()}
    shapes, expected = ({name: tuple(t.shape) for name, t in s.items()} for s in (state, network.state_dict()))
    differing = [name for name in expected | shapes if expected.get(name) != shapes.get(name)]
    if differing:
        name = differing[0]
        raise InputError(
            f"{source}: weights do not fit the architecture, which another network must have made: "
            f"{len(differing)} differ, first {name}: {shapes.get(name, 'missing')}, "
            f"expected {expected.get(name, 'none')}"
        )
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _tensor(array: np.ndarray) -> torch.Tensor:
    """A copy; floating-point numbers as float32, whole numbers (of a buffer) as they are."""
    tensor = torch.from_numpy(np.asarray(array))
    return tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)


def arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """The parameters and buffers of a network as NumPy arrays, ready for a checkpoint."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}


def write_state_dict(path: str | Path, network: nn.Module) -> None:
    """Write a plain state dict, name → tensor, for `torch.load`."""
    with replacing(path) as temporary:
        torch.save(network.state_dict(), temporary)


def require_architecture(expected: Mapping, found: Mapping) -> None:
    """Raise an InputError unless every argument in `expected` is that of the architecture `found`."""
    if name_of(expected) != name_of(found):
        raise InputError(
            f"base.architecture.family: {name_of(expected)}, but the checkpoint's is {name_of(found)}; correct it"
        )
    found = family_of(found).complete(arguments(found))
    _require_same(arguments(expected), found, "base.architecture")


def _require_same(expected: Mapping, found: Mapping, where: str) -> None:
    for key, value in expected.items():
        here = found.get(key, "no argument of its network")
        if isinstance(value, Mapping) and isinstance(here, Mapping):
            _require_same(value, here, f"{where}.{key}")
        elif value != (list(here) if isinstance(here, tuple) else here):
            raise InputError(f"{where}.{key}: {value}, but the checkpoint's is {here}; correct it, or drop it")


def arguments(architecture: Mapping) -> dict:
    """The arguments of the network: the architecture without the name of its family."""
    return {key: value for key, value in architecture.items() if key != "family"}
