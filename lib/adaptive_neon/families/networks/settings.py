"""What can be known of the shared networks without torch: the schemas of their arguments, blocks, buffers."""

COUNT = {"type": "integer", "minimum": 1}
POSITIVE = {"type": "number", "exclusiveMinimum": 0}
SHARE = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
COUNTS = {"type": "array", "minItems": 1, "items": COUNT}

# Of every network here: its images and its classes.
IMAGES = {"img_resolution": COUNT, "img_channels": COUNT, "label_dim": {"type": "integer", "minimum": 0}}

UNET = {
    "model_type": {"enum": ["SongUNet", "DhariwalUNet"]},
    "augment_dim": {"type": "integer", "minimum": 0},
    "model_channels": COUNT,
    "channel_mult": COUNTS,
    "channel_mult_emb": COUNT,
    "num_blocks": COUNT,
    "attn_resolutions": {"type": "array", "items": COUNT},
    "label_dropout": SHARE,
    "embedding_type": {"enum": ["positional", "fourier"]},
    "channel_mult_noise": COUNT,
    "encoder_type": {"enum": ["standard", "residual"]},
    "decoder_type": {"enum": ["standard"]},
    "resample_filter": COUNTS,
}

DIT = {"patch_size": COUNT, "hidden_size": COUNT, "depth": COUNT, "num_heads": COUNT, "mlp_ratio": POSITIVE}

# By the published rule (Adaptive Neon's code) a name that mentions the lowest resolution or the embedding
# (`map_…`) is mid, whichever half of the U-Net it stands in; else `enc` is enc and `dec` is dec; what is left,
# ADM's `out_…`, is mid.
UNET_BLOCKS = {
    "enc": r"enc\.(?!{lowest}_)",
    "mid": r"{lowest}_|map_|out_",
    "dec": r"dec\.(?!{lowest}_)",
}

UNET_BUFFERS = ("resample_filter", "map_noise.freqs")  # what their names end in


def dit_blocks(depth: int) -> dict[str, str]:
    """Embeddings, the blocks in thirds, and the head of a DiT of at least three blocks."""
    bounds = [round(third * depth / 3) for third in range(4)]
    thirds = ["|".join(map(str, range(bounds[i], bounds[i + 1]))) for i in range(3)]
    return {
        "embedding": r"[xty]_embedder\.",
        **{name: rf"blocks\.({third})\." for name, third in zip(("early", "middle", "late"), thirds, strict=True)},
        "head": r"final_layer\.",
    }


DIT_BUFFERS = ("pos_embed",)
