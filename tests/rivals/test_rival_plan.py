import pytest
from adaptive_neon.rivals.costs import costs
from adaptive_neon.rivals.estimate import rules_of, work_of
from adaptive_neon.rivals.plan import read_rivals
from adaptive_neon.search.settings import parse_settings
from adaptive_neon.studies.layers import read_config


@pytest.fixture
def config(config, tiny):
    """Twelve thousand images of self-training after fifty of training; one block."""
    config["base"]["architecture"] = tiny
    config["base"]["training"]["kimg"] = 50
    config["blocks"] = [{"name": "all", "pattern": "."}]
    config["grid"] |= {"weights": [0.5, 1.0], "sampler": {}}
    config["search"] |= {"method": "grid", "images": 600}
    config["finetune"]["snapshots_kimg"] = [12, 24]
    config["replicas"] = 3
    config["rivals"] = [
        {"name": "sims", "kind": "guidance", "searched": {"steps": [4, 8]}},
        {"name": "longer", "kind": "training"},
        {"name": "short", "kind": "ema", "length": 0.05},
        {"name": "mean", "kind": "averaged", "weights": [0.75]},
        {"name": "fine", "kind": "synthetic", "sampler": {"steps": 16}},
        {"name": "slow", "kind": "sampler", "searched": {"steps": [16]}},
        {"name": "slow-neon", "kind": "sampler", "searched": {"steps": [16]}, "weights": [0.5]},
    ]
    return config


def test_candidates(config):
    rivals = read_rivals(config)
    assert {name: rival.candidates for name, rival in rivals.items()} == {
        "sims": ("all~0.5@steps~4", "all~0.5@steps~8", "all~1.0@steps~4", "all~1.0@steps~8"),
        "longer": ("all~0.0",),
        "short": ("all~0.0",),
        "mean": ("all~0.75",),
        "fine": ("all~0.5", "all~1.0"),
        "slow": ("all~0.0@steps~16",),
        "slow-neon": ("all~0.5@steps~16",),
    }
    assert [name for name, rival in rivals.items() if not rival.self_trained] == ["longer", "short", "slow"]
    assert [name for name, rival in rivals.items() if rival.is_fixed] == ["short", "slow"]


def test_settings_that_the_study_searches_are_searched_for_rivals_too(config):
    config["grid"]["sampler"] = {"rho": [5, 7], "steps": [8]}
    rivals = read_rivals(config)
    assert rivals["longer"].candidates == ("all~0.0@rho~5@steps~8", "all~0.0@rho~7@steps~8")
    assert rivals["slow"].candidates == ("all~0.0@rho~5@steps~16", "all~0.0@rho~7@steps~16")


@pytest.mark.parametrize(
    ("model", "point", "evaluations", "kimg", "sets", "set_evaluations"),
    [
        ("base", "all~0.0", 15, 0, 0, 15),
        ("global", "all~0.5", 15, 12, 1, 15),
        ("sims", "all~0.5@steps~4", 2 * 7, 12, 1, 15),
        ("longer", "all~0.0", 15, 12, 0, 15),
        ("short", "all~0.0", 15, 0, 0, 15),
        ("mean", "all~0.75", 15, 3 * 12, 3, 15),
        ("fine", "all~1.0", 15, 12, 1, 31),
        ("slow", "all~0.0@steps~16", 31, 0, 0, 15),
        ("slow-neon", "all~0.5@steps~16", 31, 12, 1, 15),
    ],
)
def test_prices(config, tiny, model, point, evaluations, kimg, sets, set_evaluations):
    """Heun's n steps are 2n − 1 evaluations, a training image is three: all else is a count by hand."""
    found = costs(config, tiny, 12, read_rivals(config).get(model, model), point)
    assert (found["evaluations"], found["training_kimg"]) == (evaluations, kimg)
    drawn = sets * config["synthetic"]["images"] * set_evaluations
    assert found["of_training"] == pytest.approx((3000 * kimg + drawn) / 150_000)


def test_what_a_model_was_chosen_from(config, tiny):
    rivals = read_rivals(config)
    found = {
        name: costs(config, tiny, 12, role, "all~0.5")["candidates"]
        for name, role in {"global": "global", "blockwise": "blockwise", **rivals}.items()
    }
    assert found == {
        "global": 2,
        "blockwise": 2,
        "sims": 4,
        "longer": 1,
        "short": 1,
        "mean": 1,
        "fine": 2,
        "slow": 1,
        "slow-neon": 1,
    }


def test_an_imported_base_model_has_a_training_of_unknown_length(config, tiny):
    config["base"]["training"] = None
    assert costs(config, tiny, 12, "global", "all~0.5")["of_training"] is None


def test_estimate(config):
    config["search"]["images"], config["heldout"]["images"] = 100, 1000
    rules = {rule.name: rule for rule in rules_of(config, 3.0, lambda sampler: sampler["steps"])}
    found = {name: (rule.jobs, rule.work, rule.flop) for name, rule in rules.items() if "measure" not in name}
    assert found == {
        "sims: generate": (
            6 * 5,
            6 * (4 * 100 + 1000),
            2 * 6,
        ),  # replicas · snapshots; 4 and 8 steps, two networks
        "longer: training": (2, 24_000, 3.0),
        "longer: generate": (6, 6000, 8),
        "short: generate": (3, 3000, 8),  # the same at all snapshots
        "mean: generate": (6, 6000, 8),
        "fine: synthetic": (3, 3000, 16),
        "fine: finetune": (6, 72_000, 3.0),
        "fine: generate": (6 * 3, 6 * 1200, 8),
        "slow: generate": (3, 3000, 16),
        "slow-neon: generate": (6, 6000, 16),
    }


@pytest.mark.parametrize(
    ("job", "work"),
    [
        ("replica-1/rivals/fine/synthetic", ("fine: synthetic", 1000)),
        ("replica-1/rivals/fine/finetune-24", ("fine: finetune", 12_000)),
        ("rivals/longer/training-12", ("longer: training", 12_000)),
        ("replica-0/rivals/sims/search-12/all~0.5@steps~4-generate", ("sims: generate", 600)),
        ("replica-0/rivals/sims/heldout-12/all~0.5@steps~4-measure", ("sims: measure", 6000)),
        ("replica-0/rivals/gone/synthetic", None),
        ("replica-0/rivals/select-12", None),
        ("replica-0/grid-12/0.5-generate", None),
    ],
)
def test_benchmark_files(config, job, work):
    assert work_of(config, job) == work


def experiment(root, name, given):
    return read_config(
        root / "schemas/config.schema.yaml",
        [root / "config.yaml", root / f"experiments/{name}.yaml"],
        {"search": {"method": "grid"}} | given,
    )


@pytest.mark.parametrize("family", ["var", "xar", "imm"])
def test_only_denoisers_and_velocities_can_guide(root, refuses, family):
    guided = [{"name": "sims", "kind": "guidance"}]
    with refuses("config: rivals.0.kind: guidance", family, "remove it"):
        experiment(root, f"digits-{family}", {"rivals": guided})
    assert experiment(root, "digits-flow", {"rivals": guided})["rivals"] == guided


def test_an_imported_model_is_trained_as_it_is_fine_tuned(root, refuses):
    rival = {"name": "real", "kind": "training"}
    with refuses("config: rivals.0.as", "no state of its training; set it to finetune"):
        experiment(root, "cifar10-uncond", {"rivals": [rival]})
    experiment(root, "cifar10-uncond", {"rivals": [rival | {"as": "finetune"}]})


def test_guidance_in_an_interval_is_searched(root):
    searched = {"guidance": [1, 2], "guidance_from": [0.25], "guidance_to": [0.75]}
    given = {
        "base": {"training": {"label_dropout": 0.1}},
        "rivals": [{"name": "cfg", "kind": "sampler", "searched": searched}],
    }
    config = experiment(root, "digits-flow", given)
    settings = "@guidance_from~0.25@guidance_to~0.75"
    assert read_rivals(config)["cfg"].candidates == tuple(
        f"enc~0.0_mid~0.0_dec~0.0@guidance~{g}{settings}" for g in (1, 2)
    )
    assert parse_settings(settings) == {"guidance_from": 0.25, "guidance_to": 0.75}
