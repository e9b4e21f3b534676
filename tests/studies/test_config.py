import copy
from pathlib import Path

import numpy as np
import pytest
import yaml
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.networks.settings import UNET_BLOCKS
from adaptive_neon.studies.config import (
    block_patterns,
    check_config,
    check_network,
    search_control,
    starting_noise,
)
from adaptive_neon.studies.layers import FAST, read_config, read_scalars

ROOT = Path(__file__).parents[2]
MISSING = object()
RIVAL = [{"name": "a", "kind": "guidance"}]


@pytest.fixture(scope="module")
def schema():
    return yaml.load((ROOT / "schemas" / "config.schema.yaml").read_text(), FAST)


LISTED = [{"name": name, "pattern": pattern} for name, pattern in UNET_BLOCKS.items()]


def change(config, key, value):
    """Set the value of a key such as `blocks.0.name`, or take the key away."""
    if key.startswith("blocks."):
        config["blocks"] = copy.deepcopy(LISTED)
    *path, last = (int(part) if part.isdigit() else part for part in key.split("."))
    for part in path:
        config = config[part]
    if value is MISSING:
        del config[last]
    else:
        config[last] = value


def test_the_default_is_sound(config, schema):
    check_config(config, schema)
    check_network(config)
    assert list(block_patterns(config)) == ["enc", "mid", "dec"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grid.weights", [1]),
        ("grid.weights", [-0.5, 0, 100]),
        ("grid.diagonal", []),
        ("finetune.lr", 1),
        ("finetune.dropout", 0),
        ("finetune.micro_batch", 64),
        ("base.training.lr_rampup_kimg", 0),
        ("base.training.ema_rampup_ratio", 0.05),
        ("heldout.first_seed", 2000),
        ("replicas", 3),
        ("run.device", "cuda"),
        ("classes", "drawn"),
        ("search.method", "surface"),
        ("search.method", "gradient"),
        ("base.architecture.label_dim", 0),  # without classes there is nothing to balance
    ],
)
def test_sound_changes(config, schema, key, value):
    config["search"] |= {"method": "grid", "images": 2000, "rounds": 1, "control": 0, "first_seed": 0}
    config["heldout"]["first_seed"] = 50_000
    config["finetune"]["batch"] = 256
    change(config, key, value)
    check_config(config, schema)


TYPES = [
    ("replicas", "2", "must be a whole number; write 2"),
    ("replicas", 2.0, "must be a whole number"),
    ("replicas", True, "must be a whole number"),
    ("replicas", None, "must be a whole number"),
    ("finetune.lr", "2e-4", "'2e-4' must be a finite number; write 0.0002"),
    ("finetune.lr", "high", "'high' must be a finite number"),
    ("finetune.lr", "line\nbreak", "must be a finite number"),
    ("finetune.lr", float("nan"), "nan must be a finite number"),
    ("base.training.kimg", float("inf"), "inf must be a finite number"),
    ("base.training.kimg", "inf", "must be a finite number"),
    ("base.training.dropout", False, "must be a finite number"),
    ("experiment", 7, "7 must be a text"),
    ("grid", [0.5, 1.0], "must be a section of keys"),
    ("run", None, "must be a section of keys"),
    ("grid.weights", 0.5, "must be a list"),
    ("grid.weights.1", "0.75", "must be a finite number; write 0.75"),
    ("base.architecture.channel_mult.0", 1.5, "must be a whole number"),
]
KEYS = [
    ("finetun", {}, "unknown key; did you mean finetune?"),
    ("finetune.learning_rate", 1e-4, "unknown key; known here: "),
    ("sampler.step", 18, "unknown key; did you mean steps?"),
    ("blocks.1.patern", "x", "unknown key; did you mean pattern?"),
    ("base.architecture.dropout", 0.1, "unknown key"),
    ("toy.diffusion.sampler.step", 20, "unknown key; did you mean steps?"),
    ("toy.autoregressive.sampler.steps", 20, "unknown key"),
    ("sampler", MISSING, "missing"),
    ("finetune.lr", MISSING, "missing"),
    ("blocks.2.pattern", MISSING, "missing"),
]
RANGES = [
    ("experiment", "../outside", "must match the regular expression"),
    ("data.source", 10, "must be a text"),
    ("data.mirrors", ["a.zip"], "must be a section of keys"),
    ("data.mirrors", [{"location": "a.zip", "sha": "0"}], "unknown key; did you mean sha256?"),
    ("base.architecture.model_type", "VisionTransformer", "must be one of SongUNet, DhariwalUNet"),
    ("base.architecture.label_dim", -1, "-1 must be at least 0"),
    ("base.architecture.channel_mult", [], "must hold at least 1 value"),
    ("base.training.batch", 0, "0 must be at least 1"),
    ("base.training.lr", 0, "0 must be above 0"),
    ("base.training.ema_rampup_ratio", 0.0, "must be above 0"),
    ("synthetic.images", -5, "-5 must be at least 6"),
    ("synthetic.first_seed", -1, "-1 must be at least 0"),
    ("finetune.seed", 2**32, "4294967296 must be at most 4294967295"),
    ("finetune.dropout", 1, "1 must be below 1"),
    ("finetune.snapshots_kimg", [], "must hold at least 1 value"),
    ("finetune.snapshots_kimg.0", 0, "0 must be at least 1"),
    ("finetune.ema_halflife_kimg", -1, "-1 must be at least 0"),
    ("blocks", [], "must hold at least 1 value"),
    ("blocks", "thirds", "must be one of enc-mid-dec"),
    ("base.sha256", "6D958", "must match the regular expression"),
    ("blocks.0.name", "enc_1", "'enc_1' must match the regular expression"),
    ("grid.weights", [], "[] must hold at least 1 value"),
    ("grid.weights", [0.5, 0.75, 0.5], "must not repeat a value"),
    ("grid.weights", [1, 1.0], "must not repeat a value"),
    ("grid.weights", [101], "101 must be at most 100"),
    ("grid.diagonal", [0, -1, 0.0], "must not repeat a value"),
    ("sampler.steps", 1, "1 must be at least 2"),
    ("sampler.rho", -7, "-7 must be above 0"),
    ("intervals.seed_blocks", 1, "1 must be at least 2"),
    ("features.extractor", "inception-v3", "must be one of digits, inception, inception-clean"),
    ("replicas", 0, "0 must be at least 1"),
    ("run.job_threads", 0, "0 must be at least 1"),
    ("run.checkpoint_minutes", -1, "-1 must be at least 0"),
    ("run.device", "cuda:1", "must be one of auto, cpu, cuda"),
    ("toy.seeds", 0, "0 must be at least 1"),
    ("toy.diffusion.sampler.eta", 1.5, "1.5 must be at most 1"),
    ("toy.layerwise.bounds", [-2, 0, 2], "must hold at most 2 values"),
    ("toy.layerwise.deltas", [], "must hold at least 1 value"),
    ("run.precision", "double", "must be one of auto, float32, bfloat16, float16"),
]


@pytest.mark.parametrize(("key", "value", "words"), TYPES + KEYS + RANGES)
def test_faults_of_one_key(config, schema, refuses, key, value, words):
    change(config, key, value)
    shown = key.rpartition(".")[0] if key.split(".")[-1].isdigit() else key
    with refuses("config: ", shown, words):
        check_config(config, schema)


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"blocks.1.name": "enc"}, "blocks", "repeat"),
        ({"finetune.snapshots_kimg": [25, 12]}, "finetune.snapshots_kimg", "[25, 12] is not rising"),
        ({"finetune.snapshots_kimg": [12, 12, 25]}, "finetune.snapshots_kimg", "is not rising"),
        ({"sampler.sigma_min": 80}, "sampler.sigma_min", "not below sampler.sigma_max, 80"),
        ({"sampler.sigma_max": 0.001}, "sampler.sigma_min", "not below sampler.sigma_max, 0.001"),
        ({"base.checkpoint": "A.pkl"}, "base.checkpoint", "both are given; set one to null"),
        ({"data.source": "a{b}.zip"}, "data.source", "'a{b}.zip' has braces, which Snakemake takes for wildcards"),
        ({"features.reference": "}.npz"}, "features.reference", "'}.npz' has braces"),
        ({"base.training": None}, "base.checkpoint", "both are null; set one"),
        ({"base.architecture": None}, "base.architecture", "base.training needs it"),
        ({"base.training.micro_batch": 100}, "base.training.micro_batch", "100 does not divide"),
        ({"run.training_processes": 2}, "base.training.micro_batch", "256 makes 1 micro-batches"),
        ({"finetune.augment": 0.12}, "finetune.augment", "0.12 needs base.architecture.augment_dim: 9"),
        ({"finetune.micro_batch": 512}, "finetune.micro_batch", "512 does not divide finetune.batch, 256"),
        ({"heldout.first_seed": 999}, "heldout.first_seed", "999–5998 overlap the search seeds 0–999"),
        ({"heldout.first_seed": 0}, "heldout.first_seed", "overlap"),
        ({"search.first_seed": 54_999}, "heldout.first_seed", "overlap"),
        ({"search.first_seed": 50_100}, "heldout.first_seed", "overlap"),
        ({"intervals.seed_blocks": 30}, "search.images", "1000 does not split into intervals.seed_blocks = 30"),
        ({"heldout.images": 5001}, "heldout.images", "5001 does not split"),
        ({"search.rounds": 2}, "search.rounds", "a grid is drawn in one"),
        ({"search.method": "surface", "grid.weights": [0.5]}, "grid.weights", "span 0, too little for a surface"),
        ({"search.method": "gradient", "grid.weights": [0.5]}, "grid.weights", "span 0, too little for a surface"),
        ({"search.method": "gradient", "search.rounds": 2}, "search.rounds", "a gradient search has one"),
        (
            {"search.method": "gradient", "search.gradient.images": 15},
            "search.gradient.images",
            "a multiple of 10",
        ),
        ({"search.method": "gradient", "search.gradient.steps": 491}, "heldout.first_seed", "seeds 0–50099"),
        (
            {"search.method": "gradient", "grid.sampler": {"steps": [6, 8]}},
            "grid.sampler",
            "has one sampler; remove",
        ),
        ({"blocks": "layers"}, "blocks", "search.method is grid; set it to gradient"),
        ({"search.method": "race", "search.rounds": 51}, "heldout.first_seed", "the search seeds 0–50999"),
        ({"search.control": 50}, "heldout.first_seed", "the search seeds 0–50999"),
        ({"search.method": "gradient", "search.control": 1}, "search.control", "set it to 0 or null"),
        ({"heldout.noise": "antithetic", "heldout.images": 5100}, "heldout.images", "choose 5000 or 5200"),
        (
            {"search.images": 250},
            "search.images",
            "blocks of 25 (intervals.seed_blocks), which 10 balanced classes",
        ),
        # In pairs of ten balanced classes each 20 consecutive seeds belong together.
        (
            {"search.noise": "antithetic", "search.images": 1500},
            "search.images",
            "1500 in 10 blocks (intervals.seed_blocks) would part the antithetic pairs of 10 balanced classes; "
            "choose 1400 or 1600, other blocks, or search.noise: independent",
        ),
        ({"search.noise": "antithetic", "search.images": 60}, "search.images", "choose 200, other blocks"),
        ({"search.noise": "antithetic", "search.first_seed": 10}, "search.first_seed", "choose 0 or 20"),
        (
            {"search.noise": "antithetic", "replicas": 2, "replica_stride": 200_010},
            "replica_stride",
            "choose 200000 or 200020",
        ),
        (
            {"search.noise": "antithetic", "classes": "drawn", "search.images": 1010},
            "search.images",
            "would part antithetic pairs; choose 1000 or 1020",
        ),
        (
            {
                "search.noise": "antithetic",
                "base.checkpoint": "A.pkl",
                "base.training": None,
                "base.architecture": None,
            },
            "search.noise",
            "give base.architecture.label_dim",
        ),
        ({"replicas": 2, "replica_stride": 50_000}, "replica_stride", "50000 is below the highest seed, 100999"),
        # Torch's generator on a CPU takes 32 bits of a seed: 2³² is seed 0 again.
        ({"heldout.first_seed": 2**32 - 1}, "heldout", "4294967295"),
        ({"replicas": 2, "replica_stride": 2**32}, "replica_stride", "4294967295"),
        ({"experiment": "toy"}, "experiment", "choose another name"),
        ({"experiment": "collapse"}, "experiment", "choose another name"),
        (
            {"loop.regimes": [{"name": "a", "data": "fixed"}]},
            "loop.regimes.0.real",
            "data: fixed needs the share of real images",
        ),
        ({"loop.regimes": [{"name": "a", "data": "replace", "real": 0.5}]}, "loop.regimes.0.real", "remove it"),
        ({"loop.regimes": [{"name": "base", "data": "replace"}]}, "loop.regimes.0.name", "generation 0"),
        ({"loop.regimes": [{"name": "a", "data": "fresh", "real": 0.0001}]}, "loop.regimes.0.real", "0 of 1500"),
        ({"loop.regimes": 2 * [{"name": "a", "data": "replace"}]}, "loop.regimes", "repeat"),
        ({"loop.generations": 900, "replicas": 9}, "loop.generations", "more than 10,000"),
        ({"rivals": 2 * [{"name": "a", "kind": "guidance"}]}, "rivals", "repeat"),
        ({"rivals": [{"name": "global", "kind": "guidance"}]}, "rivals", "global is the name of a model"),
        ({"rivals": RIVAL, "loop.generations": 1}, "rivals", "a study of a loop has none"),
        ({"rivals": RIVAL, "search.method": "race"}, "rivals", "search.method is race"),
        ({"rivals": [{"name": "a", "kind": "synthetic"}]}, "rivals.0.sampler", "kind: synthetic needs it"),
        ({"rivals": [RIVAL[0] | {"as": "base"}]}, "rivals.0.as", "no key of kind: guidance"),
        ({"rivals": [RIVAL[0] | {"weights": [1, 2, 3, 4]}]}, "rivals.0.weights", "4 candidates"),
        (
            {"rivals": [{"name": "a", "kind": "synthetic", "sampler": {}}], "direction": "random"},
            "rivals.0.kind",
            "direction is random",
        ),
        (
            {"rivals": [{"name": "a", "kind": "ema", "length": 0.1}]},
            "base.training.average_kimg",
            "rivals.0, kind: ema, needs it",
        ),
        ({"rivals": [{"name": "a", "kind": "ema"}]}, "rivals.0.length", "give a number from 0.01 to 0.28"),
        ({"base.training.average_kimg": 1}, "base.training.average_kimg", "more than 100 times in 160 kimg"),
        ({"rivals": [{"name": "a", "kind": "averaged"}]}, "rivals.0.kind", "one self-training; set replicas"),
        (
            {"rivals": [{"name": "a", "kind": "synthetic", "sampler": {"sigma_max": 0.001}}]},
            "rivals.0",
            "not below sampler.sigma_max, 0.001",
        ),
        (
            {"rivals": [{"name": "a", "kind": "sampler", "searched": {"sigma_min": [0.1, 90]}}]},
            "rivals.0",
            "not below sampler.sigma_max, 80",
        ),
        ({"rivals": [{"name": "a", "kind": "sampler", "searched": {"step": [4]}}]}, "rivals.0.searched", "steps?"),
        ({"rivals": [{"name": "a/b", "kind": "guidance"}]}, "rivals.0.name", "must match"),
        ({"loop.generations": 2, "loop.first_seed": 52000}, "loop.first_seed", "overlap the heldout seeds"),
        (
            {"loop.generations": 100, "loop.images": 9000, "replicas": 2},
            "replica_stride",
            "replicas would share seeds",
        ),
        ({"collapse.study.shown": [0.3]}, "collapse.study.shown", "0.3 is not in collapse.study.shares"),
        ({"collapse.mixture.means": [0, 1]}, "collapse.mixture.weights", "3 weights, 2 means and 3 deviations"),
        ({"collapse.mixture.weights": [0.2, 0.3, 0.4]}, "collapse.mixture.weights", "they add up to 0.9"),
        ({"collapse.prevention.samples": [100, 10]}, "collapse.prevention.samples", "not rising"),
        ({"toy.diffusion.sweep.first": 2}, "toy.diffusion.sweep.first", "2 is not below last, 2"),
        ({"toy.layerwise.scale": 1.2}, "toy.layerwise.scale", "1.2 is not in toy.diffusion.self_training.scales"),
        ({"toy.layerwise.epochs": 100}, "toy.layerwise.epochs", "100 is not in"),
        ({"toy.layerwise.bounds": [2, -2]}, "toy.layerwise.bounds", "2 is not below -2"),
        # Precision and recall look at five neighbours of each image.
        ({"metrics.neighbours": 900}, "metrics.neighbours", "900 is not below the 900 search images"),
        ({"search.images": 4, "intervals.seed_blocks": 2}, "search.images", "4"),
    ],
)
def test_faults_between_keys(config, schema, refuses, changes, key, words):
    config["search"] |= {"method": "grid", "images": 1000, "rounds": 1, "control": 0, "first_seed": 0}
    config["search"]["gradient"] = {"steps": 10, "images": 100, "lr": 0.1}
    config["heldout"] = {"images": 5000, "noise": "independent", "first_seed": 50_000}
    config["synthetic"] = {"images": 1000, "first_seed": 100_000}
    config["finetune"]["batch"] = config["base"]["training"]["batch"] = 256
    config["intervals"]["seed_blocks"] = 10
    check_config(config, schema)
    for path, value in changes.items():
        change(config, path, value)
    with refuses(f"config: {key}", words):
        check_config(config, schema)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("blocks.0.pattern", "encoder", "matches no block"),
        ("blocks.0.pattern", "enc", "matches the blocks enc, mid"),
        ("blocks.1.pattern", "{lowest}_|map_|nothing", None),
        ("blocks.1.pattern", "{lowest}_|map_|(", "blocks"),
        ("blocks.1.name", "bottom", None),
        ("base.architecture.model_type", "DhariwalUNet", None),
        ("base.architecture.encoder_type", "residual", None),
        ("base.architecture.img_resolution", 9, "architecture.img_resolution: 9 cannot be halved"),
        ("base.architecture.channel_mult", [1, 1, 1, 1, 1], "architecture.img_resolution: 8 cannot be halved"),
        ("base.architecture.model_channels", 3, "make model_channels a multiple"),
    ],
)
def test_network(config, refuses, key, value, words):
    change(config, key, value)
    if words is None:
        check_network(config)
    else:
        with refuses(words):
            check_network(config)


@pytest.mark.parametrize("text", [None, "damaged"])
def test_names_of_a_base_model_that_is_there(config, refuses, tmp_path, text):
    """They are those of the file, if it is one of the architecture."""
    base = tmp_path / "model.safetensors"
    architecture = config["base"]["architecture"]
    write_checkpoint(base, {"model.enc.8x8_conv.weight": np.zeros(2, np.float32)}, architecture)
    if text:
        base.write_text(text)
        check_network(config, base)
        return
    with refuses("matches no parameter"):
        check_network(config, base)
    config["base"]["architecture"] = {**architecture, "num_blocks": 2}
    check_network(config, base)


@pytest.mark.parametrize("architecture", [None, "as in the file"])
def test_a_checkpoint_instead_of_training(config, schema, refuses, architecture):
    """Its architecture is known only after the import, unless the config says it too."""
    config["base"] |= {"checkpoint": "https://example.org/network.pkl", "training": None}
    config["blocks"] = [{"name": "all", "pattern": "nowhere"}]
    if architecture is None:
        config["base"]["architecture"] = None
        check_config(config, schema)
        check_network(config)
    else:
        check_config(config, schema)
        with refuses("matches no block"):
            check_network(config)


def test_a_block_without_parameters(config, refuses):
    config["blocks"] = [*LISTED, {"name": "tail", "pattern": "tail"}]
    with refuses("blocks.tail", "'tail' matches no parameter"):
        check_network(config)


def test_the_gaussian_studies_have_the_numbers_of_the_papers(config):
    """Neon's appendix, Adaptive Neon's section 4.1, and their notebooks."""
    toy = config["toy"]
    diffusion, autoregressive = toy["diffusion"], toy["autoregressive"]
    assert (diffusion["data"], diffusion["epochs"], diffusion["lr"]) == (1000, 10_000, 1e-4)
    assert diffusion["sampler"]["steps"] == 20
    assert diffusion["self_training"] == {"data": 1000, "scales": [0.9, 1.1], "epochs": [50, 250], "lr": 1e-5}
    assert (autoregressive["data"], autoregressive["epochs"], autoregressive["lr"]) == (100, 1000, 5e-4)
    assert autoregressive["self_training"] == {
        "data": 100_000, "scales": [0.5, 1.6], "epochs": [50, 250], "lr": 1e-4,
    }  # fmt: skip
    ranges = {
        (family, part): tuple(toy[family][part][key] for key in ("first", "last", "count"))
        for family in ("diffusion", "autoregressive")
        for part in ("sweep", "alignment")
    }
    assert ranges == {
        ("diffusion", "sweep"): (-2, 2, 101),
        ("diffusion", "alignment"): (0.8, 1.2, 46),
        ("autoregressive", "sweep"): (-1, 1, 41),
        ("autoregressive", "alignment"): (0.6, 1.4, 41),
    }
    assert toy["layerwise"]["deltas"] == [0.05, 0.1, 0.2, 0.4, 0.6, 1.0, 1.5, 1.72]
    assert (toy["layerwise"]["samples"], toy["verification"]) == (10_000, 1_000_000)
    assert toy["seeds"] >= 10


def test_the_study_of_loops_is_the_one_it_began_with(config):
    study = config["collapse"]["study"]
    assert (study["mean"], study["variance"], study["samples"], study["generations"]) == (5, 2, 1000, 5000)
    assert {0.1, 0.9, 1.0} <= set(study["shares"])
    assert config["collapse"]["seeds"] >= 1000


# Reading in layers


SCHEMA_FILE = ROOT / "schemas/config.schema.yaml"


def test_layers_are_laid_over_each_other(tmp_path, config):
    """An overlay changes its keys alone; values of the command line come last, as texts."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("finetune: {lr: 1.0e-3}\n")
    read = read_config(SCHEMA_FILE, [ROOT / "config.yaml", overlay], {"heldout": {"images": "500"}})
    assert read["finetune"] == config["finetune"] | {"lr": 1e-3}
    assert read["heldout"] == config["heldout"] | {"images": 500}


@pytest.mark.parametrize("text", ["0", "0.0", "0.0e+3", "-0.0"])
def test_a_whole_number_is_one_configuration(tmp_path, text):
    """Otherwise a study would train again because a number is written in another way."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"finetune: {{dropout: {text}}}\n")
    dropout = read_config(SCHEMA_FILE, [ROOT / "config.yaml", overlay])["finetune"]["dropout"]
    assert (repr(dropout), type(dropout)) == ("0", int)


@pytest.mark.parametrize("text", ["", " ", "# a comment"])
def test_an_empty_text_is_not_null(text):
    assert read_scalars({"run": {"cache": text, "shards": "null"}}) == {"run": {"cache": text, "shards": None}}


def test_a_quoted_number_in_a_file_is_a_text(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text('experiment: "2024"\n')
    assert read_config(SCHEMA_FILE, [ROOT / "config.yaml", overlay])["experiment"] == "2024"


BOMB = "\n".join(["a0: &a0 [1, 1]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("replicas: 1\nreplicas: 2\n", ["overlay.yaml", "the key replicas stands twice", "line 2"]),
        ("grid: {weights: [1.0], weights: [2.0]}\n", ["overlay.yaml", "the key weights stands twice"]),
        (BOMB, ["overlay.yaml", "100,000 values, those behind an alias counted"]),
        ("a: &a [*a]\n", ["overlay.yaml", "100,000 values, those behind an alias counted"]),
        ("[" * 5000, ["overlay.yaml", "not a configuration in YAML"]),
        ("a: [1\n", ["overlay.yaml", "not a configuration in YAML"]),
        ("\0", ["overlay.yaml", "not a configuration in YAML"]),
        ("", ["overlay.yaml", "holds no keys"]),
        ("[1, 2]", ["overlay.yaml", "holds no keys"]),
        ("base: [1]\n", ["base", "must be a section of keys"]),
        ("base: {architecture: {family: vae}}\n", ["base.architecture.family", "'vae' must be one of edm"]),
        ("base: {architecture: {family: [1]}}\n", ["base.architecture.family", "must be one of edm"]),
    ],
)
def test_a_file_that_is_no_configuration_is_one_line(tmp_path, refuses, content, words):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(content)
    with refuses(*words):
        read_config(SCHEMA_FILE, [ROOT / "config.yaml", overlay])


def test_a_missing_experiment_names_the_nearest(refuses):
    with refuses("experiments/digits-repliacs.yaml", "no such file; did you mean digits-replicas?"):
        read_config(SCHEMA_FILE, [ROOT / "config.yaml", ROOT / "experiments/digits-repliacs.yaml"])
    with refuses("there are", "cifar10-cond, "):
        read_config(SCHEMA_FILE, [ROOT / "config.yaml", ROOT / "experiments/xyzzy.yaml"])


@pytest.mark.parametrize("family", ["var", "xar"])
def test_families_without_a_gradient_refuse_it(root, refuses, family):
    schema, experiment = root / "schemas/config.schema.yaml", root / f"experiments/digits-{family}.yaml"
    given = {"search": {"method": "gradient"}}
    with refuses("config: search.method: gradient", f"images of {family}"):
        read_config(schema, [root / "config.yaml", experiment], given)


def test_a_gradient_search_needs_its_settings(config, schema, refuses):
    config["search"] = {
        "method": "gradient",
        "images": 1000,
        "rounds": 1,
        "noise": "independent",
        "control": 0,
        "first_seed": 0,
    }
    with refuses("config: search.gradient: missing"):
        check_config(config, schema)


def test_antithetic_noise_needs_noise(refuses):
    """A study that is refused for VAR alone, whose images start from no noise."""
    given = {"search": {"noise": "antithetic", "images": 200}}
    with refuses(
        "config: search.noise: antithetic, but var starts from no noise to negate; set it to independent"
    ):
        read_config(SCHEMA_FILE, [ROOT / "config.yaml", ROOT / "experiments/digits-var.yaml"], given)
    for family in ("flow", "xar", "imm"):
        overlay = ROOT / f"experiments/digits-{family}.yaml"
        config = read_config(SCHEMA_FILE, [ROOT / "config.yaml", overlay], given)
        assert config["search"]["noise"] == "antithetic"


@pytest.mark.parametrize(
    ("experiment", "given", "noise"),
    [
        (None, {}, "antithetic"),
        (None, {"search": {"images": 400}}, "antithetic"),
        (None, {"search": {"images": 300}}, "independent"),  # blocks of 30 would part pairs of ten classes
        (None, {"search": {"images": 300}, "base": {"architecture": {"label_dim": 5}}}, "antithetic"),
        (None, {"search": {"noise": "independent"}}, "independent"),
        ("digits-flow", {}, "antithetic"),
        ("digits-var", {"search": {"images": 200}}, "independent"),  # starts from no noise
        ("digits-layers", {}, "independent"),
        ("cifar10-cond", {}, "independent"),  # as published
        ("ffhq64", {}, "independent"),
        ("imagenet256-xar-b", {}, "independent"),
    ],
)
def test_auto_is_antithetic_wherever_pairs_fit(experiment, given, noise):
    overlay = [ROOT / f"experiments/{experiment}.yaml"] if experiment else []
    config = read_config(SCHEMA_FILE, [ROOT / "config.yaml", *overlay], given)
    assert starting_noise(config, "search") == noise


@pytest.mark.parametrize(
    ("experiment", "noise"),
    [(None, "antithetic"), ("digits-var", "independent"), ("cifar10-small", "independent")],
)
def test_published_fids_are_of_independent_images(experiment, noise):
    overlay = [ROOT / f"experiments/{experiment}.yaml"] if experiment else []
    config = read_config(SCHEMA_FILE, [ROOT / "config.yaml", *overlay], {})
    assert starting_noise(config, "heldout") == noise


@pytest.mark.parametrize(
    ("experiment", "given", "control"),
    [
        (None, {}, 5),
        (None, {"search": {"control": 2}}, 2),
        (None, {"features": {"width": 200}}, 0),  # as many as images
        ("digits-layers", {}, 0),  # a search by gradient
        ("cifar10-small", {}, 0),  # 2,000 images of 2,048 features
        ("cifar10-small", {"search": {"images": 2100}}, 5),
        ("imagenet256-xar-b", {}, 0),  # as published
    ],
)
def test_the_control_variate_needs_more_images_than_features(experiment, given, control):
    overlay = [ROOT / f"experiments/{experiment}.yaml"] if experiment else []
    assert search_control(read_config(SCHEMA_FILE, [ROOT / "config.yaml", *overlay], given)) == control


@pytest.mark.parametrize("family", ["edm", "flow"])
def test_a_checkpoint_brings_its_architecture(family):
    """Of the network that would have been trained only the family remains."""
    overlay = [] if family == "edm" else [ROOT / f"experiments/digits-{family}.yaml"]
    given = {"base": {"checkpoint": "A.safetensors", "training": None}}
    config = read_config(SCHEMA_FILE, [ROOT / "config.yaml", *overlay], given)
    assert config["base"]["architecture"] == {"family": family}
    var = [ROOT / "config.yaml", ROOT / "experiments/imagenet256-var-d16.yaml"]
    elsewhere = read_config(SCHEMA_FILE, var, {"base": {"checkpoint": "elsewhere.pth"}})
    assert elsewhere["base"]["architecture"] == read_config(SCHEMA_FILE, var)["base"]["architecture"]
    given["base"]["architecture"] = {"label_dim": 5}
    config = read_config(SCHEMA_FILE, [ROOT / "config.yaml", *overlay], given)
    assert config["base"]["architecture"] == {"family": family, "label_dim": 5}


def test_a_gradient_draws_no_pairs(refuses):
    given = {"search": {"method": "gradient", "noise": "antithetic", "images": 200}}
    with refuses("config: search.noise: antithetic, but the steps of a gradient draw no pairs"):
        read_config(SCHEMA_FILE, [ROOT / "config.yaml", ROOT / "experiments/digits-layers.yaml"], given)
