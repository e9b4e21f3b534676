"""Every experiment is sound, and says at once what it misses where there is no network."""

import importlib.util
import sys

import pytest

from . import runner

NVIDIA = "https://nvlabs-fi-cdn.nvidia.com/edm"
PUBLISHED = {("import_base",), ("import_statistics",), ("import_extractor",)}
EXPERIMENTS = {  # some jobs of each
    "cifar10-cond": PUBLISHED | {("finetune", "0", "2552"), ("generate", "0", "grid", "550", "0.75_1.0_1.25")},
    "cifar10-uncond": PUBLISHED | {("finetune", "0", "2552"), ("generate", "0", "grid", "550", "2.0")},
    "ffhq64": PUBLISHED | {("finetune", "0", "3000"), ("generate", "0", "grid", "250", "3.0")},
    "imagenet256-var-d16": PUBLISHED
    | {("import_codec",), ("finetune", "0", "7250"), ("generate", "0", "grid", "250", "2.0@guidance~3.8")},
    "imagenet512-var-d36": PUBLISHED
    | {("import_codec",), ("finetune", "0", "3000"), ("generate", "0", "grid", "200", "0.2@guidance~3.2")},
    "cifar10-small": {("base",), ("import_extractor",), ("finetune", "0", "100")},
    "cifar10-flow-small": {("base",), ("import_extractor",), ("finetune", "0", "100")},
    "cifar10-imm-small": {("base",), ("import_extractor",), ("finetune", "0", "100")},
    "digits-imm": {("base",), ("extractor",), ("finetune", "0", "25")},
    "imagenet256-imm": PUBLISHED | {("import_codec",), ("finetune", "0", "6042")},
    "digits-flow": {("base",), ("extractor",), ("finetune", "0", "25")},
    "digits-var": {("base",), ("codec",), ("finetune", "0", "12")},
    "imagenet256-xar-b": PUBLISHED | {("import_codec",), ("finetune", "0", "7250")},
    "imagenet256-xar-l": PUBLISHED | {("import_codec",), ("finetune", "0", "7250")},
    "digits-xar": {("base",), ("extractor",), ("finetune", "0", "25")},
    "digits-null": {("base",), ("extractor",), ("randomise", "4", "12")},
    "digits-one-block": {("base",), ("extractor",), ("finetune", "0", "25")},
    "digits-layers": {("base",), ("extractor",), ("gradient", "2", "12")},
    "digits-replicas": {("base",), ("extractor",), ("finetune", "4", "12")},
    "digits-rivals": {
        ("base",),
        ("extractor",),
        ("average", "averaged", "12"),
        ("rival_finetune", "2", "synthetic-4-steps", "12"),
    },
    "cifar10-rivals": {("base",), ("import_extractor",), ("linearity", "0", "50")},
    "cifar10-rivals-two-cores": {("base",), ("import_extractor",), ("generate", "2", "grid", "12", "3.0")},
    "digits-loop": {("base",), ("loop_correct", "2", "neon", "6"), ("loop_measure", "2", "half-real", "6")},
    "cifar10-loop": {("base",), ("import_extractor",), ("loop_correct", "0", "neon", "4")},
    "families": {("base",), ("extractor",), ("finetune", "2", "25")},
}
# Every client is sent to a port where nobody listens.
OFFLINE = {
    name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "npm_config_registry", "PIP_INDEX_URL")
}


def run(folder, experiment, *flags):
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", runner.ROOT / "Snakefile", "--directory", folder,
        "--configfile", runner.ROOT / "config.yaml", runner.ROOT / f"experiments/{experiment}.yaml", *flags,
    ]  # fmt: skip
    return runner.run_command(command, OFFLINE | {"no_proxy": "", "ADAPTIVE_NEON_CACHE": str(folder / "cache")})


def test_every_experiment_is_listed_here():
    files = {path.stem for path in (runner.ROOT / "experiments").glob("*.yaml")}
    assert files == {*EXPERIMENTS, "afhqv2", "digits-latent"}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_dry_run_needs_no_network(tmp_path, experiment):
    process = run(tmp_path, experiment, "--dry-run")
    assert process.returncode == 0, process.stdout
    jobs = runner.jobs(process.stdout)
    assert jobs >= EXPERIMENTS[experiment]
    assert (("base",) in jobs) != (("import_base",) in jobs)


def test_one_of_diffusers_needs_it(tmp_path):
    process = run(tmp_path, "digits-latent", "--dry-run")
    if importlib.util.find_spec("diffusers"):
        assert runner.jobs(process.stdout) >= {("codec",), ("base",), ("finetune", "0", "25")}
        return
    assert process.returncode == 1
    (line,) = [text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")]
    assert "diffusers is not installed" in line and "requirements-diffusers.txt" in line


def test_the_pretrained_model_alone(tmp_path):
    process = run(tmp_path, "afhqv2", "--dry-run", "pretrained")
    jobs = runner.jobs(process.stdout)
    assert jobs >= PUBLISHED | {("measure", "0", "heldout", "0", "all~0.0")}
    assert not any(job[0] in ("finetune", "synthetic") for job in jobs)


@pytest.mark.parametrize(
    ("experiment", "target", "missing"),
    [
        ("cifar10-cond", "import_base", f"{NVIDIA}/pretrained/edm-cifar10-32x32-cond-vp.pkl"),
        ("cifar10-cond", "import_statistics", f"{NVIDIA}/fid-refs/cifar10-32x32.npz"),
        ("cifar10-small", "data", "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"),
        ("cifar10-small", "import_extractor", "inception-2015-12-05.pt"),
        ("ffhq64", "data", "datasets/ffhq-64x64.zip"),
    ],
)
def test_what_is_missing_without_network_is_one_line(tmp_path, experiment, target, missing):
    process = run(tmp_path, experiment, "--quiet", "all", "--until", target)
    assert process.returncode == 1
    (line,) = [text for text in process.stdout.splitlines() if text.startswith("adaptive-neon:")]
    assert missing in line
    mend = "give the path of the file" if experiment == "ffhq64" else f"and put it at {tmp_path}/cache/"
    assert mend in line
