"""The gap between merging and guiding: none of a linear network, known of a quadratic one."""

import numpy as np
import pytest
import torch
from adaptive_neon.families.checkpoints import Checkpoint
from adaptive_neon.families.loading import arrays, load
from adaptive_neon.merging.extrapolation import Mean, Merged
from adaptive_neon.rivals.figures import plot_linearity
from adaptive_neon.rivals.linearity import WHOLE, gaps, noisy_images, predictions

BLOCK_OF = {"a": "enc", "b": "dec"}
BASE = {"a": np.array([1.0, -2.0]), "b": np.array([0.5, 3.0])}
TUNED = {"a": np.array([1.5, -2.5]), "b": np.array([0.25, 3.5])}
X = torch.tensor([[0.3, -0.7], [2.0, 0.1], [-1.0, 1.0]], dtype=torch.float64)
W = 0.75


def as_tensors(weights):
    return torch.from_numpy(np.asarray(weights["a"])), torch.from_numpy(np.asarray(weights["b"]))


def test_a_linear_network_has_no_gap():
    def predict(weights):
        a, b = as_tensors(weights)
        return [X @ a + X @ b + 1, 2 * X @ a]

    found = gaps(predict, BASE, TUNED, W, BLOCK_OF)
    assert list(found) == [WHOLE, "enc", "dec"]
    for one in found.values():
        assert one["gap"] == pytest.approx([0, 0], abs=1e-12)
    (_, second), norm = found["enc"]["step"], torch.linalg.norm(2 * X @ torch.from_numpy(BASE["a"]))
    drift = torch.from_numpy(TUNED["a"] - BASE["a"])
    assert second == pytest.approx(float(W * torch.linalg.norm(2 * X @ drift) / norm))
    assert found["dec"]["step"][1] == 0  # not in this output


def test_the_gap_of_a_quadratic_network():
    """(θ_r − w·d)² − ((1 + w)·θ_r² − w·(θ_r + d)²) = w·(1 + w)·d²: its first term, w·(1 + w)/2·∂²D[d, d]."""

    def predict(weights):
        a, b = as_tensors(weights)
        return [a**2 + b**2]

    found = gaps(predict, BASE, TUNED, W, BLOCK_OF)
    norm = np.linalg.norm(BASE["a"] ** 2 + BASE["b"] ** 2)
    squares = {name: (TUNED[name] - BASE[name]) ** 2 for name in BASE}
    for block, square in {WHOLE: squares["a"] + squares["b"], "enc": squares["a"], "dec": squares["b"]}.items():
        assert found[block]["gap"] == pytest.approx([W * (1 + W) * np.linalg.norm(square) / norm])


def test_without_a_weight_there_is_no_gap(make_network, tiny):
    """w = 0 is the base model both ways; and at w = −1 both are θ_s."""
    networks = [arrays(make_network(seed)) for seed in (0, 1)]
    images = noisy_images(
        np.random.default_rng(0).integers(256, size=(5, 8, 8, 1)).astype(np.uint8), np.arange(5), 7
    )
    assert images[0].shape == images[1].shape == (5, 1, 8, 8)

    def predict(tensors):
        return predictions(load(Checkpoint(tensors, tiny)), tiny, images, [80.0, 0.5], batch=2)

    block_of = dict.fromkeys(networks[0], "all")
    for w in (0.0, -1.0):
        found = gaps(predict, *networks, w, block_of)
        assert list(found) == [WHOLE]
        assert found[WHOLE]["gap"] == pytest.approx([0, 0], abs=1e-6)
    found = gaps(predict, *networks, 1.0, block_of)[WHOLE]
    assert min(found["gap"]) > 1e-3
    figure = plot_linearity({"levels": [80.0, 0.5], "blocks": {WHOLE: found}}, "noise level σ")
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "log"]


def test_averaged_directions_are_the_mean_of_the_tensors():
    """θ_r − w·(mean θ_s − θ_r) is the mean of the merged models; what is no weight is the first model's."""
    rng = np.random.default_rng(0)
    base = {"a": rng.normal(size=(3, 2)).astype(np.float32), "mask": np.array([-np.inf, 0], np.float32)}
    models = [{"a": rng.normal(size=(3, 2)).astype(np.float32), "mask": base["mask"] * (1 + k)} for k in range(3)]
    mean = Mean(models, ["a"])
    assert mean["a"].dtype == np.float32
    np.testing.assert_allclose(mean["a"], np.mean([model["a"] for model in models], axis=0), rtol=1e-6)
    assert np.array_equal(mean["mask"], models[0]["mask"])
    merged = [Merged(base, model, {"all": W}, {"a": "all"})["a"] for model in models]
    np.testing.assert_allclose(
        Merged(base, mean, {"all": W}, {"a": "all"})["a"], np.mean(merged, axis=0), rtol=1e-5
    )


def test_models_of_different_networks_have_no_mean(refuses):
    with refuses("base and tuned model differ", "b is only in one"):
        Mean([{"a": np.ones(2)}, {"a": np.ones(2), "b": np.ones(2)}], ["a"])
    with refuses("(2,) in one, (3,) in the other"):
        Mean([{"a": np.ones(2)}, {"a": np.ones(3)}], ["a"])["a"]
