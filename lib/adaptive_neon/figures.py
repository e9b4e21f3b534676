"""Everything that is drawn. Colours are Okabe and Ito's; markers and dashes tell curves apart without them."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure

from adaptive_neon.files import replacing
from adaptive_neon.grid import is_single, parse_point

BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
CURVES = [
    {"color": color, "marker": marker, "linestyle": line}
    for color, marker, line in zip(
        (BLUE, RED, GREEN, PURPLE, ORANGE, SKY), "osD^vP", ("-", "--", "-.", ":", "-", "--"), strict=True
    )
]
ROLE_NAMES = {
    "base": "base",
    "collapsed": "collapsed",
    "global": "best single w",
    "blockwise": "best per block",
}


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format of the path's suffix; the same figure gives the same bytes."""
    metadata = {"Date": None} if Path(path).suffix == ".svg" else {}
    with replacing(path) as temporary, rc_context({"svg.hashsalt": "adaptive-neon"}):
        figure.savefig(temporary, metadata=metadata, dpi=150)


def plot_diagonal(curves: Mapping[int, Mapping[str, float | None]]) -> Figure:
    """FID over a single weight w for all blocks.

    Args:
        curves: kimg of self-training → {point name → FID}; points with unequal weights are left out.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for (kimg, fids), style in zip(curves.items(), CURVES * len(curves), strict=False):
        points = {
            parse_point(name)[next(iter(parse_point(name)))]: fid
            for name, fid in fids.items()
            if _on_diagonal(name, fid)
        }
        weights = sorted(points)
        axes.plot(weights, [points[w] for w in weights], label=f"{kimg} kimg", markersize=5, **style)
    axes.set_yscale("log")
    for w, name in ((-1, "collapsed θ_s"), (0, "base θ_r")):
        axes.axvline(w, color="0.6", linewidth=0.8, zorder=0)
        axes.annotate(f" {name}", (w, 1), xycoords=("data", "axes fraction"), va="top", color="0.35", fontsize=9)
    axes.set_xlabel("weight w, the same in all blocks")
    axes.set_ylabel("FID on the search images (log scale)")
    _plain_log_ticks(axes)
    axes.legend(title="self-training", frameon=False)
    return figure


def _on_diagonal(name: str, fid: float | None) -> bool:
    return fid is not None and is_single(parse_point(name))


def _plain_log_ticks(axes) -> None:
    """Numbers as people write them, also between the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def plot_grid(fids: Mapping[str, float | None]) -> Figure:
    """The grid as heat maps: first block down, last block across, a panel for each choice of those between.

    Args:
        fids: name → FID of every grid point, of two blocks at least; None is a diverged model, left blank.
    """
    points = {name: parse_point(name) for name in fids}
    blocks = list(next(iter(points.values())))
    rows, *between, columns = blocks
    values = {block: sorted({point[block] for point in points.values()}) for block in blocks}
    panels = list(product(*(values[block] for block in between)))
    figure = Figure(figsize=(2.9 * len(panels) + 1.2, 3.4), layout="constrained")
    all_axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    finite = [fid for fid in fids.values() if fid is not None]
    low, high = min(finite), max(finite)
    best, best_single = (
        min((n for n in fids if fids[n] is not None and rule(points[n])), key=fids.get)
        for rule in (bool, is_single)
    )

    for axes, panel in zip(all_axes, panels, strict=True):
        fixed = dict(zip(between, panel, strict=True))
        table = np.full((len(values[rows]), len(values[columns])), np.nan)
        for name, point in points.items():
            if all(point[block] == w for block, w in fixed.items()) and fids[name] is not None:
                i, j = values[rows].index(point[rows]), values[columns].index(point[columns])
                table[i, j] = fids[name]
                dark = (fids[name] - low) > 0.5 * (high - low)
                label = f"{fids[name]:.3g}" + (
                    "\nbest" if name == best else "\nbest single" if name == best_single else ""
                )
                axes.annotate(
                    label, (j, i), ha="center", va="center", fontsize=9, color="white" if dark else "black"
                )
        image = axes.imshow(table, cmap=colormaps["cividis_r"], vmin=low, vmax=high, origin="lower")
        axes.set_xticks(range(len(values[columns])), [f"{w:g}" for w in values[columns]])
        axes.set_yticks(range(len(values[rows])), [f"{w:g}" for w in values[rows]])
        axes.set_xlabel(f"w of {columns}")
        axes.set_title(", ".join(f"w of {block} = {w:g}" for block, w in fixed.items()), fontsize=10)
    all_axes[0].set_ylabel(f"w of {rows}")
    figure.colorbar(image, ax=list(all_axes), label="FID on the search images", shrink=0.9)
    return figure


def plot_sheet(rows: Mapping[str, np.ndarray], columns: int = 16) -> Figure:
    """Images of several models, a row each; images in one column share their seed.

    Args:
        rows: name → uint8 [N, H, W, C] with N ≥ columns, or empty for a diverged model.
    """
    figure = Figure(figsize=(0.5 * columns + 1.6, 0.56 * len(rows)), layout="constrained")
    all_axes = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, (name, images) in zip(all_axes, rows.items(), strict=True):
        axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        for axes, image in zip(axes_row, images[:columns], strict=False):
            axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        for axes in axes_row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    return figure


def plot_snapshots(summary: Mapping) -> Figure:
    """Held-out FID over the amount of self-training, with 95 % intervals: best single w against best per block."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    snapshots = summary["snapshots"]
    axes.axhline(summary["base"]["fid_corrected"], color="0.4", linewidth=1, label="base")
    spread = 0.01 * max(entry["kimg"] for entry in snapshots)
    for role, style, shift in (("global", CURVES[0], -spread), ("blockwise", CURVES[1], spread)):
        entries = [(entry["kimg"] + shift, entry[role]) for entry in snapshots if entry[role]["fid"] is not None]
        fids = [entry["fid_corrected"] for _, entry in entries]
        bars = np.array([entry["fid_interval"] for _, entry in entries]).T - fids
        axes.errorbar([x for x, _ in entries], fids, np.abs(bars), capsize=3, label=ROLE_NAMES[role], **style)
    axes.set_xticks([entry["kimg"] for entry in snapshots])
    axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    axes.set_xlabel("self-training, kimg (thousands of images)")
    axes.set_ylabel("FID on the held-out images, corrected for bias")
    axes.legend(frameon=False)
    return figure
