"""What is drawn of the 2-D Gaussian. Styles are those of `adaptive_neon.studies.figures`."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from adaptive_neon.merging.grid import Point
from adaptive_neon.studies.figures import BLUE, CURVES, ORANGE, RED, STYLE, WIDTH
from adaptive_neon.toy.gaussian import COVARIANCE
from adaptive_neon.toy.scales import SCALES
from adaptive_neon.toy.statements import scale_text, steps

DISTANCE = "Fréchet distance to the truth\n(squared data units)"


@rc_context(STYLE)
def plot_samples(panels: Mapping[str, np.ndarray]) -> Figure:
    """Samples of several models beside each other, each with its 2-σ ellipse and that of the truth.

    Args:
        panels: title → points [2, n].
    """
    figure = Figure(figsize=(WIDTH, 1.2 + WIDTH / len(panels)), layout="constrained")
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


@rc_context(STYLE)
def plot_sweep(family: str, sweeps: Sequence[Mapping]) -> Figure:
    """Distance over the single weight w: a panel for each number of epochs, a colour for each scale.

    Thin lines are the seeds, dots their minima; the thick line is the median over the seeds.

    Args:
        family: name in `SCALES`.
        sweeps: what `study.sweep` returned, for each seed.
    """
    settings = list(zip(*(sweep["self_training"] for sweep in sweeps), strict=True))
    panels = sorted({entries[0]["epochs"] for entries in settings})
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, epochs in zip(all_axes, panels, strict=True):
        shown = [entries for entries in settings if entries[0]["epochs"] == epochs]
        for entries, style in zip(shown, CURVES * len(shown), strict=False):
            weights = entries[0]["weights"]
            # A diverged model, None, becomes a gap.
            distances = np.array([entry["distances"] for entry in entries], dtype=float)
            best = np.nanargmin(distances, axis=1)
            found = np.array(weights)[best]
            label = f"{scale_text(family, entries[0]['scale'])}\nw* = {_median_and_range(found)}"
            if len(distances) > 1:
                axes.plot(weights, distances.T, color=style["color"], linewidth=0.6, alpha=0.35)
            axes.plot(
                weights,
                np.nanmedian(distances, axis=0),
                color=style["color"],
                linestyle=style["linestyle"],
                linewidth=2,
                label=label,
            )
            axes.plot(
                found, np.nanmin(distances, axis=1), linestyle="", color=style["color"], marker=style["marker"]
            )
        for w, name in ((-1, "θ_s"), (0, "θ_r")):
            axes.axvline(w, color="0.6", linewidth=0.8, zorder=0)
            axes.annotate(f" {name}", (w, 1), xycoords=("data", "axes fraction"), va="top", color="0.35")
        axes.set(title=f"{epochs} epochs of self-training", xlabel="merge weight w (no unit)", yscale="log")
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    all_axes[0].set_ylabel(DISTANCE)
    return figure


def _median_and_range(values: np.ndarray) -> str:
    text = f"{np.median(values):g}"
    if len(values) > 1:
        text += f", from {values.min():g} to {values.max():g}"
    return text.replace("-", "−")


@rc_context(STYLE)
def plot_layerwise(summary: Mapping, published: Mapping[float, float]) -> Figure:
    """Distance over δ of the best point of the layer-wise grid: median and range over the seeds.

    Args:
        summary: see `summary.summarise`.
        published: δ → distance.
    """
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    axes = figure.subplots()
    grids = summary["layerwise"]["grids"]
    median, low, high = (
        np.array([entry["distance"][key] for entry in grids], dtype=float) for key in ("median", "low", "high")
    )
    axes.errorbar(
        [entry["delta"] for entry in grids],
        median,
        [median - low, high - median],
        capsize=3,
        label=f"layer-wise grid, {len(summary['seeds'])} seeds"
        if len(summary["seeds"]) > 1
        else "layer-wise grid",
        **CURVES[0],
    )
    levels = (
        ("best single w", summary["layerwise"]["single"], "--", ORANGE),
        ("gradient-based search", summary["search"]["from_single"]["distance"], ":", RED),
    )
    for name, level, line, color in levels:
        axes.axhline(level["median"], linestyle=line, color=color, linewidth=2, label=name)
        axes.axhspan(level["low"], level["high"], color=color, alpha=0.12, linewidth=0)
    axes.plot(list(published), list(published.values()), "x:", color="0.4", label="published, one seed")
    axes.set(xlabel="half-width δ of the grid around w* (no unit)", ylabel=DISTANCE, yscale="log")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


@rc_context(STYLE)
def plot_winners(winners: Mapping[float, Point], single: float) -> Figure:
    """The winning weight of each block, a panel for each δ, against the best single weight."""
    columns = 4
    rows = -(-len(winners) // columns)
    figure = Figure(figsize=(WIDTH, 2 * rows + 0.4), layout="constrained")
    all_axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (delta, point) in zip(all_axes.flat, winners.items(), strict=False):
        axes.bar(list(point), list(point.values()), color=BLUE, edgecolor="black", linewidth=0.6)
        axes.axhline(single, color=ORANGE, linestyle="--", linewidth=2, label=f"best single w = {single:g}")
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_title(f"δ = {delta:g}")
        axes.tick_params(axis="x", rotation=90)
    for axes in all_axes.flat[len(winners) :]:
        axes.set_axis_off()
    figure.supylabel("weight w of the block (no unit)")
    figure.legend(*all_axes.flat[0].get_legend_handles_labels(), loc="outside upper right", frameon=False)
    return figure


@rc_context(STYLE)
def plot_directions(layerwise: Sequence[Mapping]) -> Figure:
    """In how many seeds the winner raises, keeps or lowers the weight of each block, a panel for each δ.

    Args:
        layerwise: what `study.layerwise_search` returned, for each seed.
    """
    columns = 4
    deltas = [entry["delta"] for entry in layerwise[0]["grids"]]
    rows = -(-len(deltas) // columns)
    figure = Figure(figsize=(WIDTH, 2 * rows + 0.6), layout="constrained")
    all_axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    looks = {1: ("w* + δ", BLUE, ""), 0: ("w*", "0.85", ""), -1: ("w* − δ", ORANGE, "//")}
    for axes, delta, entries in zip(
        all_axes.flat, deltas, zip(*(part["grids"] for part in layerwise), strict=True), strict=False
    ):
        found = [steps(entry["point"], part["w"]) for entry, part in zip(entries, layerwise, strict=True)]
        bottom = np.zeros(len(found[0]))
        for step, (name, color, hatch) in looks.items():
            counts = [sum(point[block] == step for point in found) for block in found[0]]
            axes.bar(
                list(found[0]),
                counts,
                bottom=bottom,
                label=name,
                color=color,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.6,
            )
            bottom += counts
        axes.set_title(f"δ = {delta:g}")
        axes.tick_params(axis="x", rotation=90)
        axes.yaxis.get_major_locator().set_params(integer=True)
    for axes in all_axes.flat[len(deltas) :]:
        axes.set_axis_off()
    figure.supylabel("number of seeds")
    figure.legend(*all_axes.flat[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
    return figure


@rc_context(STYLE)
def plot_alignment(family: str, alignments: Sequence[Mapping]) -> Figure:
    """Cosine of the population gradients over the sampler's scale: each seed, and their median.

    Args:
        family: name in `SCALES`.
        alignments: for each seed {"scales": [K], "cosines": [K]}.
    """
    scale = SCALES[family]
    scales = alignments[0]["scales"]
    cosines = np.array([alignment["cosines"] for alignment in alignments])
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.subplots()
    low, high = min(scales), max(scales)
    sides = {"mode-seeking": (1, high), "diversity-seeking": (low, 1)}
    if not scale.mode_seeking_above:
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
        xlabel=f"{scale.name} {scale.symbol} (no unit)",
        ylabel="cosine of the gradients (no unit)",
    )
    axes.legend(frameon=False, loc="lower left" if scale.mode_seeking_above else "lower right")
    return figure
