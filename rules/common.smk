# The checked configuration and the names of the files; every other file of rules builds on these.
import functools
import json
import os
import sys
from pathlib import Path

from adaptive_neon.studies.config import block_patterns, check_network, starting_noise
from adaptive_neon.studies.layers import read_config
from adaptive_neon.errors import InputError
from adaptive_neon.merging.blocks import LAYERS
from adaptive_neon.merging.grid import (
    cell_name,
    is_digest,
    parse_point,
    path_name,
    point_name,
)
from adaptive_neon.data.images import names_of, shards_of
from adaptive_neon.search.settings import parse_settings, settings_name, split
from adaptive_neon.jobs.job import tie_jobs_to_workflow
from adaptive_neon.jobs.lock import lock_results
from adaptive_neon.rivals.plan import (
    AVERAGED,
    EMA,
    GUIDANCE,
    SAMPLER,
    SYNTHETIC,
    TRAINING,
    read_rivals,
)
from adaptive_neon.studies.plan import BASE_KIMG, POOL, Study

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
        check_network(
            config, Path(f"results/{config['experiment']}/base/model.safetensors")
        )
    tie_jobs_to_workflow(workflow.is_main_process)
except InputError as error:
    sys.exit(f"adaptive-neon: {error}")

STUDY = Study(config)
RIVALS = read_rivals(config)
RUN = config["run"]
RESULTS = f"results/{config['experiment']}"

BASE = f"{RESULTS}/base/model.safetensors"
BASE_STATE = f"{RESULTS}/base/state.pt"
# Moving averages of which those of other lengths are made.
BASE_AVERAGES = (
    [f"{RESULTS}/base/averages.safetensors"]
    if (config["base"]["training"] or {}).get("average_kimg")
    else []
)
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
    and (key != "rivals" or RIVALS)
}
if STUDY.method != "gradient":
    SHOWN_CONFIG["search"] = {
        key: value for key, value in config["search"].items() if key != "gradient"
    }
# The blocks of the search; with a weight for every layer its single weights have names of one block.
FINEST_BLOCKS = LAYERS if config["blocks"] == LAYERS else block_patterns(config)
# How many GPUs a job of each kind asks for. The profile says how many there are, maybe none.
GPU = int(RUN["device"] != "cpu")
TRAINING_GPUS = GPU * RUN["training_processes"]
FEATURE_GPU = GPU * (config["features"]["extractor"] != "digits")
BASE_CELLS = {
    "grid": cell_name(STUDY.base_point),
    "heldout": point_name(STUDY.base_point),
}
# What the names of points and cells go on with: the sampler settings that are searched.
SEARCHED_SETTINGS = list(map(settings_name, STUDY.settings))
FIRST_POINTS = set(map(point_name, STUDY.points))
CELL = f"{REPLICA}/{{stage}}/{{kimg}}/{{cell}}"
CELL_NAME = "replica-{replica}/{stage}-{kimg}/{cell}"

FETCHES = 100  # priority of the jobs that may need the network, which then is missed in the first minute


wildcard_constraints:
    replica=r"\d+",
    kimg=r"\d+",
    stage=r"grid|round-\d+|heldout|rivals/[^/]+/(search|heldout)",
    rival=r"[^/]+",
    round=r"\d+",
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


def cell_rival(wildcards):
    """The rival whose images a cell holds, None of those of the study itself."""
    folder, *rest = wildcards.stage.split("/")
    return RIVALS[rest[0]] if folder == "rivals" else None


def cell_models(wildcards):
    """θ_r and the model with which it is merged, θ_s, or that guides it, `weak`."""
    own = {"base": BASE, "tuned": snapshot(wildcards.replica, wildcards.kimg)}
    rival = cell_rival(wildcards)
    if rival is None or rival.kind == SAMPLER:
        return own
    shared, folder = f"{RESULTS}/rivals/{rival.name}", f"{REPLICA}/rivals/{rival.name}"
    model = f"{wildcards.kimg}/model.safetensors"
    return {
        GUIDANCE: {"base": BASE, "weak": own["tuned"]},
        TRAINING: dict.fromkeys(("base", "tuned"), f"{shared}/training/{model}"),
        EMA: dict.fromkeys(("base", "tuned"), f"{shared}/model.safetensors"),
        AVERAGED: own | {"tuned": f"{shared}/averaged/{model}"},
        SYNTHETIC: own | {"tuned": f"{folder}/finetune/{model}"},
    }[rival.kind]


@functools.cache  # a run plans it once, whatever it draws later
def first_cells(replica, kimg, settings):
    """The cells of the first round of a search with some sampler settings, given what its pool holds already."""
    pool = f"{REPLICA}/grid/{{kimg}}/{POOL}{settings}/images.npz"
    drawn = names_of(pool.format(replica=replica, kimg=kimg))
    return STUDY.cells(drawn and list(map(parse_point, drawn)))


def cell_points(wildcards):
    """The points whose images a cell has: of the first round, one or more; elsewhere a cell is one point."""
    if wildcards.stage == "grid":
        cell, settings = split(wildcards.cell)
        points = first_cells(wildcards.replica, wildcards.kimg, settings)[cell]
        return [point_name(point) + settings for point in points]
    if is_digest(wildcards.cell):
        roles = selection(wildcards.replica, wildcards.kimg)["roles"]
        return [next(n for n in roles.values() if path_name(n) == wildcards.cell)]
    return [wildcards.cell]


def measured_points(wildcards):
    """The points of a cell that the study asks for; a pool may hold others, of an earlier configuration."""
    points = cell_points(wildcards)
    if wildcards.stage != "grid":
        return points
    return [name for name in points if split(name)[0] in FIRST_POINTS]


def cell_selection(wildcards):
    """What tells the weights of a point whose cell is a digest: its parameters then depend on it."""
    if is_digest(wildcards.cell):
        return checkpoints.select.get(
            replica=wildcards.replica, kimg=wildcards.kimg
        ).output[0]
    return []


def cell_sampler(wildcards):
    """The sampler settings that a cell is drawn with."""
    return config["sampler"] | parse_settings(wildcards.cell)


def cell_images(wildcards):
    """Whether a cell is of the search or held out."""
    return "heldout" if wildcards.stage.endswith("heldout") else "search"


def search_round(wildcards):
    """The round of the search, and whether a cell holds the base model with its control variate, for `STUDY.seeds`."""
    if wildcards.stage.startswith("round-"):
        round_ = int(wildcards.stage.removeprefix("round-"))
    else:
        round_ = 1
    own = wildcards.stage == "grid" or round_ > 1
    return {"round_": round_, "control": own and int(wildcards.kimg) == BASE_KIMG}


def cell_seeds(wildcards):
    """The seeds of a cell: first, and number."""
    return STUDY.seeds(
        cell_images(wildcards), int(wildcards.replica), **search_round(wildcards)
    )


def cell_noise(wildcards):
    """What the images of a cell start from."""
    return starting_noise(config, cell_images(wildcards))


def cell_shards(wildcards):
    """The seeds of each shard of a cell. Images that are there keep the number that they were drawn in."""
    shards = shards_of(f"{CELL}/images.npz".format(**wildcards)) or RUN["shards"]
    return STUDY.shards(
        cell_images(wildcards),
        int(wildcards.replica),
        shards,
        **search_round(wildcards),
    )


def cell_control(wildcards):
    """The features of the base model on the seeds of a cell of the search and further ones, its control variate."""
    if not STUDY.control or cell_images(wildcards) == "heldout":
        return []
    settings = split(wildcards.cell)[1]
    if settings not in SEARCHED_SETTINGS:  # of a rival
        settings = SEARCHED_SETTINGS[0]
    stage = wildcards.stage if wildcards.stage.startswith("round-") else "grid"
    name = BASE_CELLS.get(stage, point_name(STUDY.base_point))
    return f"{REPLICA}/{stage}/{BASE_KIMG}/{name}{settings}/features.npz"


def shard_files(wildcards):
    """The shards of a cell, none where one job draws it whole."""
    count = len(cell_shards(wildcards))
    return [f"{CELL}/shard-{shard}.npz" for shard in range(count)] if count > 1 else []


def training_state(wildcards, folder=f"{REPLICA}/finetune"):
    """Training continues from the previous snapshot's state; the first begins at θ_r."""
    previous = STUDY.previous_snapshot(int(wildcards.kimg))
    if previous == BASE_KIMG:
        return []
    return f"{folder}/{previous}/state.pt"


def cell_file(stage, kimg, cell, name):
    """A file of a cell, with the replica left open. All weights 0 is the base model after any self-training."""
    kimg = BASE_KIMG if split(cell)[0] == BASE_CELLS.get(stage) else kimg
    return f"{REPLICA}/{stage}/{kimg}/{cell}/{name}"


def first_round(wildcards):
    """The metrics of the cells with which a search begins."""
    return [
        cell_file("grid", wildcards.kimg, f"{cell}{settings}", "metrics.json")
        for settings in SEARCHED_SETTINGS
        for cell in first_cells(wildcards.replica, wildcards.kimg, settings)
    ]


def round_cells(wildcards):
    """The metrics of the points of a later round."""
    points = checkpoints.next_round.get(**wildcards)
    with points.output[0].open() as file:
        return [
            cell_file(f"round-{wildcards.round}", wildcards.kimg, point, "metrics.json")
            for point in json.load(file)["points"]
        ]


def later_rounds(rounds):
    """The metrics of whole rounds, but for the first, whose cells are known."""
    return [f"{REPLICA}/rounds/{{kimg}}/{i}-metrics.json" for i in rounds if i > 1]


def selection(replica, kimg):
    """The outcome of a search, which decides what is generated and measured next."""
    with checkpoints.select.get(replica=replica, kimg=kimg).output[0].open() as file:
        return json.load(file)


def heldout_files(name, runs):
    """A file of each role's held-out cell at some (replica, kimg), each once; the base model has a role in all."""
    return once(_heldout(name, runs))


def heldout_positions(name, runs):
    """Where the files of each role stand among `heldout_files`, for each (replica, kimg): storage moves the files."""
    return positions(_heldout(name, runs))


def heldout_ahead(name, runs):
    """Those of base and collapsed models, which need not wait for a search unless it chooses their settings."""
    if len(SEARCHED_SETTINGS) > 1:
        return []
    return once(
        [
            cell_file(
                "heldout", kimg, point_name(point) + SEARCHED_SETTINGS[0], name
            ).format(replica=replica)
            for point in (STUDY.base_point, STUDY.collapsed_point)
        ]
        for replica, kimg in runs
    )


def once(files_of_runs):
    """Each file once."""
    return list(dict.fromkeys(file for files in files_of_runs for file in files))


def positions(files_of_runs):
    """Where the files of each run stand among all of them, each once."""
    files = once(files_of_runs)
    return [[files.index(file) for file in of] for of in files_of_runs]


def _heldout(name, runs):
    return [
        [
            cell_file("heldout", kimg, path_name(point), name).format(replica=replica)
            for point in selection(replica, kimg)["roles"].values()
        ]
        for replica, kimg in runs
    ]


def toy_family(*keys):
    """A params function: what the configuration says of the wildcards' family under these keys."""

    def values(wildcards):
        return {key: config["toy"][wildcards.family][key] for key in keys}

    return values
