"""Diffusion by diffusers' networks and schedulers as a family: their loss and sampling behind `families.protocol`.

Seed s is the image that the pipeline draws with `torch.Generator().manual_seed(s)`, up to rounding.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adaptive_neon.errors import InputError
from adaptive_neon.families.diffusers.codec import decode, encode, fit
from adaptive_neon.families.diffusers.folder import OPTIONAL_ENCODER, TEXT_ENCODERS, TEXT_MODELS, images_of
from adaptive_neon.families.diffusers.libraries import library
from adaptive_neon.families.diffusers.settings import FLOW, LABEL_DROPOUT
from adaptive_neon.families.diffusers.text import T5_LENGTH, TextToImage, positions
from adaptive_neon.families.flop import BACKWARD, count_flop
from adaptive_neon.families.pixels import from_uint8, to_uint8
from adaptive_neon.families.sampling import noise_and_streams, with_guidance
from adaptive_neon.jobs.foreign import reason

LARGEST_TABLE = 2**28  # numbers in a transformer's table of positions


def build(architecture: Mapping, training: Mapping | None = None) -> nn.Module:
    """A freshly initialised network of diffusers; dropout is that of the training, if it says one.

    Raises:
        InputError: an unknown, missing or unsupported argument.
    """
    known = complete(architecture)
    config = dict(known["model"])
    if training and "dropout" in training:
        config["dropout"] = training["dropout"]
    network = _construct("model", config)
    for key in ("img_resolution", "img_channels", "label_dim"):
        setattr(network, key, known[key])
    network.schedule = known["scheduler"]
    # The class of images without one, if the network learns such: that of the empty prompt comes after the others.
    network.null_class = known["label_dim"] if "text_encoders" in known else config.get("num_embeds_ada_norm")
    for module in network.modules():
        if isinstance(module, library().models.embeddings.LabelEmbedding):
            module.dropout_prob = 0.0  # `loss` drops the class in all blocks at once
    if config["_class_name"] == "DiTTransformer2DModel":
        network.pos_embed.pos_embed = _positions(config)
    return network


def _positions(config: Mapping) -> Tensor:
    """The table of a transformer's positions, which its files leave out, on the CPU."""
    side, width = config["sample_size"] // config["patch_size"], config["num_attention_heads"]
    width *= config["attention_head_dim"]
    if side**2 * width > LARGEST_TABLE:
        raise InputError(f"architecture.model: {side}² positions of {width} numbers are more than can be computed")
    with torch.device("cpu"):
        table = library().models.embeddings.get_2d_sincos_pos_embed(width, side, base_size=side, output_type="pt")
    return table.float().unsqueeze(0)


def complete(architecture: Mapping) -> dict:
    """The architecture with the defaults of what its components leave out.

    Raises:
        InputError: an unknown or a missing argument, or components that don't fit together.
    """
    known = dict(architecture)
    for part in ("model", "scheduler", "codec"):
        if known.get(part):
            known[part] = _complete(part, known[part])
        elif part != "codec":
            raise InputError(f"architecture.{part} is missing; add it")
    model, codec = known["model"], known.get("codec")
    latent = "latent_channels"
    if codec and codec[latent] != model["in_channels"]:
        raise InputError(
            f"architecture.model.in_channels: {model['in_channels']}, but the codec has {codec[latent]} channels"
        )
    _check_text(known)
    try:
        found = images_of(model, codec, known.get("prompts", ()))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"architecture.model.sample_size: {model.get('sample_size')!r} is no size ({error})"
        ) from None
    for key, value in found.items():
        if known.get(key) != value:
            raise InputError(
                f"architecture.{key}: {known.get(key)}, but the components say {value}; correct one or the other"
            )
    return known


def _check_text(known: Mapping) -> None:
    """Check that a network takes what the text encoders give."""
    model, encoders = known["model"], known.get("text_encoders") or {}
    for key in ("codec", "text_encoders", "tokenizers"):
        if model["_class_name"] in TEXT_MODELS and not known.get(key):
            raise InputError(f"architecture.{key} is missing, which a {model['_class_name']} needs; add it")
    clip = {name: config for name, config in encoders.items() if name != OPTIONAL_ENCODER}
    widths = [config.get("hidden_size", 512) for config in clip.values()]
    of_t5 = [encoders[name].get("d_model", 512) for name in encoders if name not in clip]
    fits = {
        "UNet2DConditionModel": lambda: (
            sum(widths) == model["cross_attention_dim"]
            and (model["addition_embed_type"] == "text_time") == (len(widths) > 1)
        ),
        "SD3Transformer2DModel": lambda: (
            sum(widths) <= model["joint_attention_dim"] and of_t5 in ([], [model["joint_attention_dim"]])
        ),
    }.get(model["_class_name"], lambda: not widths)
    classes = {name: config["_class_name"] for name, config in encoders.items()}
    expected = TEXT_ENCODERS.get(known.get("pipeline"), {})
    required = {name: cls for name, cls in expected.items() if name != OPTIONAL_ENCODER}
    if classes not in (expected, required) or not fits():
        raise InputError(
            f"architecture.text_encoders: encodings of {widths + of_t5} numbers are not what the network takes; "
            "get the folder again"
        )


def _complete(part: str, config: Mapping) -> dict:
    """A component's configuration with its class's defaults, as JSON has them."""
    name = config.get("_class_name")
    parameters = list(inspect.signature(getattr(library(), name).__init__).parameters.values())[1:]
    defaults = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    for key in config:
        if key not in defaults and key != "_class_name" and part != "scheduler":
            raise InputError(f"architecture.{part}.{key}: unknown argument of {name}; remove it")
    filled = defaults | dict(config)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in filled.items()}


def _construct(part: str, config: Mapping) -> Any:
    """A component from its whole configuration.

    Raises:
        InputError: none can have it.
    """
    known = dict(config)
    cls = getattr(library(), known.pop("_class_name"))
    try:
        return cls(**known)
    except Exception as error:  # values of anyone, which can trip any operation
        raise InputError(
            f"architecture.{part}: no {cls.__name__} can have it ({reason(error)}); correct the arguments"
        ) from None


def build_codec(architecture: Mapping) -> nn.Module:
    """The frozen `AutoencoderKL` or `VQModel`, with the text encoders of a model that draws from prompts."""
    known = complete(architecture)
    codec = _construct("codec", known["codec"])
    codec = TextToImage(codec, known) if known.get("text_encoders") else codec
    return codec.eval().requires_grad_(False)


def fit_codec(architecture: Mapping, images: np.ndarray, labels: np.ndarray | None, seed: int) -> nn.Module:
    """A small autoencoder, trained on the images (see `codec.fit`).

    Raises:
        InputError: it is not small; `base.codec` must name the folder or file of one.
    """
    torch.manual_seed(seed)
    return fit(build_codec(architecture), images, seed)


def loss(
    network: nn.Module,
    images: Tensor,
    labels: Tensor | None,
    training: Mapping,
    dtype: torch.dtype,
    codec: nn.Module | None = None,
) -> Tensor:
    """(prediction − target)² at a random step of each image, [N, C, H, W], as the pipelines are trained.

    The target is what the scheduler says that the network predicts (see `_diffused` and `_flowing`). A
    variance that the network predicts too is not trained. Of a transformer some images lose their class, and of a
    text-to-image model their prompt.
    """
    x = from_uint8(images)
    if codec is not None:
        with torch.no_grad(), _autocast(x.device, dtype):
            x = encode(codec, x)
    noisy, t, target = (_flowing if network.schedule["_class_name"] == FLOW else _diffused)(x, network.schedule)
    if labels is not None and (null := network.null_class) is not None:
        dropped = torch.rand(len(x), device=x.device) < training.get("label_dropout", LABEL_DROPOUT)
        labels = torch.where(dropped, null, labels)
    return (predict(network, noisy, t, labels, dtype, _conditions(codec, labels)) - target).square()


def _diffused(x: Tensor, schedule: Mapping) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy x at uniform steps, these, and the noise, the velocity or x itself, whichever the network predicts."""
    noise = torch.randn_like(x)
    t = torch.randint(schedule["num_train_timesteps"], (len(x),), device=x.device)
    forward = library().DDPMScheduler.from_config(schedule)
    target = {
        "epsilon": lambda: noise,
        "v_prediction": lambda: forward.get_velocity(x, noise, t),
        "sample": lambda: x,
    }[schedule["prediction_type"]]()
    return forward.add_noise(x, noise, t), t, target


def _flowing(x: Tensor, schedule: Mapping) -> tuple[Tensor, Tensor, Tensor]:
    """The same of rectified flow as SD3 is trained (Esser et al. 2024, arXiv 2403.03206, section 3.1).

    x_σ = (1 − σ)·x + σ·n and its velocity n − x; ln(u/(1 − u)) ~ N(0, 1), and σ = shift·u/(1 + (shift − 1)·u), the
    paper's shift of the noise levels for larger images.
    """
    noise = torch.randn_like(x)
    u = torch.randn(len(x), device=x.device).sigmoid()
    shift = schedule["shift"]
    sigma = (shift * u / (1 + (shift - 1) * u)).view(-1, 1, 1, 1)
    return x + sigma * (noise - x), sigma.flatten() * schedule["num_train_timesteps"], noise - x


Condition = Callable[[Tensor | None], dict]  # classes [N] → what a network takes of them, by keyword


def _conditions(codec: nn.Module | None, labels: Tensor | None, null: int | None = None) -> Condition:
    """The condition of a batch: classes as they are, or the encodings of their prompts, each made once.

    Args:
        labels: the classes that it will be asked for.
        null: the class of none, if it will be asked for too.
    """
    if not isinstance(codec, TextToImage):
        return lambda labels: {"class_labels": labels}
    classes = torch.cat([labels, labels.new_tensor([] if null is None else [null])]).unique()
    encoded = codec.encode_prompts(classes)

    def condition(labels: Tensor) -> dict:
        rows = torch.searchsorted(classes, labels)
        taken = {key: value[rows] for key, value in encoded.items()}
        added = {key: taken.pop(key) for key in ("text_embeds", "time_ids") if key in taken}
        return taken | ({"added_cond_kwargs": added} if added else {})

    return condition


def predict(
    network: nn.Module,
    x: Tensor,
    t: Tensor,
    class_labels: Tensor | None,
    dtype: torch.dtype,
    condition: Condition,
) -> Tensor:
    """What the network predicts of noisy x, [N, C, H, W], at steps t, [N] or one for all; float32."""
    with _autocast(x.device, dtype):
        prediction = network(x, timestep=t.to(x.device).expand(len(x)), **condition(class_labels)).sample
    return prediction[:, : x.shape[1]].float()  # a learned variance stands behind


@torch.inference_mode()
def draw(
    network: nn.Module,
    seeds: Sequence[int],
    sampler: Mapping,
    classes: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
    codec: nn.Module | None = None,
) -> tuple[Tensor, Tensor]:
    """Images by the scheduler's steps from the noise of each seed; all noise on the way is of the image's seed."""
    device = next(network.parameters()).device
    side = network.config["sample_size"]
    shape = network.config["in_channels"], side, side
    noise, drawn, streams = noise_and_streams(seeds, shape, network.label_dim, classes)
    labels = drawn.to(device) if network.label_dim else None
    scale = sampler.get("guidance", 1)
    null = network.null_class
    if scale != 1 and null is None:
        raise InputError(f"sampler.guidance: {scale}, but the model knows no images without a class; set it to 1")

    condition = _conditions(codec, labels, null if scale != 1 else None)
    evaluate = partial(predict, network, dtype=dtype, condition=condition)
    if scale == 1:
        evaluate = partial(evaluate, class_labels=labels)
    else:
        evaluate = with_guidance(evaluate, labels, scale, null=torch.full_like(labels, null))
    with _of_scheduler(sampler, network.schedule) as scheduler:
        parameters = inspect.signature(scheduler.step).parameters
        extra = {"generator": streams, "eta": sampler.get("eta", 0)}
        extra = {key: value for key, value in extra.items() if key in parameters}
        x = noise.to(device) * getattr(scheduler, "init_noise_sigma", 1.0)
        scaled = getattr(scheduler, "scale_model_input", lambda x, t: x)  # of flow matching both are 1
        for t in scheduler.timesteps:
            x = scheduler.step(evaluate(scaled(x, t), t), t, x, **extra).prev_sample
    x = x.float()
    if codec is not None:
        with _autocast(device, dtype):
            x = decode(codec, x)
    return to_uint8(x.float()).cpu(), drawn


@contextmanager
def _of_scheduler(sampler: Mapping, schedule: Mapping) -> Iterator[Any]:
    """The scheduler with its steps set; what it cannot do is an InputError."""
    name = sampler.get("scheduler", schedule["_class_name"])
    spacing = {key: sampler[key] for key in ("timestep_spacing",) if key in sampler}
    if (name == FLOW) != (schedule["_class_name"] == FLOW):
        raise InputError(f"sampler.scheduler: {name}, but the model's is a {schedule['_class_name']}; remove it")
    if name == FLOW and spacing:
        raise InputError(f"sampler.timestep_spacing: a {name} has none; remove it")
    try:
        scheduler = getattr(library(), name).from_config(dict(schedule), **spacing)
        scheduler.set_timesteps(sampler["steps"])
        yield scheduler
    except (ValueError, NotImplementedError, IndexError) as error:
        raise InputError(f"sampler.scheduler: {name} cannot draw from this model ({reason(error)})") from None


def training_flop(architecture: Mapping) -> float:
    """Of a training step per image: the network forwards and backwards, the encoder forwards."""
    evaluation, encoding, _ = _flop_of_parts(json.dumps(dict(architecture)))
    return BACKWARD * evaluation + encoding


def drawing_flop(architecture: Mapping, sampler: Mapping) -> float:
    """Of an image."""
    evaluation, _, decoding = _flop_of_parts(json.dumps(dict(architecture)))
    with _of_scheduler(sampler, complete(architecture)["scheduler"]) as scheduler:
        evaluations = len(scheduler.timesteps) * (1 if sampler.get("guidance", 1) == 1 else 2)
    return evaluations * evaluation + decoding


@cache  # a search asks for many settings of the sampler
def _flop_of_parts(architecture: str) -> tuple[float, float, float]:
    """Of an evaluation of the network, of encoding and of decoding an image; the architecture is JSON.

    The text encoders, which see a prompt once, are left out.
    """
    known = json.loads(architecture)
    with torch.device("meta"):
        network = build(known).to("meta").eval()
        codec = _construct("codec", complete(known)["codec"]) if known.get("codec") else None
        side = network.config["sample_size"]
        latents = torch.zeros(1, network.config["in_channels"], side, side)
        images = torch.zeros(1, known["img_channels"], *[known["img_resolution"]] * 2)
        labels = torch.zeros(1, dtype=torch.int64) if network.label_dim else None
        condition = _text_condition(known) if known.get("text_encoders") else {"class_labels": labels}
    return (
        count_flop(lambda: network(latents, timestep=torch.ones(1), **condition)),
        count_flop(lambda: encode(codec, images)) if codec else 0.0,
        count_flop(lambda: decode(codec, latents)) if codec else 0.0,
    )


def _text_condition(known: Mapping) -> dict:
    """What a network takes of a prompt, without content."""
    *_, encoder = (config for name, config in known["text_encoders"].items() if name != OPTIONAL_ENCODER)
    model, length = known["model"], positions(encoder)
    if "joint_attention_dim" in model:
        hidden = torch.zeros(1, length + T5_LENGTH, model["joint_attention_dim"])
        return {
            "encoder_hidden_states": hidden,
            "pooled_projections": torch.zeros(1, model["pooled_projection_dim"]),
        }
    hidden = torch.zeros(1, length, model["cross_attention_dim"])
    pooled = {"text_embeds": torch.zeros(1, encoder.get("projection_dim", 512)), "time_ids": torch.zeros(1, 6)}
    return {"encoder_hidden_states": hidden, "added_cond_kwargs": pooled}


def _autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """float32 is each network's own type; in another, its layers run under autocast."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)
