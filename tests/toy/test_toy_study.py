import numpy as np
import pytest
import torch
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.extrapolation import merge
from adaptive_neon.merging.grid import point_name
from adaptive_neon.toy import study
from adaptive_neon.toy.autoregressive import Autoregressive
from adaptive_neon.toy.diffusion import Diffusion
from adaptive_neon.toy.gaussian import real_data, stream
from adaptive_neon.toy.network import stack, train
from scipy.linalg import sqrtm

DIFFUSION = Diffusion()


@pytest.fixture
def pair():
    """θ_r and a θ_s that differs from it in every parameter."""
    return DIFFUSION.initial(stream(0, "base")), DIFFUSION.initial(stream(0, "tuned"))


def distance_by_hand(model, draws):
    """Fréchet distance of one model's samples, all at once, with NumPy and SciPy."""
    x = DIFFUSION.sample(stack([model]), draws)[0].double().numpy()
    truth = np.array([[2.0, 1.0], [1.0, 2.0]])
    covariance = np.cov(x)
    mean = x.mean(axis=1)
    return mean @ mean + np.trace(covariance + truth - 2 * sqrtm(covariance @ truth).real)


def test_each_parameter_is_in_the_block_of_its_layer():
    block_of = assign_blocks(DIFFUSION.initial(stream(0, "")), DIFFUSION.blocks)
    assert block_of == {
        f"{layer}.{kind}": layer
        for layer in ("input", "block1", "block2", "block3", "block4", "output")
        for kind in ("weight", "bias")
    }


def test_a_merge_of_six_blocks_moves_each_by_its_own_weight(pair):
    base, tuned = pair
    weights = dict(zip(DIFFUSION.blocks, (2.0, 0.28, -1.0, -1.44, 0.0, 0.5), strict=True))
    merged = merge(base, tuned, weights, assign_blocks(base, DIFFUSION.blocks))
    for name in base:
        w = weights[name.split(".")[0]]
        np.testing.assert_allclose(merged[name], (1 + w) * base[name] - w * tuned[name], atol=1e-6)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_grid_around_the_best_single_weight(eta):
    points = study.layerwise_grid(Diffusion(eta=eta).blocks, 0.28, 1.72)
    assert len({point_name(point) for point in points}) == 729
    assert sorted({w for point in points for w in point.values()}) == [-1.44, 0.28, 2.0]


def test_distances_are_those_of_the_models_one_by_one(pair, monkeypatch):
    base, tuned = pair
    points = study.layerwise_grid(DIFFUSION.blocks, 0.0, 0.5)[::61]  # 12: one full group of models and a part
    block_of = assign_blocks(base, DIFFUSION.blocks)
    draws = DIFFUSION.draws(1003, stream(0, "draws"))
    expected = {
        point_name(point): distance_by_hand(merge(base, tuned, point, block_of), draws) for point in points
    }
    assert study.merged_distances(DIFFUSION, base, tuned, points, draws) == pytest.approx(expected, rel=1e-5)
    monkeypatch.setattr(study, "MODELS", 5)
    monkeypatch.setattr(study, "COLUMNS", 300)
    for threads in (1, 2):
        found = study.merged_distances(DIFFUSION, base, tuned, points, draws, threads)
        assert found == pytest.approx(expected, rel=1e-5)


def test_a_diverged_model_has_no_distance(pair):
    broken = {name: array * np.float32(1e30) for name, array in pair[0].items()}
    draws = DIFFUSION.draws(10, stream(0, "draws"))
    found = list(study.distances(DIFFUSION, [broken, pair[0]], draws))
    assert found == [None, pytest.approx(distance_by_hand(pair[0], draws), rel=1e-5)]


def test_training_is_adam_on_the_batches_in_order():
    """Two epochs of two batches, with the update of Kingma and Ba 2015 (algorithm 1) written out."""
    family = Autoregressive()
    start = family.initial(stream(0, "model"))
    x = real_data(64, stream(0, "x"))
    trained = train(family, start, x, 1e-3, [1, 2], stream(0, "unused"), batch=40)
    theta = np.concatenate([array.ravel() for array in start.values()])
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for step, columns in enumerate([x[:, :40], x[:, 40:]] * 2, start=1):
        parts = np.split(theta, np.cumsum([array.size for array in start.values()])[:-1])
        model = {name: part.reshape(start[name].shape) for name, part in zip(start, parts, strict=True)}
        g = study.population_gradients(family, model, columns, 1, stream(0, "unused"))[0].numpy()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta = theta - 1e-3 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        if step % 2 == 0:
            found = np.concatenate([array.ravel() for array in trained[step // 2].values()])
            np.testing.assert_allclose(found, theta, atol=1e-5)


def test_training_that_diverges_stops():
    family = Autoregressive()
    with pytest.raises(FloatingPointError, match="epoch 1"):
        train(family, family.initial(stream(0, "")), torch.full((2, 4), torch.nan), 1e-3, [2], stream(0, ""))


def test_self_training_sees_only_what_the_model_made():
    """At τ = 0 every sample is the mean: the model narrows around it, log σ₁ falls, μ₁ stays."""
    family = Autoregressive()
    base = family.initial(stream(0, "base"))
    collapsed = study.self_train(family, base, 0.0, 256, 1e-2, [20], seed=0)[20]
    assert collapsed["first.log_std"].item() < -0.15
    assert collapsed["first.mean"].item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("family", [Diffusion(), Autoregressive()], ids=lambda family: type(family).__name__)
def test_gradients_agree_with_finite_differences(family):
    model = {name: array.astype(np.float64) for name, array in family.initial(stream(1, "model")).items()}
    x = real_data(200, stream(0, "x")).double()
    gradient, square = study.population_gradients(family, model, x, 1, stream(0, "loss"))
    torch.testing.assert_close(square, gradient**2)  # one batch

    def loss(changed):
        return family.loss(stack([changed]), x, stream(0, "loss")).item()

    offset, h = 0, 1e-7
    for name, array in model.items():
        index = array.size // 2
        numbers = array.copy().ravel()
        numbers[index] += h
        up = loss(model | {name: numbers.reshape(array.shape)})
        numbers[index] -= 2 * h
        down = loss(model | {name: numbers.reshape(array.shape)})
        assert gradient[offset + index].item() == pytest.approx((up - down) / (2 * h), abs=1e-7, rel=1e-4)
        offset += array.size
    assert offset == len(gradient)


def test_preconditioned_cosine():
    a, b, v = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -1.0]), torch.tensor([0.25, 4.0])
    # P = diag(2, 1/2): ⟨a, b⟩ = 6 − 1, ⟨a, a⟩ = 2 + 2, ⟨b, b⟩ = 18 + 1/2.
    assert study.preconditioned_cosine(a, b, v) == pytest.approx(5 / np.sqrt(4 * 18.5), rel=1e-6)
    assert study.preconditioned_cosine(a, -3 * a, v) == pytest.approx(-1)


@pytest.mark.parametrize("width", [1.0, 3.0])
@pytest.mark.parametrize("tau", [0.6, 1.4])
def test_alignment_of_two_independent_gaussians(width, tau):
    """With a head of zeros the model is N(0, width²) times N(0, 1), and four derivatives are not zero.

    Real data of mean (1, 1) and mean squares (3, 3) give −1/width², 1 − 3/width², −1 and 1 − 3; synthetic data
    give 0, 1 − τ², 0 and 1 − τ². One batch makes P = 1/|derivative on real data|.
    """
    family = Autoregressive()
    base = {name: np.zeros_like(array) for name, array in family.initial(stream(0, "")).items()}
    base["first.log_std"][:] = np.log(width)
    real = torch.randn(2, 2000, generator=stream(0, "real"))
    real = (real - real.mean(1, keepdim=True)) / real.std(1, correction=0, keepdim=True) * 2**0.5 + 1
    g = np.array([-1 / width**2, 1 - 3 / width**2, -1, -2])
    s = np.array([0, 1 - tau**2, 0, 1 - tau**2])
    expected = (np.sign(g) * s).sum() / np.sqrt(abs(g).sum() * (s**2 / abs(g)).sum())
    found = study.alignment(family, base, real, [tau], 1, seed=0)
    assert found == [pytest.approx(expected, abs=0.05)]


def test_the_sweep_finds_the_weight_that_is_best(pair):
    base, tuned = pair
    outcome = study.sweep(DIFFUSION, base, {(1.1, 5): tuned}, [-1.0, 0.0, 0.5], 300, 400, seed=3)
    draws = DIFFUSION.draws(300, stream(3, "sweep"))
    verifying = DIFFUSION.draws(400, stream(3, "verification"))
    block_of = assign_blocks(base, DIFFUSION.blocks)
    half = merge(base, tuned, dict.fromkeys(DIFFUSION.blocks, 0.5), block_of)
    by_hand = [distance_by_hand(model, draws) for model in (tuned, base, half)]
    entry = study.self_training(outcome, 1.1, 5)
    assert entry["distances"] == pytest.approx(by_hand, rel=1e-5)
    best = np.argmin(by_hand)
    assert entry["w"] == [-1.0, 0.0, 0.5][best]
    assert entry["distance"] == pytest.approx(distance_by_hand((tuned, base, half)[best], verifying), rel=1e-5)
    assert entry["collapsed"] == pytest.approx(distance_by_hand(tuned, verifying), rel=1e-5)
    assert outcome["base"] == pytest.approx(distance_by_hand(base, verifying), rel=1e-5)


def test_the_layerwise_search_takes_the_best_of_each_grid_and_measures_it_again(pair):
    base, tuned = pair
    single = {"scale": 1.1, "epochs": 5, "w": 0.1, "distance": 9.0}
    outcome = study.layerwise_search(DIFFUSION, base, tuned, single, [0.4, 0.2], 30, 50, seed=0)
    assert (outcome["w"], outcome["single"], outcome["evaluations"]) == (0.1, 9.0, 2 * 3**6)
    assert [entry["delta"] for entry in outcome["grids"]] == [0.2, 0.4]
    points = study.layerwise_grid(DIFFUSION.blocks, 0.1, 0.2)
    found = study.merged_distances(DIFFUSION, base, tuned, points, DIFFUSION.draws(30, stream(0, "search")))
    entry = outcome["grids"][0]
    assert point_name(entry["point"]) == min(found, key=found.get)
    assert entry["search"] == pytest.approx(min(found.values()))
    merged = merge(base, tuned, entry["point"], assign_blocks(base, DIFFUSION.blocks))
    verifying = DIFFUSION.draws(50, stream(0, "verification"))
    assert entry["distance"] == pytest.approx(distance_by_hand(merged, verifying), rel=1e-5)


def test_values_are_even_and_short():
    assert study.evenly(-2, 2, 101)[57] == 0.28
    assert study.evenly(0.8, 1.2, 46)[0::45] == [0.8, 1.2]


def test_base_models_of_one_seed_are_one_model():
    family = Autoregressive()
    first, again, other = (study.base_model(family, 20, 3, 1e-2, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["hidden1.weight"], other["hidden1.weight"])


def test_a_picture_shows_the_models_on_the_same_draws(pair):
    base, tuned = pair
    points = {
        "base": ((1.1, 5), dict.fromkeys(DIFFUSION.blocks, 0.0)),
        "collapsed": ((1.1, 5), dict.fromkeys(DIFFUSION.blocks, -1.0)),
    }
    shown = study.picture_points(DIFFUSION, base, {(1.1, 5): tuned}, points, 7, seed=0)
    draws = DIFFUSION.draws(7, stream(0, "picture"))
    for title, model in (("base", base), ("collapsed", tuned)):
        np.testing.assert_allclose(shown[title], DIFFUSION.sample(stack([model]), draws)[0], atol=1e-4)
