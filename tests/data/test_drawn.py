import numpy as np
import pytest
from adaptive_neon.data.datasets import read_dataset, write_dataset
from adaptive_neon.data.drawn import DrawnImages

KEY = "0" * 64


@pytest.fixture
def batches():
    """Three batches of images and classes, the last shorter."""
    rng = np.random.default_rng(0)
    return [(rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8), rng.integers(0, 10, n)) for n in (4, 4, 2)]


def joined(batches):
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


@pytest.mark.parametrize("output", ["images.npz", "images.zip", "images"])
def test_the_images_go_to_the_output(tmp_path, batches, output):
    drawn = DrawnImages(tmp_path / output, KEY, 10, 4)
    for batch in batches:
        drawn.append(*batch)
    write_dataset(tmp_path / output, *drawn.arrays(), [f"{i:02d}.png" for i in range(10)])
    drawn.clear()
    for found, expected in zip(read_dataset(tmp_path / output), joined(batches), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [path.name for path in tmp_path.iterdir()] == [output]


@pytest.mark.parametrize("lost", [0, 1, 60])
def test_a_killed_command_has_its_whole_batches_again(tmp_path, batches, lost):
    """An image depends, by rounding, on its batch, so a broken one is drawn again."""
    drawn = DrawnImages(tmp_path / "images.npz", KEY, 10, 4)
    for batch in batches[:2]:
        drawn.append(*batch)
    with open(drawn.path, "r+b") as file:
        file.truncate(drawn.path.stat().st_size - lost)
    again = DrawnImages(tmp_path / "images.npz", KEY, 10, 4)
    assert again.count == (4 if lost else 8)
    for batch in batches[again.count // 4 :]:
        again.append(*batch)
    for found, expected in zip(again.arrays(), joined(batches), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert DrawnImages(tmp_path / "images.npz", KEY, 10, 4).count == 10


@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[:70], lambda data: b"1" + data[1:]])
def test_what_was_asked_for_otherwise_does_not_count(tmp_path, batches, spoil):
    drawn = DrawnImages(tmp_path / "images.npz", KEY, 10, 4)
    drawn.append(*batches[0])
    drawn.path.write_bytes(spoil(drawn.path.read_bytes()))
    again = DrawnImages(tmp_path / "images.npz", KEY, 10, 4)
    assert again.count == 0
    for batch in batches:
        again.append(*batch)
    np.testing.assert_array_equal(again.arrays()[0], joined(batches)[0])


def test_the_disk_must_have_room(tmp_path, batches, refuses):
    drawn = DrawnImages(tmp_path / "images.npz", KEY, 10**15, 4)
    with refuses(tmp_path, "bytes free, but the images take up to"):
        drawn.append(*batches[0])
    assert not list(tmp_path.iterdir())
