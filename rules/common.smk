# The checked configuration and the names of the files; every other file of rules builds on these.
import json
import os
import sys
from pathlib import Path

from adaptive_neon.studies.config import block_patterns, check_network
from adaptive_neon.studies.layers import read_config
from adaptive_neon.errors import InputError
from adaptive_neon.merging.grid import cell_name, point_name
from adaptive_neon.data.images import shards_of
from adaptive_neon.search.settings import parse_settings, settings_name, split
from adaptive_neon.jobs.job import tie_jobs_to_workflow
from adaptive_neon.jobs.lock import lock_results
from adaptive_neon.studies.plan import BASE_KIMG, Study

try:
    # Snakemake lays files over each other too, but keeps the last of two equal keys and the keys of another family.
    checked = read_config(
        Path(workflow.source_path("../schemas/config.schema.yaml")),
        [*filter(Path.exists, [Path("config.yaml")]), *workflow.overwrite_configfiles],
        workflow.config_settings.config,
    )
    config.clear()
    config.update(checked)
    if workflow.is_main_process:  # the processes of its jobs need not wait for torch
        check_network(config)
    tie_jobs_to_workflow(workflow.is_main_process)
except InputError as error:
    sys.exit(f"adaptive-neon: {error}")

STUDY = Study(config)
RUN = config["run"]
RESULTS = f"results/{config['experiment']}"

BASE = f"{RESULTS}/base/model.safetensors"
# The frozen autoencoder or tokenizer of a family that draws latents or tokens.
CODEC = (
    [f"{RESULTS}/base/codec.safetensors"]
    if config["base"]["codec"] or (config["base"]["architecture"] or {}).get("codec")
    else []
)
DATA = f"{RESULTS}/data/images.npz"
EXTRACTOR = f"{RESULTS}/reference/{config['features']['extractor']}.safetensors"
REFERENCE = f"{RESULTS}/reference/{config['features']['extractor']}.npz"
ENVIRONMENT = (
    f"../envs/{RUN['environment']}.yaml"  # used with --software-deployment-method conda
)
REPLICA = f"{RESULTS}/replica-{{replica}}"
FIGURES = f"{RESULTS}/figures"
TABLES = f"{RESULTS}/tables"
# What a report shows of the configuration: all that its study depends on.
SHOWN_CONFIG = {
    key: value
    for key, value in config.items()
    if key not in ("run", "compare", "toy", "collapse", "measured")
}
# How many GPUs a job of each kind asks for. The profile says how many there are, maybe none.
GPU = int(RUN["device"] != "cpu")
TRAINING_GPUS = GPU * RUN["training_processes"]
FEATURE_GPU = GPU * (config["features"]["extractor"] != "digits")
SEEDS = {"grid": "search", "heldout": "heldout"}
BASE_CELLS = {
    "grid": cell_name(STUDY.base_point),
    "heldout": point_name(STUDY.base_point),
}
# What the names of points and cells go on with: the sampler settings that are searched.
SEARCHED_SETTINGS = list(map(settings_name, STUDY.settings))
CELL = f"{REPLICA}/{{stage}}/{{kimg}}/{{cell}}"
CELL_NAME = "replica-{replica}/{stage}-{kimg}/{cell}"

FETCHES = 100  # priority of the jobs that may need the network, which then is missed in the first minute


wildcard_constraints:
    replica=r"\d+",
    kimg=r"\d+",
    stage="grid|heldout",
    cell=r"[^/]+",
    shard=r"\d+",


# Snakemake's own lock, which a killed run leaves behind, is switched off in the profile.
onstart:
    try:
        # What this run writes: the experiment, or the studies of rules/toy.smk and rules/collapse.smk, or all.
        for folder in {
            Path(*Path(file).parts[:2])
            for job in workflow.dag.needrun_jobs()
            for file in job.output
        }:
            lock_results(folder)
    except InputError as error:
        sys.exit(f"adaptive-neon: {error}")


def logs(name, results=RESULTS):
    """The log and the benchmark of a rule, beside each other."""
    return f"{results}/logs/{name}.log"


def benchmarks(name, results=RESULTS):
    return f"{results}/benchmarks/{name}.tsv"


def local_file(location):
    """A file that the config names, if it is here; a change of it then counts. Jobs fetch or miss the others."""
    return [location] if location and os.path.exists(location) else []


def local_model(location):
    """The same of a model; of a folder, the files in it."""
    return local_folder(location) or local_file(location)


def local_folder(location):
    """The files in a folder of this machine; none of what is no folder."""
    if not location or not os.path.isdir(location):
        return []
    files = [path for path in Path(location).rglob("*") if path.is_file()]
    hidden = [
        any(part.startswith(".") for part in path.relative_to(location).parts)
        for path in files
    ]
    return sorted(str(path) for path, hides in zip(files, hidden) if not hides)


def snapshot(replica, kimg):
    """θ_s after `kimg` of self-training; before any, it is the base model."""
    if int(kimg) == BASE_KIMG:
        return BASE
    stage = {"self-training": "finetune", "random": "random"}[config["direction"]]
    return f"{RESULTS}/replica-{replica}/{stage}/{kimg}/model.safetensors"


CELL_MODELS = {
    "base": BASE,
    "codec": CODEC,
    "tuned": lambda wildcards: snapshot(wildcards.replica, wildcards.kimg),
}


def cell_points(wildcards):
    """The points of a cell: of the grid, all with its weights; elsewhere a cell is one point."""
    if wildcards.stage == "grid":
        cell, settings = split(wildcards.cell)
        return [point_name(point) + settings for point in STUDY.cells[cell]]
    return [wildcards.cell]


def cell_sampler(wildcards):
    """The sampler settings that a cell is drawn with."""
    return config["sampler"] | parse_settings(wildcards.cell)


def cell_shards(wildcards):
    """The seeds of each shard of a cell. Images that are there keep the number that they were drawn in."""
    drawn = shards_of(f"{CELL}/images.npz".format(**wildcards))
    return STUDY.shards(
        SEEDS[wildcards.stage], int(wildcards.replica), drawn or RUN["shards"]
    )


def shard_files(wildcards):
    """The shards of a cell, none where one job draws it whole."""
    count = len(cell_shards(wildcards))
    return [f"{CELL}/shard-{shard}.npz" for shard in range(count)] if count > 1 else []


def training_state(wildcards):
    """Training continues from the previous snapshot's state; the first begins at θ_r."""
    previous = STUDY.previous_snapshot(int(wildcards.kimg))
    if previous == BASE_KIMG:
        return []
    return f"{REPLICA}/finetune/{previous}/state.pt"


def cell_file(stage, kimg, cell, name):
    """A file of a cell, with the replica left open. All weights 0 is the base model after any self-training."""
    kimg = BASE_KIMG if split(cell)[0] == BASE_CELLS[stage] else kimg
    return f"{REPLICA}/{stage}/{kimg}/{cell}/{name}"


def selection(replica, kimg):
    """The outcome of a search, which decides what is generated and measured next."""
    with checkpoints.select.get(replica=replica, kimg=kimg).output[0].open() as file:
        return json.load(file)


def heldout_files(name, runs):
    """A file of each role's held-out cell at some (replica, kimg), each once; the base model has a role in all."""
    return list(dict.fromkeys(file for files in _heldout(name, runs) for file in files))


def heldout_positions(name, runs):
    """Where the files of each role stand among `heldout_files`, for each (replica, kimg): storage moves the files."""
    files = heldout_files(name, runs)
    return [[files.index(file) for file in of] for of in _heldout(name, runs)]


def _heldout(name, runs):
    return [
        [
            cell_file("heldout", kimg, point, name).format(replica=replica)
            for point in selection(replica, kimg)["roles"].values()
        ]
        for replica, kimg in runs
    ]


def toy_family(*keys):
    """A params function: what the configuration says of the wildcards' family under these keys."""

    def values(wildcards):
        return {key: config["toy"][wildcards.family][key] for key in keys}

    return values
