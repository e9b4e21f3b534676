"""The outcome of a study: the improved model and its card, or the word that nothing is better than the base."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import yaml

from adaptive_neon.families import settings_of
from adaptive_neon.families.checkpoints import Checkpoint
from adaptive_neon.merging.blocks import assign_weights
from adaptive_neon.merging.extrapolation import merge
from adaptive_neon.merging.grid import Point, point_name
from adaptive_neon.search.settings import settings_text
from adaptive_neon.studies.summary import all_replicas_at
from adaptive_neon.studies.wording import ROLE_NAMES, answer, headline, weights_text


@dataclass(frozen=True)
class Choice:
    """The model that a study delivers.

    Attributes:
        kimg: of self-training, its snapshot.
        role: `global` (best single weight) or `blockwise`.
        point: its weights.
        sampler: the searched settings that it is drawn with.
    """

    kimg: int
    role: str
    point: Point
    sampler: Mapping = field(default_factory=dict)


def choose(summary: Mapping) -> Choice | None:
    """The best single weight, unless the weights per block are better; None if the base model is not worse.

    The snapshot is that of the lowest held-out FID of a single weight. Verdicts are over replicas where there are
    several; the weights and the model are those of the first.
    """
    entry = headline(summary)
    if entry is None:
        return None
    verdicts = all_replicas_at(summary, entry["kimg"]) or entry
    role = "blockwise" if verdicts["gain"]["verdict"] == "better" else "global"
    improvement = verdicts["improvement" if role == "global" else "blockwise_improvement"]
    if improvement["verdict"] != "better":
        return None
    return Choice(entry["kimg"], role, entry[role]["w"], entry[role].get("sampler", {}))


def improved_model(base: Checkpoint, tuned: Checkpoint, choice: Choice, blocks: Mapping[str, str]) -> Checkpoint:
    """The merged model, θ = θ_r − w·(θ_s − θ_r).

    Args:
        blocks: block → pattern.
    """
    block_of = assign_weights(base.weights, blocks, choice.point)
    tensors = merge(base.tensors, tuned.tensors, choice.point, block_of)
    return Checkpoint(tensors, base.architecture, {"weights": point_name(choice.point)})


def model_card(
    summary: Mapping,
    choice: Choice | None,
    architecture: Mapping,
    recipe: Mapping,
    path: str,
    kept: Mapping = MappingProxyType({}),
) -> str:
    """A model card in Markdown, with the metadata that hubs read in front.

    Args:
        architecture: of the network.
        recipe: what the model was made of, JSON's values by key: checksums, seeds, the study's `configuration`.
        path: of the folder of the model.
        kept: metadata of the base model's card that hold of this model too (see `models.card.kept`).
    """
    experiment = summary["experiment"]
    front = yaml.safe_dump(
        {
            "library_name": library(architecture) or "adaptive-neon",
            "tags": ["neon", "image-generation", "model-merging"],
        }
        | kept
    )
    parts = [
        f"---\n{front}---",
        f"# {experiment}: improved by Neon" if choice else f"# {experiment}: no better model",
    ]
    parts += answer(summary)
    if choice:
        sampler = recipe["configuration"]["sampler"] | choice.sampler
        parts += _improved(summary, choice, architecture, path, settings_text(sampler))
    else:
        parts.append(
            "By these verdicts no merged model is better than the base model, so there is none in this folder. "
            "More held-out images or replicas narrow the intervals."
        )
    parts += ["## Recipe", f"```json\n{json.dumps(recipe, indent=1, ensure_ascii=False)}\n```"]
    return "\n\n".join(parts) + "\n"


def _improved(summary: Mapping, choice: Choice, architecture: Mapping, path: str, sampler: str) -> list[str]:
    entry = next(entry for entry in summary["snapshots"] if entry["kimg"] == choice.kimg)
    images, reader = summary["images"], library(architecture)
    usage = settings_of(architecture).upstream_usage(architecture, path if reader else "model.pt")
    rows = []
    for name, model in (
        ("base", summary["base"]),
        (f"this model ({ROLE_NAMES[choice.role]})", entry[choice.role]),
    ):
        low, high = model["fid_interval"]
        corrected = f"{model['fid_corrected']:.3f} [{low:.3f}, {high:.3f}]"
        cells = [name, f"{model['fid']:.3f}", corrected, *(f"{model[key]:.3f}" for key in ("precision", "recall"))]
        rows.append(f"| {' | '.join(cells)} |")
    table = [
        "| model | FID | FID corrected [95 %] | precision | recall |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    return [
        f"The model is θ = θ_r − w·(θ_s − θ_r): θ_r is the base model, θ_s the same after {choice.kimg} kimg "
        f"of training on its own images, and w is {weights_text(choice.point)}."
        + (f" Drawn with {settings_text(choice.sampler)}." if choice.sampler else ""),
        f"On {images['heldout']} held-out images, in `{summary['features']}` features:",
        "\n".join(table),
        "The corrected FID is without the bias that a finite number of images gives it. The weights were chosen "
        f"on {images['search']} other images; the amount of self-training by the held-out FID of the best single "
        "weight, which favours this model a little.",
        "## Use",
        f"```sh\nadaptive-neon sample {path} --seeds 0-63 -o images/\n```",
        f"The sampler settings of the study ({sampler}) are in the file and used unless others are given. "
        + (
            f"The folder is one of {reader}, where they are yours to give; with others the FIDs are not these:"
            if reader
            else "`model.pt` holds the same weights as a plain state dict:"
        ),
        f"```python\n{usage}\n```",
    ]


def library(architecture: Mapping) -> str | None:
    """The library that reads the folder of a model of the family, if any does."""
    return getattr(settings_of(architecture), "LIBRARY", None)
