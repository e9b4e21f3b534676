import re
from pathlib import Path

import pytest
from adaptive_neon.commands.cli import main
from adaptive_neon.families.edm.family import build, drawing_flop, training_flop
from adaptive_neon.studies.estimate import (
    START_UP,
    architecture_of,
    estimate_lines,
    estimates,
    measured_rates,
    rules_of,
)

ROOT = Path(__file__).parents[2]


def test_flop_of_a_network_are_those_of_its_layers(tiny):
    """On one level each convolution computes 2·k²·in·out at every pixel, each linear layer 2·in·out once.

    EDM's decoder begins with an attention: two products of pixels × channels with channels × pixels.
    """
    architecture = tiny | {"channel_mult": [1]}
    pixels = architecture["img_resolution"] ** 2
    flop = 2 * 2 * architecture["model_channels"] * pixels**2
    for name, parameter in build(architecture).named_parameters():
        if name.endswith("weight") and parameter.ndim > 1:
            flop += 2 * parameter.numel() * (pixels if parameter.ndim == 4 else 1)
    assert training_flop(architecture) == 3 * flop
    assert drawing_flop(architecture, {"steps": 18}) == 35 * flop


@pytest.fixture
def study(config):
    """Three blocks, two weights: 8 points in 3 cells, and on the diagonal the cells of −1 and 0."""
    config["grid"] = {"weights": [0.5, 1.0], "diagonal": [-1, 0]}
    config["finetune"]["snapshots_kimg"] = [10, 30]
    config["base"]["training"]["kimg"] = 100
    config["synthetic"]["images"] = 1000
    config["search"] = {
        "method": "grid",
        "images": 2000,
        "rounds": 1,
        "noise": "independent",
        "control": 0,
        "first_seed": 0,
    }
    config["heldout"] = {"images": 5000, "noise": "independent", "first_seed": 5000}
    config["sampler"]["steps"] = 18
    config["replicas"] = 2
    return config


def by_name(rules):
    return {rule.name: (rule.jobs, rule.work) for rule in rules}


def test_what_the_rules_have_to_do(study):
    found = by_name(rules_of(study, 3e6, 35e6))
    cells = 2 * (2 * 4 + 1)  # replicas · (snapshots · (3 cells and that of −1) and the base model's, once)
    winners = 2 * (2 * 3 + 1)
    images = 2 * (2 * 9 + 1) * 2000 + winners * 5000
    assert found == {
        "base": (1, 100_000),
        "synthetic": (2, 2000),
        "finetune": (4, 60_000),
        "generate": (cells + winners, images),
        "measure": (cells + winners, images),
    }
    study["search"]["images"] = 500  # few enough for one job in each snapshot
    jobs = 2 * (2 * 1 + 1) + winners
    images = 2 * (2 * 9 + 1) * 500 + winners * 5000
    assert by_name(rules_of(study, 3e6, 35e6)) == found | {"generate": (jobs, images), "measure": (jobs, images)}


def test_a_control_variate_is_drawn_from_the_base_model_alone(study):
    before = by_name(rules_of(study, 3e6, 35e6))
    study["search"]["control"] = 5
    found = by_name(rules_of(study, 3e6, 35e6))
    further = 2 * 5 * 2000  # of two replicas
    assert found["generate"] == (before["generate"][0], before["generate"][1] + further)
    assert found["features"] == (2, 2 * 2000 + further)
    assert {rule: found[rule] for rule in before if rule != "generate"} == {
        rule: before[rule] for rule in before if rule != "generate"
    }
    # In a second round, whose points are others, it is drawn on their seeds too.
    study["search"] |= {"method": "race", "rounds": 2, "control": 0}
    before = by_name(rules_of(study, 3e6, 35e6))
    study["search"]["control"] = 5
    found = by_name(rules_of(study, 3e6, 35e6))
    assert found["generate"] == (before["generate"][0] + 2, before["generate"][1] + further + 2 * 6 * 2000)
    assert found["features"] == (4, 4 * 6 * 2000)


def test_further_rounds_draw_at_most_all_points_again(study):
    one = by_name(rules_of(study, 3e6, 35e6))
    study["search"] |= {"method": "race", "rounds": 3}
    three = by_name(rules_of(study, 3e6, 35e6))
    points = 2 * 2 * 2 * 8  # rounds · replicas · snapshots · points, a job each
    assert three["generate"] == (one["generate"][0] + points, one["generate"][1] + points * 2000)


def test_a_gradient_search_checks_six_times_and_goes_backward_from_each_step(study):
    study["search"] |= {"method": "gradient", "gradient": {"steps": 10, "images": 100, "lr": 0.1}}
    rule = next(rule for rule in rules_of(study, 3e6, 35e6) if rule.name == "gradient")
    runs = 2 * 2
    assert (rule.jobs, rule.work) == (runs, runs * (6 * 2000 + 1000))
    assert rule.work * rule.flop == pytest.approx(runs * 35e6 * (6 * 2000 + 4 * 1000))


def test_shards_are_jobs_of_their_own(study):
    whole = by_name(rules_of(study, 3e6, 35e6))
    study["run"] |= {"shards": 4, "sampling_batch": 500}
    found = by_name(rules_of(study, 3e6, 35e6))
    assert found["shard"] == (4 * whole["generate"][0], whole["generate"][1])
    assert found["generate"] == (whole["generate"][0], 0)


def test_an_imported_model_is_not_trained_and_has_its_own_architecture(study, tmp_path):
    study["base"] = {"checkpoint": "https://example.org/edm-ffhq-64x64-uncond-vp.pkl", "architecture": None}
    study["base"]["training"] = None
    assert by_name(rules_of(study, 3e6, 35e6))["base"] == (1, 0)
    assert architecture_of(study, tmp_path)["channel_mult"] == [1, 2, 2, 2]


def test_hours_follow_from_flop(study):
    found = {e.rule.name: e for e in estimates(rules_of(study, 6e9, 70e9), {}, 1e12)}
    # 35 evaluations of 2 GFLOP an image: 1e12 / 7e10 images a second; a training image costs three.
    assert found["synthetic"].rate == pytest.approx(1e12 / 7e10)
    assert found["synthetic"].hours == pytest.approx((2000 * 7e10 / 1e12 + 2 * START_UP) / 3600)
    assert found["finetune"].hours == pytest.approx((60_000 * 6e9 / 1e12 + 4 * START_UP) / 3600)


def benchmark(results, name, seconds):
    path = results / "benchmarks" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n")


def test_measured_rates(study, tmp_path):
    benchmark(tmp_path, "base", 50)
    benchmark(tmp_path, "replica-1/synthetic", 20)
    benchmark(tmp_path, "replica-0/finetune-10", 4)
    benchmark(tmp_path, "replica-0/finetune-30", 6)
    benchmark(tmp_path, "replica-0/grid-10/0.5_1.0-generate", 30)  # 6 points
    benchmark(tmp_path, "replica-0/heldout-10/enc~0.5_mid~0.5_dec~0.5-generate", 4)
    benchmark(tmp_path, "replica-0/select-10", 1)
    rates = measured_rates(study, tmp_path)
    assert rates == {"base": 2000, "synthetic": 50, "finetune": 3000, "generate": 17_000 / 34}
    found = {e.rule.name: e for e in estimates(rules_of(study, 6e9, 70e9), rates, 1e12)}
    assert found["finetune"].hours == pytest.approx(60_000 / 3000 / 3600)
    assert found["finetune"].measured
    assert not found["measure"].measured

    study["search"]["images"] = 500
    benchmark(tmp_path, "replica-0/grid-30/points-generate", 21)  # 9 points; those above are 6, of before
    assert measured_rates(study, tmp_path)["generate"] == (6 * 500 + 9 * 500 + 5000) / 55


def test_measured_shards(study, tmp_path):
    study["run"] |= {"shards": 4, "sampling_batch": 500}
    for shard in range(4):
        benchmark(tmp_path, f"replica-0/grid-10/0.5-shard-{shard}", 5)
    benchmark(tmp_path, "replica-0/grid-10/0.5-generate", 1)
    assert measured_rates(study, tmp_path) == {"shard": 2000 / 20}


def test_the_table_adds_up(study):
    found = estimates(rules_of(study, 6e9, 70e9), {}, 1e12)
    header, *lines, last = (re.split(r"  +", line.strip()) for line in estimate_lines(found, "A100"))
    assert header == ["rule", "jobs", "images", "images/s", "GPU-hours", "core-hours"]
    assert [line[0] for line in lines] == [e.rule.name for e in found]
    assert int(last[1]) == sum(e.rule.jobs for e in found)
    assert float(last[-2]) == pytest.approx(sum(e.hours for e in found if e.rule.gpu), abs=0.01)
    assert float(last[-1]) == pytest.approx(sum(e.hours * e.rule.cores for e in found), abs=0.01)


def test_the_command(tmp_path, capsys):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("experiment: other\nreplicas: 3\n")
    command = ["estimate", str(ROOT / "config.yaml"), str(overlay)]
    main([*command, "--device", "H100"])
    assert "(H100): a job is taken to sustain 1e+14 FLOP/s" in capsys.readouterr().out
    overlay.write_text("replica: 3\n")
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == "adaptive-neon: config: replica: unknown key; did you mean replicas?"
