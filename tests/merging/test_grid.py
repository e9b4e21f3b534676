from math import comb

import pytest
from adaptive_neon.merging.grid import (
    cell_name,
    cells,
    diagonal,
    grid,
    is_digest,
    is_single,
    parse_point,
    path_name,
    point_name,
)
from hypothesis import given
from hypothesis import strategies as st

BLOCKS = ("enc", "mid", "dec")
weight = st.one_of(st.floats(-100, 100), st.integers(-100, 100))
weight_list = st.lists(weight, min_size=1, max_size=4, unique=True)


def cube(weights):
    return grid({block: weights for block in BLOCKS})


def test_grid_is_every_combination():
    assert grid({"enc": [1, 2], "dec": [3, 4]}) == [
        {"enc": 1, "dec": 3},
        {"enc": 1, "dec": 4},
        {"enc": 2, "dec": 3},
        {"enc": 2, "dec": 4},
    ]
    six = grid({f"block{i}": [0.5, 1.0, 2.0] for i in range(6)})
    assert len(six) == len({point_name(point) for point in six}) == 3**6


def test_diagonal_has_one_weight_for_all_blocks():
    assert diagonal(BLOCKS, [-1, 0.5]) == [dict.fromkeys(BLOCKS, -1.0), dict.fromkeys(BLOCKS, 0.5)]
    assert all(map(is_single, diagonal(BLOCKS, [-1, 0.5])))
    assert sum(map(is_single, cube([0.75, 1.0, 1.25]))) == 3


def test_names_are_those_of_the_papers_winner():
    point = {"enc": 1.25, "mid": 1, "dec": 0.75}
    assert point_name(point) == "enc~1.25_mid~1.0_dec~0.75"
    assert cell_name(point) == "0.75_1.0_1.25"


@pytest.mark.parametrize(("weights", "name"), [((1, 1.0), "1.0"), ((-1, -1.0), "-1.0"), ((0, 0.0, -0.0), "0.0")])
def test_equal_weights_are_written_alike(weights, name):
    assert {point_name({"all": w}) for w in weights} == {f"all~{name}"}
    assert {cell_name({"all": w}) for w in weights} == {name}


@given(st.lists(weight, min_size=1, max_size=6))
def test_a_name_gives_the_point_back(weights):
    point = {f"block{i}": w for i, w in enumerate(weights)}
    parsed = parse_point(point_name(point))
    assert parsed == point
    assert list(parsed) == list(point)
    assert point_name(parsed) == point_name(point)


@given(weight_list)
def test_cells_partition_the_points(weights):
    points = [*cube(weights), *diagonal(BLOCKS, weights)]
    by_cell = cells(points)
    members = [point for cell in by_cell.values() for point in cell]
    assert sorted(map(point_name, members)) == sorted({point_name(point) for point in points})
    # One cell for each set of at most three of the n weights.
    assert len(by_cell) == sum(comb(len(weights), k) for k in (1, 2, 3))
    for name, cell in by_cell.items():
        assert {cell_name(point) for point in cell} == {name}


@given(weight_list, weight, st.integers(0, 4))
def test_a_new_weight_leaves_the_old_cells_as_they_are(weights, new, position):
    """What is computed for a cell stays good: same name, same points, same order."""
    if new in weights:
        return
    before = cells(cube(weights))
    after = cells(cube([*weights[:position], new, *weights[position:]]))
    assert {name: after[name] for name in before} == before
    assert all(new in point.values() for name in after.keys() - before for point in after[name])


def test_the_folder_of_a_point_has_its_name_as_long_as_that_is_a_folders_name():
    short = point_name(dict.fromkeys(BLOCKS, 0.75)) + "@steps~8"
    assert path_name(short) == short
    layers = {f"layer{i}": i / 100 for i in range(300)}
    name, other = point_name(layers), point_name(layers | {"layer299": 0})
    assert parse_point(name) == layers
    found = path_name(name)
    assert len(found) < 100 and is_digest(found) and not is_digest(short)
    assert path_name(name + "@steps~8") == found + "@steps~8"
    assert path_name(other) != found
