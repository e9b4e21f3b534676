"""What is drawn of the 2-D Gaussian. Styles are those of `adaptive_neon.figures`."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from adaptive_neon.figures import BLUE, CURVES, ORANGE, RED
from adaptive_neon.grid import Point
from adaptive_neon.toy.gaussian import COVARIANCE

DISTANCE = "Fréchet distance to the truth\n(squared data units)"


def plot_samples(panels: Mapping[str, np.ndarray]) -> Figure:
    """Samples of several models beside each other, each with its 2-σ ellipse and that of the truth.

    Args:
        panels: title → points [2, n].
    """
    figure = Figure(figsize=(2.5 * len(panels), 3.7), layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, x) in zip(all_axes, panels.items(), strict=True):
        axes.scatter(*x, s=4, color="0.65", linewidth=0, label="samples", rasterized=True)
        axes.add_patch(two_sigma(np.zeros(2), COVARIANCE.numpy(), color="black", label="truth, 2 σ"))
        axes.add_patch(
            two_sigma(x.mean(axis=1), np.cov(x), color=RED, linestyle="--", linewidth=2, label="samples, 2 σ")
        )
        axes.set(title=title, aspect="equal", xlabel="x₁ (data units)")
    all_axes[0].set(
        ylabel="x₂ (data units)", xlim=(-5, 5), ylim=(-5, 5), xticks=range(-4, 5, 2), yticks=range(-4, 5, 2)
    )
    figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def two_sigma(mean: np.ndarray, covariance: np.ndarray, **style) -> Ellipse:
    """The ellipse of points two standard deviations from the mean [2], for a covariance [2, 2]."""
    variances, directions = np.linalg.eigh(covariance)
    width, height = 2 * 2 * np.sqrt(variances[::-1])
    angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
    return Ellipse(tuple(mean), width, height, angle=angle, fill=False, **style)


def plot_sweep(curves: Mapping[int, Mapping[str, Mapping[float, float | None]]]) -> Figure:
    """Distance over the single weight w: a panel for each number of epochs, a curve for each sampler.

    Args:
        curves: epochs → name of the sampler (such as "ζ = 1.1") → {w: distance}, None where the model diverged.
    """
    figure = Figure(figsize=(4.2 * len(curves), 4.4), layout="constrained")
    all_axes = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axes, (epochs, samplers) in zip(all_axes, curves.items(), strict=True):
        for (name, distances), style in zip(samplers.items(), CURVES, strict=False):
            found = {w: distance for w, distance in distances.items() if distance is not None}
            best = min(found, key=found.get)
            axes.plot(
                *zip(*sorted(found.items()), strict=True), color=style["color"], linestyle=style["linestyle"]
            )
            label = f"{name}: w* = {best:g}, {found[best]:.2g}"
            axes.plot(best, found[best], label=label, **style)
        for w, name in ((-1, "θ_s"), (0, "θ_r")):
            axes.axvline(w, color="0.6", linewidth=0.8, zorder=0)
            axes.annotate(f" {name}", (w, 1), xycoords=("data", "axes fraction"), va="top", color="0.35")
        axes.set(title=f"{epochs} epochs of self-training", xlabel="merge weight w (no unit)", yscale="log")
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    all_axes[0].set_ylabel(DISTANCE)
    return figure


def plot_layerwise(
    distances: Mapping[float, Sequence[float]],
    single: Sequence[float],
    optimum: Sequence[float],
    published: Mapping[float, float],
) -> Figure:
    """Distance over δ of the best point of the layer-wise grid: median and range over the seeds.

    Args:
        distances: δ → one distance for each seed.
        single: each seed's distance at its best single weight.
        optimum: each seed's distance where the gradient-based search ended.
        published: δ → distance.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    deltas = list(distances)
    values = np.array(list(distances.values()))
    median = np.median(values, axis=1)
    spread = np.abs(np.array([values.min(axis=1), values.max(axis=1)]) - median)
    axes.errorbar(
        deltas,
        median,
        spread,
        capsize=3,
        label=f"layer-wise grid, median and range of {values.shape[1]} seed(s)",
        **CURVES[0],
    )
    levels = (("best single w", single, "--", ORANGE), ("gradient-based search", optimum, ":", RED))
    for name, level, line, color in levels:
        axes.axhline(np.median(level), linestyle=line, color=color, linewidth=2, label=name)
        if len(level) > 1:
            axes.axhspan(min(level), max(level), color=color, alpha=0.12, linewidth=0)
    axes.plot(list(published), list(published.values()), "x:", color="0.4", label="published (one seed)")
    axes.set(xlabel="half-width δ of the grid around w* (no unit)", ylabel=DISTANCE, yscale="log")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_winners(winners: Mapping[float, Point], single: float) -> Figure:
    """The winning weight of each block, a panel for each δ, against the best single weight."""
    columns = 4
    rows = -(-len(winners) // columns)
    figure = Figure(figsize=(2.3 * columns, 2.2 * rows + 0.4), layout="constrained")
    all_axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (delta, point) in zip(all_axes.flat, winners.items(), strict=False):
        axes.bar(list(point), list(point.values()), color=BLUE, edgecolor="black", linewidth=0.6)
        axes.axhline(single, color=ORANGE, linestyle="--", linewidth=2, label=f"best single w = {single:g}")
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_title(f"δ = {delta:g}", fontsize=10)
        axes.tick_params(axis="x", rotation=90)
    for axes in all_axes.flat[len(winners) :]:
        axes.set_axis_off()
    figure.supylabel("weight w of the block (no unit)", fontsize=10)
    figure.legend(*all_axes.flat[0].get_legend_handles_labels(), loc="outside upper right", frameon=False)
    return figure


def plot_alignment(scales: Sequence[float], cosines: np.ndarray, symbol: str, mode_seeking_above: bool) -> Figure:
    """Cosine of the population gradients over the sampler's scale: each seed, and their median.

    Args:
        scales: ζ or τ, [K].
        cosines: [seeds, K].
        symbol: name of the scale on its axis.
        mode_seeking_above: whether the sampler is mode-seeking above 1, as for ζ, or below, as for τ.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    low, high = min(scales), max(scales)
    sides = {"mode-seeking": (1, high), "diversity-seeking": (low, 1)}
    if not mode_seeking_above:
        sides = {"mode-seeking": (low, 1), "diversity-seeking": (1, high)}
    for (name, side), bottom in zip(sides.items(), (0.0, 0.5), strict=True):
        axes.axvspan(*side, bottom, bottom + 0.5, color="0.92", linewidth=0, zorder=0)
        axes.annotate(name, (sum(side) / 2, 0.94), ha="center", color="0.35")
    if len(cosines) > 1:
        axes.plot(scales, np.transpose(cosines), color="0.6", linewidth=0.8)
    axes.plot(
        scales,
        np.median(cosines, axis=0),
        markersize=3.5,
        label=f"median of {len(cosines)} seeds" if len(cosines) > 1 else "one seed",
        **CURVES[0],
    )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axvline(1, color="black", linewidth=0.8, linestyle=":")
    axes.bar(0, 0, color="0.92", label="expected sign")
    axes.set(
        xlim=(low, high),
        ylim=(-1.05, 1.05),
        xlabel=f"{symbol} (no unit)",
        ylabel="cosine of the gradients (no unit)",
    )
    axes.legend(frameon=False, loc="lower right" if not mode_seeking_above else "lower left")
    return figure
