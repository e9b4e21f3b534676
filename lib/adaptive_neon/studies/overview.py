"""Several finished studies side by side, such as one of each family: a row a study."""

from collections.abc import Mapping, Sequence

from adaptive_neon.studies.summary import all_replicas_at
from adaptive_neon.studies.wording import estimate_text, headline, model_text, plain_fid

HEADER = [
    "study",
    "kimg",
    "base FID",
    "collapsed",
    "best single weight",
    "FID",
    "improvement [95 %]",
    "best weights per block",
    "FID",
    "gain over single [95 %]",
    "precision",
    "recall",
    "core-hours",
]


def rows(summaries: Sequence[Mapping], core_hours: Sequence[float]) -> list[list[str]]:
    """The cells of each study: its snapshot to speak of, means over its replicas.

    Plain FIDs on held-out images; improvement and gain are differences corrected for bias, with their intervals,
    over replicas where there are several. The weights are the first replica's.

    Args:
        summaries: as in summary.json.
        core_hours: of all jobs of each study.
    """
    return [_row(summary, hours) for summary, hours in zip(summaries, core_hours, strict=True)]


def _row(summary: Mapping, core_hours: float) -> list[str]:
    entry = headline(summary)
    if entry is None:
        return [summary["experiment"], *["diverged"] * (len(HEADER) - 2), f"{core_hours:.2f}"]
    kimg = entry["kimg"]
    over = all_replicas_at(summary, kimg) or entry
    base, collapsed, single, blockwise = (
        f"{plain_fid(summary, kimg, role):.3f}" for role in ("base", "collapsed", "global", "blockwise")
    )
    return [
        summary["experiment"],
        str(kimg),
        base,
        collapsed,
        model_text(entry["global"]),
        single,
        f"{estimate_text(over['improvement'], 'interval')}, {over['improvement']['verdict']}",
        model_text(entry["blockwise"]),
        blockwise,
        f"{estimate_text(over['gain'], 'interval')}, {over['gain']['verdict']}",
        *(_moved(summary, kimg, name) for name in ("precision", "recall")),
        f"{core_hours:.2f}",
    ]


def _moved(summary: Mapping, kimg: int, name: str) -> str:
    """A metric of the base model → of the best single weight, means over the replicas."""
    replicas = summary.get("replicas", [summary])
    before = [replica["base"][name] for replica in replicas]
    after = [
        next(e for e in replica["snapshots"] if e["kimg"] == kimg)["global"].get(name) for replica in replicas
    ]
    if None in after:
        return "diverged"
    return f"{sum(before) / len(before):.3f} → {sum(after) / len(after):.3f}"
