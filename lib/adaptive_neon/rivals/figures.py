"""What is drawn of rivals. Styles are those of `adaptive_neon.studies.figures`."""

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

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
APART = 1.035  # ratio of the places of two models of as many evaluations
LOGARITHMIC = 100  # ratio of the noise levels from which on their axis is


@rc_context(STYLE)
def plot_prices(summary: Mapping, kimg: int) -> Figure:
    """FID on held-out images over network evaluations an image, with 95 % intervals; the Pareto front is a line.

    The intervals have the width of those around the corrected FID, and end at 0. Models of as many evaluations
    stand beside each other, the first of a kind filled.

    Args:
        summary: as `results.summarise` gives it.
    """
    models = {name: model for name, model in shown(summary, kimg).items() if model["fid"] is not None}
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    axes = figure.subplots()
    beside: dict[int, list[str]] = {}
    for name, model in models.items():
        beside.setdefault(model["evaluations"], []).append(name)
    seen: set[str] = set()
    for evaluations, names in beside.items():
        for i, name in enumerate(names):
            model = models[name]
            x = evaluations * APART ** (i - (len(names) - 1) / 2)
            style = KINDS[model["kind"]] | {"linestyle": "none"}
            if model["kind"] in seen:
                style["markerfacecolor"] = "none"
            seen.add(model["kind"])
            bars = None
            if model["interval"] is not None:
                low, high = np.array(model["interval"]) - model["fid_corrected"]
                bars = [[min(-low, model["fid"])], [high]]
            axes.errorbar(x, model["fid"], bars, capsize=3, label=model["label"], **style)
    front = pareto(models)
    x, y = ([models[name][key] for name in front] for key in ("evaluations", "fid"))
    if front:
        right = 1.1 * max(beside)
        axes.plot(
            [*x, right],
            [*y, y[-1]],
            drawstyle="steps-post",
            color="0.5",
            linewidth=1,
            label="Pareto front",
            zorder=0,
        )
    axes.set_xscale("log")
    axes.set_xticks(sorted(beside), [str(evaluations) for evaluations in sorted(beside)])
    axes.minorticks_off()
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.set_xlabel("network evaluations an image (log scale)")
    axes.set_ylabel("FID on the held-out images (no unit)")
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
