"""What is drawn of a loop of image models. Styles are those of `adaptive_neon.studies.figures`."""

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adaptive_neon.studies.figures import CURVES, STYLE, WIDTH, plain_log_ticks

PANELS = {
    "fid": "FID\n(no unit, log scale)",
    "precision": "precision\n(share of images)",
    "recall": "recall\n(share of images)",
    "coverage": "coverage\n(share of real images)",
    "variance": "variance of features\n(the real images' = 1)",
}


@rc_context(STYLE)
def plot_generations(summary: Mapping) -> Figure:
    """Each metric over the generations, a line a regime, with 95 % bands; small marks are the single replicas."""
    figure = Figure(figsize=(WIDTH, 9), layout="constrained")
    grid = figure.add_gridspec(3, 2)
    top = figure.add_subplot(grid[0, :])
    panels = dict(
        zip(PANELS, [top, *(figure.add_subplot(grid[1 + i // 2, i % 2]) for i in range(4))], strict=True)
    )
    styles = CURVES * len(summary["regimes"])
    for metric, axes in panels.items():
        for entry, style in zip(summary["regimes"], styles, strict=False):
            found = [(g, e[metric]) for g, e in enumerate(entry["generations"]) if e[metric] is not None]
            x = [g for g, _ in found]
            mean = np.array([values["mean"] for _, values in found])
            axes.plot(x, mean, label=entry["regime"]["name"], markersize=5, **style)
            band = np.array([values["interval"] for _, values in found]).T
            if metric == "fid":  # its interval is around the corrected FID
                band += mean - [values["corrected"] for _, values in found]
            axes.fill_between(x, *band.clip(min=0), color=style["color"], alpha=0.15, linewidth=0)
            for replica in entry["replicas"] if summary["replicas"] > 1 else []:
                points = [(g, e[metric]) for g, e in enumerate(replica) if e["fid"] is not None]
                axes.scatter(
                    *zip(*points, strict=True),
                    s=8,
                    facecolor="none",
                    edgecolor=style["color"],
                    marker=style["marker"],
                )
        axes.set_ylabel(PANELS[metric])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels["variance"].axhline(1, color="0.6", linewidth=0.8, zorder=0)
    drawn = np.concatenate([line.get_ydata() for line in top.get_lines()])
    top.set_yscale("log")
    top.set_ylim(0.7 * drawn.min(), 1.3 * drawn.max())
    plain_log_ticks(top)
    top.set_xlabel("generation; 0 is the base model, trained on real images")
    for name in ("coverage", "variance"):
        panels[name].set_xlabel("generation")
    handles, labels = top.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure
