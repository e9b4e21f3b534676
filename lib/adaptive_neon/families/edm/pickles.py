"""NVIDIA's EDM checkpoints (`.pkl`), read without executing anything in them.

Such a file is a pickle that carries Python source and names functions to call, so unpickling one runs
whatever its author wished. Here a small interpreter of its own walks the opcodes: it knows only those
that EDM's training loop produces, and a name in the file stands for an entry of a short table in this
module, never for an import. The tensors lie in complete `torch.save` files inside the pickle, each of
which holds a pickle again and is read by the same interpreter with a shorter table still.
"""

import io
import math
import mmap
import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adaptive_neon.errors import InputError

# The ADM network for ImageNet-64, the largest that NVIDIA published, takes 62,000 opcodes and 1,000
# entries (parameters, buffers, submodules) with names of at most 42 characters. An opcode makes one
# small object besides what it copies from the file, so these bounds hold memory to a few hundred
# megabytes above the size of the file, whatever the file says.
_MAX_OPCODES = 1_000_000
_MAX_ENTRIES = 100_000
_MAX_NAME = 200

_UNETS = ("SongUNet", "DhariwalUNet")
_POSITIONAL = (  # the order of EDMPrecond's arguments, for networks that were built without keywords
    "img_resolution",
    "img_channels",
    "label_dim",
    "use_fp16",
    "sigma_min",
    "sigma_max",
    "sigma_data",
    "model_type",
)


def read_network_pickle(path: str | Path) -> tuple[dict[str, np.ndarray], dict]:
    """Read the EMA network of an EDM training snapshot.

    Args:
        path: a `.pkl` as NVlabs/edm publishes and writes them: a dictionary with the network under "ema".

    Returns:
        The state dict, names as in torch's and float32 arrays (float16 is converted), and the
        architecture: the keyword arguments of EDMPrecond that the file records, without `use_fp16`,
        and always with `model_type`. Its values are JSON's.

    Raises:
        InputError: the file cannot be read, is damaged, names anything that EDM's checkpoints do not
            hold, asks for more memory than its own size explains, or holds another class of network.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            snapshot = _Reader(len(data)).snapshot(data)
            network = _ema_network(snapshot)
            return _state_dict(network, len(data)), _architecture(network)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the path of an EDM network .pkl") from error
    except _RefusedError as error:
        raise InputError(f"{path}: {error}; use an EDM network .pkl from a source that you trust") from error
    except Exception as error:  # malformed bytes can trip any operation on what was read
        raise InputError(f"{path}: not an EDM network pickle, or a damaged one; download it again") from error


class _RefusedError(Exception):
    """Content that is refused; the message says what, with no more of the file's text than a short repr."""


@dataclass
class _Object:
    """An instance of a class that the file names: the class's name and the state, and nothing that runs."""

    class_name: str
    state: object = None


class _Reader:
    """The interpreter, with what one file may still use of its bounds."""

    def __init__(self, size: int):
        self.opcodes_left = _MAX_OPCODES
        self.nested_left = size

    def snapshot(self, data: mmap.mmap) -> object:
        """The object that the outer pickle describes."""
        return self._run(data, _STANDINS | {"torch.storage._load_from_bytes": self._storage})

    def _storage(self, data: bytes) -> np.ndarray:
        """The one storage in a `torch.save` file: a vector.

        A storage pickles itself in torch's legacy format: five pickles (magic number, version, system,
        the storage's identifier, keys), the number of elements in eight bytes, the elements.
        """
        # Each is read once in an honest file, so together they are smaller than the file.
        self.nested_left -= len(_expect(bytes, data))
        if self.nested_left < 0:
            raise _RefusedError("loads more storages than it holds")
        stream = io.BytesIO(data)
        _, _, _, identifier, _ = (self._run(stream, _STORAGE_TYPES) for _ in range(5))
        _, dtype, _, _, count, _ = identifier
        if not isinstance(dtype, np.dtype):  # a string would be taken for a type of its own design
            raise _RefusedError("holds a storage of unknown type")
        # The copy is writable and aligned in memory, which makes all that follows several times faster.
        return np.frombuffer(bytearray(memoryview(data)[stream.tell() + 8 :]), dtype, count)

    def _run(self, stream, names: Mapping[str, object]) -> object:
        """Execute the pickle at the position of `stream`, where a name can only be one of `names`."""
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
                raise _RefusedError(f"takes more than {_MAX_OPCODES} opcodes")
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
                    _expect(list, stack[-1]).extend(values)
                case "EMPTY_SET":
                    stack.append(set())
                case "ADDITEMS":
                    values = above_mark()
                    _expect(set, stack[-1]).update(_expect(str, value) for value in values)
                case "EMPTY_DICT":
                    stack.append({})
                case "SETITEM" | "SETITEMS":
                    values = [stack.pop(-2), stack.pop()] if opcode.name == "SETITEM" else above_mark()
                    # Only strings as keys: to hash a tuple of tuples can take forever.
                    keys = [_expect(str, key) for key in values[::2]]
                    _expect(dict, stack[-1]).update(zip(keys, values[1::2], strict=True))
                case "GLOBAL":
                    stack.append(_look_up(argument.replace(" ", "."), names))
                case "STACK_GLOBAL":
                    name, module = _expect(str, stack.pop()), _expect(str, stack.pop())
                    stack.append(_look_up(f"{module}.{name}", names))
                case "REDUCE" | "NEWOBJ":
                    # Of all that can be on the stack, only the functions of `names` are callable.
                    arguments, function = _expect(tuple, stack.pop()), stack.pop()
                    stack.append(function(*arguments))
                case "BUILD":
                    state = stack.pop()
                    _expect(_Object, stack[-1]).state = state
                case "BINPERSID":
                    pass  # the identifier of a storage: the tuple stays what it is
                case "STOP":
                    return stack.pop()
                case _:
                    raise _RefusedError(f"uses the opcode {opcode.name}, which EDM's checkpoints do not")


def _look_up(name: str, names: Mapping[str, object]) -> object:
    if name not in names:
        raise _RefusedError(f"names {name[:80]!r}, which EDM's checkpoints do not hold; nothing was run")
    return names[name]


def _expect(kind: type, value: object) -> Any:
    if type(value) is not kind:
        raise _RefusedError(f"holds a {type(value).__name__} where a {kind.__name__} belongs")
    return value


# What the names in a pickle stand for.


def _new_dict() -> dict:
    return {}


def _new_module_dict() -> _Object:
    return _Object("ModuleDict")


def _numpy_value(*_: object) -> _Object:
    return _Object("a NumPy value")  # constants of the layers, which the architecture implies


def _persistent_object(meta: dict) -> _Object:
    return _Object(_expect(str, meta["class_name"]), _expect(dict, meta["state"]))


def _parameter(tensor: np.ndarray, requires_grad: bool, hooks: dict) -> np.ndarray:
    return tensor


def _tensor(
    storage: np.ndarray, offset: int, size: tuple, stride: tuple, requires_grad: bool, hooks: dict, *_: object
) -> np.ndarray:
    """A view of the storage; one that reaches outside it, or repeats its elements, is refused."""
    _expect(np.ndarray, storage)
    numbers = [_expect(int, number) for number in (offset, *size, *stride)]
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min(numbers) < 0 or 0 in size or last >= storage.size or math.prod(size) > storage.size:
        raise _RefusedError("holds a tensor that does not fit its storage")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps)


_STANDINS: dict[str, Callable] = {
    "collections.OrderedDict": _new_dict,
    "dnnlib.util.EasyDict": _new_dict,
    "numpy.core.multiarray.scalar": _numpy_value,
    "numpy._core.multiarray.scalar": _numpy_value,
    "numpy.dtype": _numpy_value,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.nn.modules.container.ModuleDict": _new_module_dict,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent_object,
}
_STORAGE_TYPES = {"torch.FloatStorage": np.dtype("<f4"), "torch.HalfStorage": np.dtype("<f2")}


# What the object is made of.


def _ema_network(snapshot: object) -> _Object:
    if type(snapshot) is not dict or type(snapshot.get("ema")) is not _Object:
        raise _RefusedError('has no network under the key "ema"')
    network = snapshot["ema"]
    if network.class_name != "EDMPrecond":
        raise _RefusedError(f"holds {network.class_name[:80]!r}, not EDMPrecond")
    return network


def _state_dict(network: _Object, size: int) -> dict[str, np.ndarray]:
    arrays = {}
    for count, (name, value) in enumerate(_entries(network)):
        if count >= _MAX_ENTRIES or len(name) > _MAX_NAME:
            raise _RefusedError("nests more, or longer named, modules than a network of EDM has")
        if value is None:
            continue
        size -= _expect(np.ndarray, value).nbytes
        if size < 0:
            raise _RefusedError("holds tensors larger than the file")
        arrays[name] = value.astype(np.float32, order="C", copy=False)
    return arrays


def _entries(module: _Object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Names and values in the order of torch's state_dict; None for what is no part of it."""
    state = _expect(dict, _expect(_Object, module).state)
    transient = _expect(set, state.get("_non_persistent_buffers_set", set()))
    for name, parameter in state["_parameters"].items():
        yield prefix + name, parameter
    for name, buffer in state["_buffers"].items():
        yield prefix + name, None if name in transient else buffer
    for name, child in state["_modules"].items():
        yield prefix + name, None
        if child is not None:
            yield from _entries(child, f"{prefix}{name}.")


def _architecture(network: _Object) -> dict:
    state = network.state
    arguments = dict(zip(_POSITIONAL, state["_init_args"], strict=False)) | state["_init_kwargs"]
    arguments.pop("use_fp16", None)
    unet = state["_modules"]["model"].class_name
    if unet not in _UNETS:
        raise _RefusedError(f"holds EDMPrecond over {unet[:80]!r}, not {' or '.join(_UNETS)}")
    arguments["model_type"] = unet
    return {name: _json_value(name, value) for name, value in arguments.items()}


def _json_value(name: str, value: object) -> object:
    values = value if type(value) in (list, tuple) else [value]
    if any(type(scalar) not in (bool, int, float, str, type(None)) for scalar in values):
        raise _RefusedError(f"gives the argument {name[:80]!r} a value that is not plain")
    return list(value) if type(value) is tuple else value
