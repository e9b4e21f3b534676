"""Frozen text encoders: what a network is given of a prompt, in the place of a class.

They stand in the codec, beside the autoencoder, with the prompts as tokens. Prompts are encoded as in diffusers'
pipelines: Stable Diffusion takes the last hidden states of one encoder (Rombach et al. 2022, arXiv 2112.10752);
SDXL the last but one of two, and the pooled projection of the second (Podell et al. 2023, arXiv 2307.01952); SD3
the same with both pooled projections, and then the last hidden states of a T5, or zeros in their place (Esser et
al. 2024, arXiv 2403.03206).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaptive_neon.errors import InputError
from adaptive_neon.families.diffusers.libraries import text_library
from adaptive_neon.jobs.foreign import reading, reason

T5 = "T5EncoderModel"
T5_LENGTH = 256  # its tokens


class TextToImage(nn.Module):
    """The autoencoder, `vae`, and the text encoders under the names of their folders.

    Its buffers are the tokens of the prompts, `<encoder>_tokens`, int64 [N + 1, L], those of the empty prompt in
    the last row; and the files of each tokenizer as bytes, `<tokenizer>`, which only go with the model. Text
    encoders and buffers take no memory before their tensors are loaded.
    """

    def __init__(self, vae: nn.Module, architecture: Mapping):
        super().__init__()
        self.vae = vae
        self.encoders = list(architecture["text_encoders"])
        self.null = len(architecture.get("prompts", ()))
        self.zero_null = architecture.get("force_zeros_for_empty_prompt", False)
        self.joint = architecture["model"].get("joint_attention_dim")  # of SD3
        self.size = float(architecture["img_resolution"])
        for name, config in architecture["text_encoders"].items():
            self.add_module(name, _encoder(name, config))
            tokens = torch.empty(self.null + 1, positions(config), dtype=torch.int64, device="meta")
            self.register_buffer(f"{name}_tokens", tokens)
        for name, sizes in architecture["tokenizers"].items():
            content = torch.empty(sum(sizes.values()), dtype=torch.uint8, device="meta")
            self.register_buffer(name, content)

    @torch.no_grad()
    def encode_prompts(self, classes: Tensor) -> dict[str, Tensor]:
        """What a network takes of the prompts of K classes, each [K, …]; class N is the empty prompt."""
        encoders = {name: self.get_submodule(name) for name in self.encoders}
        given = {name: self.get_buffer(f"{name}_tokens")[classes] for name in encoders}
        outputs = [
            encoder(given[name], output_hidden_states=True)
            for name, encoder in encoders.items()
            if not isinstance(encoder, _T5)
        ]
        if len(outputs) == 1:
            return {"encoder_hidden_states": outputs[0].last_hidden_state}
        hidden = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        if self.joint:
            pooled = torch.cat([output.text_embeds for output in outputs], dim=-1)
            further = [encoder(given[name]) for name, encoder in encoders.items() if isinstance(encoder, _T5)]
            further = further or [hidden.new_zeros(len(hidden), T5_LENGTH, self.joint)]
            padded = F.pad(hidden, (0, self.joint - hidden.shape[-1]))
            return {"encoder_hidden_states": torch.cat([padded, *further], dim=1), "pooled_projections": pooled}
        pooled = outputs[-1].text_embeds
        if self.zero_null:
            some = (classes != self.null).to(hidden.dtype)
            hidden, pooled = hidden * some.view(-1, 1, 1), pooled * some.view(-1, 1)
        ids = [self.size, self.size, 0.0, 0.0, self.size, self.size]  # original size, crop, target size
        times = torch.tensor(ids, device=classes.device).expand(len(classes), -1)
        return {"encoder_hidden_states": hidden, "text_embeds": pooled, "time_ids": times}


class _Prefixed(nn.Module):
    """A `CLIPTextModel` whose tensors have the names of published files, which begin with `text_model.`"""

    def __init__(self, text_model: nn.Module):
        super().__init__()
        self.text_model = text_model

    def forward(self, *args, **kwargs):
        return self.text_model(*args, **kwargs)


class _T5(nn.Module):
    """A `T5EncoderModel` with one table of embeddings, `shared`, as in published files."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.shared, self.encoder = encoder.shared, encoder.encoder
        self.encoder.embed_tokens = None

    def forward(self, tokens: Tensor) -> Tensor:
        return self.encoder(inputs_embeds=self.shared(tokens)).last_hidden_state


def positions(config: Mapping) -> int:
    """The number of tokens that a text encoder takes."""
    if config["_class_name"] == T5:
        return T5_LENGTH
    return config.get("max_position_embeddings", 77)


def _encoder(name: str, config: Mapping) -> nn.Module:
    """A text encoder without weights."""
    known = dict(config)
    cls = getattr(text_library(), known.pop("_class_name"))
    try:
        with torch.device("meta"):
            encoder = cls(cls.config_class(**known))
    except Exception as error:  # values of anyone, which can trip any operation
        raise InputError(
            f"architecture.text_encoders.{name}: no {cls.__name__} can have it ({reason(error)}); "
            "correct the arguments"
        ) from None
    if cls.__name__ == T5:
        return _T5(encoder)
    for module in encoder.modules():
        if hasattr(module, "position_ids"):  # which no file holds
            module.position_ids = torch.arange(positions(config)).expand(1, -1)
    return encoder if cls.__name__ == "CLIPTextModelWithProjection" else _Prefixed(encoder)


def is_kept(name: str) -> bool:
    """Whether a tensor of a text encoder is more than a constant or another's copy, which some files have too."""
    return not name.endswith(("position_ids", "embed_tokens.weight"))


def published_name(name: str, cls: str) -> str:
    """The name of a tensor of a text encoder of this class as published files have it."""
    if cls == T5:
        return name
    if cls == "CLIPTextModelWithProjection" or name.startswith("text_model."):
        return name
    return f"text_model.{name}"


def tokens(folder: Path, config: Mapping, prompts: Sequence[str]) -> np.ndarray:
    """The tokens of prompts and of the empty one, int64 [N + 1, L], cut and filled up as the pipelines do it.

    Args:
        folder: of the tokenizer.
        config: of its text encoder.

    Raises:
        InputError: it is damaged, or another encoder's.
    """
    length, is_t5 = positions(config), config["_class_name"] == T5
    with reading(folder, "a tokenizer"):
        cls = text_library().T5TokenizerFast if is_t5 else text_library().CLIPTokenizer
        tokenizer = cls.from_pretrained(folder, local_files_only=True)
        rows = tokenizer([*prompts, ""], padding="max_length", max_length=length, truncation=True).input_ids
        found = np.array(rows, np.int64)
    vocabulary = config.get("vocab_size", 32_128 if is_t5 else 49_408)
    if not (is_t5 or tokenizer.model_max_length == length) or found.max() >= vocabulary:
        raise InputError(f"{folder}: its tokens are not those of the text encoder; get the folder again")
    return found
