import numpy as np
import pytest
import torch
from adaptive_neon.data.images import digits
from adaptive_neon.evaluation.features import (
    classify_digits,
    cluster,
    extract_digits_features,
    load_differentiable,
    load_extractor,
    train_digits_classifier,
    write_digits_classifier,
)
from scipy.special import softmax
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

WIDTH = 16
TRAINED = slice(0, 1200)
HELD_OUT = slice(1200, None)


@pytest.fixture(scope="module")
def data():
    return digits()


@pytest.fixture(scope="module")
def classifier(data):
    images, labels = data
    return train_digits_classifier(images[TRAINED], labels[TRAINED], WIDTH, seed=3)


def test_shapes(classifier):
    assert {name: (array.dtype.name, array.shape) for name, array in classifier.items()} == {
        "layer0.weight": ("float32", (64, 2 * WIDTH)),
        "layer0.bias": ("float32", (2 * WIDTH,)),
        "layer1.weight": ("float32", (2 * WIDTH, WIDTH)),
        "layer1.bias": ("float32", (WIDTH,)),
        "layer2.weight": ("float32", (WIDTH, 10)),
        "layer2.bias": ("float32", (10,)),
    }


def test_knows_digits_it_has_not_seen(classifier, data):
    images, labels = (part[HELD_OUT] for part in data)
    assert (classify_digits(classifier, images) == labels).mean() > 0.9


def test_features_are_those_of_scikit_learn(classifier, data):
    """The same weights in scikit-learn's own network give the same probabilities."""
    images, labels = (part[HELD_OUT] for part in data)
    pixels = images.reshape(-1, 64) / np.float32(255)
    network = MLPClassifier((2 * WIDTH, WIDTH), max_iter=1)
    network.fit(pixels[:200], labels[:200])  # for the shapes; one iteration does not converge
    network.coefs_ = [classifier[f"layer{i}.weight"] for i in range(3)]
    network.intercepts_ = [classifier[f"layer{i}.bias"] for i in range(3)]

    features = extract_digits_features(classifier, images)
    assert features.shape == (len(images), WIDTH)
    assert features.dtype == np.float32
    assert features.min() == 0
    assert (features.max(axis=0) > 0).sum() > WIDTH // 2
    logits = features @ classifier["layer2.weight"] + classifier["layer2.bias"]
    np.testing.assert_allclose(softmax(logits, axis=1), network.predict_proba(pixels), atol=1e-6)
    np.testing.assert_array_equal(classify_digits(classifier, images), network.predict(pixels))


def test_images_without_classes_have_clusters(data):
    """Most digits of a cluster are the same digit, and features of clusters tell digits apart."""
    images, labels = data
    found = cluster(images, seed=0)
    counts = np.array([np.bincount(labels[found == k], minlength=10) for k in range(10)])
    assert counts.max(axis=1).sum() / len(images) > 0.7
    features = extract_digits_features(train_digits_classifier(images[TRAINED], found[TRAINED], WIDTH, 0), images)
    nearest = KNeighborsClassifier(5).fit(features[TRAINED], labels[TRAINED])
    assert nearest.score(features[HELD_OUT], labels[HELD_OUT]) > 0.8
    assert cluster(images[:1].repeat(5, 0), seed=0).tolist() == [0] * 5  # fewer images than clusters


def test_a_seed_is_a_classifier(data):
    images, labels = (part[:200] for part in data)
    one, again, other = (train_digits_classifier(images, labels, 4, seed) for seed in (0, 0, 1))
    for name in one:
        np.testing.assert_array_equal(one[name], again[name], strict=True)
        assert not np.array_equal(one[name], other[name])


def test_an_extractor_comes_back(classifier, data, tmp_path):
    path = tmp_path / "digits.safetensors"
    write_digits_classifier(path, classifier)
    images = data[0][:50]
    np.testing.assert_array_equal(load_extractor(path)(images), extract_digits_features(classifier, images))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda good: None, id="missing"),
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: b"no weights\n" * 50, id="text"),
        pytest.param(lambda good: good[:-4], id="truncated"),
    ],
)
def test_files_that_hold_no_classifier(classifier, tmp_path, refuses, content):
    path = tmp_path / "digits.safetensors"
    write_digits_classifier(path, classifier)
    broken = content(path.read_bytes())
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    with refuses(path, "extractor"):
        load_extractor(path)


def test_differentiable_features_are_the_same_with_the_slope_of_differences(classifier, data, tmp_path):
    images = data[0][:20]
    write_digits_classifier(tmp_path / "digits.safetensors", classifier)
    extract = load_differentiable(tmp_path / "digits.safetensors")
    levels = torch.from_numpy(images).float().requires_grad_()
    found = extract(levels)
    expected = extract_digits_features(classifier, images)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-4, atol=1e-5)
    side = np.random.default_rng(0).standard_normal(expected.shape)
    (found * torch.from_numpy(side)).sum().backward()
    other = images.copy()
    other[:, 3, 3] += np.where(images[:, 3, 3] < 250, 1, 0).astype(np.uint8)
    changed = ((extract_digits_features(classifier, other).astype(float) - expected) * side).sum()
    moved = (other.astype(float) - images).ravel()
    assert float(levels.grad.numpy().ravel() @ moved) == pytest.approx(changed, rel=0.02)
