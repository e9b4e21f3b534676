"""The configuration that a model of one's own begins with, after a study of its family."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from adaptive_neon.families import settings_of
from adaptive_neon.studies.config import starting_noise

SMALL = 32  # pixels; images below have a study on the digits as pattern, others one on CIFAR-10 or ImageNet
PATTERNS = {  # family → the experiments to take numbers from, for small images and for larger ones
    "edm": (None, "cifar10-cond"),
    "flow": ("digits-flow", "cifar10-flow-small"),
    "var": ("digits-var", "imagenet256-var-d16"),
    "xar": ("digits-xar", "imagenet256-xar-b"),
    "imm": ("digits-imm", "imagenet256-imm"),
    "diffusers": ("digits-latent", "cifar10-small"),
}
LENGTHS = ("ema_halflife_kimg", "lr_rampup_kimg")  # that are scaled with the training
COLUMN = 33  # where the comments begin


@dataclass(frozen=True)
class Given:
    """What the user said and what was found there.

    Attributes:
        base: location of the model.
        codec: location of its frozen codec, if it has one.
        prompts: location of the prompts, if they are not in the model's folder.
        data: location of the real images.
        reference: location of the statistics that FID is measured against, if they are not those of the images.
        architecture: of the model, with the name of its family.
        sampler: the settings that the model brings, if any.
        parameters: of the model.
        images: number of the real ones.
        labelled: whether they have classes.
        gpu: whether this machine has one.
    """

    base: str
    codec: str | None
    prompts: str | None
    data: str
    reference: str | None
    architecture: Mapping
    sampler: Mapping | None
    parameters: int
    images: int
    labelled: bool
    gpu: bool

    @property
    def family(self) -> str:
        return self.architecture["family"]


def pattern_of(given: Given) -> str | None:
    """The experiment to take numbers from; None for the default study."""
    return PATTERNS[given.family][given.architecture["img_resolution"] >= SMALL]


def proposal(name: str, given: Given, pattern: Mapping) -> str:
    """The overlay of an experiment, in YAML, each number with where it comes from.

    Args:
        name: of the experiment.
        pattern: the whole configuration of `pattern_of(given)`.
    """
    settings = settings_of(given.architecture)
    preset, blocks = next(iter(settings.block_presets(given.architecture).items()))
    resolution, channels = (given.architecture[key] for key in ("img_resolution", "img_channels"))
    classes = given.architecture.get("label_dim") or "no"
    there = f"of the study {pattern['experiment']}"
    images = min(pattern["synthetic"]["images"], given.images)
    scale = images / pattern["synthetic"]["images"]
    scaled = f"{there}, {'by the number of images' if scale < 1 else 'for as many images'}"
    inception = resolution >= SMALL or bool(given.reference)
    same_family = (pattern["base"]["architecture"] or {}).get("family", "edm") == given.family
    sampler, origin = given.sampler, "the model's own"
    if sampler is None:
        sampler, origin = (
            (pattern["sampler"], there) if same_family else (settings.SAMPLER, "the family's default")
        )
    plural = "s" * (channels > 1)
    in_pairs, searched, heldout = _measured_images(given, pattern)
    if resolution < SMALL:
        weights, diagonal, range_ = pattern["grid"]["weights"], pattern["grid"]["diagonal"], there
    else:
        weights = [0.5, 1.0, 1.5] if len(blocks) <= 3 else [0.5, 1.0]
        diagonal, range_ = [-1, 0, 0.25, 2], "around 1, where published weights lie"
    lines = [
        f"# {name}: can this model be improved by its own images? By `adaptive-neon new`; change what you like.",
        f"# {given.parameters:,} parameters, images of {resolution}×{resolution} pixels and {channels} "
        f"channel{plural}, {classes} classes.",
        _line(0, "experiment", name),
        "data:",
        _line(1, "source", given.data, f"{given.images:,} images"),
        "base:",
        _line(1, "checkpoint", given.base),
        *([_line(1, "codec", given.codec, "its frozen autoencoder or tokenizer")] if given.codec else []),
        *(
            [_line(1, "prompts", given.prompts, f"{classes:,} prompts, which are the classes")]
            if given.prompts
            else []
        ),
        _line(1, "architecture", _known(given.architecture, in_pairs), "the rest is the model's own"),
        _line(1, "training", None, "of the base model: it is trained already"),
        "synthetic:",
        _line(1, "images", images, there if images < given.images else "as many as there are real ones"),
        "finetune:",
        *_training(given, pattern["finetune"], images, scale, there, scaled),
        _line(0, "blocks", preset, ", ".join(blocks)),
        "grid:",
        _line(1, "weights", weights, range_),
        _line(1, "diagonal", diagonal, "single weights: θ_s, and others than those above"),
        "sampler:",
        *(_line(1, key, value, origin) for key, value in sampler.items()),
        "search:",
        _line(1, "images", searched, f"about those {there}; more find a better weight"),
        "heldout:",
        _line(1, "images", heldout, f"about those {there}; more narrow the intervals"),
        _line(1, "first_seed", max(pattern["heldout"]["first_seed"], searched), "far from those of the search"),
        "features:",
        _line(1, "extractor", "inception" if inception else "digits", _extractor_note(inception, given.labelled)),
        *([_line(1, "reference", given.reference)] if given.reference else []),
        "run:",
        _line(
            1, "environment", "cuda" if given.gpu else "cpu", "a GPU is here" if given.gpu else "no GPU is here"
        ),
        _line(1, "memory_mb", max(4000, round(given.parameters * 24 / 1e6)), "24 bytes a parameter"),
    ]
    return "\n".join(lines) + "\n"


def _known(architecture: Mapping, in_pairs: bool) -> dict:
    """What a configuration must say of a model: its family, the depth that blocks by depth are cut at, and the
    number of classes, by which antithetic seeds are paired."""
    model = architecture.get("model") or {}
    depth = {"model": {key: model[key] for key in ("_class_name", "num_layers")}} if "num_layers" in model else {}
    classes = {"label_dim": architecture["label_dim"]} if in_pairs else {}
    return {"family": architecture["family"]} | classes | depth


def _measured_images(given: Given, pattern: Mapping) -> tuple[bool, int, int]:
    """Whether the search draws antithetic pairs; how many search and held-out images, so that balanced classes
    and the jackknife's blocks share them evenly.

    Without pairs half as many more: what the digits study needs for the same loss (docs/search.md).
    """
    images, heldout = pattern["search"]["images"], pattern["heldout"]["images"]
    each = max(given.architecture.get("label_dim") or 0, 1) * pattern["intervals"]["seed_blocks"]
    paired = math.ceil(images / (2 * each)) * 2 * each
    if settings_of(given.architecture).STARTS_FROM_NOISE and paired <= 2 * images:
        return True, paired, math.ceil(heldout / (2 * each)) * 2 * each
    return False, images * 3 // 2 if starting_noise(pattern, "search") == "antithetic" else images, heldout


def _training(given: Given, finetune: Mapping, images: int, scale: float, there: str, scaled: str) -> list[str]:
    """The lines of the self-training: as in the pattern, its lengths by the number of images."""
    kimg = sorted({max(1, round(finetune["snapshots_kimg"][i] * scale)) for i in (0, -1)})
    own = settings_of(given.architecture).SCHEMA["training"]
    lines = [_line(1, "snapshots_kimg", kimg, scaled)]
    batch = min(finetune["batch"], images)
    lines.append(_line(1, "batch", batch, there if batch == finetune["batch"] else "all images at once"))
    micro_batch = finetune.get("micro_batch")
    if micro_batch and batch % micro_batch == 0:
        lines.append(_line(1, "micro_batch", micro_batch, "images at a time; fewer take less memory"))
    lines += [
        _line(1, key, round(finetune[key] * scale, 3), scaled) for key in LENGTHS if finetune.get(key) is not None
    ]
    kept = ("lr", "betas", "weight_decay", "clip_norm")
    lines += [_line(1, key, finetune[key], there) for key in kept if finetune.get(key) is not None]
    for key in own["properties"]:
        model_own = given.architecture.get(key)
        if key == "augment" and not given.architecture.get("augment_dim"):
            lines.append(_line(1, key, 0, "the model was trained without"))
        elif key == "dropout" and model_own is not None:
            lines.append(_line(1, key, model_own, "the model's own"))
        elif key in finetune and given.family != "diffusers":
            lines.append(_line(1, key, finetune[key], there))
        elif key in own["required"]:
            lines.append(_line(1, key, 0, "not known of the model"))
    return lines


def _extractor_note(inception: bool, labelled: bool) -> str:
    if inception:
        return "what published FIDs are measured with; its weights are fetched once"
    of = "the real images' classes" if labelled else "clusters of the real images, which have no classes"
    return f"a small classifier of {of}; inception takes hours without a GPU"


def _line(depth: int, key: str, value: Any, comment: str = "") -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    text = f"{'  ' * depth}{key}: {text.removesuffix('...' + chr(10)).strip()}"
    return f"{text:{COLUMN}} # {comment}" if comment else text
