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
