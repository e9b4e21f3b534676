from itertools import combinations

import pytest
from adaptive_neon.merging.grid import is_single
from adaptive_neon.studies.plan import BASE_KIMG, POOL, Study


@pytest.fixture
def study(config):
    config["finetune"]["snapshots_kimg"] = [550, 1051, 1551]
    config["search"]["method"] = "grid"
    config["grid"] = {"weights": [0.5, 0.75, 1.0], "diagonal": [-1, -0.5, 0, 0.25, 1.0, 1.5, 2]}
    config["features"]["extractor"] = "inception"
    return Study(config)


def test_points(study):
    assert study.blocks == ["enc", "mid", "dec"]
    assert len(study.search_points) == 3**3
    assert [point["enc"] for point in study.diagonal_points] == [-1, -0.5, 0, 0.25, 0.5, 0.75, 1, 1.5, 2]
    assert all(map(is_single, study.diagonal_points))
    # 3 cells of one weight, 3 of two, 1 of three, and the 6 weights of the diagonal that the grid has not.
    assert len(study.cells()) == 3 + 3 + 1 + 6
    assert sum(map(len, study.cells().values())) == 27 + 6
    assert study.base_point == {"enc": 0.0, "mid": 0.0, "dec": 0.0}
    assert study.collapsed_point == {"enc": -1.0, "mid": -1.0, "dec": -1.0}


def test_one_block_is_plain_neon(config):
    config["search"]["method"] = "grid"
    config["grid"] = {"weights": [0.5, 1], "diagonal": [-1, 0]}
    config["blocks"] = [{"name": "all", "pattern": ""}]
    study = Study(config)
    assert study.search_points == [{"all": 0.5}, {"all": 1.0}]
    assert study.points == [{"all": 0.5}, {"all": 1.0}, {"all": -1.0}, {"all": 0.0}]
    config["features"]["extractor"] = "inception"
    assert list(Study(config).cells()) == ["0.0", "0.5", "1.0", "-1.0"]


def test_a_surface_has_its_design_and_the_single_weights(config):
    """1 + 3·2 + 3 points of three blocks; only the centre is a single weight; the diagonal goes further."""
    config["search"]["method"] = "surface"
    config["grid"] = {"weights": [1.0, 0.5, 0.75], "diagonal": [-1, 0]}
    study = Study(config)
    assert study.region == (0.5, 1.0)
    assert len(study.search_points) == 10 + 2
    assert len(study.points) == 10 + 2 + 2
    assert sum(map(is_single, study.points)) == 3 + 2
    config["features"]["extractor"] = "inception"
    assert {name: len(points) for name, points in Study(config).cells().items()} == {
        "0.75": 1, "0.5_0.75": 3, "0.75_1.0": 6, "0.5": 1, "1.0": 1, "-1.0": 1, "0.0": 1
    }  # fmt: skip


def test_a_gradient_search_begins_with_a_line_of_single_weights(config):
    config["search"] |= {"method": "gradient", "images": 300, "first_seed": 10}
    config["search"]["gradient"] |= {"steps": 7, "images": 20}
    config["grid"] = {"weights": [0.0, 0.75, 1.0], "diagonal": [-1]}
    config |= {"replicas": 2, "replica_stride": 1_000_000}
    for blocks, names in (("enc-mid-dec", ["enc", "mid", "dec"]), ("layers", ["all"])):
        study = Study(config | {"blocks": blocks})
        assert study.search_points == [dict.fromkeys(names, w) for w in (0.0, 0.5, 0.75, 1.0)]
        assert study.points == [dict.fromkeys(names, w) for w in (0.0, 0.5, 0.75, 1.0, -1.0)]
        study.config["features"]["extractor"] = "inception"
        assert list(study.cells()) == ["0.0", "0.5", "0.75", "1.0", "-1.0"]
    assert study.step_seeds(1) == (1_000_310, 140)


def test_small_images_are_drawn_by_one_job_which_new_points_leave_alone(config):
    config["search"]["method"] = "grid"
    config["blocks"] = [{"name": "a", "pattern": "a"}, {"name": "b", "pattern": "b"}]
    config["grid"] = {"weights": [0.5, 1], "diagonal": [-1, 0]}
    before = Study(config).cells()
    assert {cell: len(points) for cell, points in before.items()} == {"0.0": 1, POOL: 2**2 + 1}

    config["grid"] = {"weights": [0.5, 2], "diagonal": [-1, 0]}
    after = Study(config).cells(before[POOL])
    assert {cell: len(points) for cell, points in after.items()} == {"0.0": 1, POOL: 5, "0.5_2.0": 2, "2.0": 1}
    assert after[POOL] == before[POOL]  # what the study asks for no more, too

    config["search"]["images"] = 1000
    assert list(Study(config).cells()) == ["0.0", POOL]
    config["search"]["images"] = 1001
    assert list(Study(config).cells()) == ["0.0", "0.5", "0.5_2.0", "2.0", "-1.0"]
    config["search"]["images"] = 40
    config["features"]["extractor"] = "inception"
    assert list(Study(config).cells()) == ["0.0", "0.5", "0.5_2.0", "2.0", "-1.0"]
    assert Study(config).cells(before[POOL]) == after  # images that are there don't depend on the features

    config["blocks"] = [{"name": "all", "pattern": ""}]
    assert list(Study(config).cells(before[POOL])) == ["0.0", "0.5", "2.0", "-1.0"]  # points of other blocks


def test_each_round_has_seeds_of_its_own(config):
    config["search"] |= {"images": 300, "first_seed": 10, "rounds": 2}
    study = Study(config)
    assert [study.seeds("search", 0, round_) for round_ in study.rounds] == [(10, 300), (1810, 300)]
    # Between them lie the further images of the base model, the control variate.
    assert [study.seeds("search", 0, round_, control=True) for round_ in study.rounds] == [
        (10, 1800),
        (1810, 1800),
    ]
    config["search"]["control"] = 0
    study = Study(config)
    assert [study.seeds("search", 0, round_) for round_ in study.rounds] == [(10, 300), (310, 300)]
    assert study.seeds("search", 0, control=True) == study.seeds("search", 0)


def test_snapshots_chain(study):
    assert [study.previous_snapshot(kimg) for kimg in study.snapshots] == [BASE_KIMG, 550, 1051]


def test_a_later_snapshot_leaves_the_earlier_ones_as_they_are(config, study):
    before = {kimg: study.previous_snapshot(kimg) for kimg in study.snapshots}
    config["finetune"]["snapshots_kimg"] = [*study.snapshots, 2051]
    after = Study(config)
    assert before.items() < {kimg: after.previous_snapshot(kimg) for kimg in after.snapshots}.items()


def test_seeds(config):
    config |= {"replicas": 3, "replica_stride": 1_000_000}
    config["finetune"]["seed"] = 7
    config["search"] |= {"images": 2000, "first_seed": 0}
    config["heldout"] = {"images": 50_000, "first_seed": 50_000}
    config["synthetic"] = {"images": 6000, "first_seed": 100_000}
    study = Study(config)
    assert study.seeds("search", 0) == (0, 2000)
    assert study.seeds("heldout", 1) == (1_050_000, 50_000)
    assert study.seeds("synthetic", 2) == (2_100_000, 6000)
    assert [study.finetune_seed(replica) for replica in study.replicas] == [7, 1_000_007, 2_000_007]
    ranges = [
        range(first, first + count)
        for replica in study.replicas
        for first, count in (study.seeds(images, replica) for images in ("synthetic", "search", "heldout"))
    ]
    assert not [pair for pair in combinations(map(set, ranges), 2) if set.intersection(*pair)]


@pytest.mark.parametrize(
    ("images", "batch", "shards", "sizes"),
    [
        (600, 500, 1, [600]),
        (50_000, 500, 4, [12_500] * 4),
        (50_000, 512, 4, [12_288, 12_800, 12_288, 12_624]),  # 98 batches, the last of 336: 24, 25, 24 and 25
        (600, 500, 8, [500, 100]),  # no more shards than batches
        (40, 15, 2, [15, 25]),
    ],
)
def test_shards_are_whole_batches_in_the_order_of_the_seeds(config, images, batch, shards, sizes):
    config["search"] |= {"images": images, "first_seed": 7}
    config["run"] |= {"sampling_batch": batch}
    config |= {"replicas": 2, "replica_stride": 1_000_000}
    found = Study(config).shards("search", 1, shards)
    assert [count for _, count in found] == sizes
    assert [seed for first, count in found for seed in range(first, first + count)] == list(
        range(1_000_007, 1_000_007 + images)
    )
