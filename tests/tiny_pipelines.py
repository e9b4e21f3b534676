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


def text_pipeline(library, text_library, folder, xl=False, prediction="epsilon", seed=0):
    """A text-to-image pipeline of 8×8 pixels with random weights and letters as tokens, saved in a folder."""
    import json

    import torch

    start, end = "<|startoftext|>", "<|endoftext|>"
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), start, end]
    torch.manual_seed(seed)

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

    unet = {
        key: value for key, value in LATENT_UNET.items() if key not in ("_class_name", "attention_head_dim")
    } | {
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "cross_attention_dim": 20 if xl else 8,
        "attention_head_dim": [2, 4],
    }
    if xl:
        unet |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 4}
        unet |= {"projection_class_embeddings_input_dim": 6 + 6 * 4, "use_linear_projection": True}
    parts = {
        "unet": library.UNet2DConditionModel(**unet),
        "vae": library.AutoencoderKL(**{key: AUTOENCODER[key] for key in AUTOENCODER if key != "_class_name"}),
        "text_encoder": text("CLIPTextModel", 8, "quick_gelu"),
        "tokenizer": tokenizer("tokenizer"),
    }
    if xl:
        parts |= {"text_encoder_2": text("CLIPTextModelWithProjection", 12, "gelu")}
        parts |= {"tokenizer_2": tokenizer("tokenizer_2")}
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            with torch.no_grad():
                for parameter in part.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
    settings = {"num_train_timesteps": 100, "beta_schedule": "scaled_linear", "prediction_type": prediction}
    scheduler = library.DDIMScheduler(**settings, clip_sample=False, steps_offset=1)
    if xl:
        pipeline = library.StableDiffusionXLPipeline(**parts, scheduler=scheduler)
    else:
        none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        pipeline = library.StableDiffusionPipeline(**parts, scheduler=scheduler, **none)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    return pipeline
