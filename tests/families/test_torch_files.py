"""Files of torch.save against torch itself; hostile ones against a canary that their payloads would make."""

import argparse
import os
import pathlib
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from adaptive_neon.families.pickles import RefusedError
from adaptive_neon.families.torch_files import plain_state_dict, read_torch_file


def saved(tmp_path, content, **options):
    path = tmp_path / "model.pth"
    torch.save(content, path, **options)
    return path


TENSORS = {
    "float64": torch.tensor(3.5, dtype=torch.float64),
    "transposed": torch.arange(12.0).reshape(3, 4).t(),
    "sliced": torch.arange(12.0).reshape(3, 4)[1:, ::2],
    "half": torch.tensor([1.0, 65504.0, 6e-8, float("inf")]).half(),
    "bfloat16": torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).bfloat16(),
    "int64": torch.tensor([[1, -(2**40)]]),
    "uint8": torch.tensor([0, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "parameter": torch.nn.Parameter(torch.ones(2)),
}


def test_tensors_equal_torchs(tmp_path):
    state = read_torch_file(saved(tmp_path, TENSORS))
    assert list(state) == list(TENSORS)
    for name, tensor in TENSORS.items():
        expected = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        np.testing.assert_array_equal(state[name], expected.detach().numpy(), err_msg=name)
        assert state[name].dtype == expected.detach().numpy().dtype


def test_reads_a_training_checkpoint(tmp_path):
    """Of a module and its optimizer, with the arguments of a script, as code bases write them."""
    layer = torch.nn.Linear(2, 3)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    content = {
        "model": layer.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "args": argparse.Namespace(lr=1e-4),
    }
    read = read_torch_file(saved(tmp_path, content))
    assert read["epoch"] == 3 and read["optimizer"]["param_groups"][0]["betas"] == (0.9, 0.999)
    state = plain_state_dict(read["model"], 10**6)
    assert list(state) == ["weight", "bias"]
    np.testing.assert_array_equal(state["weight"], layer.weight.detach().numpy())


def test_tied_weights_are_read_once(tmp_path):
    weight = torch.randn(1000)
    read = read_torch_file(saved(tmp_path, {"a": weight, "b": weight[:10]}))
    assert np.shares_memory(read["a"], read["b"])


def test_no_state_dict():
    assert plain_state_dict({"epoch": 3}, 100) is None
    assert plain_state_dict({}, 100) is None
    assert plain_state_dict([np.ones(2)], 100) is None


def test_a_tensor_named_often_is_refused():
    array = np.ones(1000, np.float32)
    with pytest.raises(RefusedError, match="larger than the file"):
        plain_state_dict({str(i): array for i in range(100)}, 5000)


class Call:
    """Pickles as the call of a function, which happens when a pickle is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def rebuilt(tensor, *, offset=0, size=(2,), stride=(1,)):
    """A tensor over the storage of another, with a view that torch would not make."""
    storage = torch.storage.TypedStorage(wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype, _internal=True)
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, OrderedDict())


@pytest.mark.parametrize(
    "content",
    [
        lambda canary: Call(os.system, f"touch {canary}"),
        lambda canary: {"model": Call(exec, f"open({canary!r}, 'w')")},
        lambda canary: {"w": torch.ones(2), "hooks": Call(pathlib.Path.touch, pathlib.Path(canary))},
        lambda canary: OrderedDict(a=Call(pickle.loads, pickle.dumps(Call(os.system, f"touch {canary}")))),
        lambda canary: {("a", "b"): torch.ones(2)},
        lambda canary: {"w": torch.nn.Linear(2, 2)},
        lambda canary: {"w": rebuilt(torch.ones(2), size=(3,))},
        lambda canary: {"w": rebuilt(torch.ones(2), offset=-1)},
        lambda canary: {"w": rebuilt(torch.ones(2), size=(10**6, 10**6), stride=(0, 0))},
        lambda canary: {"w": torch.ones(2, dtype=torch.complex64)},
        lambda canary: {"args": Call(argparse.Namespace), "n": Call(OrderedDict, [("a", 1)])},
    ],
)
def test_refuses_hostile_content(tmp_path, content):
    canary = tmp_path / "canary"
    path = saved(tmp_path, content(str(canary)))
    with pytest.raises((RefusedError, TypeError)):
        read_torch_file(path)
    assert not canary.exists()


def altered(path, change):
    """The members of a zip, changed, in a new one."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return change(members, path.with_name("altered.pth"))


def compressed(members, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def short(members, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content[:-4] if "/data/" in name else content)
    return path


def without_pickle(members, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/version", "3")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (compressed, "compressed storage"),
        (short, "larger than its bytes"),
        (without_pickle, "without the one data"),
    ],
)
def test_refuses_altered_files(tmp_path, change, message):
    path = altered(saved(tmp_path, {"w": torch.ones(100)}), change)
    with pytest.raises(RefusedError, match=message):
        read_torch_file(path)


def test_refuses_the_format_before_zip(tmp_path):
    with pytest.raises(RefusedError, match=r"version 1\.6"):
        read_torch_file(saved(tmp_path, {"w": torch.ones(2)}, _use_new_zipfile_serialization=False))
