"""Feature extractors: images uint8 [N, H, W, C] → features float32 [N, D]."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from adaptive_neon.jobs.files import replacing
from adaptive_neon.jobs.foreign import reading

if TYPE_CHECKING:  # they import torch, which the digits need not
    import torch

    from adaptive_neon.jobs.rolling import RollingCheckpoint

BATCH = 256  # images at a time, as many as Inception takes at once on a GPU

CLUSTERS = 10  # that stand for the classes of images without
CLASSIFIER = [f"layer{i}.{kind}" for i in range(3) for kind in ("weight", "bias")]
Classifier = dict[str, np.ndarray]
Extractor = Callable[[np.ndarray], np.ndarray]


def cluster(images: np.ndarray, seed: int) -> np.ndarray:
    """Classes for images that have none, int64 [N]: clusters of their pixels by k-means.

    A classifier of clusters learns features too (Caron et al. 2018, arXiv 1807.05520).
    """
    from sklearn.cluster import KMeans

    pixels = _pixels(images)
    count = min(CLUSTERS, len(np.unique(pixels, axis=0)))
    return KMeans(count, n_init=1, random_state=seed).fit_predict(pixels).astype(np.int64)


def train_digits_classifier(images: np.ndarray, labels: np.ndarray, width: int, seed: int) -> Classifier:
    """Train the perceptron that plays Inception's part for digits: pixels → 2·width → width → classes.

    Returns:
        Its weights by name, float32; `extract_digits_features` uses all but the last layer.
    """
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((2 * width, width), alpha=1e-3, max_iter=200, random_state=seed)
    network.fit(_pixels(images), labels)
    layers = zip(network.coefs_, network.intercepts_, strict=True)
    return {
        f"layer{i}.{kind}": array.astype(np.float32)
        for i, layer in enumerate(layers)
        for kind, array in zip(("weight", "bias"), layer, strict=True)
    }


def extract_digits_features(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """Activations of the penultimate layer, after its ReLU, float32 [N, width]."""
    return _penultimate(classifier, _pixels(images))


def classify_digits(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The class of each image, int64 [N]."""
    features = extract_digits_features(classifier, images)
    return (features @ classifier["layer2.weight"] + classifier["layer2.bias"]).argmax(axis=1)


def write_digits_classifier(path: str | Path, classifier: Classifier) -> None:
    """Write the weights as safetensors."""
    with replacing(path) as temporary:
        save_file(classifier, temporary)


def extract_features(
    extract: Extractor,
    images: np.ndarray,
    progress: Callable[[int], object] = lambda count: None,
    rolling: "RollingCheckpoint | None" = None,
) -> np.ndarray:
    """Features [N, D] of images [N, H, W, C], a batch at a time.

    Args:
        progress: called with the number of images of each batch.
        rolling: from where a job that was killed continues.
    """
    finished = [part.numpy() for part in rolling.load() or []] if rolling else []

    def state():
        import torch

        return [torch.from_numpy(part) for part in finished]

    done = sum(map(len, finished))
    progress(done)
    for start in range(done, len(images), BATCH):
        finished.append(extract(images[start : start + BATCH]))
        progress(len(finished[-1]))
        if rolling:
            rolling.save_if_due(state)
    return np.concatenate(finished)


def load_extractor(path: str | Path, device: str = "cpu") -> Extractor:
    """The extractor in a file: a digits classifier, or Inception, which runs on `device` (see `pick_device`)."""
    with reading(path, "an extractor", "remove it and make it again"):
        with safe_open(path, framework="numpy") as file:
            convention = (file.metadata() or {}).get("convention")
        if convention is None:
            classifier = load_file(path)
            return partial(extract_digits_features, {name: classifier[name] for name in CLASSIFIER})
    from adaptive_neon.evaluation.inception import Inception
    from adaptive_neon.jobs.device import pick_device

    return Inception(path, convention, pick_device(device))


def load_differentiable(path: str | Path, device: str = "cpu") -> Callable[["torch.Tensor"], "torch.Tensor"]:
    """The same features with their gradient: images of values 0 … 255, float32 [N, H, W, C] → float32 [N, D]."""
    import torch

    from adaptive_neon.jobs.device import pick_device

    extract = load_extractor(path, device)
    if not isinstance(extract, partial):
        return extract.of_tensor
    weights = {name: torch.from_numpy(array).to(pick_device(device)) for name, array in extract.args[0].items()}
    return lambda images: _penultimate(weights, images.flatten(1) / 255)


def load_output(path: str | Path) -> np.ndarray | None:
    """Inception's last layer, features → logits [1008, 2048], if the file of the extractor has it."""
    with reading(path, "an extractor", "remove it and make it again"), safe_open(path, framework="numpy") as file:
        return file.get_tensor("output.weight") if "output.weight" in file.keys() else None  # noqa: SIM118


def _penultimate(weights, pixels):
    """The perceptron up to its penultimate layer, of NumPy's arrays or of torch's tensors."""
    for layer in ("layer0", "layer1"):
        pixels = (pixels @ weights[f"{layer}.weight"] + weights[f"{layer}.bias"]).clip(min=0)
    return pixels


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / 255
