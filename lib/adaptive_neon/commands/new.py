"""Write the experiment that asks whether a model of yours can be improved by its own images.

The command looks at the model and the images, writes experiments/NAME.yaml with numbers to begin with, each with a
comment on where it comes from, and says what the study will cost and how to start it. It never overwrites a file.

  adaptive-neon new mine --base my-pipeline/ --data images.zip
  make EXPERIMENT=mine
"""

import argparse
from pathlib import Path

from adaptive_neon.commands.options import add_model, add_prompts
from adaptive_neon.commands.output import say
from adaptive_neon.errors import InputError

CONFIG = Path("config.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the experiment: letters, digits, '.', '_' and '-'")
    add_model(parser, "--base", "the model to improve", required=True)
    parser.add_argument(
        "--data",
        required=True,
        metavar="IMAGES",
        help="real images: a folder or .zip of PNG files, a .npz or .npy, digits or cifar10",
    )
    parser.add_argument(
        "--reference", metavar="STATS", help="a .npz with mu and sigma that FID is measured against"
    )
    parser.add_argument(
        "--codec", metavar="FILE", help="the frozen autoencoder or tokenizer, if it lies elsewhere"
    )
    add_prompts(parser)


def run(name: str, base: str, data: str, reference: str | None, codec: str | None, prompts: str | None) -> None:
    import yaml

    from adaptive_neon.commands.estimate import say_estimate
    from adaptive_neon.jobs.files import replacing
    from adaptive_neon.studies.layers import read_experiment
    from adaptive_neon.studies.proposal import pattern_of, proposal

    if not CONFIG.is_file():
        raise InputError("config.yaml: no such file here; run the command in the folder of a clone")
    pattern = yaml.safe_load(Path("schemas/config.schema.yaml").read_text())["$defs"]["experiment"]
    path = _new_file(name, pattern)
    given, network = _look(base, data, reference, codec, prompts)
    similar = pattern_of(given)
    overlay = [Path("experiments") / f"{similar}.yaml"] if similar else []
    text = proposal(name, given, read_experiment([CONFIG, *overlay]))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        config = read_experiment([CONFIG, temporary])
    say(f"{path}: a study of a model of the family {given.family}, after {similar or 'the default study'}")
    say_estimate(config, network, None, Path("results") / name)
    say(f"look at {path}, then start with: make EXPERIMENT={name}")
    say(f"the improved model, if there is one, will be results/{name}/model")


def _new_file(name: str, schema: dict) -> Path:
    import os

    from jsonschema import Draft202012Validator

    from adaptive_neon.jobs.files import check_writable
    from adaptive_neon.studies.config import FOLDERS

    if not Draft202012Validator(schema).is_valid(name) or name in FOLDERS:
        raise InputError(f"{name!r}: no name of an experiment; use letters, digits, '.', '_' and '-'")
    path = Path("experiments") / f"{name}.yaml"
    if os.path.lexists(path):
        raise InputError(f"{path}: is there already; choose another name, or remove it")
    check_writable(path)
    return path


def _look(base: str, data: str, reference: str | None, codec: str | None, prompts: str | None):
    """What is given, and the architecture of the model as estimates need it."""
    import json
    import math

    from adaptive_neon.data.datasets import read_source
    from adaptive_neon.data.downloads import Source, fetch
    from adaptive_neon.evaluation.references import read_statistics
    from adaptive_neon.families import name_of
    from adaptive_neon.jobs.gpus import visible_gpus
    from adaptive_neon.models.imported import find_codec, read_model
    from adaptive_neon.studies.config import check_sampler
    from adaptive_neon.studies.proposal import Given

    path = fetch([Source(base)])
    checkpoint = read_model(path, prompts and fetch([Source(prompts)]))
    architecture = {"family": name_of(checkpoint.architecture)} | checkpoint.architecture
    images, labels = read_source(data)
    shape = (architecture["img_resolution"],) * 2 + (architecture["img_channels"],)
    if images.shape[1:] != shape:
        raise InputError(
            f"{data}: images of {images.shape[1:]}, but {base} draws {shape}; bring the images to that size"
        )
    if reference:
        read_statistics(fetch([Source(reference)]))
    found = [] if codec else find_codec(path, None, architecture)
    sampler = json.loads(checkpoint.metadata["sampler"]) if "sampler" in checkpoint.metadata else None
    if sampler is not None:
        check_sampler(sampler, architecture, f"{base}: sampler in its metadata")
    given = Given(
        base=base,
        codec=codec or (None if not found else base if found[0] == Path(path) else str(found[0])),
        prompts=prompts,
        data=data,
        reference=reference,
        architecture=architecture,
        sampler=sampler,
        parameters=sum(math.prod(checkpoint.tensors[name].shape) for name in checkpoint.weights),
        images=len(images),
        labelled=labels is not None,
        gpu=bool(visible_gpus()),
    )
    return given, architecture
