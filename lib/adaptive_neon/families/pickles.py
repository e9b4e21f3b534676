"""Pickles as data, read without executing anything in them.

A pickle names functions to call, and NVIDIA's even carry Python source, so unpickling one runs whatever its
author wished. Here a small interpreter of its own walks the opcodes: it knows only those that checkpoints are
made of, and a name in the file stands for an entry of a short table, never for an import. `read_pickle` reads
the snapshots of NVlabs's training loops, whose tensors lie in complete `torch.save` files inside the pickle, each
of which holds a pickle again and is read by the same interpreter with a shorter table still; `torch_files` reads
what torch saves.
"""

import io
import math
import mmap
import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

# The ADM network for ImageNet-64, the largest that NVIDIA published, takes 62,000 opcodes and 1,000
# entries (parameters, buffers, submodules) with names of at most 42 characters. An opcode makes one
# small object besides what it copies from the file, so these bounds hold memory to a few hundred
# megabytes above the size of the file, whatever the file says.
_MAX_OPCODES = 1_000_000
MAX_ENTRIES = 100_000
MAX_NAME = 200


def read_pickle(path: Path) -> object:
    """The object in a training snapshot (`.pkl`) of NVlabs/edm or of a code base that grew from it.

    Returns:
        Dictionaries, lists, numbers, texts, arrays, and a `Module` for each persistent object or module of torch.

    Raises:
        RefusedError: it names anything that such snapshots do not hold, or asks for more memory than its own size
            explains. Damaged bytes raise whatever they trip.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Snapshot(len(data)).read(data)


class RefusedError(Exception):
    """Content that is refused; the message says what, with no more of the file's text than a short repr."""


@dataclass
class Module:
    """An instance of a class that the file names: the class's name and the state, and nothing that runs."""

    class_name: str
    state: object = None


class OrderedDict(dict):
    """One with attributes of its own, such as a state dict's `_metadata`, which a pickle sets as its state."""

    state: object = None


class Interpreter:
    """Executes pickles of one file, within the bounds that are left to it."""

    def __init__(self):
        self.opcodes_left = _MAX_OPCODES

    def run(
        self,
        stream: BinaryIO,
        names: Mapping[str, object],
        persistent: Callable[[object], object] = lambda identifier: identifier,
        keys: tuple[type, ...] = (str,),
    ) -> object:
        """The object of the pickle at the position of `stream`.

        Args:
            names: what the names in the file stand for; any other is refused.
            persistent: what a persistent identifier stands for.
            keys: types that the keys of dictionaries may have.

        Raises:
            RefusedError: content that no such file holds.
        """
        stack: list = []
        marks: list[int] = []
        memo: dict[int, object] = {}

        def above_mark() -> list:
            start = marks.pop()
            values = stack[start:]
            del stack[start:]
            return values

        for opcode, argument, _ in pickletools.genops(stream):
            self.opcodes_left -= 1
            if self.opcodes_left < 0:
                raise RefusedError(f"takes more than {_MAX_OPCODES} opcodes")
            match opcode.name:
                case "PROTO" | "FRAME":
                    pass
                case "MEMOIZE":
                    memo[len(memo)] = stack[-1]
                case "BINPUT" | "LONG_BINPUT":
                    memo[argument] = stack[-1]
                case "BINGET" | "LONG_BINGET":
                    stack.append(memo[argument])
                case "SHORT_BINUNICODE" | "BINUNICODE" | "SHORT_BINBYTES" | "BINBYTES":
                    stack.append(argument)
                case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                    stack.append(argument)
                case "NONE":
                    stack.append(None)
                case "NEWTRUE" | "NEWFALSE":
                    stack.append(opcode.name == "NEWTRUE")
                case "EMPTY_TUPLE":
                    stack.append(())
                case "TUPLE1" | "TUPLE2" | "TUPLE3":
                    stack[-int(opcode.name[-1]) :] = [tuple(stack[-int(opcode.name[-1]) :])]
                case "MARK":
                    marks.append(len(stack))
                case "TUPLE":
                    stack.append(tuple(above_mark()))
                case "EMPTY_LIST":
                    stack.append([])
                case "APPEND" | "APPENDS":
                    values = [stack.pop()] if opcode.name == "APPEND" else above_mark()
                    expect(list, stack[-1]).extend(values)
                case "EMPTY_SET":
                    stack.append(set())
                case "ADDITEMS":
                    values = above_mark()
                    expect(set, stack[-1]).update(expect(str, value) for value in values)
                case "EMPTY_DICT":
                    stack.append({})
                case "SETITEM" | "SETITEMS":
                    values = [stack.pop(-2), stack.pop()] if opcode.name == "SETITEM" else above_mark()
                    # No tuples as keys: to hash a tuple of tuples can take forever.
                    expected = [expect(keys, key) for key in values[::2]]
                    expect((dict, OrderedDict), stack[-1]).update(zip(expected, values[1::2], strict=True))
                case "GLOBAL":
                    stack.append(_look_up(argument.replace(" ", "."), names))
                case "STACK_GLOBAL":
                    name, module = expect(str, stack.pop()), expect(str, stack.pop())
                    stack.append(_look_up(f"{module}.{name}", names))
                case "REDUCE" | "NEWOBJ":
                    # Of all that can be on the stack, only the functions of `names` are callable.
                    arguments, function = expect(tuple, stack.pop()), stack.pop()
                    stack.append(function(*arguments))
                case "BUILD":
                    state = stack.pop()
                    expect((Module, OrderedDict), stack[-1]).state = state
                case "BINPERSID":
                    stack.append(persistent(stack.pop()))
                case "STOP":
                    return stack.pop()
                case _:
                    raise RefusedError(f"uses the opcode {opcode.name}, which checkpoints do not")


def _look_up(name: str, names: Mapping[str, object]) -> object:
    if name not in names:
        raise RefusedError(f"names {name[:80]!r}, which such checkpoints do not hold; nothing was run")
    return names[name]


def expect(kinds: type | tuple[type, ...], value: object) -> Any:
    """The value, if it is of exactly that type or one of those.

    Raises:
        RefusedError: it is not.
    """
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    if type(value) not in kinds:
        raise RefusedError(f"holds a {type(value).__name__} where a {kinds[0].__name__} belongs")
    return value


class _Snapshot(Interpreter):
    """A pickle with storages inside, which may hold no more than the file."""

    def __init__(self, size: int):
        super().__init__()
        self.nested_left = size

    def read(self, data: mmap.mmap) -> object:
        return self.run(data, _STANDINS | {"torch.storage._load_from_bytes": self._storage})

    def _storage(self, data: bytes) -> np.ndarray:
        """The one storage in a `torch.save` file: a vector.

        A storage pickles itself in torch's legacy format: five pickles (magic number, version, system,
        the storage's identifier, keys), the number of elements in eight bytes, the elements.
        """
        # Each is read once in an honest file, so together they are smaller than the file.
        self.nested_left -= len(expect(bytes, data))
        if self.nested_left < 0:
            raise RefusedError("loads more storages than it holds")
        stream = io.BytesIO(data)
        _, _, _, identifier, _ = (self.run(stream, _STORAGE_TYPES) for _ in range(5))
        _, dtype, _, _, count, _ = identifier
        if not isinstance(dtype, np.dtype):  # a string would be taken for a type of its own design
            raise RefusedError("holds a storage of unknown type")
        # The copy is writable and aligned in memory, which makes all that follows several times faster.
        return np.frombuffer(bytearray(memoryview(data)[stream.tell() + 8 :]), dtype, count)


# What the names in a pickle stand for.


def new_dict() -> dict:
    return {}


def _numpy_value(*_: object) -> Module:
    return Module("a NumPy value")  # constants of the layers, which the architecture implies


def _no_data(*_: object) -> Module:
    return Module("no data")  # such as the objects of a configuration, which nothing here reads


def _persistent_object(meta: dict) -> Module:
    return Module(expect(str, meta["class_name"]), expect(dict, meta["state"]))


def parameter(tensor: np.ndarray, requires_grad: bool, hooks: dict) -> np.ndarray:
    return tensor


def view(
    storage: np.ndarray, offset: int, size: tuple, stride: tuple, requires_grad: bool, hooks: dict, *_: object
) -> np.ndarray:
    """A view of the storage; one that reaches outside it, or repeats its elements, is refused."""
    expect(np.ndarray, storage)
    numbers = [expect(int, number) for number in (offset, *size, *stride)]
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min(numbers) < 0 or 0 in size or last >= storage.size or math.prod(size) > storage.size:
        raise RefusedError("holds a tensor that does not fit its storage")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps)


_STANDINS: dict[str, Callable] = {
    "collections.OrderedDict": new_dict,
    "dnnlib.util.EasyDict": new_dict,
    "numpy.core.multiarray.scalar": _numpy_value,
    "numpy._core.multiarray.scalar": _numpy_value,
    "numpy.dtype": _numpy_value,
    "torch._utils._rebuild_parameter": parameter,
    "torch._utils._rebuild_tensor_v2": view,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent_object,
}
# Layers of torch and of timm, whose folders move between its versions; pickled as a class and its state.
_TIMM = ("timm.layers", "timm.models.layers")
_STANDINS |= {
    f"{place}.{layer}": partial(Module, layer.rpartition(".")[2])
    for place, layers in {
        "torch.nn.modules": (
            "activation.GELU",
            "activation.SiLU",
            "container.ModuleDict",
            "container.ModuleList",
            "container.Sequential",
            "conv.Conv2d",
            "dropout.Dropout",
            "linear.Identity",
            "linear.Linear",
            "normalization.LayerNorm",
            "sparse.Embedding",
        ),
        "timm.models": ("vision_transformer.Attention",),
        **dict.fromkeys(_TIMM, ("attention.Attention", "mlp.Mlp", "patch_embed.PatchEmbed")),
    }.items()
    for layer in layers
}
# What such modules hold beside tensors: the layout of images, types, and OmegaConf's lists of their arguments.
_STANDINS |= dict.fromkeys(
    (
        *(f"{place}.format.Format" for place in _TIMM),
        *(f"torch.{dtype}" for dtype in ("float32", "float16", "bfloat16")),
        "builtins.dict",
        "builtins.int",
        "builtins.list",
        "collections.defaultdict",
        "omegaconf.base.ContainerMetadata",
        "omegaconf.base.Metadata",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        "omegaconf.nodes.AnyNode",
        "typing.Any",
    ),
    _no_data,
)
_STORAGE_TYPES = {"torch.FloatStorage": np.dtype("<f4"), "torch.HalfStorage": np.dtype("<f2")}


# What a module is made of.


def state_dict(network: Module, size: int) -> dict[str, np.ndarray]:
    """Names as in torch's `state_dict`, and float32 arrays (float16 is converted).

    Args:
        size: bytes of the file, more than which the tensors cannot take.

    Raises:
        RefusedError: it is no module, or of more entries than a network has.
    """
    arrays = {}
    for count, (name, value) in enumerate(_entries(network)):
        if count >= MAX_ENTRIES or len(name) > MAX_NAME:
            raise RefusedError("nests more, or longer named, modules than a network has")
        if value is None:
            continue
        size -= expect(np.ndarray, value).nbytes
        if size < 0:
            raise RefusedError("holds tensors larger than the file")
        arrays[name] = value.astype(np.float32, order="C", copy=False)
    return arrays


def _entries(module: Module, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Names and values in the order of torch's state_dict; None for what is no part of it."""
    state = expect(dict, expect(Module, module).state)
    transient = expect(set, state.get("_non_persistent_buffers_set", set()))
    for name, tensor in state["_parameters"].items():
        yield prefix + name, tensor
    for name, buffer in state["_buffers"].items():
        yield prefix + name, None if name in transient else buffer
    for name, child in state["_modules"].items():
        yield prefix + name, None
        if child is not None:
            yield from _entries(child, f"{prefix}{name}.")


def plain(name: str, value: object) -> object:
    """An argument of a network as JSON's value: a number, a text, a truth value, None, or a list of such.

    Raises:
        RefusedError: it is none.
    """
    values = value if type(value) in (list, tuple) else [value]
    if any(type(scalar) not in (bool, int, float, str, type(None)) for scalar in values):
        raise RefusedError(f"gives the argument {name[:80]!r} a value that is not plain")
    return list(value) if type(value) is tuple else value
