import numpy as np
import pytest
from adaptive_neon.toy import published
from adaptive_neon.toy.figures import (
    plot_alignment,
    plot_directions,
    plot_layerwise,
    plot_samples,
    plot_sweep,
    plot_winners,
    two_sigma,
)
from adaptive_neon.toy.gaussian import COVARIANCE
from adaptive_neon.toy.summary import spread


def test_ellipse_of_the_truth():
    """Its variances are 3 along (1, 1) and 1 across."""
    ellipse = two_sigma(np.array([1.0, 2.0]), COVARIANCE.numpy())
    assert ellipse.center == (1.0, 2.0)
    assert (ellipse.width, ellipse.height) == pytest.approx((4 * np.sqrt(3), 4))
    assert ellipse.angle % 180 == pytest.approx(45)


def sweep_of(*distances):
    return {
        "self_training": [
            {"scale": 1.1, "epochs": 250, "weights": [-1.0, 0.0, 0.5, 1.0], "distances": list(distances)}
        ]
    }


def test_sweep_marks_each_seeds_minimum_and_leaves_diverged_models_out():
    figure = plot_sweep("diffusion", [sweep_of(0.5, 0.2, 0.01, None), sweep_of(0.7, 0.1, 0.03, 0.02)])
    median, minima = figure.axes[0].get_lines()[2:4]
    assert list(median.get_ydata()) == pytest.approx([0.6, 0.15, 0.02, 0.02])
    assert list(minima.get_xdata()) == [0.5, 1.0]
    assert list(minima.get_ydata()) == [0.01, 0.02]
    assert median.get_label() == "ζ = 1.1 (mode-seeking)\nw* = 0.75, from 0.5 to 1"


def test_layerwise_draws_median_and_range():
    grids = [(0.5, [1.0, 4.0, 2.0]), (1.0, [3.0, 1.0, 9.0])]
    summary = {
        "seeds": [0, 1, 2],
        "layerwise": {
            "grids": [{"delta": delta, "distance": spread(values)} for delta, values in grids],
            "single": spread([5.0, 6.0, 7.0]),
        },
        "search": {"from_single": {"distance": spread([0.1, 0.2, 0.3])}},
    }
    container = plot_layerwise(summary, {0.5: 2.5}).axes[0].containers[0]
    assert list(container.lines[0].get_ydata()) == [2.0, 3.0]
    ends = [segment[:, 1].tolist() for segment in container.lines[2][0].get_segments()]
    assert ends == [[1.0, 4.0], [1.0, 9.0]]


@pytest.mark.parametrize(
    ("family", "left"), [("diffusion", "diversity-seeking"), ("autoregressive", "mode-seeking")]
)
def test_alignment_draws_each_seed_and_the_median(family, left):
    cosines = [[0.2, 0.0, -0.1], [0.4, 0.1, -0.3], [0.3, -0.1, -0.2]]
    axes = plot_alignment(family, [{"scales": [0.8, 1.0, 1.2], "cosines": seed} for seed in cosines]).axes[0]
    lines = axes.get_lines()
    assert [list(line.get_ydata()) for line in lines[:3]] == cosines
    assert list(lines[3].get_ydata()) == [0.3, 0.0, -0.2]
    named = {text.get_text(): text.xy[0] for text in axes.texts}
    assert named[left] == pytest.approx(0.9)


def test_directions_count_the_seeds():
    def seed(center, weights):
        point = dict(zip(("input", "output"), weights, strict=True))
        return {"w": center, "grids": [{"delta": 0.5, "point": point}]}

    axes = plot_directions([seed(0.2, (0.7, 0.2)), seed(1.0, (1.5, 0.5)), seed(0.0, (-0.5, 0.0))]).axes[0]
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axes.containers}
    assert heights == {"w* + δ": [2, 0], "w*": [0, 2], "w* − δ": [1, 1]}


def test_figures_with_a_panel_for_each_entry():
    rng = np.random.default_rng(0)
    assert len(plot_samples({name: rng.standard_normal((2, 20)) for name in "abc"}).axes) == 3
    winners = {delta: {"input": 2.0, "output": -1.44} for delta in published.LAYERWISE}
    panels = plot_winners(winners, 0.28).axes
    assert [bar.get_height() for bar in panels[7].patches] == [2.0, -1.44]
    assert [axes.get_title() for axes in panels][-1] == "δ = 1.72"
