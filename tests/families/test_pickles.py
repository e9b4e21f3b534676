"""Honest checkpoints against torch itself; hostile ones against a canary that their payloads would kill."""

import contextlib
import copy
import copyreg
import importlib
import io
import json
import marshal
import operator
import os
import pathlib
import pickle
import runpy
import struct
import subprocess
import sys
import time
import timeit
from collections import OrderedDict
from functools import partial

import numpy as np
import pytest
import torch
from adaptive_neon.errors import InputError
from adaptive_neon.families.published import read_published
from persistent import Persistent, module, upstream_modules

# Checkpoints of upstream's form, made without upstream's code.


@pytest.fixture(autouse=True)
def persistence(request):
    """Stands in for upstream's modules while a test pickles: their names are all that goes into the file."""
    if "edm" in request.fixturenames:
        yield None
    else:
        with upstream_modules() as easy_dict:
            yield easy_dict


ARGUMENTS = {"img_resolution": 8, "img_channels": 1, "label_dim": 0, "model_type": "SongUNet"}
WEIGHT = torch.arange(12, dtype=torch.float32).reshape(3, 4)


def network(weight=WEIGHT, class_name="EDMPrecond", unet="SongUNet", arguments=(), keywords=ARGUMENTS, **state):
    encoder = torch.nn.ModuleDict()
    encoder._modules["8x8_conv"] = module(
        "Conv2d",
        parameters={"weight": torch.nn.Parameter(weight, requires_grad=False), "bias": None},
        buffers={"resample_filter": torch.full((1, 1, 2, 2), 0.25), "cache": torch.ones(5)},
        transient=["cache"],
        skip_scale=np.sqrt(0.5),
    )
    model = module(unet, modules={"map_label": None, "enc": encoder})
    return module(class_name, modules={"model": model}, _init_args=arguments, _init_kwargs=dict(keywords), **state)


def read_network_pickle(path):
    """Arrays and architecture, which names the family in front."""
    arrays, architecture = read_published(path)
    assert architecture.pop("family") == "edm"
    return arrays, architecture


def snapshot(**replaced):
    return {"ema": network(), "loss_fn": Persistent("EDMLoss", P_mean=-1.2), "augment_pipe": None} | replaced


def written(tmp_path, content):
    path = tmp_path / "network.pkl"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return path


def assert_refused(path):
    """One line that starts with the file's name."""
    with pytest.raises(InputError) as caught:
        read_network_pickle(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("protocol", [4, 5])  # EDM needs a Python that writes at least 4
def test_reads_a_snapshot(tmp_path, persistence, protocol):
    data = snapshot(dataset_kwargs=persistence(path="cifar10.zip", use_labels=True))
    arrays, architecture = read_network_pickle(written(tmp_path, pickle.dumps(data, protocol)))
    expected = {
        "model.enc.8x8_conv.weight": WEIGHT.numpy(),
        "model.enc.8x8_conv.resample_filter": np.full((1, 1, 2, 2), 0.25),
    }
    assert architecture == ARGUMENTS
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        assert array.dtype == np.float32 and array.flags.writeable
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(3.5),
        WEIGHT.t(),
        WEIGHT[1:, ::2],
        torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.tensor([1.0, 65504.0, 6e-8, float("inf"), float("nan")]).half(),
    ],
    ids=["scalar", "transposed", "sliced", "channels-last", "half"],
)
def test_tensors_equal_torchs(tmp_path, tensor):
    arrays, _ = read_network_pickle(written(tmp_path, snapshot(ema=network(tensor))))
    array = arrays["model.enc.8x8_conv.weight"]
    assert array.dtype == np.float32 and array.flags.c_contiguous
    np.testing.assert_array_equal(array, tensor.float().numpy())


@pytest.mark.parametrize("version", [1, 5, 6])
def test_metadata_version_is_no_matter(tmp_path, version):
    ema = network()
    ema.meta["version"] = version
    assert read_network_pickle(written(tmp_path, snapshot(ema=ema)))[1] == ARGUMENTS


def test_architecture_is_json(tmp_path):
    keywords = {"sigma_min": 0.002, "channel_mult": (1, 2), "resample_filter": [1, 3, 3, 1]}
    ema = network(unet="DhariwalUNet", arguments=(8, 3, 10, True), keywords=keywords)
    _, architecture = read_network_pickle(written(tmp_path, snapshot(ema=ema)))
    assert architecture == json.loads(json.dumps(architecture))
    assert architecture == {
        "img_resolution": 8,
        "img_channels": 3,
        "label_dim": 10,
        "sigma_min": 0.002,
        "model_type": "DhariwalUNet",
        "channel_mult": [1, 2],
        "resample_filter": [1, 3, 3, 1],
    }


NCSNPP = {
    "embedding_type": "fourier",
    "encoder_type": "residual",
    "channel_mult_noise": 2,
    "resample_filter": [1, 3, 3, 1],
}
UPSTREAM = {
    "ddpmpp": {"model_type": "SongUNet", "augment_dim": 9},
    "ncsnpp": {"model_type": "SongUNet", "augment_dim": 9, **NCSNPP},
    "adm": {"model_type": "DhariwalUNet", "use_fp16": True},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["fp32", "fp16"])
@pytest.mark.parametrize("architecture", UPSTREAM)
def test_equals_upstream(tmp_path, edm, architecture, dtype):
    keywords = {"img_resolution": 16, "img_channels": 3, "label_dim": 10, "num_blocks": 1, "dropout": 0.13}
    keywords |= {"model_channels": 64, "channel_mult": [1, 2], "attn_resolutions": [8]} | UPSTREAM[architecture]
    net = edm("training.networks").EDMPrecond(**keywords)
    ema = copy.deepcopy(net).eval().requires_grad_(False).to(dtype)
    data = dict(
        ema=ema,
        loss_fn=edm("training.loss").EDMLoss(),
        augment_pipe=edm("training.augment").AugmentPipe(p=0.12, xflip=1e8, scale=1),
        dataset_kwargs=dict(class_name="training.dataset.ImageFolderDataset", path="x.zip", use_labels=True),
    )
    arrays, arguments = read_network_pickle(written(tmp_path, data))
    keywords.pop("use_fp16", None)
    assert arguments == keywords
    expected = ema.state_dict()
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name].float().numpy(), err_msg=name)


@pytest.mark.parametrize("name", ["VPPrecond", "VEPrecond", "iDDPMPrecond"])
def test_refuses_upstreams_other_networks(tmp_path, edm, name):
    unet = {"model_channels": 32, "channel_mult": [1], "num_blocks": 1}
    net = getattr(edm("training.networks"), name)(img_resolution=8, img_channels=3, **unet)
    assert f"holds '{name}', not EDMPrecond" in assert_refused(written(tmp_path, {"ema": net}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: {"ema": network(class_name="VPPrecond")}, "holds 'VPPrecond', not EDMPrecond"),
        (lambda: {"ema": network(unet="VisionTransformer")}, "'VisionTransformer', not SongUNet or Dhariwal"),
        (lambda: {"G_ema": module("Generator")}, 'no network under the key "ema"'),
        (lambda: {"ema": WEIGHT}, 'no network under the key "ema"'),
        (lambda: network(), 'no network under the key "ema"'),
        (lambda: snapshot(ema=network(torch.arange(3))), "names 'torch.LongStorage'"),
        (
            lambda: snapshot(ema=network(keywords={"dropout": np.float64(0.1)})),
            "'dropout' a value that is not",
        ),
        (
            lambda: snapshot(ema=network(keywords={"channel_mult": [[1]]})),
            "'channel_mult' a value that is not",
        ),
    ],
)
def test_refuses_other_content(tmp_path, content, message):
    assert message in assert_refused(written(tmp_path, content()))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"\x00" * 100,
        b"<!DOCTYPE html><title>404</title>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        b"PK\x03\x04" + b"\x00" * 60,
        b"\x89PNG\r\n\x1a\n",
        np.random.default_rng(0).bytes(4096),
        pickle.dumps(None),
        pickle.dumps([1, 2]),
    ],
)
def test_refuses_what_is_no_checkpoint(tmp_path, content):
    assert_refused(written(tmp_path, content))


def test_refuses_what_cannot_be_opened(tmp_path):
    assert "no such file" in assert_refused(tmp_path / "absent.pkl")
    assert_refused(tmp_path)


@pytest.fixture
def honest():
    return pickle.dumps(snapshot())


def test_refuses_truncated_files(tmp_path, honest):
    for size in range(0, len(honest), 41):
        assert_refused(written(tmp_path, honest[:size]))


def test_survives_damaged_bytes(tmp_path, honest):
    """A damaged byte changes a number or a name, or the file is refused; nothing else happens."""
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(400):
        damaged = bytearray(honest)
        for position in rng.integers(len(honest), size=rng.integers(1, 4)):
            damaged[position] = rng.integers(256)
        try:
            read_network_pickle(written(tmp_path, bytes(damaged)))
        except InputError as error:
            assert len(str(error).splitlines()) == 1
            refused += 1
    assert refused > 100


# Hostile files. Each payload, if anything called it, would make the file `canary`.


class Call:
    """Pickles as the call of a function, which happens when a pickle is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call

    def __call__(self):
        """Only so that the result of one call can be the function of another."""


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


MAGIC = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]


def storage_file(identifier, elements=b"", count=2):
    """A legacy `torch.save` file around the pickle of a storage's identifier."""
    return b"".join([*MAGIC, identifier, pickle.dumps(["0"], 2), struct.pack("<q", count), elements])


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


load_bytes = torch.storage._load_from_bytes
OLD = {"_use_new_zipfile_serialization": False}


def live(canary):
    """Payloads that the pickle module does run."""
    shell, source = f"touch {canary}", f"open({str(canary)!r}, 'w')"
    os_module = Call(importlib.import_module, "os")
    storage = saved(Call(os.system, shell), **OLD)
    bytecode = Call(marshal.loads, marshal.dumps(compile(source, "", "eval")))
    function_type = Call(getattr, Call(importlib.import_module, "types"), "FunctionType")
    return {
        "os.system": Call(os.system, shell),
        "open": Call(open, str(canary), "w"),
        "exec": Call(exec, source),
        "eval": Call(eval, source),
        "subprocess": Call(subprocess.check_call, shell.split()),
        "pathlib": Call(pathlib.Path.touch, pathlib.Path(canary)),
        "__import__, getattr": Call(Call(getattr, Call(__import__, "os"), "system"), shell),
        "importlib, getattr": Call(Call(getattr, os_module, "system"), shell),
        "attrgetter": Call(Call(operator.attrgetter("system"), os_module), shell),
        "methodcaller": Call(operator.methodcaller("system", shell), os_module),
        "vars, getitem": Call(Call(operator.getitem, Call(vars, os_module), "system"), shell),
        "partial": Call(partial(os.system, shell)),
        "map": Call(list, Call(map, os.system, [shell])),
        "pickle.loads": Call(pickle.loads, pickle.dumps(Call(os.system, shell))),
        "timeit": Call(timeit.repeat, source, "pass", time.perf_counter, 1, 1),
        "runpy": Call(runpy._run_code, Call(compile, source, "x", "exec"), {}),
        "marshal": Call(Call(function_type, bytecode, {})),
        "legacy storage": Call(load_bytes, storage),
        "zip storage": Call(load_bytes, saved(Call(os.system, shell))),
        "storage in a storage": Call(load_bytes, saved(Call(load_bytes, storage), **OLD)),
        "first pickle of a storage": Call(load_bytes, pickle.dumps(Call(os.system, shell), 2)),
    }


def live_opcodes(canary):
    """The same as whole pickles of opcodes that Python's pickler does not write, or not in this way."""
    system, shell = b"cos\nsystem\n", text(f"touch {canary}")
    mapped = b"cbuiltins\nmap\n" + system + shell + b"\x85\x86R\x85"
    return {
        "GLOBAL, REDUCE": system + b"(" + shell + b"tR.",
        "INST": b"(" + shell + b"ios\nsystem\n.",
        "OBJ": b"(" + system + shell + b"o.",
        "NEWOBJ": b"cbuiltins\ntuple\n" + mapped + b"\x81.",
        "NEWOBJ_EX": b"cbuiltins\ntuple\n" + mapped + b"}\x92.",
        "EXT1": b"\x82\xf0" + shell + b"\x85R.",
        "EXT2": b"\x83\xf0\x00" + shell + b"\x85R.",
        "EXT4": b"\x84\xf0\x00\x00\x00" + shell + b"\x85R.",
        "names from the memo": text("os")
        + b"q\x07"
        + text("system")
        + b"r\x08\0\0\x000h\x07h\x08\x93"
        + shell
        + b"\x85R.",
        "dotted name": b"\x80\x04" + text("os") + text("path.os.system") + b"\x93" + shell + b"\x85R.",
        "another module's os": b"\x80\x04" + text("pathlib") + text("os.system") + b"\x93" + shell + b"\x85R.",
        "function from the memo": system + b"q\x000" + b"h\x00" + shell + b"\x85R.",
        "setstate by BUILD": b"cfunctools\npartial\n" + system + b"\x85R(" + system + shell + b"\x85}Ntb)R.",
        "a result that is dropped": system + shell + b"\x85R0N.",
    }


@pytest.fixture
def canary(tmp_path, monkeypatch):
    monkeypatch.setitem(copyreg._inverted_registry, 240, ("os", "system"))
    return tmp_path / "canary"


def hostile_file(name, canary):
    payload = live(canary).get(name)
    return live_opcodes(canary)[name] if payload is None else pickle.dumps(snapshot(dataset_kwargs=payload))


NAMES = [*live("x"), *live_opcodes("x")]


@pytest.mark.parametrize("name", NAMES)
def test_payload_is_live(canary, name):
    """Else its refusal would show nothing."""
    payload = live(canary).get(name)
    content = live_opcodes(canary)[name] if payload is None else pickle.dumps(payload)
    with contextlib.suppress(Exception):
        pickle.loads(content)
    assert canary.exists()


@pytest.mark.parametrize("name", NAMES)
def test_runs_no_payload(tmp_path, canary, name):
    assert_refused(written(tmp_path, hostile_file(name, canary)))
    assert not canary.exists()


@pytest.mark.parametrize(
    "place",
    [
        lambda payload: payload,
        lambda payload: {"ema": payload},
        lambda payload: snapshot() | {"payload": payload},
        lambda payload: snapshot(ema=network(hooks=payload)),
        lambda payload: snapshot(ema=network(keywords={"dropout": payload})),
        lambda payload: snapshot(ema=network(class_name=payload)),
        lambda payload: snapshot(ema=Call(torch._utils._rebuild_parameter, WEIGHT, payload, OrderedDict())),
    ],
)
def test_runs_no_payload_in_any_place(tmp_path, canary, place):
    message = assert_refused(written(tmp_path, place(Call(os.system, f"touch {canary}"))))
    assert not canary.exists()
    assert "names 'posix.system'" in message


def tensor(storage, offset, size, stride):
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, OrderedDict())


def identifier(dtype=b"ctorch\nFloatStorage\n", count=b"K\x02"):
    return b"\x80\x02(" + text("storage") + dtype + text("0") + text("cpu") + count + b"NtQ."


FLOATS = Call(load_bytes, storage_file(identifier(count=b"K\x06"), bytes(24)))

MISUSED = {
    "an argument for OrderedDict": lambda: Call(OrderedDict, [("a", 1)]),
    "no argument for a tensor": lambda: Call(torch._utils._rebuild_tensor_v2),
    "a tensor of no storage": lambda: tensor("storage", 0, (2,), (1,)),
    "a negative offset": lambda: tensor(FLOATS, -1, (2,), (1,)),
    "an offset outside": lambda: tensor(FLOATS, 6, (1,), (1,)),
    "a size outside": lambda: tensor(FLOATS, 0, (7,), (1,)),
    "a negative size": lambda: tensor(FLOATS, 0, (-1,), (1,)),
    "a negative stride": lambda: tensor(FLOATS, 5, (6,), (-1,)),
    "a stride outside": lambda: tensor(FLOATS, 0, (2, 2), (5, 1)),
    "a repeating stride": lambda: tensor(FLOATS, 0, (10**6, 10**6), (0, 0)),
    "an overflowing stride": lambda: tensor(FLOATS, 0, (2, 1), (1, 2**200)),
    "an overflowing size": lambda: tensor(FLOATS, 0, (2**40, 2**40), (1, 1)),
    "a size of zero and infinity": lambda: tensor(FLOATS, 0, (0, 2**62), (1, 1)),
    "a fractional size": lambda: tensor(FLOATS, 0, (1.5,), (1,)),
    "a truth as size": lambda: tensor(FLOATS, 0, (True,), (1,)),
    "sizes without strides": lambda: tensor(FLOATS, 0, (2, 3), (1,)),
    "too many dimensions": lambda: tensor(FLOATS, 0, (1,) * 1000, (1,) * 1000),
    "a storage of text": lambda: Call(load_bytes, "text"),
    "a storage of nothing": lambda: Call(load_bytes, b""),
    "a zip as storage": lambda: Call(load_bytes, saved(WEIGHT)),
    "a storage larger than its bytes": lambda: Call(load_bytes, storage_file(identifier(), b"1234")),
    "a huge storage": lambda: Call(load_bytes, storage_file(identifier(count=b"J\xff\xff\xff\x7f"), b"1234")),
    "a storage of its own type": lambda: Call(load_bytes, storage_file(identifier(text("<u1")), b"12345678")),
    "a storage without identifier": lambda: Call(load_bytes, storage_file(b"N.", b"12345678")),
    "an object without metadata": lambda: Call(sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj),
    "an object of no class": lambda: Persistent([]),
    "a set of tuples": lambda: {("a", "b")},
    "a key of tuples": lambda: {("a", "b"): 1},
}

MISUSED_OPCODES = {
    "a call of text": text("system") + b")R.",
    "a call of a dictionary": b"})R.",
    "a call without a tuple": b"ccollections\nOrderedDict\n]R.",
    "a state for a dictionary": b"}}b.",
    "a state for a function": b"ccollections\nOrderedDict\n}b.",
    "an item for a function": b"ccollections\nOrderedDict\n" + text("__globals__") + b"}s.",
    "an element for a dictionary": b"}Na.",
    "an odd number of items": b"}(" + text("a") + b"u.",
    "a name of bytes": b"\x80\x04C\x02osC\x06system\x93.",
    "a name of one line and more": b"\x80\x04" + text("o\ns") + text("sys\ntem\x1b[2J") + b"\x93.",
    "a private name of main": b"c__main__\n__dict__\n.",
    "the builtins": b"cbuiltins\n__dict__\n.",
    "a function's globals": b"ccollections\nOrderedDict.__init__.__globals__\n.",
    "a persistent identifier": b"\x80\x04" + text("evil") + b"Q.",
    "a textual persistent identifier": b"Pevil\n.",
    "an unset memo": b"h\x07.",
    "an empty stack": b"0.",
    "an empty stack of marks": b"t.",
    "a buffer from elsewhere": b"\x80\x05\x97.",
    "an unknown opcode": b"\x80\x04\xff.",
}


@pytest.mark.parametrize("name", MISUSED)
def test_refuses_misuse(tmp_path, name):
    assert_refused(written(tmp_path, snapshot(loss_fn=MISUSED[name]())))


@pytest.mark.parametrize("name", MISUSED_OPCODES)
def test_refuses_misused_opcodes(tmp_path, name):
    assert_refused(written(tmp_path, MISUSED_OPCODES[name]))


def doubled(value, join, times):
    """Small in a pickle, where both halves are one object; 2^times values to whoever walks it."""
    for _ in range(times):
        value = join(value)
    return value


def with_model(model):
    ema = module("EDMPrecond", modules={"model": model}, _init_args=(), _init_kwargs={})
    return pickle.dumps({"ema": ema})


def chain(name, length):
    child = None
    for _ in range(length):
        child = module("Link", modules={name: child})
    return child


def cycle():
    """A network that is its own submodule: its dictionary of modules gets it after it is made."""
    state = b"}(" + text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + b"}q\x00u"
    meta = b"}(" + text("class_name") + text("EDMPrecond") + text("state") + state + b"u"
    made = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n" + meta + b"\x85Rq\x01"
    return b"}(" + text("ema") + made + text("x") + b"h\x00" + text("again") + b"h\x01s" + b"u."


BOMBS = {
    "memo index": lambda: b"\x80\x04Nr\xff\xff\xff\xff.",
    "text length": lambda: b"X\xff\xff\xff\xfftext.",
    "bytes length": lambda: b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"bytes.",
    "bytearray length": lambda: b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"bytes.",
    "frame length": lambda: b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"N.",
    "integer length": lambda: b"\x8b\xff\xff\xff\x7f1.",
    "decimal digits": lambda: b"I" + b"9" * 10**6 + b"\n.",
    "opcodes": lambda: b"}\x94" * 3_000_000 + b".",
    "marks": lambda: b"(" * 1_100_000 + b".",
    "nested tuples": lambda: b"N" + b"\x85" * 300_000 + b".",
    "nested lists": lambda: b"]" * 200_000 + b"a" * 199_999 + b".",
    "doubled tuples as key": lambda: (
        b"}" + text("a") + b"".join(bytes([0x94, *b"h", i, 0x86]) for i in range(80)) + b"Ns."
    ),
    "doubled lists as class": lambda: pickle.dumps(snapshot(x=Persistent(doubled([], lambda x: [x, x], 80)))),
    "doubled lists as argument": lambda: pickle.dumps(
        snapshot(ema=network(keywords={"channel_mult": doubled([], lambda x: [x, x], 80)}))
    ),
    "doubled modules": lambda: with_model(doubled(None, lambda x: module("Pair", modules={"a": x, "b": x}), 60)),
    "a module in itself": cycle,
    "long names": lambda: with_model(chain("a" * 10**6, 100)),
    "deep modules": lambda: with_model(chain("", 120)),
    "a shared dictionary": lambda: with_model(
        [shared := OrderedDict.fromkeys(map(str, range(1000)))]
        and module(
            "Many",
            modules={str(i): Persistent("M", _parameters=shared, _buffers={}, _modules={}) for i in range(1000)},
        )
    ),
    "a shared tensor": lambda: with_model(
        [shared := torch.zeros(10**6).half()] and module("Many", parameters={str(i): shared for i in range(1000)})
    ),
    "a storage read again": lambda: pickle.dumps(
        [
            [content := storage_file(identifier(), bytes(4 * 10**6))]
            and [Call(load_bytes, content) for _ in range(500)]
        ]
    ),
}


READ_ALL = """
import re, sys
from pathlib import Path
from adaptive_neon.errors import InputError
from adaptive_neon.families.published import read_published
for path in sys.argv[1:]:
    try:
        read_published(Path(path))
    except InputError as error:
        peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
        print(int(peak) // 1024, error, sep=" MB ")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_bombs_take_little_memory(tmp_path):
    """In a process of its own, for whose memory the system keeps the highest mark."""
    paths = [tmp_path / f"{name}.pkl" for name in BOMBS]
    for path, bomb in zip(paths, BOMBS.values(), strict=True):
        path.write_bytes(bomb())
    command = [sys.executable, "-c", READ_ALL, *map(str, paths)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=True).stdout
    lines = output.splitlines()
    assert len(lines) == len(paths)
    for line, path in zip(lines, paths, strict=True):
        assert f" MB {path}: " in line
        assert int(line.split()[0]) < 300, line
