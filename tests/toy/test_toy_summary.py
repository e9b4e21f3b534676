import copy

import numpy as np
import pytest
from adaptive_neon.toy.statements import published_record
from adaptive_neon.toy.summary import TABLES, number, picture_titles, spread, summarise, terminal_lines


def record(factor):
    """The published record with its gaps filled; distances of the layer-wise grid times `factor`."""
    record = copy.deepcopy(published_record())
    for entry in record["diffusion"]["sweep"]["self_training"]:
        entry["collapsed"] = 1.0
    record["autoregressive"] = copy.deepcopy(record["diffusion"])
    for entry in record["autoregressive"]["sweep"]["self_training"]:
        entry["scale"] = round(2 - entry["scale"], 1)
    record["layerwise"] |= {"scale": 1.1, "epochs": 250, "evaluations": 5832, "seconds": 100.0 * factor}
    for entry in record["layerwise"]["grids"]:
        entry["distance"] *= factor
        entry["search"] = entry["distance"]
    end = {"point": record["layerwise"]["grids"][0]["point"], "evaluations": 20, "seconds": 1.0}
    record["search"] = [
        end | {"search": s, "distance": d} for s, d in ((0.002, 0.003), (0.005, 0.002), (0.004, 0.006))
    ]
    return record


@pytest.fixture
def summary():
    return summarise({seed: record(factor) for seed, factor in enumerate((1.0, 3.0, 2.0))})


def test_spread_is_median_and_range_of_what_did_not_diverge():
    assert spread([3.0, None, 1.0, 2.0, 7.0]) == {
        "median": 2.5, "low": 1.0, "high": 7.0, "values": [3.0, None, 1.0, 2.0, 7.0],
    }  # fmt: skip
    assert spread([None])["median"] is None


def test_distances_and_gains_over_the_seeds(summary):
    last = summary["layerwise"]["grids"][-1]
    values = [0.0095, 0.0285, 0.019]
    assert last["distance"]["values"] == pytest.approx(values)
    assert [last["distance"][key] for key in ("median", "low", "high")] == pytest.approx([0.019, 0.0095, 0.0285])
    np.testing.assert_allclose(last["gain"]["values"], 1 - np.array(values) / 0.0355)


def test_statements_name_the_seeds_in_which_they_hold(summary):
    holds = {entry["statement"]: entry["holds"] for entry in summary["statements"]}
    assert holds["layer-wise, δ = 1.72: the gain is 73% or more"] == [0]
    assert holds["layer-wise, δ = 1: the best point improves on the best single weight"] == [0, 2]
    assert holds["layer-wise: the gain grows from each δ to the next"] == []


def test_a_search_ends_where_its_own_samples_say(summary):
    """Of the random starts the second is the best on the samples of the search, the first on others."""
    assert summary["search"]["from_random"]["distance"]["values"] == [0.006] * 3
    assert summary["search"]["from_random"]["evaluations"]["median"] == 40
    assert summary["search"]["from_single"]["distance"]["values"] == [0.003] * 3


def test_the_table_over_delta_stands_beside_the_published_one(summary):
    rows = {row[0]: row[1:] for row in TABLES["layerwise"](summary)}
    assert rows["δ = 1.72"] == ["0.0095", "0.019 [0.0095, 0.0285]", "46% [20%, 73%]", "3 of 3"]
    assert rows["δ = 0.05"][-1] == "1 of 3"
    assert rows["base, w = 0"][:2] == ["0.163", "0.163 [0.163, 0.163]"]


def test_every_table_has_rows_of_one_length(summary):
    for table in TABLES.values():
        assert len({len(row) for row in table(summary)}) == 1


def test_the_sweep_table_names_the_published_weights(summary):
    rows = [row for row in TABLES["sweep"](summary) if row[0] == "diffusion"]
    assert [row[3] for row in rows] == ["−1.04", "−0.28", "1.2", "0.28"]
    assert all(row[-1] == "3 of 3" for row in rows)


def test_terminal_lines(summary):
    lines = terminal_lines(summary)
    assert lines[0].endswith("over 3 seeds")
    assert "0.019 [0.0095, 0.0285]" in lines[3]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00952, "0.00952"), (1234.5, "1230"), (-0.28, "−0.28"), (0.0, "0"), (2.0, "2"), (None, "diverged")],
)
def test_numbers_have_three_digits_and_no_exponent(value, text):
    assert number(value) == text


def test_a_picture_shows_base_collapsed_and_corrected():
    seed = record(1.0)
    titles = picture_titles("diffusion", seed)
    assert [key for key, _ in titles.values()] == [(1.1, 250)] * 4
    assert [set(point.values()) for _, point in list(titles.values())[:3]] == [{0.0}, {-1.0}, {0.28}]
    assert list(titles)[3] == "per layer, δ = 1.72\ndistance 0.0095"
    assert list(picture_titles("autoregressive", seed).values())[1] == ((0.9, 250), {"all": -1.0})
