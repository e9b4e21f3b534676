"""What is drawn of rivals. Styles are those of `adaptive_neon.studies.figures`."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from adaptive_neon.rivals.results import pareto, shown
from adaptive_neon.studies.figures import CURVES, STYLE, WIDTH

KINDS = {  # of models → colour, marker and line
    "base": {"color": "0.3", "marker": "o"},
    "neon": CURVES[0] | {"marker": "s"},
    "guidance": CURVES[1],
    "training": CURVES[2] | {"marker": "^"},
    "ema": {"color": "0.5", "marker": "d"},
    "averaged": CURVES[3] | {"marker": "v"},
    "synthetic": CURVES[4] | {"marker": "P"},
    "sampler": CURVES[5] | {"marker": "X"},
}
FILLS = ("full", "none", "left", "bottom")  # of the models of one kind
LOGARITHMIC_FID = 10  # ratio of the FIDs from which on their axis is
LOGARITHMIC = 100  # ratio of the noise levels from which on their axis is


@rc_context(STYLE)
def plot_prices(summary: Mapping, kimg: int) -> Figure:
    """FID on held-out images over network evaluations an image, with 95 % intervals; the Pareto front is a line.

    Models of as many evaluations stand beside each other, those of the fewest on the left; the first of a kind is
    filled. The intervals have the width of those around the corrected FID, and end at 0 or the lower edge.

    Args:
        summary: as `results.summarise` gives it.
    """
    models = {name: model for name, model in shown(summary, kimg).items() if model["fid"] is not None}
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    axes = figure.subplots()
    groups: dict[int, list[str]] = {}
    for name in sorted(models, key=lambda one: models[one]["evaluations"]):
        groups.setdefault(models[name]["evaluations"], []).append(name)
    edges = np.cumsum([0, *(len(names) + 1 for names in groups.values())])
    places = {
        name: edge + 1 + i
        for edge, names in zip(edges[:-1], groups.values(), strict=True)
        for i, name in enumerate(names)
    }
    fills = {kind: cycle(FILLS) for kind in KINDS}
    for name, model in models.items():
        style = KINDS[model["kind"]] | {"linestyle": "none", "fillstyle": next(fills[model["kind"]])}
        bars = None
        if model["interval"] is not None:
            low, high = np.array(model["interval"]) - model["fid_corrected"]
            bars = [[min(-low, model["fid"])], [high]]
        axes.errorbar(places[name], model["fid"], bars, capsize=3, label=model["label"], **style)
    unit = "no unit"
    if front := pareto(models):
        left = dict(zip(groups, edges[:-1], strict=True))
        x = [*(left[models[name]["evaluations"]] for name in front), edges[-1]]
        y = [models[name]["fid"] for name in front]
        style = {"color": "0.5", "linewidth": 1, "zorder": 0}
        axes.plot(x, [*y, y[-1]], drawstyle="steps-post", label="Pareto front", **style)
        fids = [model["fid"] for model in models.values()]
        if 0 < LOGARITHMIC_FID * min(fids) < max(fids):
            axes.set_yscale("log")
            unit = "no unit, log scale"
            axes.set_ylim(bottom=min(fids) / 2)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
    for edge in edges[1:-1]:
        axes.axvline(edge, color="0.85", linewidth=0.8, zorder=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xticks((edges[:-1] + edges[1:]) / 2, list(map(str, groups)))
    axes.tick_params(axis="x", length=0)
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.set_xlabel("network evaluations an image")
    axes.set_ylabel(f"FID on the held-out images ({unit})")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


@rc_context(STYLE)
def plot_linearity(linearity: Mapping, axis: str) -> Figure:
    """How far merging is from guiding over the noise level: by itself, and over the step that guidance makes.

    Args:
        linearity: `levels`, and `blocks` as `linearity.gaps` gives them.
        axis: name of the noise level.
    """
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    gap, ratio = figure.subplots(1, 2)
    levels = np.array(linearity["levels"])
    for (name, found), style in zip(linearity["blocks"].items(), CURVES * len(linearity["blocks"]), strict=False):
        gaps, steps = np.array(found["gap"]), np.array(found["step"])
        gap.plot(levels, gaps, label=name, markersize=4, **style)
        ratio.plot(
            levels, np.divide(gaps, steps, out=np.full_like(gaps, np.nan), where=steps > 0), markersize=4, **style
        )
    gap.plot(
        levels, linearity["blocks"]["whole network"]["step"], color="0.5", linewidth=1, label="step of guidance"
    )
    gap.set_ylabel("gap, ‖D_merged − D_guided‖ / ‖D_r‖")
    ratio.set_ylabel("gap over step (no unit)")
    ratio.set_ylim(bottom=0)
    for panel in (gap, ratio):
        panel.set_xlabel(axis)
        if levels.min() > 0 and levels.max() > LOGARITHMIC * levels.min():
            panel.set_xscale("log")
    gap.set_yscale("log")
    figure.legend(*gap.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return figure
