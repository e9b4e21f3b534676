"""Safetensors against the format's own library; hostile headers and indices, each refused in one line."""

import json
import struct

import pytest
import torch
from adaptive_neon.models.opening import open_model
from adaptive_neon.models.stored import DTYPES, read_header, write_tensors
from adaptive_neon.models.tensors import Held, whole
from other_checkpoints import state, write_pipeline, write_shards
from safetensors import safe_open
from safetensors.torch import load_file, save_file


def test_every_type_comes_back(tmp_path):
    generator = torch.Generator().manual_seed(0)
    raw = torch.randint(0, 2, (3, 8), dtype=torch.uint8, generator=generator)
    tensors = {name: raw.clone().view(dtype) if name != "BOOL" else raw.bool() for name, dtype in DTYPES.items()}
    tensors |= {"empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5)}
    save_file(tensors, tmp_path / "theirs.safetensors", {"format": "pt"})
    found, metadata = read_header(tmp_path / "theirs.safetensors")
    assert metadata == {"format": "pt"}
    write_tensors(tmp_path / "ours.safetensors", found, metadata)
    written = load_file(tmp_path / "ours.safetensors")
    assert written.keys() == tensors.keys() == found.keys()
    for name, tensor in tensors.items():
        for other in (whole(found[name]), written[name]):
            assert (other.dtype, other.shape) == (tensor.dtype, tensor.shape), name
            assert torch.equal(other.reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8)), name


def test_the_bytes_are_those_of_the_library(tmp_path):
    """Of one tensor there is one order."""
    save_file({"a": torch.arange(5.0)}, tmp_path / "theirs.safetensors", {"format": "pt"})
    write_tensors(tmp_path / "ours.safetensors", {"a": Held(tmp_path, torch.arange(5.0))}, {"format": "pt"})
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()


def test_a_piece_of_strided_memory():
    tensor = torch.arange(12.0).reshape(3, 4).t()
    assert Held("any", tensor).read(2, 5).tolist() == tensor.reshape(-1)[2:5].tolist()


def entry(start, end, dtype="F32", shape=None):
    return {"dtype": dtype, "shape": shape or [(end - start) // 4], "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, "overlap"),
        ({"a": entry(0, 4), "b": entry(8, 12)}, "overlap others, leave a gap"),
        ({"a": entry(0, 8)}, "but the header tells of"),
        ({"a": entry(0, 16)}, "but the header tells of"),
        ({"a": entry(0, 12, shape=[4])}, "not of its shape"),
        ({"a": entry(0, 12, shape=[-1, -3])}, "no whole numbers"),
        ({"a": entry(0, 12, shape=[2**40, 2**40])}, "not of its shape"),
        ({"a": entry(0, 12, dtype="F4")}, "a is of type 'F4', which is not merged"),
        ({"a": entry(0, 12, dtype=["F32"])}, "damaged"),
        ({"a": [0, 12]}, "damaged"),
        ([1, 2], "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, "a": 1}', "a name that comes twice"),
        ({"a": entry(0, 12), "__metadata__": {"x": [1]}}, "metadata that are no texts"),
    ],
)
def test_hostile_headers(tmp_path, refuses, header, words):
    path = tmp_path / "bad.safetensors"
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(12))
    with refuses(path, words):
        read_header(path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, b"\xff" * 7 + b"\x7f" + b"{}", struct.pack("<Q", 2**24 + 8)]
)
def test_files_without_a_header(tmp_path, refuses, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with refuses(path):
        read_header(path)


def test_a_header_without_end(tmp_path, refuses):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(struct.pack("<Q", 2**24 + 8) + b" " * (2**24 + 9))
    with refuses(path, "a header of"):
        read_header(path)


@pytest.mark.parametrize(
    "shard",
    [
        "../secret.safetensors",
        "/etc/passwd",
        "sub/part.safetensors",
        "..\\secret.safetensors",
        ".hidden.safetensors",
        "",
        "\0.safetensors",
        7,
        None,
        "part.pkl",
    ],
)
def test_shards_that_are_no_file_beside_the_index(tmp_path, refuses, shard):
    save_file(state(0), tmp_path / "secret.safetensors")
    (tmp_path / "model").mkdir()
    index = tmp_path / "model/model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(state(0), shard)}))
    with refuses(index.name):
        open_model(index)


def test_shards_with_the_names_of_other_tensors(tmp_path, refuses):
    index = write_shards(tmp_path, state(0))
    content = json.loads(index.read_text())
    moved = dict(content["weight_map"])
    first = next(iter(moved))
    moved[first] = next(shard for shard in moved.values() if shard != moved[first])
    index.write_text(json.dumps({"weight_map": moved}))
    with refuses(first, "is only in one of this shard and"):
        open_model(index)
    index.write_text(json.dumps({"weight_map": {k: v for k, v in content["weight_map"].items() if k != first}}))
    with refuses(first, "is only in one of this shard and"):
        open_model(index)


def test_a_missing_shard(tmp_path, refuses):
    index = write_shards(tmp_path, state(0))
    (tmp_path / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    with refuses("diffusion_pytorch_model-00002-of-00002.safetensors: no such file"):
        open_model(index)


@pytest.mark.parametrize(
    "content", ["", "[", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "[" * 10**5, "7"]
)
def test_an_index_that_is_none(tmp_path, refuses, content):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content)
    with refuses(index):
        open_model(index)


def test_a_huge_index(tmp_path, refuses):
    index = tmp_path / "model.safetensors.index.json"
    with open(index, "wb") as file:
        file.truncate(2**40)
    with refuses(index, "of JSON that are read"):
        open_model(index)


def test_files_that_are_no_checkpoint(tmp_path, refuses):
    (tmp_path / "model.onnx").write_bytes(b"x")
    with refuses("of no form that is read here"):
        open_model(tmp_path / "model.onnx")
    torch.save({"model": {"a": torch.ones(1)}, "ema": {"a": torch.ones(1)}}, tmp_path / "two.pt")
    with refuses("holds several networks (model, ema)"):
        open_model(tmp_path / "two.pt")
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    with refuses("holds no state dict"):
        open_model(tmp_path / "none.pt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/config.json").write_text("{}")
    with refuses("holds no weights"):
        open_model(tmp_path / "empty")
    with refuses("no such file"):
        open_model(tmp_path / "absent")


def test_links_and_pipes_in_a_folder(tmp_path, refuses):
    """A cache of a hub is made of links to files, which are read; what is no file is refused."""
    import os

    write_pipeline(tmp_path / "A", state(0))
    file = tmp_path / "A/unet/diffusion_pytorch_model.safetensors"
    file.rename(tmp_path / "blob")
    file.symlink_to(tmp_path / "blob")
    assert open_model(tmp_path / "A").components["unet"].tensors.keys() == state(0).keys()
    os.mkfifo(tmp_path / "A/pipe")
    with refuses("A/pipe: no file that can be copied"):
        open_model(tmp_path / "A")


def test_alignment(tmp_path):
    """Each tensor starts at a multiple of its type's size, as readers that map the file want."""
    tensors = {
        "a": torch.ones(3, dtype=torch.uint8),
        "b": torch.ones(1, dtype=torch.float64),
        "c": torch.ones(3).half(),
    }
    write_tensors(tmp_path / "x.safetensors", {n: Held(tmp_path, t) for n, t in tensors.items()}, {})
    found, _ = read_header(tmp_path / "x.safetensors")
    assert all(tensor.offset % tensor.dtype.itemsize == 0 for tensor in found.values())
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert not file.metadata()
