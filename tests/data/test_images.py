import numpy as np
import pytest
from adaptive_neon.data.datasets import read_source
from adaptive_neon.data.images import join_images, read_images, write_images
from sklearn.datasets import load_digits


def test_digits():
    images, labels = read_source("digits")
    data = load_digits()
    assert images.shape == (1797, 8, 8, 1)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, data.target)
    # 17 grey levels 0 … 16 over 0 … 255, to the nearest
    assert np.abs(images[..., 0] - data.images * 255 / 16).max() <= 0.5
    assert len(np.unique(images)) == 17
    assert (images.min(), images.max()) == (0, 255)


@pytest.fixture
def sets():
    """Two image sets, one of them of a diverged model."""
    rng = np.random.default_rng(0)
    return {
        "enc~1.0_dec~0.5": rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8),
        "all~2.0": np.empty((0, 8, 8, 3), np.uint8),
    }


@pytest.fixture
def path(sets, tmp_path):
    path = tmp_path / "images.npz"
    write_images(path, sets, np.arange(30))
    return path


def test_image_sets_come_back(path, sets):
    for name, expected in sets.items():
        images, labels = read_images(path, name)
        np.testing.assert_array_equal(images, expected, strict=True)
        assert labels.tolist() == list(range(30))


def test_an_unknown_set(path, refuses):
    with refuses(path, "holds no image set all~3.0", "enc~1.0_dec~0.5", "all~2.0"):
        read_images(path, "all~3.0")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda good: None, id="missing"),
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: b"no images\n" * 50, id="text"),
        pytest.param(lambda good: good[:-100], id="truncated"),
        pytest.param(lambda good: good[:60], id="begun"),
        pytest.param(lambda good: good[:2000] + bytes(500) + good[2500:], id="damaged"),
    ],
)
def test_files_that_hold_no_images(path, refuses, content):
    broken = content(path.read_bytes())
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    with refuses(path, "not an image set, or a damaged one" if broken is not None else "no such file"):
        read_images(path, "enc~1.0_dec~0.5")


def test_objects_are_not_unpickled(tmp_path, refuses):
    path = tmp_path / "images.npz"
    np.savez(path, images=np.array([{}], dtype=object), labels=np.zeros(1))
    with refuses(path, "not an image set"):
        read_images(path, "images")


def test_files_are_joined_in_their_order(tmp_path):
    sets = {"all~1.0": np.arange(40, dtype=np.uint8).reshape(10, 2, 2, 1)}
    for name, part in (("b", slice(0, 7)), ("a", slice(7, 10))):
        write_images(tmp_path / f"{name}.npz", {"all~1.0": sets["all~1.0"][part]}, np.arange(10)[part])
    images, labels = join_images([tmp_path / "b.npz", tmp_path / "a.npz"])
    np.testing.assert_array_equal(images["all~1.0"], sets["all~1.0"], strict=True)
    assert labels.tolist() == list(range(10))


def test_a_model_that_diverged_in_one_file_has_no_images(tmp_path, sets):
    (name, images), *_ = sets.items()
    write_images(tmp_path / "0.npz", {name: images}, np.arange(30))
    write_images(tmp_path / "1.npz", {name: images[:0]}, np.arange(30))
    joined, labels = join_images([tmp_path / "0.npz", tmp_path / "1.npz"])
    assert joined[name].shape == (0, *images.shape[1:])
    assert len(labels) == 60


def test_a_damaged_file_is_not_joined(path, refuses):
    path.write_bytes(path.read_bytes()[:-100])
    with refuses(path, "not an image set"):
        join_images([path])
