"""Everything that is drawn. Colours are Okabe and Ito's; markers and dashes tell curves apart without them."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adaptive_neon.jobs.files import replacing
from adaptive_neon.merging.grid import is_single, parse_point
from adaptive_neon.search.selection import search_metrics
from adaptive_neon.search.surface import Quadratic
from adaptive_neon.statistics.jackknife import confidence_ellipse
from adaptive_neon.studies.comparison import change, diagonal, fid_difference
from adaptive_neon.studies.wording import MANY, ROLE_NAMES, headline, plain_fid

BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
CURVES = [
    {"color": color, "marker": marker, "linestyle": line}
    for color, marker, line in zip(
        (BLUE, RED, GREEN, PURPLE, ORANGE, SKY), "osD^vP", ("-", "--", "-.", ":", "-", "--"), strict=True
    )
]

WIDTH = 8.0  # inches, of every figure: beside each other in a report they have one size of type
STYLE = {"font.size": 9, "axes.titlesize": "medium", "figure.titlesize": "medium", "figure.labelsize": "medium"}
OUTLINE = {"edgecolor": RED, "linewidth": 2, "linestyle": "--"}


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format of the path's suffix; the same figure gives the same bytes."""
    metadata = {"Date": None} if Path(path).suffix == ".svg" else {}
    with replacing(path) as temporary, rc_context({"svg.hashsalt": "adaptive-neon"}):
        figure.savefig(temporary, metadata=metadata, dpi=150)


DIAGONAL_PANELS = {
    "fid": "FID\n(no unit)",
    "precision": "precision\n(share of images)",
    "recall": "recall\n(share of images)",
}
HIGHEST = {"fid": None, "precision": 1, "recall": 1}


@rc_context(STYLE)
def plot_diagonal(curves: Mapping[int, Mapping[str, Mapping]]) -> Figure:
    """FID, precision and recall on the search images over one weight w for all blocks.

    The bands are 95 % intervals of the difference from the base model, paired by seed, so they have no width at
    w = 0. Where sampler settings are searched too, each weight has those of its lowest FID. With a control variate
    the FID is the one by which the search chooses, free of bias.

    Args:
        curves: kimg of self-training → point name → metrics, those of the base model among them; points with
            unequal weights are left out.
    """
    figure = Figure(figsize=(WIDTH, 8), layout="constrained")
    panels = figure.subplots(len(DIAGONAL_PANELS), sharex=True, height_ratios=(3, 2, 2))
    for (kimg, metrics), style in zip(curves.items(), CURVES * len(curves), strict=False):
        points = {w: metrics[name] for w, name in diagonal(metrics).items()}
        weights = list(points)
        for axes, name in zip(panels, DIAGONAL_PANELS, strict=True):
            shown = {w: search_metrics(one) if name == "fid" else one for w, one in points.items()}
            axes.plot(weights, [one[name] for one in shown.values()], label=f"{kimg} kimg", markersize=5, **style)
            if 0.0 in points:  # the base model has not diverged
                bands = np.array([_band(shown[0.0], one, name) for one in shown.values()]).T
                axes.fill_between(
                    weights, *bands.clip(0, HIGHEST[name]), color=style["color"], alpha=0.2, linewidth=0
                )
    for axes, label in zip(panels, DIAGONAL_PANELS.values(), strict=True):
        axes.set_ylabel(label)
        for w in (-1, 0):
            axes.axvline(w, color="0.6", linewidth=0.8, zorder=0)
    top = panels[0]
    handles, labels = top.get_legend_handles_labels()
    drawn = np.concatenate([line.get_ydata() for line in top.get_lines() if line.get_label() in labels])
    if drawn.min() > 0:  # corrected for bias an FID may fall below
        top.set_yscale("log")
        top.set_ylim(0.7 * drawn.min(), 1.3 * drawn.max())
        plain_log_ticks(top)
    for w, name in ((-1, "collapsed θ_s"), (0, "base θ_r")):
        top.annotate(name, (w, 1.02), xycoords=("data", "axes fraction"), ha="center", color="0.35")
    panels[-1].set_xlabel("weight w, the same in all blocks (no unit)")
    figure.legend(handles, labels, title="self-training", loc="outside lower center", ncols=4, frameon=False)
    return figure


def _band(base: Mapping, model: Mapping, name: str) -> np.ndarray:
    """The interval of a model's difference from the base model, moved to the model's own value."""
    if name == "fid":
        difference = fid_difference(base, model)
        return model["fid"] + difference["fid_corrected"] - np.array(difference["interval"][::-1])
    difference = change(base, model, name)
    return model[name] - difference["change"] + np.array(difference["interval"])


def plain_log_ticks(axes) -> None:
    """Numbers as people write them, also between the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


@rc_context(STYLE)
def plot_grid(fids: Mapping[str, float | None], outlined: Collection[str] = ()) -> Figure:
    """The grid as heat maps: first block down, last block across, a panel for each choice of those between.

    Args:
        fids: name → FID of every grid point, of two blocks at least; None is a diverged model, left blank.
        outlined: names of the points that are indistinguishable from the best.
    """
    points = {name: parse_point(name) for name in fids}
    blocks = list(next(iter(points.values())))
    rows, *between, columns = blocks
    values = {block: sorted({point[block] for point in points.values()}) for block in blocks}
    panels = list(product(*(values[block] for block in between)))
    figure = Figure(figsize=(WIDTH, 1.6 + 6 / len(panels)), layout="constrained")
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
                axes.annotate(label, (j, i), ha="center", va="center", color="white" if dark else "black")
                if name in outlined:
                    axes.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, **OUTLINE))
        image = axes.imshow(table, cmap=colormaps["cividis_r"], vmin=low, vmax=high, origin="lower")
        axes.set_xticks(range(len(values[columns])), [f"{w:g}" for w in values[columns]])
        axes.set_yticks(range(len(values[rows])), [f"{w:g}" for w in values[rows]])
        axes.set_xlabel(f"w of {columns}")
        axes.set_title(", ".join(f"w of {block} = {w:g}" for block, w in fixed.items()))
    all_axes[0].set_ylabel(f"w of {rows}")
    figure.colorbar(image, ax=list(all_axes), label="FID on the search images", shrink=0.9)
    if outlined:
        outline = Rectangle((0, 0), 1, 1, fill=False, label="indistinguishable from the best", **OUTLINE)
        figure.legend(handles=[outline], loc="outside lower center", frameon=False)
    return figure


@rc_context(STYLE)
def plot_surface(surface: Mapping, fids: Mapping[str, float | None], chosen: Mapping[str, str]) -> Figure:
    """The fitted FID over the weights of each two blocks, through the best weights; of one block, over its weight.

    Args:
        surface: as `search.rounds.winners` describes it.
        fids: point name → FID of the points that were drawn; diverged points have None.
        chosen: `global` and `blockwise` → point name.
    """
    points = {name: parse_point(name) for name in fids}
    best = parse_point(chosen["blockwise"])
    blocks = list(best)
    fitted = Quadratic(surface["constant"], np.array(surface["gradient"]), np.array(surface["curvature"]))
    centre = np.array(list(best.values()))
    low, high = surface["region"]
    axis = np.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 61)
    pairs = list(combinations(range(len(blocks)), 2))
    columns = min(3, max(len(pairs), 1))
    rows = -(-len(pairs) // columns) or 1
    figure = Figure(figsize=(WIDTH, 0.3 + rows * min(WIDTH / columns, 3.5)), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    if not pairs:
        panels[0].plot(axis, [fitted(np.array([w])) for w in axis], color=BLUE, label="fit")
        drawn = [(point[blocks[0]], fids[name]) for name, point in points.items() if fids[name] is not None]
        panels[0].plot(*zip(*drawn, strict=True), "o", color=RED, label="drawn")
        panels[0].axvline(centre[0], color="0.4", linestyle="--", label="minimum")
        panels[0].set(xlabel=f"w of {blocks[0]}", ylabel="FID on the search images")
        panels[0].legend(frameon=False)
        return figure
    places = surface["places"]
    for panel, (a, b) in zip(panels, pairs, strict=False):
        grid = np.array([[fitted(_moved(centre, {a: x, b: y})) for x in axis] for y in axis])
        lines = panel.contour(axis, axis, grid, levels=12, cmap=colormaps["cividis_r"])
        panel.clabel(lines, fontsize=6, fmt="%.3g")
        drawn = [(point[blocks[a]], point[blocks[b]]) for name, point in points.items() if fids[name] is not None]
        panel.plot(*zip(*drawn, strict=True), "o", color="0.5", markersize=4)
        panel.plot(centre[a], centre[b], "x", color=RED, markersize=8, markeredgewidth=2)
        if places and len(places[0]) > 2:
            region = confidence_ellipse(np.array(places)[[a, b]])
            panel.plot(*region, color=RED, linestyle="--", linewidth=1.2)
        panel.set(xlabel=f"w of {blocks[a]}", ylabel=f"w of {blocks[b]}")
        panel.set(xlim=(axis[0], axis[-1]), ylim=(axis[0], axis[-1]), aspect="equal")
    for panel in panels[len(pairs) :]:
        panel.set_visible(False)
    return figure


@rc_context(STYLE)
def plot_descent(fids: Mapping[str, float], chosen: int, single: float, best: Mapping[str, float]) -> Figure:
    """A gradient search: the FID on the search images on its way, and the weights that it found.

    Args:
        fids: step → FID; the first is that of the best single weight.
        chosen: step.
        single: that weight, the same in all blocks.
        best: block, or layer, → weight; all the same if none was better.
    """
    height = 1 + (0.13 if len(best) > MANY else 0.25) * len(best)
    figure = Figure(figsize=(WIDTH, 2.5 + height), layout="constrained")
    way, found = figure.subplots(2, 1, height_ratios=(2.5, height))
    steps, values = list(map(int, fids)), list(fids.values())
    way.plot(steps, values, color=BLUE, marker="o", markersize=4)
    way.plot(chosen, fids[str(chosen)], "x", color=RED, markersize=9, markeredgewidth=2, label="chosen")
    way.axhline(values[0], color="0.4", linestyle="--", linewidth=1, label="best single weight")
    way.set(xlabel="step", ylabel="FID on the search images (no unit)")
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    rows = np.arange(len(best))
    found.axvline(single, color="0.4", linestyle="--", linewidth=1)
    found.plot(list(best.values()), rows, "o", color=RED, markersize=4)
    found.set_yticks(rows, best, fontsize=9 if len(best) <= MANY else 6)
    found.set_ylim(len(best) - 0.5, -0.5)
    found.grid(axis="y", linewidth=0.3)
    found.set_xlabel("weight w (no unit); dashed: the best single one")
    return figure


def _moved(place: np.ndarray, to: Mapping[int, float]) -> np.ndarray:
    place = place.copy()
    for index, w in to.items():
        place[index] = w
    return place


@rc_context(STYLE)
def plot_sheet(rows: Mapping[str, np.ndarray], columns: int = 16) -> Figure:
    """Images of several models, a row each; images in one column share their seed.

    Args:
        rows: name → uint8 [N, H, W, C] with N ≥ columns, or empty for a diverged model.
    """
    figure = Figure(figsize=(WIDTH, (WIDTH - 1.3) / columns * len(rows)), layout="constrained")
    all_axes = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, (name, images) in zip(all_axes, rows.items(), strict=True):
        axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for axes, image in zip(axes_row, images[:columns], strict=False):
            axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        for axes in axes_row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    return figure


@rc_context(STYLE)
def plot_snapshots(summary: Mapping) -> Figure:
    """Held-out FID over the amount of self-training: best single weight against best weights per block.

    The 95 % intervals have the width of those around the corrected FID, and end at 0. With several replicas they
    are those over replicas, and small marks show each one.
    """
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    axes = figure.subplots()
    replicas = summary.get("replicas", [summary])
    spread = 0.012 * max(entry["kimg"] for entry in summary["snapshots"])
    base = plain_fid(summary, summary["snapshots"][0]["kimg"], "base")
    axes.axhline(base, color="0.4", linewidth=1, label="base θ_r")
    for role, style, shift in (("global", CURVES[0], -spread), ("blockwise", CURVES[1], spread)):
        if len(replicas) > 1:
            entries = [(over["kimg"], over[role]["fid"]) for over in summary["over_replicas"]]
            entries = [(kimg, fid["fid_corrected"], fid["interval"]) for kimg, fid in entries if fid]
        else:
            entries = [(entry["kimg"], entry[role]) for entry in summary["snapshots"]]
            entries = [(k, e["fid_corrected"], e["fid_interval"]) for k, e in entries if e["fid"] is not None]
        if not entries:
            continue
        kimg, corrected, intervals = map(np.array, zip(*entries, strict=True))
        fids = np.array([plain_fid(summary, k, role) for k in kimg])
        bars = np.abs((intervals.T + fids - corrected).clip(min=0) - fids)
        axes.errorbar(kimg + shift, fids, bars, capsize=3, label=ROLE_NAMES[role], **style)
        for replica in replicas if len(replicas) > 1 else []:
            found = [(e["kimg"], e[role]) for e in replica["snapshots"] if e[role]["fid"] is not None]
            axes.scatter(
                [k + 2.2 * shift for k, _ in found],
                [model["fid"] for _, model in found],
                s=12,
                facecolor="none",
                edgecolor=style["color"],
                marker=style["marker"],
            )
    snapshots = [entry["kimg"] for entry in summary["snapshots"]]
    axes.set_xticks(snapshots)
    axes.set_xlim(snapshots[0] - 0.1 * snapshots[-1], 1.1 * snapshots[-1])
    axes.set_ylim(min(0, axes.get_ylim()[0]), axes.get_ylim()[1])
    axes.set_xlabel("self-training, kimg (thousands of images)")
    axes.set_ylabel("FID on the held-out images (no unit)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


@rc_context(STYLE)
def plot_studies(summaries: Sequence[Mapping]) -> Figure:
    """FID on the search images over one weight w for all blocks, relative to the base model's, a panel a study.

    Of each study the snapshot to speak of. A thin line is a replica, the thick one their mean. With a control
    variate, FIDs are corrected for bias.

    Args:
        summaries: as in summary.json, of studies with w = 0 in their diagonal.
    """
    columns = min(3, len(summaries))
    rows = -(-len(summaries) // columns)
    figure = Figure(figsize=(WIDTH, 0.6 + 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, summary in zip(panels, summaries, strict=False):
        kimg = headline(summary)["kimg"]
        key = "fid_corrected" if summary["images"].get("control") else "fid"
        curves = []
        for replica in summary.get("replicas", [summary]):
            entry = next(entry for entry in replica["snapshots"] if entry["kimg"] == kimg)
            fids = {point["w"]: point[key] for point in entry["diagonal"]}
            curves.append({w: fid / fids[0.0] for w, fid in fids.items()})
            axes.plot(*zip(*curves[-1].items(), strict=True), color=BLUE, linewidth=0.8, alpha=0.5)
        shared = sorted(set.intersection(*map(set, curves)))
        mean = [np.mean([curve[w] for curve in curves]) for w in shared]
        axes.plot(shared, mean, color=BLUE, linewidth=2, marker="o", markersize=4)
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        axes.set_title(f"{summary['experiment']}, {kimg} kimg")
        axes.set_yscale("log", nonpositive="mask")  # a corrected FID may fall below 0
        plain_log_ticks(axes)
    for axes in panels[len(summaries) :]:
        axes.set_visible(False)
    figure.supxlabel("weight w, the same in all blocks (no unit); −1 is the collapsed model, 0 the base model")
    figure.supylabel("FID relative to the base model's (log scale)")
    return figure


@rc_context(STYLE)
def plot_drift(rows: Sequence[Mapping]) -> Figure:
    """Length of the drift θ_s − θ_r by block and snapshot, and how straight it is.

    Args:
        rows: as `drift.describe` gives them.
    """
    steps = rows[1:]  # a single snapshot has no other direction to be compared with, hence no second panel
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    length, *straight = np.ravel(figure.subplots(1, 2 if steps else 1))
    kimg = [row["kimg"] for row in rows]
    styles = dict(zip(rows[0]["norm"], CURVES * len(rows[0]["norm"]), strict=False))
    for block, style in styles.items():
        length.plot(kimg, [100 * row["relative"][block] for row in rows], label=block, **style)
    length.set_ylim(bottom=0)
    length.set_ylabel("norm of θ_s − θ_r (% of the norm of θ_r)")
    length.legend(title="block", frameon=False)
    for axes in straight:
        for block, style in styles.items():
            for key, name in (("cosine", "with the drift before"), ("step_cosine", "of the step since")):
                found = [(row["kimg"], row[key][block]) for row in steps if row[key][block] is not None]
                hollow = {"markerfacecolor": "none"} if key == "step_cosine" else {}
                label = f"{block}, {name}"
                axes.plot(*zip(*found, strict=True) if found else ([], []), label=label, **style | hollow)
        axes.set_ylim(min(-0.05, axes.get_ylim()[0]), 1.05)
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        axes.set_ylabel("cosine (no unit); 1 is a straight line")
        axes.set_xlim(length.get_xlim())
        axes.legend(frameon=False, loc="best")
    for axes in figure.axes:
        axes.set_xticks(kimg)
        axes.set_xlabel("self-training, kimg (thousands of images)")
    return figure


@rc_context(STYLE)
def plot_classes(models: Mapping[str, Mapping]) -> Figure:
    """Recall of each class of real images, with 95 % intervals: which modes the models reach.

    Args:
        models: role → metrics as `comparison.with_intervals` gives them.
    """
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    axes = figure.subplots()
    models = {role: model for role, model in models.items() if model["fid"] is not None}
    for i, ((role, model), style) in enumerate(zip(models.items(), CURVES, strict=False)):
        recall = np.array(model["recall_by_class"])
        bars = np.abs(np.array(model["recall_by_class_interval"]).T - recall)
        x = np.arange(len(recall)) + 0.16 * (i - (len(models) - 1) / 2)
        axes.errorbar(x, recall, bars, capsize=2, label=ROLE_NAMES[role], **style | {"linestyle": "none"})
    axes.set_xticks(range(len(recall)))
    axes.set_ylim(top=1.02)
    axes.set_xlabel("class of the real images")
    axes.set_ylabel("recall on the held-out images (share)")
    figure.legend(loc="outside lower center", ncols=len(models), frameon=False)
    return figure


@rc_context(STYLE)
def plot_neighbours(
    images: np.ndarray, neighbours: np.ndarray, distances: np.ndarray, medians: Mapping[str, float]
) -> Figure:
    """Generated images, and below each its nearest real ones with their distances.

    Args:
        images: uint8 [N, H, W, C], none of a diverged model.
        neighbours: uint8 [N, k, H, W, C], the nearest first.
        distances: [N, k] in feature space.
        medians: kind of image → median distance of many such images to the nearest other real one.
    """
    count, k = distances.shape
    if not count:
        return plot_sheet({"diverged": images})
    figure = Figure(figsize=(WIDTH, 0.4 + ((WIDTH - 1) / count + 0.2) * (k + 1)), layout="constrained")
    panels = figure.subplots(k + 1, count, squeeze=False)
    for row, name in enumerate(["generated", "nearest real"] + [f"{i}. nearest" for i in range(2, k + 1)]):
        panels[row, 0].set_ylabel(name, rotation=0, ha="right", va="center")
        for column in range(count):
            image = neighbours[column, row - 1] if row else images[column]
            panels[row, column].imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            if row:
                panels[row, column].set_xlabel(f"{distances[column, row - 1]:.3g}", labelpad=1)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    text = ", ".join(f"{kind} images {median:.3g}" for kind, median in medians.items())
    figure.suptitle(f"median distance to the nearest other real image: {text}")
    return figure
