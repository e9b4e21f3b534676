"""Two models of the same networks, θ_r and θ_s: what differs, what of it are weights, and in which blocks.

Raises everywhere an InputError where the two are not the same networks.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from adaptive_neon.errors import InputError
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.extrapolation import require_same_names
from adaptive_neon.models.opening import Component, Model
from adaptive_neon.models.presets import Preset, presets, proposed, split
from adaptive_neon.models.tensors import Tensor, bounds, same_bytes

STATISTICS = re.compile(r"(^|\.)(running_mean|running_var|num_batches_tracked)$")  # of batch normalisation
SCALES = re.compile(r"\.(scale_weight|weight_scale|weight_scale_inv)$")  # of weights that are stored as float8


@dataclass(frozen=True)
class Pair:
    """A component in both models."""

    name: str
    theta_r: Component
    theta_s: Component

    @property
    def weights(self) -> list[str]:
        """The names of the tensors that are weights: floating-point numbers that training changes by gradients."""
        return weights(self.theta_r.tensors)


def weights(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that are weights, and not whole numbers or running statistics."""
    return [
        name for name, tensor in tensors.items() if tensor.dtype.is_floating_point and not STATISTICS.search(name)
    ]


def drifted(base: Model, tuned: Model) -> list[Pair]:
    """The components that are not the same in both models.

    Raises:
        InputError: a component of θ_s fits none of θ_r, or all are the same.
    """
    pairs = []
    for name, theta_r, theta_s in _partners(base, tuned):
        _require_same_network(base.path, tuned.path, theta_r.tensors, theta_s.tensors)
        if not _same(theta_r.tensors, theta_s.tensors):
            _require_plain(base.path, theta_r.tensors, theta_s.tensors)
            pairs.append(Pair(name, theta_r, theta_s))
    if not pairs:
        raise InputError(f"{tuned.path}: is the same as {base.path}; give a model that was trained further")
    return pairs


def _partners(base: Model, tuned: Model) -> Iterator[tuple[str, Component, Component]]:
    """The components by their name in θ_r, in both. A network alone is that of the same tensors in a pipeline."""
    alone = [model.components[""] for model in (base, tuned) if "" in model.components]
    if len(alone) == 1:
        names = alone[0].tensors.keys()
        for name in base.components:
            for theta_s in tuned.components.values():
                if base.components[name].tensors.keys() == names == theta_s.tensors.keys():
                    yield name, base.components[name], theta_s
                    return
        raise InputError(
            f"{tuned.path}: its networks have other tensors than {base.path}; give two of the same network"
        )
    for name, theta_s in tuned.components.items():
        if name not in base.components:
            raise InputError(f"{base.path}: holds no {name}, which the tuned model has; give two of the same kind")
        yield name, base.components[name], theta_s


def _require_same_network(
    base: Path, tuned: Path, theta_r: Mapping[str, Tensor], theta_s: Mapping[str, Tensor]
) -> None:
    require_same_names(theta_r, theta_s)
    for name, tensor in theta_r.items():
        for what, a, b in (
            ("of the shape", tensor.shape, theta_s[name].shape),
            ("of the type", _type(tensor), _type(theta_s[name])),
        ):
            if a != b:
                raise InputError(
                    f"base and tuned model differ: {name} is {what} {a} in {base} and {b} in {tuned}; "
                    "give two of the same network in the same types"
                )


def _require_plain(path: Path, theta_r: Mapping[str, Tensor], theta_s: Mapping[str, Tensor]) -> None:
    """Refuse quantised weights: codes are no numbers to extrapolate, nor are numbers whose scale is another's."""
    scales = [name for name in theta_r if SCALES.search(name)]
    for name, tensor in theta_r.items():
        codes = (
            not tensor.dtype.is_floating_point
            and name.endswith(".weight")
            and not _same_tensor(tensor, theta_s[name])
        )
        if codes or (scales and tensor.dtype.is_floating_point and tensor.dtype.itemsize == 1):
            raise InputError(
                f"{path}: {name} is quantised, as {_type(tensor)}; give the models before quantisation"
            )


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return all(_same_tensor(tensor, b[name]) for name, tensor in a.items())


def _same_tensor(a: Tensor, b: Tensor) -> bool:
    return all(same_bytes(a.read(*piece), b.read(*piece)) for piece in bounds(a))


@dataclass(frozen=True)
class Blocks:
    """How the weights of all pairs are cut.

    Attributes:
        preset: its name, or what the user called the cut.
        patterns: block → pattern. With several components a block's name starts with the component's.
        block_of: component → weight's name → block.
    """

    preset: str
    patterns: Mapping[str, str]
    block_of: Mapping[str, Mapping[str, str]]


def cut(pairs: Sequence[Pair], preset: str | None, given: Preset | None) -> Blocks:
    """The blocks of the components that differ.

    Args:
        preset: by name; None takes the one that the names propose.
        given: patterns of the user's own, for every component.

    Raises:
        InputError: no such preset fits a component, or the patterns don't split it.
    """
    patterns, block_of, chosen = {}, {}, []
    for pair in pairs:
        names = pair.weights
        own, cut_ = _cut(pair, names, preset, given)
        chosen.append(own[0])
        prefix = f"{pair.name}." if len(pairs) > 1 else ""
        patterns |= {prefix + block: pattern for block, pattern in own[1].items()}
        block_of[pair.name] = {name: prefix + block for name, block in cut_.items()}
    return Blocks(", ".join(dict.fromkeys(chosen)), patterns, block_of)


def _cut(
    pair: Pair, names: Sequence[str], preset: str | None, given: Preset | None
) -> tuple[tuple[str, Preset], dict[str, str]]:
    if given:
        return ("of your own", given), assign_blocks(names, given)
    if preset is None:
        chosen = proposed(names)
    else:
        fitting = presets(names)
        if preset not in fitting:
            where = f" of {pair.name}" if pair.name else ""
            raise InputError(f"--preset: {preset!r} does not split the names{where}; use {' or '.join(fitting)}")
        chosen = preset, fitting[preset]
    block_of = split(names, chosen[1])
    assert block_of is not None  # a preset fits
    return chosen, block_of


def differences(pair: Pair, name: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pieces of θ_r and of θ_s − θ_r, float64 [≤ PIECE], of one tensor."""
    for piece in bounds(pair.theta_r.tensors[name]):
        a, b = pair.theta_r.tensors[name].read(*piece), pair.theta_s.tensors[name].read(*piece)
        # What is the same in both may be infinite.
        yield a.double(), torch.zeros(len(a)).double() if same_bytes(a, b) else b.double() - a.double()


def squares(pair: Pair, name: str) -> tuple[float, float]:
    """‖θ_s − θ_r‖² and ‖θ_r‖² of one tensor."""
    drift = norm = 0.0
    for theta_r, difference in differences(pair, name):
        drift += float(difference @ difference)
        norm += float(theta_r @ theta_r)
    return drift, norm
