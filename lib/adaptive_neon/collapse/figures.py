"""What is drawn of loops. Styles are those of `adaptive_neon.studies.figures`."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adaptive_neon.collapse.exact import gaussian as exact
from adaptive_neon.collapse.exact.mixed import smallest_fresh
from adaptive_neon.collapse.layout import MODELS
from adaptive_neon.collapse.prevention import DOUBLE, HALF, PROBABILITY
from adaptive_neon.collapse.study import recorded
from adaptive_neon.studies.figures import CURVES, STYLE, WIDTH

BAND = "90 % of runs"


def _line(axes: Axes, x: Sequence[float], bands: Sequence[Sequence[float]], style: Mapping, label: str) -> None:
    """A median, and the band around it."""
    median, low, high = np.transpose(bands)
    line = {key: style[key] for key in ("color", "linestyle")}
    axes.plot(x, median, linewidth=1.8, label=label, **line)
    axes.fill_between(x, low, high, color=style["color"], alpha=0.12, linewidth=0)


@rc_context(STYLE)
def plot_variance(study: Sequence[Mapping], shown: Sequence[float]) -> Figure:
    """Variance over the generations for some shares of synthetic data; once more, larger, where it is kept."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    panels = figure.subplots(1, 2)
    records = [record for record in study if record["share"] in shown]
    for record, style in zip(records, CURVES, strict=False):
        x = record["generations"]
        means = [mean for mean, _ in record["mean_variance"]]
        for axes in panels[: 2 if record["share"] < 1 else 1]:
            _line(axes, x, record["variance"], style, f"synthetic share {record['share']:g}: median, {BAND}")
            axes.plot(x[::4], means[::4], style["marker"], color=style["color"], markersize=4)
            axes.plot(x, record["expected_variance"], color="black", linewidth=0.8, linestyle=":")
    for axes in panels:
        axes.set(xscale="log", xlabel="generation t")
    panels[0].set(yscale="log", ylabel="variance of the model (squared data units)", title="all")
    panels[1].set(title="where it is kept")
    panels[0].plot([], [], "o", color="0.4", markersize=4, label="mean over the runs")
    panels[0].plot([], [], color="black", linewidth=0.8, linestyle=":", label="exact mean")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


@rc_context(STYLE)
def plot_density(study: Sequence[Mapping], shown: Sequence[float]) -> Figure:
    """The density of the real data against the last generation's: some runs, and the mean over all."""
    records = [record for record in study if record["share"] in shown]
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    panels = figure.subplots(1, len(records), sharex=True, sharey=True, squeeze=False)[0]
    for axes, record, style in zip(panels, records, CURVES, strict=False):
        density = record["density"]
        x = density["x"]
        axes.fill_between(x, density["truth"], color="0.88", linewidth=0, label="real data")
        for i, run in enumerate(density["seeds"]):
            axes.plot(x, run, color="0.45", linewidth=0.7, label=None if i else "single runs")
        axes.plot(x, density["mean"], color=style["color"], linewidth=2)
        axes.set(title=f"synthetic share {record['share']:g}", xlabel="x (data units)")
        axes.set_ylim(0, 3 * max(density["truth"]))
    panels[0].set_ylabel("density")
    panels[0].plot([], [], color="black", linewidth=2, label="mean over all runs")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


@rc_context(STYLE)
def plot_shares(study: Sequence[Mapping]) -> Figure:
    """The variance of the last generation over the synthetic share, and whether a test sees the difference."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    variance, shift = figure.subplots(1, 2)
    names = [f"{100 * record['share']:g}" for record in study]
    x = np.arange(len(study))
    median, low, high = np.transpose([record["variance"][-1] for record in study])
    color = CURVES[0]["color"]
    variance.errorbar(
        x, median, [median - low, high - median], fmt="o", capsize=3, color=color, label=f"median, {BAND}"
    )
    exact = [record["expected_variance"][-1] for record in study]
    variance.plot(x, exact, "_", color="black", markersize=14, label="exact mean")
    variance.set(yscale="log", ylabel="variance in the last generation\n(squared data units)")
    found = np.array([record["metrics"][-1]["shift_detected"] for record in study])
    shift.errorbar(x, found[:, 0], found[:, 1], fmt="s", capsize=3, color=CURVES[1]["color"])
    shift.set(
        ylabel="share of runs in which a two-sample test\ntells model and truth apart (± SE)", ylim=(-0.05, 1.05)
    )
    for axes in (variance, shift):
        axes.set_xticks(x, names)
        axes.set_xlabel("synthetic share of each training set (%)")
    variance.legend(frameon=False, loc="lower left")
    return figure


@rc_context(STYLE)
def plot_mixture(mixture: Sequence[Mapping]) -> Figure:
    """Scikit-learn's mixture over the generations: means of the components in each run, coverage, diversity."""
    figure = Figure(figsize=(WIDTH, 6), layout="constrained")
    panels = figure.subplots(3, len(mixture), sharex=True, sharey="row", squeeze=False)
    for column, record in zip(panels.T, mixture, strict=True):
        means = np.array(record["means"])  # [T, S, K]
        t = np.arange(1, len(means) + 1)
        for k in range(means.shape[2]):
            column[0].plot(t, means[:, :, k], color=CURVES[k]["color"], linewidth=0.6, alpha=0.7)
        column[0].set_title(f"synthetic share {record['share']:g}")
        coverage = np.mean(record["coverage"], axis=1)
        column[1].plot(t, coverage, color=CURVES[0]["color"], label="modes covered")
        shift = np.mean(record["shift_detected"], axis=1)
        column[1].plot(t, shift, color=CURVES[1]["color"], linestyle="--", label="shift detected")
        for (key, name), style in zip(
            (("between", "between components"), ("within", "within components")), CURVES[2:], strict=False
        ):
            _line(column[2], t, np.quantile(record[key], [0.5, 0.05, 0.95], axis=1).T, style, f"{name}, {BAND}")
        column[2].set_xlabel("generation t")
        column[2].set_yscale("log")
    for axes, label in zip(
        panels[:, 0],
        ("means of the components\n(data units)", "share of modes, of runs", "variance\n(squared data units)"),
        strict=True,
    ):  # fmt: skip
        axes.set_ylabel(label)
    panels[1, 0].legend(frameon=False, loc=(0.02, 0.62))
    panels[2, 0].legend(frameon=False)
    return figure


PANELS = {
    "gaussian": ("Gaussian, honest sampler", "variance (truth 1)", "log"),
    "biased": ("Gaussian, biased sampler", "variance (truth 1)", "log"),
    "classes": ("Classes", "share of classes left", "linear"),
    "kernels": ("Kernel density estimate", "variance (truth 1)", "log"),
    "regression": ("Linear regression", "test error − noise (σ = 1)", "log"),
}


@rc_context(STYLE)
def plot_regimes(curves: Mapping[str, Mapping], n: int) -> Figure:
    """Each model under each regime, n samples a generation: median and band; and means beside their laws."""
    figure = Figure(figsize=(WIDTH, 11), layout="constrained")
    panels = figure.subplots(3, 2).flat
    for axes, (panel, (title, label, scale)) in zip(panels, PANELS.items(), strict=False):
        for (name, curve), style in zip(curves[panel].items(), CURVES, strict=False):
            bands = curve["median_low_high"]
            t = recorded(len(bands), 60)
            _line(axes, t, [bands[i - 1] for i in t], style, name)
        axes.set(title=title, ylabel=label, xlabel="generation t", xscale="log", yscale=scale)
        if scale == "log":
            medians = [band[0] for curve in curves[panel].values() for band in curve["median_low_high"]]
            axes.set_ylim(max(min(medians), 1e-4) / 3, min(max(medians), 1e4) * 5)
        axes.legend(frameon=False, fontsize=7)
    _means(figure.axes[-1], curves["gaussian"], n)
    return figure


def _means(axes: Axes, curves: Mapping[str, Mapping], n: int) -> None:
    """What accumulating and subsampling keep of the mean variance, as the laws say and as simulated."""
    last = len(curves["accumulate"]["mean"])
    laws = {
        "accumulate": [exact.accumulated(n, t) for t in range(1, last + 1)],
        "accumulate and subsample": list(islice(exact.subsampled(n), last)),
    }
    t = np.unique(np.geomspace(1, last, 12).astype(int))
    for (name, law), style in zip(laws.items(), CURVES[1:], strict=False):
        axes.plot(
            range(1, last + 1), law, color=style["color"], linestyle=style["linestyle"], label=f"{name}: law"
        )
        values, errors = np.transpose(curves[name]["mean"])[:, t - 1]
        axes.errorbar(t, values, 2 * errors, fmt=style["marker"], color=style["color"], markersize=4)
    axes.axhline(exact.accumulated_limit(n), color="0.5", linewidth=0.8, label="sin(π/√n)/(π/√n)")
    axes.set(title="Gaussian: means ± 2 SE", ylabel="E[v_t] (truth 1)", xlabel="generation t", xscale="log")
    axes.set_ylim(top=1.1)
    axes.legend(frameon=False, fontsize=7, loc="upper right")


@rc_context(STYLE)
def plot_prevention(prevention: Mapping[str, Sequence[Mapping]]) -> Figure:
    """The smallest amount of real data over n: a row a model, a column a regime."""
    regimes = {
        "the same": "the same real data",
        "fresh": "fresh real data",
        "weighted": "the same, with half the weight",
    }
    figure = Figure(figsize=(WIDTH, 2 * len(prevention) + 0.6), layout="constrained")
    panels = figure.subplots(len(prevention), len(regimes), sharex=True, sharey=True, squeeze=False)
    sizes = sorted({entry["n"] for entries in prevention.values() for entry in entries})
    for row, (model, entries) in zip(panels, prevention.items(), strict=True):
        for axes, (regime, title) in zip(row, regimes.items(), strict=True):
            _amounts(axes, [entry for entry in entries if entry["regime"] == regime])
            axes.plot(sizes, sizes, color="0.6", linewidth=0.8, linestyle=":", label="all of n")
            if (model, regime) == ("gaussian", "fresh"):
                theory = smallest_fresh(HALF, DOUBLE, PROBABILITY)
                axes.axhline(theory, color="black", linewidth=0.8, label="limit of large n")
            axes.set_title(title if model == next(iter(prevention)) else "")
        row[0].set_ylabel(MODELS[model].replace(", ", ",\n"))
    for axes in panels[-1]:
        axes.set_xlabel("samples n of a generation")
    figure.supylabel("smallest number of real samples among them")
    panels[0, 0].plot([], [], linestyle="", marker="x", color="0.4", markersize=4, label="no amount is enough")
    handles = {
        label: handle
        for axes in panels.flat
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _amounts(axes: Axes, entries: Sequence[Mapping]) -> None:
    axes.set(xscale="log", yscale="log")
    if not entries:
        axes.annotate("points have no weights", (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
        return
    for i, style in zip(range(len(entries[0]["smallest"])), CURVES, strict=False):
        found = [(entry["n"], entry["smallest"][i]) for entry in entries]
        known = [(n, amount) for n, amount in found if amount["amount"] is not None]
        if known:
            values = np.array([amount["amount"] for _, amount in known], dtype=float)
            low = np.array([amount["low"] for _, amount in known], dtype=float)
            high = np.array([amount["high"] or n for n, amount in known], dtype=float)
            axes.errorbar(
                [n * 1.06 ** (i - 1) for n, _ in known],  # side by side
                values,
                [values - low, high - values],
                capsize=2,
                markersize=4,
                label=f"up to generation {entries[0]['smallest'][i]['generations']}",
                **style,
            )
        missing = [n * 1.06 ** (i - 1) for n, amount in found if amount["amount"] is None]
        axes.plot(
            missing, [n * 1.5 for n in missing], linestyle="", marker="x", color=style["color"], markersize=4
        )


@rc_context(STYLE)
def plot_neon(neon: Mapping[str, Sequence[Mapping]]) -> Figure:
    """Neon over its weight: bias, partial refits, two kinds of error, coordinates, iteration."""
    figure = Figure(figsize=(WIDTH, 10.5), layout="constrained")
    means, fractions, errors, losses, coordinates, drifts = panels = list(figure.subplots(3, 2).flat)
    for axes, part, title, label in (
        (means, "mean", "Bias: gone at w*", "E[v_N] (truth 1)"),
        (fractions, "fraction", "Partial refit: w* grows as 1/f", "E[v_N] (truth 1)"),
        (errors, "error", "Squared error: no w > 0 lowers it", "E(v_N − 1)²"),
        (losses, "loss", "Held-out loss: lower with many sets", "E[−log density] (nats)"),
        (drifts, "drift", f"Iteration θ ← Neon(θ), n = {neon['drift'][0]['n']}", "n·E[Δ log v] in one iteration"),
    ):
        _curves(axes, neon[part], one_law=part == "loss")
        axes.set(title=title, ylabel=label)
    for axes in (means, fractions):
        axes.axhline(1, color="0.5", linewidth=0.8)
    errors.set_yscale("log")
    for curve, style in zip(neon["coordinates"], CURVES, strict=False):
        coordinates.plot(curve["weights"], curve["median"], label=curve["label"], markersize=4, **style)
    coordinates.axhline(1, color="0.5", linewidth=0.8)
    coordinates.set(title="Coordinates: which parameter is merged", ylabel="median of v_N (truth 1)")
    for curve in neon["drift"]:
        drifts.plot(curve["weights"], curve["approximate"], color="black", linewidth=0.8, linestyle=":")
    drifts.plot([], [], color="black", linewidth=0.8, linestyle=":", label="w − w², 2w")
    drifts.axhline(0, color="0.5", linewidth=0.8)
    for axes in panels:
        axes.set_xlabel("weight w (no unit)")
        axes.legend(frameon=False, fontsize=8)
    return figure


def _curves(axes: Axes, curves: Sequence[Mapping], one_law: bool = False) -> None:
    """Laws as lines, one for each or one for all; the simulation as dots with two standard errors; w* dotted."""
    if one_law:
        whole = max(curves, key=lambda curve: len(curve["weights"]))
        axes.plot(whole["weights"], whole["exact"], color="black", linewidth=1, label="limit of many sets")
    for curve, style in zip(curves, CURVES, strict=False):
        if not one_law:
            axes.plot(curve["weights"], curve["exact"], color=style["color"], linestyle=style["linestyle"])
        values, errors = np.transpose(curve["simulated"])
        axes.errorbar(
            curve["weights"], values, 2 * errors, fmt=style["marker"], color=style["color"], markersize=4,
            label=curve["label"] + (f", w* = {curve['best']:.2f}" if "best" in curve else ""),
        )  # fmt: skip
        if "best" in curve:
            axes.axvline(curve["best"], color=style["color"], linewidth=0.8, linestyle=":")


@rc_context(STYLE)
def plot_neon_loop(curves: Mapping[str, Mapping]) -> Figure:
    """Neon on every generation: without real data, and with half of them real."""
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    panels = figure.subplots(1, 2)
    parts: tuple[dict, dict] = ({}, {})
    for name, curve in curves.items():
        parts[name.startswith("half real")][name.removeprefix("half real, ")] = curve
    for axes, title, part in zip(panels, ("without real data", "half real, the same"), parts, strict=True):
        for (name, curve), style in zip(part.items(), CURVES, strict=False):
            bands = curve["median_low_high"]
            t = range(1, len(bands) + 1, 1 + len(bands) // 100)
            _line(axes, t, [bands[i - 1] for i in t], style, name)
        axes.set(title=title, xlabel="generation t")
        axes.axhline(1, color="0.5", linewidth=0.8)
        axes.legend(frameon=False, fontsize=8, loc="lower left")
    panels[0].set(ylabel=f"variance (truth 1): median, {BAND}", yscale="log", ylim=(1e-4, 1e3))
    panels[1].set_ylim(bottom=0)
    return figure
