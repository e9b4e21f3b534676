"""What an experiment's configuration may say; every fault is one line that names the key."""

import copy
import difflib
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from adaptive_neon.errors import InputError, shown
from adaptive_neon.families import NAMES, name_of, settings_of
from adaptive_neon.families.batches import LARGEST
from adaptive_neon.merging.blocks import LAYERS, assign_blocks
from adaptive_neon.search.points import design_size
from adaptive_neon.search.settings import combinations

MOST_POINTS = 10_000  # of a grid: more would take hours to plan, and years to run
FOLDERS = {  # of results
    "toy": "the 2-D Gaussian studies",
    "collapse": "the studies of loops",
    "compare": "several studies on one page",
}
CONTROL = 5  # search.control by default
INCEPTION_FEATURES = 2048
NARROWEST = 0.1  # range of the weights of a surface, whose points have two digits
MOST_AVERAGES = 100  # times that two averages of the weights are kept in memory and in one file
MOST_JOBS = 10_000  # of a study's search: planning them takes Snakemake a minute
PARTLY_REAL = ("fixed", "fresh")  # the data of a loop's regime that have a share of real images
JOBS_OF_A_GENERATION = 9  # of a loop, at most
RIVAL_KEYS = {  # kind of a rival → its keys beside name and kind, and those that it needs
    "guidance": ({"weights", "searched"}, set()),
    "training": ({"as"}, set()),
    "ema": ({"length"}, {"length"}),
    "averaged": ({"weights"}, set()),
    "synthetic": ({"weights", "sampler"}, {"sampler"}),
    "sampler": ({"weights", "searched"}, {"searched"}),
}
HIGHEST_SEED = 2**32 - 1  # torch's generator on a CPU takes 32 bits of a seed

# JSON calls 2.0 an integer and lets infinities pass; a number of images is neither.
_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ).redefine(
        "number",
        lambda _, value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
    ),
)


def given_architecture(config: Mapping) -> Mapping | None:
    """base.architecture, empty where it is null; None where a layer says nothing of it."""
    base = config.get("base")
    if not isinstance(base, Mapping) or "architecture" not in base:
        return None
    return base["architecture"] if isinstance(base["architecture"], Mapping) else {}


def family_name(architecture: Mapping) -> str:
    """The name of the family, whether or not there is such a one."""
    return architecture.get("family") or name_of(None)


def complete_schema(schema: Mapping, architecture: Mapping | None, imported: bool = False) -> dict:
    """The schema of configurations whose models are of the architecture's family.

    Args:
        imported: whether θ_r is a checkpoint: of its architecture the configuration may say as little as it likes.
    """
    family = settings_of(architecture)
    own = family.SCHEMA["architecture"]
    complete = copy.deepcopy(dict(schema))
    sections = complete["properties"]
    sections["base"]["properties"]["architecture"] = {
        "type": ["object", "null"],
        "additionalProperties": False,
        "required": [] if imported else own["required"],
        "properties": {"family": {"enum": list(NAMES)}, **own["properties"]},
    }
    sections["sampler"] = {"type": "object", "additionalProperties": False, **family.SCHEMA["sampler"]}
    settings = family.SCHEMA["sampler"]["properties"]
    axes = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            key: {"type": "array", "minItems": 1, "uniqueItems": True, "items": value}
            for key, value in settings.items()
        },
    }
    sections["grid"]["properties"]["sampler"] = axes
    rival = sections["rivals"]["items"]["properties"]
    rival["searched"] = axes
    rival["sampler"] = {"type": "object", "additionalProperties": False, "properties": settings}
    sections["blocks"]["else"] = {"enum": [*family.block_presets(architecture), LAYERS]}
    parts = [complete["$defs"]["training"], family.SCHEMA["training"]]
    for section in (sections["base"]["properties"]["training"], sections["finetune"]):
        del section["$ref"]
        whole = [section, *parts]
        section["additionalProperties"] = False
        section["required"] = [key for part in whole for key in part["required"]]
        section["properties"] = {key: value for part in whole for key, value in part["properties"].items()}
    return complete


def check_config(config: Mapping, schema: Mapping) -> None:
    """Check types, ranges and unknown keys against the JSON schema, then what one key demands of another.

    Args:
        schema: of `schemas/config.schema.yaml`, to which the model's family adds its own sections.

    Raises:
        InputError: the first fault in the order of the keys.
    """
    architecture = given_architecture(config)
    if architecture and family_name(architecture) not in NAMES:
        family = architecture["family"]
        raise InputError(f"config: base.architecture.family: {family!r} must be one of {', '.join(NAMES)}")
    base = config.get("base")
    imported = isinstance(base, Mapping) and base.get("checkpoint") is not None
    validator = _Validator(complete_schema(schema, architecture, imported))
    faults = sorted(validator.iter_errors(config), key=lambda fault: list(map(str, fault.absolute_path)))
    if faults:
        raise InputError(_one_line(faults[0]))
    for key, message in _contradictions(config):
        raise InputError(f"config: {key}: {message}")


def check_sampler(sampler: Any, architecture: Mapping, where: str = "--sampler") -> None:
    """Check sampler settings from a command line or the file of a model, as those of a configuration are checked.

    Args:
        where: they stand, for the message.

    Raises:
        InputError: the first fault.
    """
    section = {"type": "object", "additionalProperties": False, **settings_of(architecture).SCHEMA["sampler"]}
    for fault in _Validator(section).iter_errors(sampler):
        raise InputError(_one_line(fault, where))
    alone = {"sampler": sampler, "base": {"architecture": None, "training": None}}
    for key, message in settings_of(architecture).contradictions(alone):
        raise InputError(f"{where}: {key}: {message}")


def check_network(config: Mapping, base: Path | None = None) -> None:
    """Check that the architecture can be built and that the blocks split its parameters.

    A base.checkpoint without a whole base.architecture is known only after its import; the merge checks it then.

    Args:
        base: where the study's θ_r is, once it has been made.

    Raises:
        InputError: the first fault.
    """
    architecture = config["base"]["architecture"]
    if architecture is None or not architecture.keys() >= set(
        settings_of(architecture).SCHEMA["architecture"]["required"]
    ):
        return
    names = (base and _names_in(base, architecture)) or _names_of(architecture)
    assign_blocks(list(filter(settings_of(architecture).is_weight, names)), block_patterns(config))


def _names_in(model: Path, architecture: Mapping) -> list[str]:
    """The tensors of a file, without the start of torch; none where it isn't there, or of another architecture."""
    from adaptive_neon.families.checkpoints import TensorFile, read_architecture

    with suppress(InputError):
        if model.exists() and read_architecture(model) == architecture:
            return list(TensorFile(model))
    return []


def _names_of(architecture: Mapping) -> list[str]:
    import torch

    from adaptive_neon.families.loading import build

    with torch.device("meta"):
        return list(build(architecture).state_dict())


def block_patterns(config: Mapping) -> dict[str, str]:
    """Block → pattern, in the order of the config. Layers have none: with one weight they are `all`."""
    blocks = config["blocks"]
    if blocks == LAYERS:
        return {"all": "."}
    if isinstance(blocks, str):
        architecture = config["base"]["architecture"]
        return dict(settings_of(architecture).block_presets(architecture)[blocks])
    return {block["name"]: block["pattern"] for block in blocks}


def _contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    base = config["base"]
    if (base["checkpoint"] is None) == (base["training"] is None):
        found = "both are null" if base["training"] is None else "both are given"
        yield (
            "base.checkpoint",
            f"θ_r comes from base.checkpoint or from base.training, but {found}; set one to null",
        )
    codec = (base["architecture"] or {}).get("codec")
    if codec and base["checkpoint"] and not base["codec"]:
        yield "base.codec", "null, but the images of base.checkpoint pass a codec; give its file"
    if base["codec"] and base["training"] and not codec:
        yield "base.codec", f"{base['codec']!r}, but base.architecture has no codec; set it to null"
    if base["prompts"] and base["training"]:
        yield "base.prompts", f"{base['prompts']!r}, but only a base.checkpoint draws from prompts; set it to null"
    files = {"data": ("source",), "base": ("checkpoint", "codec", "prompts"), "features": ("weights", "reference")}
    paths = [(f"{section}.{key}", config[section][key]) for section in files for key in files[section]]
    for key, path in [*paths, ("measured", config["measured"])]:
        if path and set(path) & {"{", "}"}:
            yield key, f"{path!r} has braces, which Snakemake takes for wildcards; rename the file"
        if path and (not path.strip("/") or not path.isprintable()):
            yield key, f"{path!r} is no file's path; give one"
    if base["training"] and base["architecture"] is None:
        yield "base.architecture", "null, but base.training needs it; give the network's architecture"
    axes = config["grid"].get("sampler", {})
    count = math.prod(map(len, axes.values()))
    if count > MOST_POINTS:
        yield "grid.sampler", f"{count} combinations; use at most {MOST_POINTS}"
    for settings in combinations(axes):
        sampler = config["sampler"] | settings
        for key, message in settings_of(base["architecture"]).contradictions({**config, "sampler": sampler}):
            yield ("grid." if key.rpartition(".")[2] in settings else "") + key, message
    names = [block["name"] for block in config["blocks"]] if isinstance(config["blocks"], list) else []
    if len(set(names)) < len(names):
        yield "blocks", f"the names {shown(names)} repeat; give each block its own"
    snapshots = config["finetune"]["snapshots_kimg"]
    if sorted(set(snapshots)) != snapshots:
        yield "finetune.snapshots_kimg", f"{shown(snapshots)} is not rising; sort it and drop what repeats"
    weights, blocks = len(config["grid"]["weights"]), len(block_patterns(config))
    search = config["search"]
    if search["method"] == "grid" and search["rounds"] > 1:
        yield "search.rounds", f"{search['rounds']}, but a grid is drawn in one; give more search.images, or race"
    if search["method"] == "gradient":
        yield from _gradient_contradictions(config)
        if search["control"]:
            yield "search.control", f"{search['control']}, but a gradient has no use for it; set it to 0 or null"
    elif config["blocks"] == LAYERS:
        yield "blocks", f"layers, but search.method is {search['method']}; set it to gradient, or name blocks"
    if search["method"] in ("surface", "gradient"):
        span = max(config["grid"]["weights"]) - min(config["grid"]["weights"])
        if span < NARROWEST:
            yield (
                "grid.weights",
                f"they span {span:g}, too little for a surface; let them span {NARROWEST:g} or search a grid",
            )
        points = cells = design_size(1 if search["method"] == "gradient" else blocks) + weights
    else:
        points = weights**blocks
        cells = sum(math.comb(weights, size) for size in range(1, blocks + 1))
    if count * points > MOST_POINTS:
        settings = f", with {count} combinations of sampler settings," if count > 1 else ""
        yield (
            "grid.weights",
            f"{weights} weights of each of {blocks} blocks{settings} are more than {MOST_POINTS:,} points; "
            "use fewer of one or the other",
        )
    cells += len(config["grid"]["diagonal"]) + (search["rounds"] - 1) * points
    cells *= count
    batch = config["run"]["sampling_batch"] or LARGEST
    shards = min(config["run"]["shards"], math.ceil(config["search"]["images"] / batch))
    if config["replicas"] * len(snapshots) * cells * shards > MOST_JOBS:
        yield (
            "replicas",
            f"{config['replicas']} × {len(snapshots)} snapshots × {cells} cells × {shards} shards are more than "
            f"{MOST_JOBS:,} jobs of the search; use fewer of one or the other",
        )
    for key in ("base.training", "finetune"):
        training = base["training"] if key == "base.training" else config[key]
        if not training:
            continue
        micro_batch = training.get("micro_batch", training["batch"])
        if training["batch"] % micro_batch:
            yield f"{key}.micro_batch", f"{micro_batch} does not divide {key}.batch, {training['batch']}"
        processes = config["run"]["training_processes"]
        if training["batch"] // micro_batch % processes:
            yield (
                f"{key}.micro_batch",
                f"{micro_batch} makes {training['batch'] // micro_batch} micro-batches of a batch, which "
                f"run.training_processes = {processes} cannot share evenly",
            )
    seeds = _seeds(config)
    search, heldout = seeds["search"], seeds["heldout"]
    if search.start < heldout.stop and heldout.start < search.stop:
        yield (
            "heldout.first_seed",
            f"seeds {heldout.start}–{heldout.stop - 1} overlap the search seeds {search.start}–{search.stop - 1}; "
            "held-out images must not have been searched",
        )
    for images in ("search", "heldout"):
        yield from _noise_contradictions(config, images)
    for key in ("search", "heldout"):
        if config[key]["images"] % config["intervals"]["seed_blocks"]:
            yield (
                f"{key}.images",
                f"{config[key]['images']} does not split into intervals.seed_blocks = "
                f"{config['intervals']['seed_blocks']} equal blocks; choose a multiple",
            )
        elif uneven := _uneven_classes(config, config[key]["images"] // config["intervals"]["seed_blocks"]):
            yield f"{key}.images", f"{config[key]['images']} makes {uneven}"
        left = config[key]["images"] - config[key]["images"] // config["intervals"]["seed_blocks"]
        if config["metrics"]["neighbours"] >= left:
            yield (
                "metrics.neighbours",
                f"{config['metrics']['neighbours']} is not below the {left} {key} images that are left without a "
                "block of seeds",
            )
    yield from _loop_contradictions(config, seeds)
    for key, own in seeds.items():
        last = own.stop - 1 + (config["replicas"] - 1) * config["replica_stride"]
        if last > HIGHEST_SEED:
            source = f"{key}.first_seed" if config["replicas"] == 1 else "replica_stride"
            yield source, f"the last seed would be {last}; the highest that tells streams apart is {HIGHEST_SEED}"
    highest = max(own.stop for own in seeds.values())
    if config["replicas"] > 1 and highest > config["replica_stride"]:
        yield (
            "replica_stride",
            f"{config['replica_stride']} is below the highest seed, {highest - 1}: replicas would share seeds",
        )
    if config["experiment"] in FOLDERS:
        yield (
            "experiment",
            f"{config['experiment']} is the folder of {FOLDERS[config['experiment']]}; choose another name",
        )
    training = config["base"]["training"] or {}
    if training.get("average_kimg", math.inf) * MOST_AVERAGES < training.get("kimg", 0):
        yield (
            "base.training.average_kimg",
            f"{training['average_kimg']:g} keeps averages more than {MOST_AVERAGES} times in "
            f"{training['kimg']:g} kimg; a 16th of kimg is enough, {training['kimg'] / 16:g}",
        )
    yield from _rival_contradictions(config)
    yield from _toy_contradictions(config["toy"])
    yield from _collapse_contradictions(config["collapse"])


def starting_noise(config: Mapping, images: str) -> str:
    """What search or held-out images start from: independent, or antithetic, which `auto` means wherever it fits.

    But of held-out images not where FIDs are compared with published ones, which are of independent images.
    """
    section = config[images]
    if section["noise"] != "auto":
        return section["noise"]
    if images == "heldout" and config["features"]["extractor"] != "digits":
        return "independent"
    in_pairs = {**config, images: {**section, "noise": "antithetic"}}
    return "independent" if any(_noise_contradictions(in_pairs, images)) else "antithetic"


def search_control(config: Mapping) -> int:
    """How many times search.images of the base model a search draws besides, as a control variate.

    The default is what the digits study gains by; with fewer images than features nothing is known.
    """
    search, features = config["search"], config["features"]
    if search["control"] is not None:
        return search["control"]
    dimension = features["width"] if features["extractor"] == "digits" else INCEPTION_FEATURES
    return CONTROL if search["images"] > dimension and search["method"] != "gradient" else 0


def _noise_contradictions(config: Mapping, images: str) -> Iterator[tuple[str, str]]:
    """Antithetic noise of a family that has none to negate, and pairs that seeds or the jackknife's blocks part.

    Of each 2L consecutive seeds the last L start from the negated noise of the first (see
    `families.sampling.antithetic`).
    """
    section, architecture = config[images], config["base"]["architecture"] or {}
    if section["noise"] != "antithetic":
        return
    if images == "search" and section["method"] == "gradient":
        yield f"{images}.noise", "antithetic, but the steps of a gradient draw no pairs; set it to independent"
    if not settings_of(architecture).STARTS_FROM_NOISE:
        yield (
            f"{images}.noise",
            f"antithetic, but {family_name(architecture)} starts from no noise to negate; set it to independent",
        )
    balanced = config["classes"] == "balanced"
    if balanced and "label_dim" not in architecture:
        yield (
            f"{images}.noise",
            "antithetic, but how many classes the base model has is not known before its import; give "
            "base.architecture.label_dim, or set it to independent",
        )
    classes = (balanced and architecture["label_dim"]) or 1
    pairs = f"the antithetic pairs of {classes} balanced classes" if classes > 1 else "antithetic pairs"
    blocks = config["intervals"]["seed_blocks"]
    if near := _nearest_multiples(section["images"], 2 * classes * blocks, least=1):
        yield (
            f"{images}.images",
            f"{section['images']} in {blocks} blocks (intervals.seed_blocks) would part {pairs}; choose {near}, "
            f"other blocks, or {images}.noise: independent",
        )
    starts = [(f"{images}.first_seed", section["first_seed"], 0)]
    if config["replicas"] > 1:
        starts.append(("replica_stride", config["replica_stride"], 1))
    for key, value, least in starts:
        if near := _nearest_multiples(value, 2 * classes, least):
            yield key, f"{value} would part {pairs}; choose {near}, or {images}.noise: independent"


def _nearest_multiples(value: int, unit: int, least: int) -> str:
    """The multiples of the unit around a number, in words; nothing for a multiple."""
    below = value // unit * unit
    near = [below, below + unit] if value != below else []
    return " or ".join(str(one) for one in near if one >= least)


def _uneven_classes(config: Mapping, block: int) -> str | None:
    """What is wrong with blocks of so many seeds, if they cannot hold all of the balanced classes equally often.

    The jackknife would take a block's surplus of some classes for noise of the images. The classes of a
    base.checkpoint without base.architecture are not known here.
    """
    classes = (config["base"]["architecture"] or {}).get("label_dim", 0)
    if config["classes"] != "balanced" or not classes or block % classes == 0:
        return None
    return (
        f"blocks of {block} (intervals.seed_blocks), which {classes} balanced classes cannot share evenly; choose "
        f"a multiple of {config['intervals']['seed_blocks'] * classes}, other blocks, or classes: drawn"
    )


def _seeds(config: Mapping) -> dict[str, range]:
    """The seeds of the first replica by the section that says them."""
    sections = {
        key: (config[key], config[key].get("rounds", 1) * config[key]["images"])
        for key in ("synthetic", "search", "heldout")
    }
    search, images = sections["search"]
    sections["search"] = search, images * (1 + search_control(config))
    if search["method"] == "gradient":  # each step has images of its own
        sections["search"] = search, images + search["gradient"]["steps"] * search["gradient"]["images"]
    if generations := config["loop"]["generations"]:  # each a block of seeds of its own, and one for Neon's
        sections["loop"] = config["loop"], 2 * (generations + 1) * config["loop"]["images"]
    return {
        key: range(section["first_seed"], section["first_seed"] + images)
        for key, (section, images) in sections.items()
    }


def _loop_contradictions(config: Mapping, seeds: Mapping[str, range]) -> Iterator[tuple[str, str]]:
    loop, replicas = config["loop"], config["replicas"]
    names = [regime["name"] for regime in loop["regimes"]]
    if len(set(names)) < len(names):
        yield "loop.regimes", f"the names {shown(names)} repeat; give each regime its own"
    for i, regime in enumerate(loop["regimes"]):
        key = f"loop.regimes.{i}"
        if regime["name"] == "base":
            yield f"{key}.name", "base is generation 0; choose another name"
        if regime["data"] in PARTLY_REAL:
            if "real" not in regime:
                yield f"{key}.real", f"missing, but data: {regime['data']} needs the share of real images"
            elif not 0 < (count := round(regime["real"] * loop["images"])) < loop["images"]:
                yield (
                    f"{key}.real",
                    f"{regime['real']} makes {count} of {loop['images']} images real; change either",
                )
        elif "real" in regime:
            yield f"{key}.real", f"{regime['real']}, but data: {regime['data']} has no share; remove it"
        if regime.get("start") == "scratch" and not config["base"]["training"]:
            yield f"{key}.start", "scratch, but base.training is null and says not how; start at previous"
    if not loop["generations"]:
        return
    jobs = replicas * len(names) * loop["generations"] * JOBS_OF_A_GENERATION
    if jobs > MOST_JOBS:
        yield (
            "loop.generations",
            f"{loop['generations']} × {len(names)} regimes × {replicas} replicas are up to {jobs:,} jobs, "
            f"more than {MOST_JOBS:,}; use fewer of one or the other",
        )
    for key in ("search", "heldout"):
        own, other = seeds["loop"], seeds[key]
        if own.start < other.stop and other.start < own.stop:
            yield (
                "loop.first_seed",
                f"seeds {own.start}–{own.stop - 1} overlap the {key} seeds {other.start}–{other.stop - 1}; "
                "no model may be trained on images that measure it",
            )


def _gradient_contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    search, architecture = config["search"], config["base"]["architecture"]
    if "gradient" not in search:
        yield (
            "search.gradient",
            "missing, but search.method: gradient needs it; config.yaml shows what belongs there",
        )
    if not getattr(settings_of(architecture), "DIFFERENTIABLE", False):
        yield "search.method", f"gradient, but images of {family_name(architecture or {})} have none; use surface"
    if search["rounds"] > 1:
        yield (
            "search.rounds",
            f"{search['rounds']}, but a gradient search has one; give more search.gradient.steps",
        )
    if config["grid"].get("sampler"):
        yield "grid.sampler", "searched with the weights, but a gradient search has one sampler; remove it"
    classes = (architecture or {}).get("label_dim", 0)
    images = search["gradient"]["images"]
    if config["classes"] == "balanced" and classes and images % classes:
        yield (
            "search.gradient.images",
            f"{images}, which {classes} balanced classes cannot share evenly; choose a multiple of {classes}",
        )


def _rival_contradictions(config: Mapping) -> Iterator[tuple[str, str]]:
    rivals, family = config["rivals"], settings_of(config["base"]["architecture"])
    names = [rival["name"] for rival in rivals]
    if len(set(names)) < len(names):
        yield "rivals", f"the names {shown(names)} repeat; give each rival its own"
    if taken := sorted({"base", "collapsed", "global", "blockwise"} & set(names)):
        yield "rivals", f"{taken[0]} is the name of a model of every study; choose another"
    if rivals and config["loop"]["generations"]:
        yield "rivals", "a study of a loop has none; remove them, or set loop.generations to 0"
    if rivals and config["search"]["method"] != "grid":
        yield (
            "rivals",
            f"they are searched on a grid, but search.method is {config['search']['method']}, which would search "
            "Neon better; set it to grid",
        )
    jobs = 0
    for i, rival in enumerate(rivals):
        key, kind = f"rivals.{i}", rival["kind"]
        known, needed = RIVAL_KEYS[kind]
        for foreign in sorted(rival.keys() - known - {"name", "kind"}):
            yield f"{key}.{foreign}", f"no key of kind: {kind}; remove it"
        for missing in sorted(needed - rival.keys()):
            what = "a number from 0.01 to 0.28" if missing == "length" else "sampler settings"
            yield f"{key}.{missing}", f"missing, but kind: {kind} needs it; give {what}"
        if kind == "guidance" and not hasattr(family, "NOISE_LEVEL"):
            name = family_name(config["base"]["architecture"] or {})
            yield f"{key}.kind", f"guidance, but {name} predicts no noise or velocity to guide by; remove it"
        if kind == "training" and rival.get("as", "base") == "base" and not config["base"]["training"]:
            yield f"{key}.as", "base, but base.checkpoint brings no state of its training; set it to finetune"
        if kind == "ema" and not (config["base"]["training"] or {}).get("average_kimg"):
            if config["base"]["training"]:
                kept = f"set it to a 16th of kimg, {config['base']['training']['kimg'] / 16:g}"
                yield "base.training.average_kimg", f"missing, but rivals.{i}, kind: ema, needs it; {kept}"
            else:
                yield f"{key}.kind", "ema, but base.checkpoint brings no averages of its training; remove it"
        if kind == "synthetic" and config["direction"] == "random":
            yield f"{key}.kind", "synthetic, but direction is random, whatever the set; remove it"
        if kind == "averaged" and config["replicas"] < 2:
            yield f"{key}.kind", "averaged, but there is one self-training; set replicas to 2 or more"
        weights, grid = rival.get("weights"), config["grid"]["weights"]
        if weights and len(weights) > len(grid):
            yield (
                f"{key}.weights",
                f"{len(weights)} candidates, but grid.weights has {len(grid)} for Neon; give no more",
            )
        axes = config["grid"].get("sampler", {}) | rival.get("searched", {})
        count = math.prod(map(len, axes.values()))
        if count > MOST_POINTS:
            yield f"{key}.searched", f"{count} combinations; use at most {MOST_POINTS}"
            continue
        jobs += count * len(weights or grid) + 1
        for settings in [*combinations(axes), rival.get("sampler", {})]:
            changed = {**config, "sampler": config["sampler"] | settings}
            for of, message in family.contradictions(changed):
                yield f"{key}: {of}", message
    jobs *= config["replicas"] * len(config["finetune"]["snapshots_kimg"])
    if jobs > MOST_JOBS:
        yield "rivals", f"they are {jobs:,} jobs, more than {MOST_JOBS:,}; give fewer, or fewer weights"


def _toy_contradictions(toy: Mapping) -> Iterator[tuple[str, str]]:
    for family in ("diffusion", "autoregressive"):
        for part in ("sweep", "alignment"):
            values = toy[family][part]
            if values["first"] >= values["last"]:
                yield f"toy.{family}.{part}.first", f"{values['first']} is not below last, {values['last']}"
    for one, several in (("scale", "scales"), ("epochs", "epochs")):
        known = toy["diffusion"]["self_training"][several]
        if toy["layerwise"][one] not in known:
            yield (
                f"toy.layerwise.{one}",
                f"{toy['layerwise'][one]} is not in toy.diffusion.self_training.{several}, {known}",
            )
    low, high = toy["layerwise"]["bounds"]
    if low >= high:
        yield "toy.layerwise.bounds", f"{low} is not below {high}"


def _collapse_contradictions(collapse: Mapping) -> Iterator[tuple[str, str]]:
    unknown = sorted(set(collapse["study"]["shown"]) - set(collapse["study"]["shares"]))
    if unknown:
        yield (
            "collapse.study.shown",
            f"{unknown[0]} is not in collapse.study.shares, {collapse['study']['shares']}",
        )
    mixture = collapse["mixture"]
    sizes = [len(mixture[key]) for key in ("weights", "means", "deviations")]
    if len(set(sizes)) > 1:
        yield (
            "collapse.mixture.weights",
            f"{sizes[0]} weights, {sizes[1]} means and {sizes[2]} deviations; give as many",
        )
    if abs(sum(mixture["weights"]) - 1) > 1e-6:
        yield "collapse.mixture.weights", f"they add up to {sum(mixture['weights']):g}; make it 1"
    for key in ("samples", "generations"):
        values = collapse["prevention"][key]
        if sorted(set(values)) != values:
            yield f"collapse.prevention.{key}", f"{values} is not rising; sort it and drop what repeats"


def _one_line(fault: ValidationError, source: str = "config") -> str:
    key = ".".join(map(str, fault.absolute_path))
    value, allowed = fault.instance, fault.validator_value
    rule = {
        "type": lambda: f"must be {_type_names(allowed)}{_exponent_hint(value)}",
        "enum": lambda: f"must be one of {', '.join(map(str, allowed))}",
        "minimum": lambda: f"must be at least {allowed}",
        "exclusiveMinimum": lambda: f"must be above {allowed}",
        "maximum": lambda: f"must be at most {allowed}",
        "exclusiveMaximum": lambda: f"must be below {allowed}",
        "minItems": lambda: f"must hold at least {allowed} value{'s' * (allowed != 1)}",
        "maxItems": lambda: f"must hold at most {allowed} value{'s' * (allowed != 1)}",
        "minLength": lambda: "must not be empty",
        "maxLength": lambda: f"must not be longer than {allowed} characters",
        "pattern": lambda: f"must match the regular expression {allowed}",
        "uniqueItems": lambda: "must not repeat a value",
    }
    if fault.validator == "additionalProperties":
        known = list(fault.schema["properties"])
        unknown = min(set(value) - set(known), key=str)
        near = difflib.get_close_matches(str(unknown), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return f"{source}: {'.'.join([key, str(unknown)]).lstrip('.')}: unknown key; {hint}"
    if fault.validator == "required":
        missing = next(name for name in allowed if name not in value)
        return f"{source}: {'.'.join([key, missing]).lstrip('.')}: missing; config.yaml shows what belongs there"
    given = "null" if value is None else shown(value)
    return f"{': '.join(filter(None, [source, key]))}: {given} {rule[fault.validator]()}"


def _type_names(types: str | list[str]) -> str:
    words = {
        "integer": "a whole number",
        "number": "a finite number",
        "string": "a text",
        "object": "a section of keys",
        "array": "a list",
        "null": "null",
    }
    return " or ".join(words[name] for name in ([types] if isinstance(types, str) else types))


def _exponent_hint(value: Any) -> str:
    """YAML reads 2e-3 as text: only a number with a point may have an exponent."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        return ""
    text = repr(int(number) if number.is_integer() and abs(number) < 1e15 else number)
    return f"; write {text if '.' in text else text.replace('e', '.0e')}"
