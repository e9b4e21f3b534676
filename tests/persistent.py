"""Checkpoints in the form of NVlabs/edm's, written without its code."""

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch


class Persistent:
    """Pickles as upstream's persistent classes do: their source and state, for a function to rebuild."""

    def __init__(self, class_name, version=6, **state):
        self.meta = {
            "type": "class",
            "version": version,
            "module_src": "raise SystemExit('the source in the pickle was run')",
            "class_name": class_name,
            "state": {"training": False, "_backward_hooks": OrderedDict()} | state,
        }

    def __reduce__(self):
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,)


def module(class_name, parameters=None, buffers=None, modules=None, transient=(), **state):
    """A module of a persistent class."""
    return Persistent(
        class_name,
        _parameters=OrderedDict(parameters or {}),
        _buffers=OrderedDict(buffers or {}),
        _non_persistent_buffers_set=set(transient),
        _modules=OrderedDict(modules or {}),
        **state,
    )


@contextmanager
def upstream_modules() -> Iterator[type]:
    """Stands in for upstream's modules, whose names are all that goes into a file; yields its EasyDict."""

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("called by the reader")

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    easy_dict = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
    members = {
        "torch_utils": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
        "dnnlib": {},
        "dnnlib.util": {"EasyDict": easy_dict},
    }
    before = {name: sys.modules.get(name) for name in members}
    for name, attributes in members.items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(attributes)
    try:
        yield easy_dict
    finally:
        for name, old in before.items():
            del sys.modules[name]
            if old is not None:
                sys.modules[name] = old


def write_network_pickle(path: Path, network: torch.nn.Module, architecture: dict) -> None:
    """A network of this project as the checkpoint that upstream would write of its own."""

    def persistent(part, **state):
        return module(
            type(part).__name__,
            part._parameters,
            part._buffers,
            {name: child and persistent(child) for name, child in part._modules.items()},
            part._non_persistent_buffers_set,
            **state,
        )

    with upstream_modules():
        ema = persistent(network, _init_args=(), _init_kwargs=architecture)
        path.write_bytes(pickle.dumps({"ema": ema, "augment_pipe": None}))
