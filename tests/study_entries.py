"""Entries of summary.json that are easy to work with by hand."""

from adaptive_neon.evaluation.measurement import PRDC
from adaptive_neon.studies.comparison import compare
from adaptive_neon.studies.summary import summarise

ROLES = {
    "base": "enc~0.0_dec~0.0",
    "collapsed": "enc~-1.0_dec~-1.0",
    "global": "enc~0.75_dec~0.75",
    "blockwise": "enc~1.25_dec~0.5",
}
DIVERGED = {"fid": None, "diverged": True}
T = 12.706204736432095  # 97.5 % quantile of Student's t with one degree of freedom


def metrics(fid, without, **shares):
    """Metrics with two blocks of seeds: the pseudo-values are 2·fid − without. Shares: name=(full, without)."""
    shares = dict.fromkeys(PRDC, (0.5, (0.5, 0.5))) | shares
    return {
        "fid": fid,
        **{name: full for name, (full, _) in shares.items()},
        "recall_by_class": [0.4, 0.6],
        "without_block": {
            "fid": list(without),
            **{name: list(values) for name, (_, values) in shares.items()},
            "recall_by_class": [[0.4, 0.6], [0.4, 0.6]],
        },
    }


def entry(kimg=12, **changes):
    """A snapshot, some of its models changed."""
    kid = {"kid": 0.25, "kid_deviation": 0.5}
    heldout = {
        "base": metrics(4.0, (4.1, 3.9)) | kid,
        "collapsed": metrics(6.0, (6.0, 6.2)) | kid,
        "global": metrics(3.0, (3.2, 3.0)) | kid,  # pseudo-values 2.8, 3.0
        "blockwise": metrics(2.5, (2.65, 2.45)) | kid,  # pseudo-values 2.35, 2.55
    } | changes
    search = {ROLES["global"]: metrics(3.1, (3.1, 3.1)), ROLES["blockwise"]: metrics(2.4, (2.4, 2.4))}
    return compare(
        kimg,
        {ROLES[role]: values for role, values in heldout.items()},
        roles=ROLES,
        indistinguishable=[ROLES["blockwise"]],
        search=search,
        chosen_by=search,
    )


def study(*entries, replicas=()):
    """The summary of a study: the entries of the first replica, and those of others."""
    images = {"search": 1000, "heldout": 5000}
    return summarise("digits", "digits", images, 2, [list(entries), *map(list, replicas)])
