"""Hostile, broken and careless input that was tried once, each with its answer.

Declared sizes are those of an attack, the files themselves stay small; `memory` watches over all of them.
"""

import gzip
import io
import json
import os
import struct
import tarfile
import threading
import zipfile
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from adaptive_neon.data import downloads
from adaptive_neon.data.downloads import Source, fetch
from adaptive_neon.errors import InputError
from adaptive_neon.families.checkpoints import read_model
from adaptive_neon.jobs.files import replacing
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

MERGE = ["merge", "--base", "A.pkl", "--tuned", "B.safetensors"]


# Files


def png(width, height, *chunks):
    """A PNG that declares a size and holds no more than these chunks."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *chunks, (b"IEND", b"")]
    crc = [struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + end for (kind, data), end in zip(parts, crc, strict=True)
    )


def zip_of(path, size, name="a.png", method=zipfile.ZIP_DEFLATED):
    """A zip with one member of zeros."""
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive, archive.open(name, "w") as member:
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))


def sparse(path, size):
    Path(path).parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        file.truncate(size)


def tar_with_pax_header(path, size):
    header = tarfile.TarInfo("header")
    header.type, header.size = tarfile.XHDTYPE, size
    with gzip.open(path, "wb") as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT) + bytes(10_240))


def npy_header(shape, dtype="|u1"):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": dtype, "fortran_order": False, "shape": shape})
    return content.getvalue()


def zip_with(path, name, content, change=lambda data: data):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    Path(path).write_bytes(change(Path(path).read_bytes()))


def encrypted(data):
    """The same zip with the bit for encryption set in both headers."""
    local, central = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
    data = bytearray(data)
    data[local + 6] |= 1
    data[central + 8] |= 1
    return bytes(data)


def other_method(data):
    local, central = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
    data = bytearray(data)
    data[local + 8] = data[central + 10] = 97
    return bytes(data)


def pngs(folder, **files):
    Path(folder).mkdir()
    for name, content in files.items():
        Path(folder, f"{name}.png").write_bytes(content)


def damaged_profile():
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG", icc_profile=b"no profile" * 20)
    data = content.getvalue()
    place = data.index(b"iCCP") + 12
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


IMAGES = {
    "zip_bomb.zip": (lambda p: zip_of(p, 120 << 20), "a.png: 125,829,120 bytes, more than 100,000,000"),
    "labels_bomb.zip": (lambda p: zip_of(p, 300 << 20, "dataset.json"), "declares 314,572,800 bytes"),
    "pax.tar.gz": (lambda p: tar_with_pax_header(p, 4 << 30), "a part has 4,294,967,"),
    "array_bomb.npz": (lambda p: zip_of(p, 300 << 20, "images.npy"), "declares 314,572,800 bytes"),
    "two_large": (lambda p: pngs(p, a=png(13_300, 13_300), b=png(13_300, 13_300)), "13300×13300 pixels"),
    "sparse": (lambda p: sparse(f"{p}/a.png", 5 << 30), "5,368,709,120 bytes, more than 100,000,000"),
    "long.npy": (lambda p: Path(p).write_bytes(npy_header((10**6, 999, 999, 3))), "not a set of images"),
    "encrypted.zip": (lambda p: zip_with(p, "a.png", png(8, 8), encrypted), "encrypted"),
    "method.zip": (lambda p: zip_with(p, "a.png", png(8, 8), other_method), "compression method"),
    "end.zip": (lambda p: zip_with(p, "a.png", png(8, 8), lambda data: data[:-8]), "not a set of images"),
    "header.npy": (lambda p: Path(p).write_bytes(npy_header((2, 8, 8, 3))[:40] + b"((((("), "not a set of images"),
    "no_pixels.npy": (lambda p: np.save(p, np.zeros((2, 0, 0, 3), np.uint8)), "images of 0×0 pixels"),
    "profile": (lambda p: pngs(p, a=damaged_profile()), "save it as an RGB or grey PNG"),
    "pixels": (lambda p: pngs(p, a=png(0, 0)), "save it as an RGB or grey PNG"),
    "jpeg": (lambda p: pngs(p, a=b"\xff\xd8\xff\xe0 JFIF"), "is no PNG, whatever its name says"),
    "nowhere": (lambda p: (pngs(p, a=png(8, 8)), os.symlink("/absent", f"{p}/b.png")), "a link to nothing"),
    "piped": (lambda p: (pngs(p, a=png(8, 8)), os.mkfifo(f"{p}/dataset.json")), "a pipe"),
    "many": (lambda p: (os.mkdir(p), *(Path(p, f"{i}").touch() for i in range(10_001))), "10,000 other files"),
    "labels.npz": (
        lambda p: np.savez(p, images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array([1, 2**64 - 1], np.uint64)),
        "give one integer from 0 to 1000000",
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images(good, line_of, name):
    make, words = IMAGES[name]
    make(name)
    line = line_of(["fid", name, "statistics.npz", "--features", "inception", "--device", "cpu"])
    assert name in line and words in line


def test_one_image_named_like_a_batch_is_no_cifar10(good, line_of):
    pngs("one", gen_batch_0=(Path("pngs/00.png")).read_bytes())
    assert "one: one image; a covariance takes at least 2" in line_of(["fid", "one", "statistics.npz"])
    assert "one: one image; a covariance takes at least 2" in line_of(["fid", "images.npz", "one"])


STATISTICS = {
    "bomb.npz": (lambda p: zip_of(p, 300 << 20, "mu.npy"), "declares 314,572,800 bytes"),
    "encrypted_statistics.npz": (lambda p: zip_with(p, "mu.npy", npy_header((3,)), encrypted), "encrypted_stat"),
    "header.npz": (lambda p: np.savez(p, mu=np.zeros(3), sigma=np.array(["x"])), "header.npz"),
    "indefinite.npz": (lambda p: np.savez(p, mu=np.zeros(3), sigma=-np.eye(3)), "negative eigenvalues"),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics(good, line_of, name):
    make, words = STATISTICS[name]
    make(name)
    assert words in line_of(["fid", "images.npz", name, "--features", "inception", "--device", "cpu"])


def test_statistics_by_address(good, line_of, monkeypatch, capsys):
    with server(Path("statistics.npz").read_bytes()) as address:
        monkeypatch.setenv("ADAPTIVE_NEON_CACHE", "by_address")
        for scheme in ("http", "HTTP"):
            location = f"{scheme}{address}/statistics.npz"
            assert line_of(["fid", "images.npz", location, "--features", "inception", "--device", "cpu"]) is None
    assert capsys.readouterr().out.count("FID ") == 2


# Models


def model_with(path, tensor=None, metadata=None, **architecture):
    """B.safetensors with one tensor converted, or an architecture changed."""
    checkpoint = read_model("B.safetensors")
    tensors = dict(checkpoint.tensors) | (
        {} if tensor is None else {name: tensor(a) for name, a in checkpoint.tensors.items()}
    )
    said = {"architecture": json.dumps(checkpoint.architecture | architecture)}
    save_file(tensors, path, said | (metadata or {}))


@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.complex64])
def test_no_weights(good, line_of, dtype):
    model_with("typed.safetensors", lambda array: array.astype(dtype))
    line = line_of(
        [
            "merge",
            "--base",
            "typed.safetensors",
            "--tuned",
            "B.safetensors",
            "--weights",
            "1",
            "-o",
            "C.safetensors",
        ]
    )
    assert "typed.safetensors" in line and not Path("C.safetensors").exists()


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda name, array: array.astype(np.float64) + 1e300, "is not finite"),  # but for a network in float32
        (lambda name, array: array * np.nan if "resample_filter" in name else array, "no numbers"),
    ],
)
def test_values_of_no_network(good, line_of, change, words):
    checkpoint = read_model("B.safetensors")
    changed = {name: change(name, array) for name, array in checkpoint.tensors.items()}
    save_file(changed, "values.safetensors", {"architecture": json.dumps(checkpoint.architecture)})
    for command in (["inspect", "values.safetensors"], ["export", "values.safetensors", "-o", "values.pt"]):
        assert words in line_of(command)
    assert not Path("values.pt").exists()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_small_types_are_weights(good, line_of, dtype):
    """A merge takes the same values as if they had been written as float32."""
    checkpoint = read_model("B.safetensors")
    tensors = {name: torch.from_numpy(array).to(dtype) for name, array in checkpoint.tensors.items()}
    save_torch_file(tensors, "small.safetensors", {"architecture": json.dumps(checkpoint.architecture)})
    read = read_model("small.safetensors")
    for name in read.weights:
        np.testing.assert_array_equal(read.tensors[name].astype(np.float32), tensors[name].float().numpy())
    merge = ["merge", "--base", "small.safetensors", "--tuned", "B.safetensors", "--weights", "0"]
    assert line_of([*merge, "-o", "C.safetensors"]) is None
    merged = read_model("C.safetensors")
    Path("C.safetensors").unlink()
    for name in merged.weights:
        np.testing.assert_array_equal(merged.tensors[name].astype(np.float32), tensors[name].float().numpy())


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf", "1e308"])
def test_weights_of_no_model(good, line_of, weight):
    line = line_of([*MERGE, "--weights", weight, "-o", "C.safetensors"])
    assert weight.lstrip("-") in line and "C.safetensors" not in os.listdir()


ARCHITECTURES = [
    *({"label_dim": 30_000}, {"label_dim": 1_000_000}, {"dropout": 5}, {"sigma_min": "0"}, {"sigma_max": [1]}),
    {"channel_mult": [1] * 30, "num_blocks": 1000},
    {"channel_mult": [1] * 1000},
]


@pytest.mark.parametrize("change", ARCHITECTURES, ids=str)
def test_architectures(good, line_of, change):
    model_with("odd.safetensors", **change)
    for command in (["inspect", "odd.safetensors"], ["sample", "odd.safetensors", "-o", "none", "--seeds", "1"]):
        assert "odd.safetensors" in line_of(command) or "architecture" in line_of(command)


@pytest.mark.parametrize("text", ["[]", '"x"', "1", "null", "[" * 10**5, "{", "NaN"], ids=lambda text: text[:9])
def test_architectures_that_are_none(good, line_of, text):
    model_with("odd.safetensors", metadata={"architecture": text})
    assert "odd.safetensors" in line_of(["inspect", "odd.safetensors"])


def test_a_header_of_nesting(good, line_of):
    size = 2**24 + 8
    Path("nested.safetensors").write_bytes(struct.pack("<Q", size) + b"[" * size + bytes(9))
    assert "a header of 16,777,224 bytes" in line_of(["inspect", "nested.safetensors"])


def test_metadata_named_like_an_argument(good, line_of):
    names = ("path", "tensors", "self", "checksum", "sha256", "source")
    model_with("named.safetensors", metadata=dict.fromkeys(names[:3], "x"))
    assert line_of(["export", "named.safetensors", "-o", "out.safetensors"]) is None
    assert read_model("out.safetensors").metadata["path"] == "x"


@pytest.mark.parametrize(
    "text", ["[]", "[[1, 2]]", '"abc"', '{"steps": NaN}', '{"steps": 2, "x": 1}', "{", "[" * 10**5]
)
def test_a_sampler_in_the_metadata_that_is_none(good, line_of, text):
    """The line speaks of the file, not of the option that was not given."""
    model_with("sampled.safetensors", metadata={"sampler": text})
    line = line_of(["sample", "sampled.safetensors", "-o", "none", "--seeds", "1"])
    assert line.startswith("adaptive-neon: sampled.safetensors: sampler in its metadata: ")


# Arguments


@pytest.mark.parametrize("output", ["ref", "ref.txt", "pngs", "A.pkl/ref.npz"])
def test_a_reference_is_refused_before_its_work(good, line_of, output, monkeypatch):
    monkeypatch.setattr("adaptive_neon.evaluation.features.extract_features", None)  # what would be the work
    before = sorted(os.listdir())
    assert output in line_of(["reference", "images.npz", "-o", output])
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    "output", ["A.pkl", "folder.zip", "new.zip/", "x.npy", "x.tar.gz", "pngs", "A.pkl/new", ".", "/"]
)
def test_samples_are_refused_before_their_work(good, line_of, output, monkeypatch):
    monkeypatch.setattr("adaptive_neon.families.edm.family.draw", None)  # what would be the work
    Path("folder.zip").mkdir(exist_ok=True)
    before = sorted(os.listdir())
    assert output.partition("/")[0] in line_of(["sample", "B.safetensors", "-o", output, "--seeds", "1"])
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    "command",
    [
        ["sample", "B.safetensors", "--seeds", "1", "-o", "/proc/new"],
        [*MERGE, "--weights", "1", "-o", "/proc/new.safetensors"],
        ["reference", "images.npz", "-o", "/proc/new/new.npz"],
    ],
)
def test_a_folder_that_nobody_can_write(good, line_of, command, monkeypatch):
    """Root included, who has all rights there."""
    monkeypatch.setattr("adaptive_neon.families.edm.family.draw", None)  # what would be the work
    assert "the folder /proc cannot be written" in line_of(command)


@pytest.mark.parametrize(
    "command, output",
    [
        (["merge", "--base", "B.safetensors", "--tuned", "A.pkl", "--weights", "1"], "B.safetensors"),
        (["merge", "--base", "A.pkl", "--tuned", "B.safetensors", "--weights", "1"], "./pngs/../B.safetensors"),
        (["export", "B.safetensors"], "B.safetensors"),
        (["reference", "images.npz"], "images.npz"),
    ],
)
def test_an_input_is_not_overwritten(good, line_of, command, output):
    assert line_of([*command, "-o", output]).endswith("the command reads this file; give another name")
    assert all(Path(name).read_bytes() == good[name] for name in ("B.safetensors", "images.npz"))


def test_a_name_with_a_slash_is_a_folder(good, line_of):
    assert "a folder; give the name of a file" in line_of([*MERGE, "--weights", "1", "-o", "C.safetensors/"])
    assert not Path("C.safetensors").exists()


def test_a_file_system_that_reports_no_free_space(tmp_path, monkeypatch):
    """Some report no sizes at all: a failing write there keeps its own words."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=0, used=0, free=0))
    with pytest.raises(OSError, match="of its own"), replacing(tmp_path / "file"):
        raise OSError("of its own")


@pytest.mark.parametrize(
    "words, answer",
    [
        (["--seeds", "0-99999999"], "more than 1,000,000 images"),
        (["--seeds", "0-4294967295"], "more than 1,000,000 images"),
        (["--seeds", "1", "--sampler", "steps=1000000000000"], "steps"),
        (["--seeds", "1", "--sampler", "rho=nan"], "rho"),
        (["--seeds", "1", "--sampler", "rho=1.0e-9"], "rho: 1e-09 must be at least 0.1"),
        (["--seeds", "1", "--sampler", "sigma_max=1.0e+300"], "sigma_max: 1e+300 must be at most 1000000000.0"),
        (["--seeds", "1", "--sampler", "steps=2", "steps=3"], "give each setting once"),
        (["--seeds", "1", "--sampler", "steps=" + "9" * 5000], "steps"),
        (["--seeds", "1", "--sampler", "steps=" + "[" * 5000], "steps"),
        (["--seeds", "1", "--sampler", "steps=010"], "'010' must be a whole number; write 10"),
    ],
)
def test_no_sampler_without_end(good, line_of, words, answer):
    assert answer in line_of(["sample", "A.pkl", "-o", "never", *words])


@pytest.mark.parametrize("pattern", ["all=^(([a-z0-9._])+)+!$", "all=(((", "all=" + "(" * 5000])
def test_patterns(good, line_of, pattern):
    assert "all" in line_of(["inspect", "A.pkl", "--block", pattern])


def test_fewer_than_two_images(good, line_of):
    assert "--number: -2" in line_of(["fid", "images.npz", "statistics.npz", "-n", "-2"])


@pytest.mark.parametrize("name", ["", "\n", "a\nadaptive-neon: fine", "\x1b[2J", "x" * 300, "a\0b"], ids=repr)
def test_names_of_files(good, line_of, name):
    for command in (["inspect", name], ["fid", name, "statistics.npz"], ["show", name], ["estimate", name]):
        assert line_of(command)


def test_a_missing_configuration_is_named(good, line_of):
    assert "missing.yaml: no such file" in line_of(["estimate", "missing.yaml"])


def test_a_configuration_outside_a_clone(good, line_of, root, tmp_path):
    copy = tmp_path / "config.yaml"
    copy.write_bytes((root / "config.yaml").read_bytes())
    assert f"{copy}: no {tmp_path}/schemas/config.schema.yaml beside it" in line_of(["estimate", copy])


def test_a_folder_named_like_a_model(good, line_of):
    Path("folder.safetensors").mkdir()
    for command in ([*MERGE, "--weights", "1"], ["export", "A.pkl"]):
        line = line_of([*command, "-o", "folder.safetensors"])
        assert line == "adaptive-neon: folder.safetensors: a folder; give the name of a file"


@pytest.mark.parametrize(
    "file, content",
    [
        *(
            ("summary.json", text)
            for text in ("", "[]", "null", '{"study": "toy"}', '{"study": "collapse"}', "{" * 9999)
        ),
        *(("benchmarks/base.tsv", text) for text in ("", "s\n", "s\nx\n", "\0")),
        *(("logs/base.log", text) for text in ("", "start-up x s\n", "\xff")),
    ],
)
def test_show_on_damaged_files(good, line_of, file, content):
    path = Path("results", file)
    try:
        path.write_text(content, encoding="latin-1")
        line = line_of(["show", "results"])
        assert line is None or file in line
        assert line or not file.startswith("summary")
    finally:
        path.write_bytes(good[path.as_posix()])


# Configurations


@pytest.mark.parametrize(
    "text, words",
    [
        ("grid: {weights: &a [0, 1]}\nreplicas: 1\nreplicas: 2\n", "the key replicas stands twice"),
        (
            "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
            + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))
            + "grid: {weights: *j}\n",
            "values, those behind an alias counted",
        ),
        ("replicas: 1000000\n", "more than 10,000 jobs"),
        ("replicas: 500\n", "500 × 2 snapshots × 18 cells × 1 shards are more than 10,000 jobs"),
        ("run: {shards: 1000000000}\nsearch: {images: 1000000, first_seed: 100000000}\n", "more than 10,000 jobs"),
        ("finetune: {snapshots_kimg: [" + ", ".join(map(str, range(1, 20001))) + "]}\n", "more than 10,000 jobs"),
        ("finetune: {snapshots_kimg: [1000000000000]}\n", "at most 10000000"),
        (
            "search: {method: grid}\ngrid: {weights: [" + ", ".join(f"{i / 100}" for i in range(2000)) + "]}\n",
            "more than 10,000 points",
        ),
        (
            "blocks: [" + ", ".join(f"{{name: b{i}, pattern: x}}" for i in range(9999)) + "]\n",
            "more than 10,000 points",
        ),
        ("heldout: {images: 4000000000}\n", "at most 1000000"),
        ("features: {width: 1000000000}\n", "at most 8192"),
        ("toy: {seeds: 1000000000}\n", "toy.seeds"),
        (f"experiment: {'a' * 300}\n", "not be longer than 100 characters"),
        ("replicas: 010\n", "010 would be a number in base 8 or 60"),
        ("replicas: 1:30\n", "1:30 would be a number in base 8 or 60"),
        ("data: {source: /}\n", "'/' is no file's path"),
        ('data: {source: "a\\0b"}\n', "is no file's path"),
        ("data: {source: null}\n", "data.source: null must be a text"),
        ("a: &a {b: *a}\n", "values, those behind an alias counted"),
        ("grid: " + "[" * 3000 + "]" * 3000 + "\n", "overlay.yaml"),
        ("experiment: !!python/object/apply:os.system [true]\n", "could not determine a constructor"),
        (f"replicas: {'9' * 5000}\n", "overlay.yaml"),
        ("sampler: {steps: 1000000000000}\n", "steps"),
        ("base: {architecture: {label_dim: 1000000}}\n", "label_dim"),
        ("base: {architecture: {channel_mult: [" + "1, " * 999 + "1]}}\n", "channel_mult"),
        ("merge: {blocks: {all: '^((a)+)+!$'}}\n", "merge: unknown key"),
        *((text, "overlay.yaml") for text in ("", "[]", "5", "{", "\x00\x01")),
    ],
)
def test_configurations(folder, line_of, root, text, words):
    Path("overlay.yaml").write_text(text)
    assert words in line_of(["check", root / "config.yaml", "overlay.yaml"])


# Downloads


class server:
    """A web server that answers every request with the same; yields `://host:port`."""

    def __init__(self, content, status=200, endless=False, **headers):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                try:
                    self.wfile.write(content)
                    while endless:
                        self.wfile.write(content)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,)).start()
        return f"://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize(
    "answer, words",
    [
        ({"content": bytes(1 << 16), "endless": True}, "sends more than 1,048,576 bytes"),
        ({"content": b"", "Content_Length": str(10**15)}, "declares 1,000,000,000,000,000 bytes"),
        ({"content": b"x", "status": 416}, "416"),
        ({"content": b"x", "status": 500}, "500"),
    ],
    ids=["endless", "declared", "416", "500"],
)
def test_servers(tmp_path, monkeypatch, answer, words):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(downloads, "LARGEST", 1 << 20)
    with server(**answer) as address, pytest.raises(InputError) as caught:
        fetch([Source(f"http{address}/file")], tmp_path)
    assert words in str(caught.value) and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("length", ["-5", "x", "9" * 5000, ""])
def test_a_wrong_length_is_passed_over(tmp_path, monkeypatch, length):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with server(b"content", Content_Length=length) as address:
        try:
            assert fetch([Source(f"http{address}/file")], tmp_path).read_bytes() == b"content"
        except InputError as error:
            assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    "location", ["npm:--help", "pypi:--help", "npm:", "pypi:../x", "NPM:--help", "pypi:-r x/"]
)
def test_no_option_of_a_package_tool(tmp_path, monkeypatch, location):
    monkeypatch.setattr(downloads.subprocess, "run", None)
    with pytest.raises(InputError, match="no name and version of a package"):
        fetch([Source(location)], tmp_path)
