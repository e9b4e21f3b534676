"""`adaptive-neon new` in the folder of a clone: what it writes is a study that plans."""

import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml
from adaptive_neon.commands.cli import main
from adaptive_neon.data.datasets import write_dataset
from adaptive_neon.data.images import digits
from adaptive_neon.evaluation.references import write_statistics
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.loading import arrays
from adaptive_neon.studies.config import starting_noise
from adaptive_neon.studies.layers import read_experiment
from persistent import write_network_pickle
from tiny_pipelines import LATENTS, PROMPTS, text_pipeline

ROOT_FILES = ("config.yaml", "schemas", "Snakefile", "rules", "scripts", "report", "profiles")


@pytest.fixture
def clone(tmp_path, root, monkeypatch):
    """The current folder: a clone, whose experiments may be added to."""
    for name in ROOT_FILES:
        (tmp_path / name).symlink_to(root / name)
    shutil.copytree(root / "experiments", tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(clone, name="mine"):
    return read_experiment([clone / "config.yaml", clone / f"experiments/{name}.yaml"])


def line_of(*arguments):
    """The one line that the failing command ends with."""
    with pytest.raises(SystemExit) as ended:
        main(["new", *arguments])
    line = str(ended.value.code)
    assert line.startswith("adaptive-neon: ") and len(line.splitlines()) == 1, line
    return line


def test_of_a_pickle(clone, make_network, tiny, capsys):
    write_network_pickle(clone / "A.pkl", make_network(dropout=0.2), tiny | {"dropout": 0.2})
    main(["new", "mine", "--base", "A.pkl", "--data", "digits"])
    told = capsys.readouterr().out.splitlines()
    config = read(clone)
    assert config["base"]["checkpoint"] == "A.pkl" and config["base"]["training"] is None
    assert config["synthetic"]["images"] == 1000 and config["finetune"]["snapshots_kimg"] == [12, 25]
    assert (config["finetune"]["dropout"], config["finetune"]["augment"]) == (0.2, 0)
    assert config["features"]["extractor"] == "digits"
    assert config["base"]["architecture"] == {"family": "edm", "label_dim": 10}  # nothing of the default study's
    assert config["search"]["images"] == 200  # whole antithetic pairs of ten classes in each of ten blocks
    assert told[0].startswith("experiments/mine.yaml: a study of a model of the family edm")
    assert [line.split()[0] for line in told[1:7]] == [
        "rule",
        "base",
        "synthetic",
        "finetune",
        "generate",
        "features",
    ]
    assert told[-2].endswith("make EXPERIMENT=mine") and told[-1].endswith("results/mine/model")
    text = (clone / "experiments/mine.yaml").read_text()
    numbers = [line for line in text.splitlines() if line.startswith("  ") and any(c.isdigit() for c in line)]
    assert len([line for line in numbers if "#" in line]) >= len(numbers) - 2  # says where it comes from

    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "snakemake",
            "--configfile",
            "experiments/mine.yaml",
            "--dry-run",
            "--quiet",
            "rules",
        ],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr

    line = line_of("mine", "--base", "A.pkl", "--data", "digits")
    assert "experiments/mine.yaml: is there already" in line
    assert (clone / "experiments/mine.yaml").read_text() == text


@pytest.mark.parametrize(
    ("classes", "search", "heldout"),
    [
        (7, 280, 6020),  # multiples of 2·7·10
        (
            100,
            300,
            6000,
        ),  # pairs would take 2,000 images; independent ones are half as many more than the default's
    ],
)
def test_classes_decide_how_many_images(clone, make_network, tiny, classes, search, heldout):
    network = make_network(label_dim=classes)
    write_checkpoint(clone / "A.safetensors", arrays(network), tiny | {"label_dim": classes})
    main(["new", "mine", "--base", "A.safetensors", "--data", "digits"])
    config = read(clone)
    assert (config["search"]["images"], config["heldout"]["images"]) == (search, heldout)
    assert starting_noise(config, "search") == ("independent" if classes == 100 else "antithetic")


def test_of_a_safetensors_with_few_images_and_a_reference(clone, make_network, tiny):
    """Lengths of training go by the number of synthetic images, of which there are no more than real ones."""
    network = make_network(img_resolution=32, img_channels=3, label_dim=0)
    architecture = tiny | {"img_resolution": 32, "img_channels": 3, "label_dim": 0}
    write_checkpoint(clone / "A.safetensors", arrays(network), architecture)
    images = np.random.default_rng(0).integers(256, size=(600, 32, 32, 3), dtype=np.uint8)
    write_dataset(clone / "images.npz", images, None, [])
    write_statistics(clone / "stats.npz", np.zeros(2048), np.eye(2048))
    main(["new", "mine", "--base", "A.safetensors", "--data", "images.npz", "--reference", "stats.npz"])
    config = read(clone)
    pattern = yaml.safe_load((clone / "experiments/cifar10-cond.yaml").read_text())
    assert config["synthetic"]["images"] == 600  # a tenth of the pattern's
    first, last = (pattern["finetune"]["snapshots_kimg"][i] for i in (0, -1))
    assert config["finetune"]["snapshots_kimg"] == [round(first / 10), round(last / 10)]
    assert config["finetune"]["ema_halflife_kimg"] == pattern["finetune"]["ema_halflife_kimg"] / 10
    assert config["finetune"]["lr"] == pattern["finetune"]["lr"]
    assert config["features"]["reference"] == "stats.npz" and config["features"]["extractor"] == "inception"


@pytest.mark.skipif(not importlib.util.find_spec("diffusers"), reason="diffusers is not installed")
def test_of_a_folder_of_diffusers(clone):
    from adaptive_neon.families.diffusers import family
    from adaptive_neon.families.diffusers.folder import write_folder

    known = family.complete({key: value for key, value in LATENTS.items() if key != "family"})
    parts = arrays(family.build(known)), arrays(family.build_codec(known))
    write_folder(clone / "A", known | {"family": "diffusers"}, *parts, {})
    write_dataset(clone / "images.npz", digits()[0], None, [])  # no classes
    main(["new", "mine", "--base", "A", "--data", "images.npz"])
    config = read(clone)
    assert config["features"]["extractor"] == "digits" and config["grid"]["weights"] == [0, 0.5, 1]
    assert "of clusters of the real images" in (clone / "experiments/mine.yaml").read_text()
    assert config["base"] | {"training": None} == config["base"]
    assert (config["base"]["checkpoint"], config["base"]["codec"]) == ("A", "A")
    assert config["blocks"] == "down-mid-up" and config["sampler"]["scheduler"] == "DDIMScheduler"


@pytest.mark.skipif(not importlib.util.find_spec("transformers"), reason="transformers is not installed")
def test_of_a_text_to_image_folder(clone):
    from adaptive_neon.families.diffusers.libraries import library, text_library

    text_pipeline(library(), text_library(), clone / "A")
    (clone / "prompts.txt").write_text("\n".join(PROMPTS))
    line = line_of("mine", "--base", "A", "--data", "digits")
    assert "A: a StableDiffusionPipeline draws from prompts" in line and "--prompts FILE" in line
    main(["new", "mine", "--base", "A", "--data", "digits", "--prompts", "prompts.txt"])
    config = read(clone)
    assert {key: config["base"][key] for key in ("checkpoint", "codec", "prompts")} == {
        "checkpoint": "A",
        "codec": "A",
        "prompts": "prompts.txt",
    }
    assert (config["blocks"], config["sampler"]) == ("down-mid-up", {"steps": 50, "guidance": 7.5})
    assert config["base"]["architecture"] == {"family": "diffusers", "label_dim": len(PROMPTS)}


def test_what_does_not_fit_is_one_line_and_leaves_nothing(clone, make_network, tiny):
    write_checkpoint(clone / "A.safetensors", arrays(make_network()), tiny)
    before = sorted((clone / "experiments").iterdir())
    images, _ = digits()
    write_dataset(clone / "rgb.npz", images.repeat(3, 3), None, [])
    assert "images of (8, 8, 3)" in line_of("mine", "--base", "A.safetensors", "--data", "rgb.npz")
    assert "absent.pkl" in line_of("mine", "--base", "absent.pkl", "--data", "digits")
    assert "no name of an experiment" in line_of("../mine", "--base", "A.safetensors", "--data", "digits")
    assert "no name of an experiment" in line_of("toy", "--base", "A.safetensors", "--data", "digits")
    assert "absent.npz" in line_of(
        "mine", "--base", "A.safetensors", "--data", "digits", "--reference", "absent.npz"
    )
    assert sorted((clone / "experiments").iterdir()) == before
