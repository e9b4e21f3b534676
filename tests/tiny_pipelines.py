"""Architectures of tiny pipelines of diffusers."""

UNET = {
    "_class_name": "UNet2DModel",
    "sample_size": 8,
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
    "norm_num_groups": 4,
    "attention_head_dim": 8,
}
DIT = {
    "_class_name": "DiTTransformer2DModel",
    "sample_size": 4,
    "in_channels": 2,
    "out_channels": 4,
    "patch_size": 2,
    "num_layers": 3,
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "num_embeds_ada_norm": 10,
}
AUTOENCODER = {
    "_class_name": "AutoencoderKL",
    "in_channels": 1,
    "out_channels": 1,
    "latent_channels": 2,
    "block_out_channels": [8, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "norm_num_groups": 4,
    "scaling_factor": 0.7,
}
VQ = AUTOENCODER | {"_class_name": "VQModel", "num_vq_embeddings": 32}
DDPM = {"_class_name": "DDPMScheduler", "num_train_timesteps": 100}

IMAGES = {"family": "diffusers", "img_resolution": 8, "img_channels": 1, "label_dim": 0}
PIXELS = IMAGES | {"model": UNET, "scheduler": DDPM}
LATENT_UNET = UNET | {"sample_size": 4, "in_channels": 2, "out_channels": 2}
LATENTS = IMAGES | {
    "model": LATENT_UNET,
    "scheduler": DDPM | {"_class_name": "DDIMScheduler"},
    "codec": AUTOENCODER,
}
TRANSFORMER = IMAGES | {"label_dim": 10, "model": DIT, "scheduler": DDPM, "codec": AUTOENCODER}

PROMPTS = ["a cat", "two dogs", "a red bus that waits in the rain of a town", "sea"]


def text_pipeline(library, text_library, folder, kind="sd", prediction="epsilon"):
    """A text-to-image pipeline of 8×8 pixels with random weights and letters as tokens, saved in a folder."""
    import json

    import torch

    start, end = "<|startoftext|>", "<|endoftext|>"
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), start, end]
    torch.manual_seed(0)

    def text(cls, width, activation):
        config = text_library.CLIPTextConfig(
            vocab_size=len(vocabulary),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=3,
            num_attention_heads=2,
            max_position_embeddings=12,
            projection_dim=6,
            hidden_act=activation,
            bos_token_id=len(vocabulary) - 2,
            eos_token_id=len(vocabulary) - 1,
        )
        return getattr(text_library, cls)(config)

    def tokenizer(name):
        (folder / name).mkdir(parents=True)
        (folder / name / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}))
        (folder / name / "merges.txt").write_text("#version: 0.2\n")
        (folder / name / "tokenizer_config.json").write_text('{"model_max_length": 12}')
        return text_library.CLIPTokenizer.from_pretrained(folder / name)

    def without_class(config):
        return {key: value for key, value in config.items() if key != "_class_name"}

    unet = without_class(LATENT_UNET) | {
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "cross_attention_dim": 20 if kind == "sdxl" else 8,
        "attention_head_dim": [2, 4],
    }
    if kind == "sdxl":
        unet |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 4}
        unet |= {"projection_class_embeddings_input_dim": 6 + 6 * 4, "use_linear_projection": True}
    transformer = {key: DIT[key] for key in ("sample_size", "patch_size", "in_channels", "num_layers")} | {
        "out_channels": 2,
        "num_attention_heads": 2,
        "attention_head_dim": 8,
        "caption_projection_dim": 16,
        "joint_attention_dim": 24,
        "pooled_projection_dim": 12,
        "pos_embed_max_size": 4,
    }
    if kind in ("sd3", "sd3-t5"):
        parts = {
            "transformer": library.SD3Transformer2DModel(**transformer),
            "text_encoder_3": None,
            "tokenizer_3": None,
        }
    if kind == "sd3-t5":
        pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -3.0) for piece in ["▁", *letters])]
        config = text_library.T5Config(
            vocab_size=32, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu"
        )
        parts |= {
            "text_encoder_3": text_library.T5EncoderModel(config),
            "tokenizer_3": text_library.T5TokenizerFast(vocab=pieces, extra_ids=0),
        }
    if kind in ("sd", "sdxl"):
        parts = {"unet": library.UNet2DConditionModel(**unet)}
    vae = without_class(AUTOENCODER) | ({"shift_factor": 0.1} if kind.startswith("sd3") else {})
    projected = "CLIPTextModelWithProjection"
    parts |= {
        "vae": library.AutoencoderKL(**vae),
        "text_encoder": text(projected if kind.startswith("sd3") else "CLIPTextModel", 8, "quick_gelu"),
        "tokenizer": tokenizer("tokenizer"),
    }
    if kind != "sd":
        parts |= {"text_encoder_2": text(projected, 12, "gelu"), "tokenizer_2": tokenizer("tokenizer_2")}
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
            with torch.no_grad():
                for parameter in part.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
    settings = {"num_train_timesteps": 100, "beta_schedule": "scaled_linear", "prediction_type": prediction}
    scheduler = library.DDIMScheduler(**settings, clip_sample=False, steps_offset=1)
    if kind == "sd":
        none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        pipeline = library.StableDiffusionPipeline(**parts, scheduler=scheduler, **none)
    elif kind == "sdxl":
        pipeline = library.StableDiffusionXLPipeline(**parts, scheduler=scheduler)
    else:
        pipeline = library.StableDiffusion3Pipeline(
            **parts, scheduler=library.FlowMatchEulerDiscreteScheduler(shift=3.0)
        )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    return pipeline
