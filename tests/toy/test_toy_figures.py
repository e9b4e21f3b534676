import numpy as np
import pytest
from adaptive_neon.toy import published
from adaptive_neon.toy.figures import (
    plot_alignment,
    plot_layerwise,
    plot_samples,
    plot_sweep,
    plot_winners,
    two_sigma,
)
from adaptive_neon.toy.gaussian import COVARIANCE


def test_ellipse_of_the_truth():
    """Its variances are 3 along (1, 1) and 1 across."""
    ellipse = two_sigma(np.array([1.0, 2.0]), COVARIANCE.numpy())
    assert ellipse.center == (1.0, 2.0)
    assert (ellipse.width, ellipse.height) == pytest.approx((4 * np.sqrt(3), 4))
    assert ellipse.angle % 180 == pytest.approx(45)


def test_sweep_marks_the_minimum_and_leaves_diverged_models_out():
    figure = plot_sweep({250: {"ζ = 1.1": {-1.0: 0.5, 0.0: 0.2, 0.5: 0.01, 1.0: None}}})
    curve, minimum = figure.axes[0].get_lines()[:2]
    assert list(curve.get_xdata()) == [-1.0, 0.0, 0.5]
    assert (minimum.get_xdata()[0], minimum.get_ydata()[0]) == (0.5, 0.01)
    assert "w* = 0.5, 0.01" in minimum.get_label()


def test_layerwise_draws_median_and_range():
    figure = plot_layerwise(
        {0.5: [1.0, 4.0, 2.0], 1.0: [3.0, 1.0, 9.0]}, [5.0, 6.0, 7.0], [0.1, 0.2, 0.3], {0.5: 2.5}
    )
    container = figure.axes[0].containers[0]
    assert list(container.lines[0].get_ydata()) == [2.0, 3.0]
    ends = [segment[:, 1].tolist() for segment in container.lines[2][0].get_segments()]
    assert ends == [[1.0, 4.0], [1.0, 9.0]]


@pytest.mark.parametrize(
    ("symbol", "above", "left"), [("ζ", True, "diversity-seeking"), ("τ", False, "mode-seeking")]
)
def test_alignment_draws_each_seed_and_the_median(symbol, above, left):
    cosines = np.array([[0.2, 0.0, -0.1], [0.4, 0.1, -0.3], [0.3, -0.1, -0.2]])
    axes = plot_alignment([0.8, 1.0, 1.2], cosines, symbol, above).axes[0]
    lines = axes.get_lines()
    assert [list(line.get_ydata()) for line in lines[:3]] == cosines.tolist()
    assert list(lines[3].get_ydata()) == [0.3, 0.0, -0.2]
    named = {text.get_text(): text.xy[0] for text in axes.texts}
    assert named[left] == pytest.approx(0.9)


def test_figures_with_a_panel_for_each_entry():
    rng = np.random.default_rng(0)
    assert len(plot_samples({name: rng.standard_normal((2, 20)) for name in "abc"}).axes) == 3
    winners = {delta: {"input": 2.0, "output": -1.44} for delta in published.LAYERWISE}
    panels = plot_winners(winners, 0.28).axes
    assert [bar.get_height() for bar in panels[7].patches] == [2.0, -1.44]
    assert [axes.get_title() for axes in panels][-1] == "δ = 1.72"
