"""The outcome: the improved model, if there is one, and its card."""

import json
import shutil
from pathlib import Path

from adaptive_neon.data.downloads import Source, fetch
from adaptive_neon.families import settings_of
from adaptive_neon.families.checkpoints import CODEC, read_checkpoint, write_checkpoint
from adaptive_neon.jobs.files import read_json, replacing, sha256_of
from adaptive_neon.jobs.job import job
from adaptive_neon.models.card import kept
from adaptive_neon.studies.outcome import choose, improved_model, library, model_card


def write_own(folder, model, about):
    from adaptive_neon.families.loading import load, write_state_dict

    write_checkpoint(folder / "model.safetensors", model.tensors, model.architecture, **about)
    write_state_dict(folder / "model.pt", load(model))
    for codec in snakemake.input.codec:
        with replacing(folder / CODEC) as temporary:
            shutil.copyfile(codec, temporary)


def folder_of_base(architecture):
    """The folder of the library that the base model came from, if it did, and the prompts it was read with."""
    given, cache = snakemake.params.config["base"], snakemake.config["run"]["cache"]
    if not (given["checkpoint"] and library(architecture)):
        return None, None
    path = fetch([Source(given["checkpoint"], given["sha256"])], cache)
    if not path.is_dir():
        return None, None
    return path, given["prompts"] and fetch([Source(given["prompts"])], cache)


with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    folder = Path(snakemake.output[0])
    summary = read_json(inputs.summary)
    choice = choose(summary)
    base = read_checkpoint(inputs.base)
    source, prompts = folder_of_base(base.architecture)
    recipe = {"base": {"sha256": sha256_of(inputs.base)} | base.metadata}
    if choice:
        tuned = inputs.tuned[params.snapshots.index(choice.kimg)]
        recipe |= {"tuned": {"sha256": sha256_of(tuned), "kimg": choice.kimg}, "weights": choice.point}
        recipe |= {"sampler": choice.sampler} if choice.sampler else {}
    recipe |= {"seeds": params.seeds, "configuration": params.config}
    card = model_card(summary, choice, base.architecture, recipe, str(folder), kept(source) if source else {})
    if choice:
        model = improved_model(base, read_checkpoint(tuned), choice, params.blocks)
        origin = {name: recipe[name]["sha256"] for name in ("base", "tuned")}
        about = model.metadata | origin | {"sampler": json.dumps(params.config["sampler"] | choice.sampler)}
        if source:
            from adaptive_neon.models.imported import write_like_base

            write_like_base(folder, source, base, model.tensors, about, recipe, card, prompts)
        elif library(base.architecture):
            codec = read_checkpoint(inputs.codec[0]).tensors if inputs.codec else {}
            settings_of(base.architecture).write_folder(folder, model.architecture, model.tensors, codec, about)
        else:
            write_own(folder, model, about)
    with replacing(folder / "README.md") as temporary:
        temporary.write_text(card)
    print(choice or "nothing is better than the base model")
