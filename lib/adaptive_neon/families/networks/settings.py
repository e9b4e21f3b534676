"""What can be known of the shared networks without torch: the schemas of their arguments, blocks, buffers."""

COUNT = {"type": "integer", "minimum": 1}
FACTOR = COUNT | {"maximum": 64}
WIDTH = COUNT | {"maximum": 16_384}
POSITIVE = {"type": "number", "exclusiveMinimum": 0}
SHARE = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
FACTORS = {"type": "array", "minItems": 1, "maxItems": 32, "items": FACTOR}

# Of every network here: its images and its classes.
IMAGES = {
    "img_resolution": COUNT | {"maximum": 4096},
    "img_channels": FACTOR,
    "label_dim": {"type": "integer", "minimum": 0, "maximum": 100_000},
}

# What a configuration leaves to the training and the sampler, but the file of a model may say.
IN_FILES = {
    "dropout": SHARE,
    "sigma_min": {"type": "number", "minimum": 0},
    "sigma_max": {"type": "number", "exclusiveMinimum": 0},  # infinite by default
}

UNET = {
    "model_type": {"enum": ["SongUNet", "DhariwalUNet"]},
    "augment_dim": {"type": "integer", "minimum": 0, "maximum": 1000},
    "model_channels": WIDTH,
    "channel_mult": FACTORS,
    "channel_mult_emb": FACTOR,
    "num_blocks": COUNT | {"maximum": 100},
    "attn_resolutions": {"type": "array", "maxItems": 32, "items": COUNT},
    "label_dropout": SHARE,
    "embedding_type": {"enum": ["positional", "fourier"]},
    "channel_mult_noise": FACTOR,
    "encoder_type": {"enum": ["standard", "residual"]},
    "decoder_type": {"enum": ["standard"]},
    "resample_filter": FACTORS,
}

DIT = {
    "patch_size": COUNT | {"maximum": 256},
    "hidden_size": WIDTH,
    "depth": COUNT | {"maximum": 200},
    "num_heads": COUNT | {"maximum": 256},
    "mlp_ratio": POSITIVE | {"maximum": 64},
}

# By the published rule (Adaptive Neon's code) a name that mentions the lowest resolution or the embedding
# (`map_…`) is mid, whichever half of the U-Net it stands in; else `enc` is enc and `dec` is dec; what is left,
# ADM's `out_…`, is mid.
UNET_BLOCKS = {
    "enc": r"enc\.(?!{lowest}_)",
    "mid": r"{lowest}_|map_|out_",
    "dec": r"dec\.(?!{lowest}_)",
}

# UNet2DModel and UNet2DConditionModel of diffusers. The embeddings of time and classes are mid, as by the
# published rule for EDM's networks; what reads the image is down, and what draws it up.
UNET2D_BLOCKS = {
    "down": r"^(conv_in|down_blocks)\.",
    "mid": r"^(?!(conv_in|down_blocks|up_blocks|conv_norm_out|conv_out)\.)",
    "up": r"^(up_blocks|conv_norm_out|conv_out)\.",
}

UNET_BUFFERS = ("resample_filter", "map_noise.freqs")  # what their names end in


def thirds(depth: int) -> dict[str, str]:
    """The blocks of a transformer of at least three by their depth."""
    bounds = [round(third * depth / 3) for third in range(4)]
    return {
        name: rf"blocks\.({'|'.join(map(str, range(bounds[i], bounds[i + 1])))})\."
        for i, name in enumerate(("early", "middle", "late"))
    }


def dit_blocks(depth: int) -> dict[str, str]:
    """Embeddings, the blocks in thirds, and the head of a DiT of at least three blocks."""
    return {"embedding": r"[xty]_embedder\.", **thirds(depth), "head": r"final_layer\."}


DIT_BUFFERS = ("pos_embed",)

AUTOENCODER = {
    "img_channels": FACTOR,
    "ch": WIDTH | {"multipleOf": 32},
    "ch_mult": FACTORS,
    "num_res_blocks": COUNT | {"maximum": 100},
    "attn_levels": {"type": "array", "maxItems": 32, "items": {"type": "integer", "minimum": 0, "maximum": 31}},
    "z_channels": FACTOR,
}

# The published autoencoders: MAR's KL-16 and Stable Diffusion's, f = 8.
KL_16 = {
    "img_channels": 3,
    "ch": 128,
    "ch_mult": [1, 1, 2, 2, 4],
    "num_res_blocks": 2,
    "attn_levels": [4],
    "z_channels": 16,
}
SD_F8 = KL_16 | {"ch_mult": [1, 2, 4, 4], "attn_levels": [], "z_channels": 4}
