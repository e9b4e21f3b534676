import numpy as np
import pytest
from adaptive_neon.evaluation.measurement import reference_images, write_reference
from adaptive_neon.evaluation.references import holds_statistics, read_statistics, write_statistics


def test_statistics_come_back(tmp_path):
    rng = np.random.default_rng(0)
    mean, covariance = rng.normal(size=5), np.cov(rng.normal(size=(5, 20)))
    path = tmp_path / "reference.npz"
    write_statistics(path, mean, covariance)
    assert holds_statistics(path)
    np.testing.assert_array_equal(read_statistics(path)[0], mean)
    np.testing.assert_array_equal(read_statistics(path)[1], covariance)
    with np.load(path) as file:
        assert set(file) == {"mu", "sigma"}  # the names in NVIDIA's files


def test_the_reference_of_a_study_holds_statistics(tmp_path):
    features = np.random.default_rng(0).normal(size=(20, 3))
    path = tmp_path / "reference.npz"
    write_reference(path, reference_images(features, None, neighbours=1))
    assert holds_statistics(path)
    np.testing.assert_allclose(read_statistics(path)[0], features.mean(0), rtol=1e-12)
    np.testing.assert_allclose(read_statistics(path)[1], np.cov(features.T), rtol=1e-12)


def test_images_are_no_statistics(tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 4, 4, 3), np.uint8))
    assert not holds_statistics(tmp_path / "images.npz")
    assert not holds_statistics(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"mu": np.zeros(2)}, "not statistics (mu and sigma)"),
        ({"mu": np.zeros(2), "sigma": np.eye(3)}, "mu [2] and sigma [3, 3] do not fit"),
        ({"mu": np.zeros((1, 2)), "sigma": np.eye(2)}, "do not fit"),
        ({"mu": np.zeros(2), "sigma": np.full((2, 2), np.inf)}, "not finite"),
        ({"mu": np.array(["a"], object), "sigma": np.eye(1)}, "not statistics (mu and sigma)"),
        ({"mu": np.zeros(2), "sigma": np.array([[1, 2], [2, 1.0]])}, "negative eigenvalues"),  # 3 and −1
        ({"mu": np.zeros(2), "sigma": np.array([[1, 0.5], [0.4, 1]])}, "not symmetric"),
        ({"mu": np.zeros(2), "sigma": np.eye(2) * 1j}, "sigma is complex128"),
        ({"mu": np.full(2, 1e300), "sigma": np.eye(2)}, "above 1e+12"),
        ({"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, "do not fit"),
        (None, "no such file"),
    ],
)
def test_files_that_hold_no_statistics(tmp_path, refuses, arrays, words):
    path = tmp_path / "reference.npz"
    if arrays is not None:
        np.savez(path, **arrays)
    with refuses(path, words):
        read_statistics(path)
