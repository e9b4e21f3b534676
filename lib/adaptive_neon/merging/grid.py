"""Points of the search: one weight per block, and the one way in which a point is written."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import product

Point = dict[str, float]  # block → w, in the order of the blocks
LONGEST = 240  # of a folder's name, beside which files that end in .log or .tsv have it too; a file's is 255
DIGEST = "weights-"  # begins the folder's name of a point with too many weights to be written there
SETTINGS = "@"  # in a name, what follows is no weight (see `search.settings`)


def grid(values: Mapping[str, Sequence[float]]) -> list[Point]:
    """Every combination of the values given for each block: |values|^blocks points."""
    return [dict(zip(values, weights, strict=True)) for weights in product(*values.values())]


def diagonal(blocks: Iterable[str], values: Iterable[float]) -> list[Point]:
    """The points with one w for the whole network (plain Neon)."""
    blocks = list(blocks)
    return [dict.fromkeys(blocks, float(w)) for w in values]


def is_single(point: Mapping[str, float]) -> bool:
    """Whether all blocks have the same weight."""
    return len(set(point.values())) == 1


def weight_name(w: float) -> str:
    """Python's repr of the float, and one zero: `1.0`, never `1` or `1.00`; `0.0`, never `-0.0`."""
    return repr(float(w) + 0.0)


def point_name(point: Mapping[str, float]) -> str:
    """The name of a point in paths, such as `enc~1.25_mid~1.0_dec~0.75`."""
    return "_".join(f"{block}~{weight_name(w)}" for block, w in point.items())


def path_name(name: str) -> str:
    """The name of a point, with whatever settings follow, as a folder of that name: long ones are digests."""
    if len(name) <= LONGEST:
        return name
    weights, at, settings = name.partition(SETTINGS)
    return f"{DIGEST}{sha256(weights.encode()).hexdigest()[:16]}{at}{settings}"


def is_digest(path: str) -> bool:
    """Whether `path_name` wrote a digest."""
    return path.startswith(DIGEST)


def parse_point(name: str) -> Point:
    """The point that `point_name` wrote, whatever settings follow."""
    weights = name.partition(SETTINGS)[0].split("_")
    return {block: float(w) for block, _, w in (part.partition("~") for part in weights)}


def cell_name(point: Mapping[str, float]) -> str:
    """The cell of a point: the set of weights that occur in it, such as `0.75_1.25`, in rising order.

    One job handles all points of a cell, which spreads the start-up of a process over several points. A new
    weight makes new cells and leaves the old ones as they are.
    """
    return "_".join(weight_name(w) for w in sorted({float(w) for w in point.values()}))


def cells(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Points by cell; a point given twice counts once."""
    by_cell: dict[str, list[Point]] = {}
    for point in points:
        members = by_cell.setdefault(cell_name(point), [])
        if point not in members:
            members.append(point)
    return by_cell
