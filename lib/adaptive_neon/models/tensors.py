"""Tensors that are read a piece at a time: of a file, of memory, or computed from other tensors."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.foreign import reading
from adaptive_neon.merging.extrapolation import extrapolate

PIECE = 2**18  # elements


class Tensor(Protocol):
    """A tensor that stays where it is until a piece of it is asked for.

    Attributes:
        path: of the file that it comes from, for messages.
    """

    path: Path
    dtype: torch.dtype
    shape: tuple[int, ...]

    def read(self, start: int, stop: int) -> torch.Tensor:
        """The elements from start to stop in row-major order, [stop − start].

        They are of `dtype`, or of a wider one where they are computed and not yet rounded.
        """


def pieces(tensor: Tensor) -> Iterator[torch.Tensor]:
    """All elements in order, at most `PIECE` at a time."""
    for start, stop in bounds(tensor):
        yield tensor.read(start, stop)


def bounds(tensor: Tensor) -> Iterator[tuple[int, int]]:
    """Where the pieces of a tensor start and stop."""
    size = math.prod(tensor.shape)
    for start in range(0, size, PIECE):
        yield start, min(start + PIECE, size)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread: pieces are so small that several wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def whole(tensor: Tensor) -> torch.Tensor:
    """All of a tensor, in memory."""
    return tensor.read(0, math.prod(tensor.shape)).reshape(tensor.shape)


def nbytes(tensor: Tensor) -> int:
    """Bytes that a tensor takes in a file."""
    return math.prod(tensor.shape) * tensor.dtype.itemsize


def as_bytes(elements: torch.Tensor) -> np.ndarray:
    """The bytes of a vector, uint8."""
    return elements.contiguous().view(torch.uint8).numpy()


def same_bytes(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two vectors are the same to the bit: NaN equals itself, −0 is not 0."""
    return a.dtype == b.dtype and torch.equal(a.view(torch.uint8), b.view(torch.uint8))


@dataclass(frozen=True)
class Stored:
    """A tensor in row-major order somewhere in a file."""

    path: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int

    def read(self, start: int, stop: int) -> torch.Tensor:
        size = self.dtype.itemsize
        with reading(self.path, "a checkpoint"):
            raw = np.fromfile(self.path, np.uint8, (stop - start) * size, offset=self.offset + start * size)
            if raw.size < (stop - start) * size:
                raise InputError(f"{self.path}: became shorter while it was read; get it again")
        return torch.from_numpy(raw).view(self.dtype) if raw.size else torch.empty(0, dtype=self.dtype)


@dataclass(frozen=True)
class Held:
    """A tensor in memory, or mapped there; of any strides."""

    path: Path
    tensor: torch.Tensor

    @property
    def dtype(self) -> torch.dtype:
        return self.tensor.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    def read(self, start: int, stop: int) -> torch.Tensor:
        if self.tensor.is_contiguous():
            return self.tensor.view(-1)[start:stop]
        return self.tensor.reshape(-1)[start:stop]  # a copy of all of it


def wide(dtype: torch.dtype) -> torch.dtype:
    """The type that tensors of a floating-point type are computed in: more than twice its digits."""
    return torch.float64 if dtype.itemsize > 2 else torch.float32


@dataclass(frozen=True)
class Extrapolated:
    """θ = θ_r − w·(θ_s − θ_r) of one tensor, in the type of θ_r (see `merging.extrapolation`).

    What is the same in both to the bit, such as a mask with infinities, stays what it is.
    """

    name: str
    theta_r: Tensor
    theta_s: Tensor
    w: float

    @property
    def path(self) -> Path:
        return self.theta_r.path

    @property
    def dtype(self) -> torch.dtype:
        return self.theta_r.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.theta_r.shape

    def read(self, start: int, stop: int) -> torch.Tensor:
        theta_r, theta_s = self.theta_r.read(start, stop), self.theta_s.read(start, stop)
        if same_bytes(theta_r, theta_s):
            return theta_r
        computed = wide(self.dtype)
        a, b = theta_r.to(computed, copy=True), theta_s.to(computed, copy=True)
        theta = b if self.w == -1 else extrapolate(a, b, self.w)
        least, most = map(float, theta.aminmax())
        largest = torch.finfo(self.dtype).max
        if not -largest <= least <= most <= largest:  # nor NaN
            raise InputError(self._fault(theta_r, theta_s))
        return theta.to(self.dtype)

    def _fault(self, theta_r: torch.Tensor, theta_s: torch.Tensor) -> str:
        for path, tensor in ((self.theta_r.path, theta_r), (self.theta_s.path, theta_s)):
            if not bool(torch.isfinite(tensor.double()).all()):
                said = "the training that made it diverged, or the merge was too far"
                return f"{path}: {self.name} is not finite; {said}"
        limits = torch.finfo(self.dtype)
        return (
            f"{self.name}: w = {self.w} leaves the range of {limits.dtype}, ± {limits.max:.5g}; take a smaller w"
        )
