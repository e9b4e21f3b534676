"""Whatever comes from outside is read, or refused in one line: each reader and each command, by hypothesis."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from adaptive_neon.data.datasets import read_dataset
from adaptive_neon.data.images import read_images
from adaptive_neon.errors import InputError
from adaptive_neon.evaluation.features import extract_digits_features, load_extractor
from adaptive_neon.evaluation.measurement import read_reference
from adaptive_neon.evaluation.references import holds_statistics, read_statistics
from adaptive_neon.families.checkpoints import read_model
from adaptive_neon.families.loading import load
from adaptive_neon.families.torch_files import plain_state_dict, read_torch_file
from adaptive_neon.jobs.files import read_json
from adaptive_neon.jobs.foreign import reading
from adaptive_neon.jobs.rolling import RollingCheckpoint
from adaptive_neon.jobs.times import stage_times
from adaptive_neon.studies.layers import read_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy
from safetensors.numpy import save_file

MANY = {"deadline": 20_000, "derandomize": True, "database": None}


def answered(call, *arguments):
    """Whether the call succeeds; else it must be refused in one line."""
    try:
        call(*arguments)
    except InputError as error:
        line = str(error)
        assert len(line.splitlines()) == 1 and len(line) < 1000, line
        return False
    return True


@st.composite
def damage(draw):
    """A function bytes → bytes that changes a few places, most of them in a header or at the end."""
    edits = []
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.one_of(st.integers(0, 400), st.integers(-200, -1), st.integers(0, 2**20)))
        kind = draw(st.sampled_from(["byte", "word", "cut", "insert", "repeat"]))
        new = draw(st.binary(min_size=1, max_size=8))
        if kind == "word":
            new = draw(st.sampled_from([b"\xff" * 4, b"\xff" * 8, b"\x00" * 4, b"\x7f\xff\xff\xff", b"9" * 8]))
        edits.append((kind, place, new))

    def change(data):
        for kind, place, new in edits:
            place %= max(len(data), 1)
            if kind == "cut":
                data = data[:place]
            elif kind == "insert":
                data = data[:place] + new + data[place:]
            elif kind == "repeat":
                data = data[:place] + data[place : place + 64] * 3 + data[place:]
            else:
                data = data[:place] + new + data[place + len(new) :]
        return data

    return change


def read_saved(path):
    with reading(path, "what torch.save wrote"):
        assert plain_state_dict(read_torch_file(path), path.stat().st_size) is not None


def read_rolling(path):
    """A damaged state is passed over, whatever it holds."""
    RollingCheckpoint("rolling.npz", "fits", 0).load()


def read_set(path):
    assert read_dataset(path)[0].dtype == np.uint8


def use_classifier(path):
    extract_digits_features(load_extractor(path).args[0], np.zeros((2, 8, 8, 3), np.uint8))


# File → what reads it, and the path that this is given if it is another.
READERS = {
    "config.yaml": read_yaml,
    "model.pth": read_saved,
    ".rolling.partial.pt": read_rolling,
    "images.npz": read_set,
    "images.zip": read_set,
    "images.npy": read_set,
    "pngs/00.png": lambda _: read_set("pngs"),
    "pngs/dataset.json": lambda _: read_set("pngs"),
    "cifar.tar.gz": read_set,
    "sets.npz": lambda path: read_images(path, "all~1.0"),
    "statistics.npz": lambda path: holds_statistics(path) and read_statistics(path),
    "reference.npz": read_reference,
    "classifier.safetensors": load_extractor,
    "A.pkl": lambda path: load(read_model(path)),
    "B.safetensors": lambda path: load(read_model(path)),
    "results/summary.json": read_json,
    "results/benchmarks/base.tsv": lambda _: stage_times("results"),
    "results/logs/base.log": lambda _: stage_times("results"),
}


@pytest.mark.parametrize("name", READERS)
def test_damaged_files(good, name):
    @given(damage())
    @settings(max_examples=50, **MANY)
    def check(change):
        Path(name).write_bytes(change(good[name]))
        answered(READERS[name], Path(name))

    try:
        assert answered(READERS[name], Path(name))
        check()
    finally:
        Path(name).write_bytes(good[name])


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from(
            [0, -1, 2, 8, 5.5, 10**30, float("nan"), float("inf"), "", "8", "a\nb", "SongUNet", "DiT"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)


def test_architectures(good):
    """An architecture of any JSON, and the right one with one value of any JSON; merged and built."""
    checkpoint = read_model("B.safetensors")
    keys = [*checkpoint.architecture, "family", "dropout", "sigma_min", "sigma_max", "augment_dim", "depth"]
    whole = st.one_of(
        JSON, st.builds(lambda key, value: checkpoint.architecture | {key: value}, st.sampled_from(keys), JSON)
    )

    @given(whole)
    @settings(max_examples=150, **MANY)
    def check(architecture):
        save_file(dict(checkpoint.tensors), "odd.safetensors", {"architecture": json.dumps(architecture)})
        answered(lambda: load(read_model("odd.safetensors")))

    check()


ARRAYS = of_numpy.arrays(
    st.one_of(
        *(of_numpy.integer_dtypes(endianness="="), of_numpy.unsigned_integer_dtypes(endianness="=")),
        *(of_numpy.floating_dtypes(endianness="="), of_numpy.complex_number_dtypes(endianness="=")),
        *(of_numpy.boolean_dtypes(), of_numpy.byte_string_dtypes(max_len=2)),
        st.just(np.dtype([("a", "u1")])),
    ),
    of_numpy.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3),
)


def test_arrays(folder):
    """Arrays of any type and shape, as images, labels, mean and covariance."""
    names = ("images", "labels", "mu", "sigma")

    @given(st.fixed_dictionaries({}, optional=dict.fromkeys(names, ARRAYS)))
    @settings(max_examples=150, **MANY)
    def check(values):
        np.savez("odd.npz", **values)
        answered(read_set, "odd.npz")
        if answered(read_statistics, "odd.npz"):
            mean, covariance = read_statistics("odd.npz")
            assert mean.dtype == covariance.dtype == np.float64

    check()


def test_summaries(good, line_of):
    """The summary of a study with one value of any JSON, told on the terminal."""
    summary = json.loads(good["results/summary.json"])

    def places(value, path=()):
        yield path
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            yield from places(value[key], (*path, key))

    @given(st.sampled_from(sorted(places(summary), key=str)), JSON)
    @settings(max_examples=150, **MANY)
    def check(path, value):
        changed = json.loads(good["results/summary.json"])
        holder = SimpleNamespace(top=changed)
        inner = vars(holder)
        *outer, last = ("top", *path)
        for key in outer:
            inner = inner[key]
        inner[last] = value
        Path("results/summary.json").write_text(json.dumps(holder.top))
        line_of(["show", "results"])

    try:
        check()
    finally:
        Path("results/summary.json").write_bytes(good["results/summary.json"])


# Options of each command that work; those before the dash stand for themselves.
COMMANDS = {
    "merge": {
        "--base": "A.pkl",
        "--tuned": "B.safetensors",
        "--weights": "1",
        "-o": "C.safetensors",
        "--block": "all=.",
    },
    "lora": {
        "--base": "A.pkl",
        "--tuned": "B.safetensors",
        "--rank": "2",
        "-o": "L.safetensors",
        "--weights": "1",
        "--block": "all=.",
    },
    "inspect": {"-": "A.pkl", "--": "B.safetensors", "--block": "all=."},
    "sample": {
        "-": "B.safetensors",
        "--seeds": "1",
        "-o": "new/",
        "--batch": "2",
        "--class": "1",
        "--device": "cpu",
    }
    | {"--sampler": "steps=2"},
    "export": {"-": "B.safetensors", "-o": "C.pt"},
    "fid": {"-": "images.npz", "--": "statistics.npz", "-n": "3", "--features": "inception", "--device": "cpu"},
    "reference": {"-": "images.npz", "-o": "new.npz", "--device": "cpu"},
    "show": {"-": "results"},
    "check": {"-": "config.yaml", "--": "overlay.yaml"},
    "estimate": {"-": "config.yaml", "--": "overlay.yaml", "--results": "results", "--device": "cpu"},
}
ODD = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                " ",
                ".",
                "..",
                "/",
                "-",
                "--",
                "-1",
                "-inf",
                "nan",
                "inf",
                "1e308",
                "0",
                "999999999999999999999",
            ),
            *("a\0b", "a\nadaptive-neon: fine", "\x1b[2J", "x" * 300, "{a}", "~nobody/x", "ö\udcff", "%s", "*"),
            *("0-4294967295", "5-1", "1,1", "1-2-3", "enc=1", "enc=1,mid=1,dec=nan", "all=((((", "all=^((a)+)+!$"),
            *(
                "absent.pkl",
                "absent/C.safetensors",
                "A.pkl/C.safetensors",
                "pngs",
                "pngs.npz",
                "results",
                "x.tar.gz",
            ),
            *("new.npz", "new.zip", "new", "A.pkl", "images.npz", "images.zip", "cifar.tar.gz", "statistics.npz"),
            *("/dev/null", "/dev/zero", "pipe", "/proc/self/mem", "classifier.safetensors", "digits", "--help"),
            *("http://127.0.0.1:9/x", "HTTP://[", "http://", "npm:--help", "pypi:--help", "npm:", "pypi:a==1"),
            *("steps=0", "steps=nan", "steps=1e9", "rho", "=", "sigma_min=99"),
        ]
    ),
    st.text(max_size=6),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_odd_arguments(good, line_of, command, monkeypatch, root):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("ADAPTIVE_NEON_CACHE", "cache")
    if not Path("pipe").exists():
        os.mkfifo("pipe")
    for name in ("schemas", "config.yaml"):
        if not Path(name).exists():
            Path(name).symlink_to(root / name)
    Path("overlay.yaml").write_bytes((root / "tests/tiny.yaml").read_bytes())
    before = set(Path(".").iterdir())
    options = COMMANDS[command]

    @given(st.dictionaries(st.sampled_from(sorted(options)), st.one_of(ODD, st.none()), min_size=1, max_size=2))
    @settings(max_examples=60, **MANY)
    def check(changes):
        words = [command]
        for option, value in (options | changes).items():
            if value is not None:
                words += [value] if not option.strip("-") else [option, value]
        line_of(words)
        for path in set(Path(".").iterdir()) - before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name, content in good.items():
            if not Path(name).is_file() or Path(name).stat().st_size != len(content):
                Path(name).parent.mkdir(exist_ok=True)
                Path(name).write_bytes(content)

    check()
