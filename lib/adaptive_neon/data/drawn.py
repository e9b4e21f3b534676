"""Images that are drawn batch by batch: they gather in a file, so that memory does not grow with their number."""

import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adaptive_neon.errors import InputError

HEADER = struct.Struct("<64s3I")  # fingerprint, H, W, C; then an image and its class for each seed


class DrawnImages:
    """The images drawn so far, uint8 [n, H, W, C], in a hidden file beside the output.

    A command that was killed finds them again.
    """

    def __init__(self, output: str | Path, fingerprint: str, total: int, batch: int):
        """
        Args:
            fingerprint: 64 characters that change with whatever the images depend on.
            total: images that are to come.
            batch: images at a time.
        """
        output = Path(output)
        self.path = output.with_name(f".{output.stem}.partial.images")
        self.fingerprint = fingerprint.encode()
        self.total = total
        shape = self._shape()
        self.record = None if shape is None else _record(shape)
        self.count = 0  # images that are there
        if self.record is not None:
            there = (self.path.stat().st_size - HEADER.size) // self.record.itemsize
            self.count = there // batch * batch if there < total else total
            with open(self.path, "r+b") as file:
                file.truncate(HEADER.size + self.count * self.record.itemsize)

    def _shape(self) -> tuple[int, ...] | None:
        """That of the images of an earlier command that asked for the same."""
        try:
            with open(self.path, "rb") as file:
                fingerprint, *shape = HEADER.unpack(file.read(HEADER.size))
        except (OSError, struct.error):
            return None
        return tuple(shape) if fingerprint == self.fingerprint else None

    def append(self, images: np.ndarray, classes: np.ndarray) -> None:
        """Add the images of one batch.

        Raises:
            InputError: the disk has no room for all that are to come and for the output.
        """
        if self.record is None:
            self.record = _record(images.shape[1:])
            size = 2 * self.total * self.record.itemsize
            self.path.parent.mkdir(parents=True, exist_ok=True)
            disk = shutil.disk_usage(self.path.parent)
            if disk.total and disk.free < size:
                raise InputError(
                    f"{self.path.parent}: {disk.free:,} bytes free, but the images take up to {size:,}; free some"
                )
            self.path.write_bytes(HEADER.pack(self.fingerprint, *images.shape[1:]))
        records = np.empty(len(images), self.record)
        records["image"], records["class"] = images, classes
        with open(self.path, "ab") as file:
            file.write(records.tobytes())
        self.count += len(images)

    def arrays(self) -> tuple[Sequence[np.ndarray], np.ndarray]:
        """All images, of which only those that are looked at come into memory, and their classes int64 [n]."""
        records = np.memmap(self.path, self.record, "r", HEADER.size)
        return records["image"], np.array(records["class"])

    def clear(self) -> None:
        """Remove the file, once the output stands under its final name."""
        self.path.unlink(missing_ok=True)


def _record(shape: tuple[int, ...]) -> np.dtype:
    return np.dtype([("image", np.uint8, shape), ("class", "<i8")])
