"""The surface method against quadratics whose minimum is known in closed form, and noise of known covariance."""

import numpy as np
import pytest
from adaptive_neon.merging.grid import is_single, parse_point, point_name
from adaptive_neon.search.points import search_points
from adaptive_neon.search.rounds import next_points, outcome, pooled, winners
from adaptive_neon.search.surface import Quadratic, Region, as_places, as_points, design, fit, joined
from adaptive_neon.statistics.jackknife import JackknifeReplicates, mean_interval, plain_interval

BLOCKS = ["enc", "mid", "dec"]
CURVATURE = np.array([[1.0, 0.3, 0.1], [0.3, 0.8, -0.2], [0.1, -0.2, 1.2]])
BEST = np.array([0.62, 0.88, 0.71])
LIMITS = (0.5, 1.0)
REGION = Region.of(3, *LIMITS)
BLOCKS_OF_SEEDS = 10


def true_fid(w, best=BEST):
    return 2 + (w - best) @ CURVATURE @ (w - best) / 2


def measured(places, seeds=None, level=0.0, noise=0.0, best=BEST):
    """FIDs of places, whose noise is smooth, as that of common seeds is: of each block of seeds a plane."""
    planes = np.random.default_rng(seeds).normal(size=(BLOCKS_OF_SEEDS, 1 + len(places[0])))
    pseudo = np.array([true_fid(w, best) + level + noise * planes @ [1, *w] for w in places])  # [P, K]
    full = pseudo.mean(axis=1)
    return [
        JackknifeReplicates(value, value - (row - value) / (BLOCKS_OF_SEEDS - 1))
        for value, row in zip(full, pseudo, strict=True)
    ]


def metrics(places, fids, settings=""):
    return {
        point_name(point) + settings: {
            "images": 100,
            "dimension": 8,
            "fid": fid.full,
            "without_block": {"fid": fid.without.tolist()},
        }
        for point, fid in zip(as_points(BLOCKS, places), fids, strict=True)
    }


@pytest.mark.parametrize("blocks", [1, 2, 3, 5])
def test_a_design_has_as_many_points_as_a_quadratic_has_coefficients(blocks):
    points = design(Region.of(blocks, 0, 1.5))
    assert len(points) == (blocks + 1) * (blocks + 2) // 2 == len(np.unique(points, axis=0))
    assert points.min() >= 0
    assert points.max() <= 1.5


def test_the_minimum_of_a_quadratic_is_found_exactly():
    fitted = fit(REGION, [(design(REGION), measured(design(REGION)))])
    assert fitted.full.stationary() == pytest.approx(BEST)
    assert fitted.full(BEST) == pytest.approx(2)
    assert fitted.minimum().tolist() == [0.62, 0.88, 0.71]
    # Along w·(1, 1, 1): 1ᵀ·curvature·(w·1 − best) = 0.
    single = (CURVATURE @ BEST).sum() / CURVATURE.sum()
    assert fitted.single_minimum().tolist() == [round(single, 2)] * 3
    assert fitted.stationary(single=True)[0].full == pytest.approx(single)


def test_a_minimum_outside_the_region_is_taken_at_its_border():
    """With w_enc held at 0.5 the others solve the rest of the equations."""
    best = np.array([0.2, 0.8, 0.7])
    fitted = fit(REGION, [(design(REGION), measured(design(REGION), best=best))])
    rest = best[1:] - np.linalg.solve(CURVATURE[1:, 1:], CURVATURE[1:, 0]) * (0.5 - best[0])
    assert fitted.full.minimum(REGION) == pytest.approx([0.5, *rest], abs=1e-4)
    # Where it is, whatever may be drawn.
    assert [place.full for place in fitted.stationary()] == pytest.approx(best)


def test_a_saddle_has_no_minimum_but_a_lowest_point():
    saddle = Quadratic(0.0, np.zeros(2), np.diag([1.0, -1.0]))
    assert np.isnan(saddle.stationary()).all()
    lowest = saddle.minimum(Region.of(2, -1, 2))
    assert lowest == pytest.approx([0, 2], abs=1e-6)


@pytest.mark.parametrize("steep", [3.0, 8.0])
@pytest.mark.parametrize("single", [False, True])
def test_where_no_quadratic_fits_the_best_point_drawn_wins(steep, single):
    """exp(steep·mean(w)): its quadratic over 0 to 1 has its minimum inside, and below 0 where it is steep."""
    region = Region.of(3, 0, 1)
    places = as_places(search_points("surface", BLOCKS, [0.0, 0.25, 0.5, 1.0]))
    assert len(places) == 13  # the design, and the three single weights that it has not
    fids = [JackknifeReplicates(fid, np.full(BLOCKS_OF_SEEDS, fid)) for fid in np.exp(steep * places.mean(axis=1))]
    fitted = fit(region, [(places, fids)])
    assert fitted.full(fitted.minimum()) < 1 - (steep > 5)  # what it promises; the lowest there is is 1
    place, fid = fitted.best(single)
    assert place.tolist() == [0, 0, 0]
    assert fid.full == pytest.approx(1)


def test_of_several_rounds_the_best_point_drawn_is_that_of_their_common_level():
    first, second = (Region.of(1, 0, high) for high in (1.0, 0.5))
    parts = []
    for region, level in ((first, 0.0), (second, 5.0)):
        places = design(region)
        fids = np.exp(8 * places[:, 0]) + level
        parts.append((places, [JackknifeReplicates(fid, np.full(BLOCKS_OF_SEEDS, fid)) for fid in fids]))
    fitted = fit(first, parts)
    lowest = [fid.full for place, fid in zip(fitted.places, fitted.drawn, strict=True) if place[0] == 0]
    # The same model in both rounds: apart by what the fit's levels leave of 5.
    assert fitted.best()[1].full == min(lowest)
    assert fitted.best()[0].tolist() == [0]


def test_each_round_has_a_level_of_its_own():
    """Seeds that give a higher FID everywhere say nothing of the place."""
    near = design(REGION.around(BEST, 0.5))
    fitted = fit(REGION, [(design(REGION), measured(design(REGION))), (near, measured(near, level=0.7))])
    assert fitted.full.stationary() == pytest.approx(BEST)
    assert fitted.misfit == pytest.approx(0, abs=1e-9)
    assert fitted.full(BEST) == pytest.approx(2.35)  # the mean of both levels


def test_too_few_points(refuses):
    places = design(REGION)[:9]
    with refuses("the 9 points that have not diverged", "surface of 3 weights"):
        fit(REGION, [(places, measured(places))])


def test_replicates_of_rounds_together():
    """Of R rounds the variance of the mean is that of one over R, as for one round of R times the blocks."""
    values = np.random.default_rng(1).normal(size=(4, 6))
    without = [[values.mean() - (v - values[r].mean()) / 5 / 4 for v in values[r]] for r in range(4)]
    found = plain_interval(joined(values.mean(), without))
    centred = values - values.mean(axis=1, keepdims=True)
    expected = mean_interval((centred + values.mean()).ravel())
    assert found == pytest.approx(expected)
    one = joined(values[0].mean(), [[values[0].mean() - (v - values[0].mean()) / 5 for v in values[0]]])
    assert plain_interval(one) == pytest.approx(mean_interval(values[0]))


@pytest.mark.parametrize("rounds", [1, 2])
def test_intervals_of_the_minimum_cover_it(rounds):
    """A plane of noise moves the minimum by curvature⁻¹·slope; 95 % of 600 times: standard error 0.9 %."""
    regions = [REGION, REGION.around(np.full(3, 0.75), 0.5)][:rounds]
    covered = []
    for study in range(600):
        parts = [
            (design(region), measured(design(region), [study, index], noise=0.1))
            for index, region in enumerate(regions)
        ]
        fitted = fit(REGION, parts)
        for place, true in zip(fitted.stationary(), BEST, strict=True):
            interval = plain_interval(place)
            covered.append(interval.low <= true <= interval.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.027)


def test_the_noise_of_the_minimum_is_the_one_that_theory_gives():
    """Noise of slope ε/√K in each direction: covariance of the minimum H⁻¹·H⁻¹·ε²/K."""
    found = [
        fit(REGION, [(design(REGION), measured(design(REGION), study, noise=0.1))]).full.stationary()
        for study in range(800)
    ]
    inverse = np.linalg.inv(CURVATURE)
    expected = np.sqrt(np.diag(inverse @ inverse) * 0.1**2 / BLOCKS_OF_SEEDS)
    assert np.std(found, axis=0) == pytest.approx(expected, rel=0.12)
    assert np.mean(found, axis=0) == pytest.approx(BEST, abs=4 * expected.max() / np.sqrt(800))


def test_the_next_round_lies_around_the_minimum_and_within_the_limits():
    points = [point_name(point) for point in search_points("surface", BLOCKS, [0.5, 0.75, 1.0])]
    places = as_places([parse_point(name) for name in points])
    found = next_points("surface", LIMITS, points, [metrics(places, measured(places))])
    later = as_places([parse_point(name) for name in found])
    assert len(later) == 10
    assert later[0] == pytest.approx(np.clip(BEST, 0.625, 0.875), abs=0.006)
    assert np.ptp(later, axis=0) == pytest.approx(0.25, abs=0.011)
    assert later.min() >= 0.49
    assert later.max() <= 1.01


def test_the_winners_are_fitted_and_the_grid_is_beaten():
    points = [point_name(point) for point in search_points("surface", BLOCKS, [0.5, 0.75, 1.0])]
    assert len(points) == 12  # the design, and the two single weights that it has not
    places = as_places([parse_point(name) for name in points])
    found = winners("surface", LIMITS, points, [metrics(places, measured(places))])
    assert found["blockwise"] == "enc~0.62_mid~0.88_dec~0.71"
    assert is_single(parse_point(found["global"]))
    assert found["chosen_by"][found["blockwise"]]["fid"] == pytest.approx(2)
    assert found["chosen_by"][found["blockwise"]]["images"] == 100
    assert found["surface"]["misfit"] == pytest.approx(0, abs=1e-9)
    for block, w in zip(BLOCKS, BEST, strict=True):
        assert found["surface"]["w_interval"][block] == pytest.approx([w, w])


def test_settings_have_surfaces_of_their_own():
    """The one whose minimum is lower wins, at its own weights."""
    names = [point_name(point) for point in search_points("surface", BLOCKS, [0.5, 1.0])]
    places = as_places([parse_point(name) for name in names])
    better = np.array([0.7, 0.6, 0.9])
    first = metrics(places, measured(places), "@guidance~1.5")
    second = metrics(places, measured(places, level=-0.5, best=better), "@guidance~2.0")
    base = {
        "enc~0.0_mid~0.0_dec~0.0@guidance~1.5": {"fid": 3.0},
        "enc~0.0_mid~0.0_dec~0.0@guidance~2.0": {"fid": 4.0},
    }
    found = outcome("surface", LIMITS, [*first, *second], list(base), "c", [first | second | base])
    assert found["roles"]["blockwise"] == "enc~0.7_mid~0.6_dec~0.9@guidance~2.0"
    assert found["roles"]["base"].endswith("@guidance~1.5")
    assert found["roles"]["collapsed"] == "c@guidance~1.5"
    assert found["surface"]["settings"] == "@guidance~2.0"


def test_pooled_rounds_are_their_mean():
    one, two = (metrics(np.array([BEST]), measured([BEST], seed, noise=1.0)) for seed in (1, 2))
    (name,) = one
    both = pooled([one[name], two[name]])
    assert both["fid"] == pytest.approx((one[name]["fid"] + two[name]["fid"]) / 2)
    assert both["images"] == 200
    assert len(both["without_block"]["fid"]) == 2 * BLOCKS_OF_SEEDS
    assert pooled([one[name], {"fid": None, "diverged": True}])["fid"] is None
