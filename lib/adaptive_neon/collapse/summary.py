"""The studies of loops as data and as text: summary.json, tables, the lines that give the answer."""

from collections.abc import Mapping, Sequence

import numpy as np

from adaptive_neon.collapse.exact.mixed import smallest_fresh
from adaptive_neon.collapse.layout import MODELS
from adaptive_neon.collapse.prevention import DOUBLE, HALF, PROBABILITY
from adaptive_neon.collapse.statements.statement import ROUNDING
from adaptive_neon.studies.tables import number


def summarise(parts: Mapping[str, object], seeds: int) -> dict:
    """summary.json.

    Args:
        parts: `study`, `mixture`, `statements`, `curves` and `neon`, as their stages wrote them,
        and `prevention`: model → entries.
    """
    return {
        "study": "collapse",
        "seeds": seeds,
        "shares": [
            {"share": record["share"], "generations": record["generations"][-1]}
            | {key: record[key][-1] for key in ("variance", "mean_variance", "log_variance", "expected_variance")}
            | {"metrics": record["metrics"]}
            for record in parts["study"]
        ],
        "mixture": [_mixture(record) for record in parts["mixture"]],
        "statements": parts["statements"],
        "last_generation": {
            panel: {name: curve["median_low_high"][-1] for name, curve in curves.items()}
            for panel, curves in parts["curves"].items()
        },
        "prevention": parts["prevention"],
        "prevention_rule": {"probability": PROBABILITY, "least": HALF, "most": DOUBLE},
        "fresh_in_theory": smallest_fresh(HALF, DOUBLE, PROBABILITY),
        "neon": parts["neon"],
    }


def _mixture(record: Mapping) -> dict:
    """The first and the last generation of a mixture's loop, means over the seeds."""
    keys = ("coverage", "within", "between", "shift_detected", "distance")
    last = len(record["coverage"])
    return {
        "share": record["share"],
        "generations": [
            {"generation": t}
            | {key: float(np.mean(record[key][t - 1])) for key in keys}
            | {
                f"{key}_of_components": np.mean(record[key][t - 1], axis=0).tolist()
                for key in ("weights", "means", "variances")
            }
            for t in sorted({1, max(last // 2, 1), last})
        ],
    }


def terminal_lines(summary: Mapping) -> list[str]:
    """What collapses, how fast, what prevents it, what Neon does."""
    return [
        f"collapse: models trained on their own samples, {summary['seeds']} seeds",
        f"  What collapses: {_what(summary)}",
        f"  How fast: {_how_fast(summary)}",
        f"  What prevents it: {_prevents(summary)}",
        f"  What Neon does: {_neon(summary)}",
        f"  {_verdicts(summary)}; see tables/laws.md",
    ]


def _what(summary: Mapping) -> str:
    last = summary["shares"][-1]
    median, low, high = last["variance"]
    generations = last["generations"]
    return (
        "nearly every run of a model that gets no real data. "
        f"After {generations} generations at a synthetic share of {last['share']:g} a Gaussian's variance is "
        f"{number(median)}, 90 % of runs within [{number(low)}, {number(high)}]; classes are lost one by one; only a "
        "density estimate's kernels widen it instead. The mean variance of an unbiased fit never falls: the "
        "logarithm, or the median, shows it."
    )


def _how_fast(summary: Mapping) -> str:
    return (
        "in about n generations of n samples: log v falls by 1/n a generation, by 2/n with maximum likelihood, in d "
        "dimensions (d + 1)/2 times as fast; a sampler that narrows (λ < 1) does it in 1/(1 − λ), whatever n is."
    )


def _prevents(summary: Mapping) -> str:
    found = {}
    for regime in ("the same", "fresh"):
        entries = [entry for entry in summary["prevention"]["gaussian"] if entry["regime"] == regime]
        amounts = [(entry["n"], entry["smallest"][-1]) for entry in entries]
        known = [(n, amount) for n, amount in amounts if amount["amount"] is not None]
        found[regime] = _amount(*known[-1]) if known else f"more than n = {entries[-1]['n']} samples"
    return (
        "real data in every generation, and their number matters, not their share: for a Gaussian "
        f"{found['the same']} always the same, or {found['fresh']} fresh in each generation "
        f"({number(summary['fresh_in_theory'])} in the limit of large n). Accumulating all data keeps all but 1.6/n "
        "of the variance. A density estimate also needs a bandwidth that shrinks."
    )


def _amount(n: int, amount: Mapping) -> str:
    return f"{amount['amount']} of n = {n} [{_or_more(amount['low'])}, {_or_more(amount['high'])}]"


def _or_more(amount: int | None) -> str:
    return "more" if amount is None else str(amount)


def _neon(summary: Mapping) -> str:
    ends = {name: number(band[0]) for name, band in summary["last_generation"]["neon"].items()}
    return (
        "on one fit it is the bootstrap's bias correction, exact at w* = n_s/(n_r − 1). In a loop it removes the "
        f"bias and keeps the noise: without real data the median variance ends at {ends['Neon of v, w = 1']} with it "
        f"and {ends['none']} without; with half real data at {ends['half real, Neon of v, w = 1']} and "
        f"{ends['half real, none']}. It does not stop a collapse that real data do not stop."
    )


def _verdicts(summary: Mapping) -> str:
    found = summary["statements"]
    counts = {
        verdict: sum(row["verdict"] == verdict for row in found if row["holds"])
        for verdict in ("confirmed", "made precise", "corrected", "new")
    }
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{sum(row['holds'] for row in found)} of {len(found)} laws hold in the simulation ({text})"


def laws_table(summary: Mapping) -> list[list[str]]:
    """Every statement, with what the paper says, the law, the simulation and the verdict."""
    rows = [
        [
            "loop",
            "source",
            "what it says",
            "exact law",
            "setting",
            "law gives",
            "simulated ± SE",
            "deviation",
            "verdict",
        ]
    ]
    for row in summary["statements"]:
        verdict = f"{row['verdict']}: {row['finding']}" if row["holds"] else "the simulation contradicts the law"
        predicted = number(row["predicted"])
        rows.append(
            [
                row["topic"],
                row["source"],
                row["claim"],
                row["law"],
                row["setting"],
                predicted if row["relation"] == "=" else f"{row['relation']} {predicted}",
                _plus_minus(row["simulated"]["value"], row["simulated"]["error"]),
                f"{row['deviation']:+.1f} SE".replace("-", "−"),
                verdict,
            ]
        )
    return rows


def _plus_minus(value: float, error: float) -> str:
    """With as many decimals as show two digits of the error."""
    if error <= ROUNDING * abs(value):
        return number(value)
    decimals = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}".replace("-", "−")


def shares_table(summary: Mapping) -> list[list[str]]:
    """The last generation of the Gaussian study, for each share of synthetic data."""
    rows = [
        ["synthetic share", "variance, median [90 % of runs]", "mean ± SE", "exact mean", "mean of log v ± SE"]
    ]
    for entry in summary["shares"]:
        median, low, high = map(number, entry["variance"])
        rows.append(
            [
                f"{entry['share']:g}",
                f"{median} [{low}, {high}]",
                _plus_minus(*entry["mean_variance"]),
                number(entry["expected_variance"]),
                _plus_minus(*entry["log_variance"]),
            ]
        )
    return rows


METRICS = {
    "mean": "mean ± SE",
    "variance": "variance ± SE",
    "distance_to_truth": "W₂² to the truth ± SE",
    "distance_to_last": "W₂² to the generation before ± SE",
    "sample_distance": "W₁ of samples ± SE",
    "shift_detected": "shift detected ± SE",
}


def metrics_table(summary: Mapping) -> list[list[str]]:
    """Every metric of the Gaussian study, at a few generations."""
    rows = [
        ["synthetic share", "t", *METRICS.values(), "held-out loss, median [90 %]", "bias² of v", "variance of v"]
    ]
    for entry in summary["shares"]:
        for found in entry["metrics"]:
            loss = list(map(number, found["held_out_loss"]))
            rows.append(
                [
                    f"{entry['share']:g}",
                    str(found["generation"]),
                    *(_plus_minus(*found[key]) for key in METRICS),
                    f"{loss[0]} [{loss[1]}, {loss[2]}]",
                    number(found["bias_squared"]),
                    number(found["variance_of_variance"]),
                ]
            )
    return rows


def mixture_table(summary: Mapping) -> list[list[str]]:
    """What scikit-learn's mixture of three becomes."""
    parts = ("weights", "means", "variances")
    keys = ("coverage", "within", "between", "distance", "shift_detected")
    rows = [["synthetic share", "t", *parts, "modes covered", "within", "between", "W₁", "shift"]]
    for record in summary["mixture"]:
        for found in record["generations"]:
            components = (", ".join(map(number, found[f"{part}_of_components"])) for part in parts)
            rows.append(
                [
                    f"{record['share']:g}",
                    str(found["generation"]),
                    *components,
                    *(number(found[key]) for key in keys),
                ]
            )
    return rows


def prevention_table(summary: Mapping) -> list[list[str]]:
    """The smallest amounts of real data, and what the regimes without a choice of it do."""
    rows = [["model", "real data", "n", "up to generation", "smallest amount", "interval", "share of n"]]
    for name, entries in summary["prevention"].items():
        for entry in entries:
            for found in entry["smallest"]:
                rows.append(
                    [
                        MODELS[name],
                        entry["regime"],
                        str(entry["n"]),
                        str(found["generations"]),
                        *_smallest(entry, found),
                    ]
                )
    return rows


def _smallest(entry: Mapping, found: Mapping) -> Sequence[str]:
    if entry["regime"] in ("replace", "accumulate"):  # the real data of the first generation, all or nothing
        low, high = found["low"] is not None, found["high"] is not None
        enough = "prevents" if found["amount"] else "does not prevent"
        return [enough, "" if low == high else "within its interval", ""]
    if found["amount"] is None:
        return ["more than there is", f"[{_or_more(found['low'])}, more]", ""]
    interval = f"[{_or_more(found['low'])}, {_or_more(found['high'])}]"
    return [str(found["amount"]), interval, f"{found['amount'] / entry['n']:.0%}"]


TABLES = {
    "laws": laws_table,
    "shares": shares_table,
    "metrics": metrics_table,
    "mixture": mixture_table,
    "prevention": prevention_table,
}
