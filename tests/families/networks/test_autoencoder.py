import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from adaptive_neon.families.networks.autoencoder import AutoencoderKL
from adaptive_neon.families.networks.autoencoder_files import autoencoder_tensors
from adaptive_neon.families.networks.settings import KL_16, SD_F8
from adaptive_neon.families.pickles import RefusedError
from torchvision_shim import import_torchvision

SIZE = 10**8  # bytes of a file
TINY = {"ch": 32, "ch_mult": [1, 2, 2], "num_res_blocks": 1, "z_channels": 4}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def tensors_of(module):
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def load(module, tensors):
    module.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})


@pytest.mark.parametrize(
    ("architecture", "parameters", "latents"),
    [(KL_16, 66_456_019, (16, 16, 16)), (SD_F8, 83_653_863, (4, 32, 32))],
    ids=["KL-16", "Stable Diffusion"],
)
def test_the_published_sizes(architecture, parameters, latents):
    """MAR's file and diffusers' `stabilityai/sd-vae-ft-ema` have so many parameters."""
    with torch.device("meta"), torch.inference_mode():
        autoencoder = AutoencoderKL(**architecture)
        mean, std = autoencoder.encode(torch.zeros(2, 3, 256, 256))
        assert autoencoder.decode(mean).shape == (2, 3, 256, 256)
    assert sum(p.numel() for p in autoencoder.parameters()) == parameters
    assert mean.shape == std.shape == (2, *latents)


def test_samples_are_of_the_posterior():
    autoencoder = AutoencoderKL(**TINY)
    with torch.no_grad():
        autoencoder.quant_conv.bias[4:] = torch.tensor(
            [-2.0, 0.0, 100.0, -100.0]
        )  # about the logarithms of variances
        image = torch.randn(1, 3, 8, 8)
        mean, std = autoencoder.encode(image)
        samples = autoencoder.sample(image.expand(2000, -1, -1, -1))
    assert std[0, 2].unique().item() == pytest.approx(np.exp(10))  # clamped to [−30, 20]
    assert std[0, 3].unique().item() == pytest.approx(np.exp(-15))
    z = (samples - mean) / std
    assert z[:, :2].mean().item() == pytest.approx(0, abs=0.02)
    assert z[:, :2].std().item() == pytest.approx(1, abs=0.02)


NAMES = {  # of diffusers, in a decoder of two levels, and of latent diffusion
    "encoder.conv_in.weight": "encoder.conv_in.weight",
    "encoder.down_blocks.1.resnets.0.conv_shortcut.weight": "encoder.down.1.block.0.nin_shortcut.weight",
    "encoder.down_blocks.0.downsamplers.0.conv.bias": "encoder.down.0.downsample.conv.bias",
    "encoder.mid_block.resnets.0.norm1.weight": "encoder.mid.block_1.norm1.weight",
    "encoder.mid_block.resnets.1.conv2.weight": "encoder.mid.block_2.conv2.weight",
    "encoder.conv_norm_out.bias": "encoder.norm_out.bias",
    "decoder.mid_block.attentions.0.group_norm.weight": "decoder.mid.attn_1.norm.weight",
    "decoder.up_blocks.0.resnets.2.conv1.weight": "decoder.up.1.block.2.conv1.weight",
    "decoder.up_blocks.0.upsamplers.0.conv.weight": "decoder.up.1.upsample.conv.weight",
    "decoder.up_blocks.1.resnets.0.conv1.weight": "decoder.up.0.block.0.conv1.weight",
    "decoder.conv_out.weight": "decoder.conv_out.weight",
    "post_quant_conv.weight": "post_quant_conv.weight",
}


@pytest.mark.parametrize("layers", [("query", "key", "value", "proj_attn"), ("to_q", "to_k", "to_v", "to_out.0")])
def test_names_of_diffusers(layers):
    """Older and newer names of the attention, whose linear layers become 1×1 convolutions."""
    attention = {
        f"encoder.mid_block.attentions.0.{layer}.weight": f"encoder.mid.attn_1.{name}.weight"
        for layer, name in zip(layers, ("q", "k", "v", "proj_out"), strict=True)
    }
    content = {name: np.zeros((8, 8) if name in attention else (1, 1, 1, 1)) for name in NAMES | attention}
    found = autoencoder_tensors(content, SIZE)
    assert list(found) == list((NAMES | attention).values())
    assert {found[name].shape for name in attention.values()} == {(8, 8, 1, 1)}


def test_a_discriminator_is_left_out():
    tensors = tensors_of(AutoencoderKL(**TINY))
    found = autoencoder_tensors({"model": tensors | {"loss.discriminator.weight": np.zeros(3)}, "epoch": 7}, SIZE)
    assert found.keys() == tensors.keys()
    with pytest.raises(RefusedError, match=r"no KL autoencoder, which has a decoder\.conv_out\.weight"):
        autoencoder_tensors({"epoch": 7}, SIZE)


def test_images_and_latents_equal_those_of_mar():
    if "MAR_REPO" not in os.environ:
        pytest.skip("MAR_REPO is not set to a checkout of LTH14/mar")
    spec = importlib.util.spec_from_file_location("mar_vae", Path(os.environ["MAR_REPO"]) / "models/vae.py")
    vae = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(vae)
    upstream = vae.AutoencoderKL(embed_dim=4, ch_mult=(1, 1, 2, 2, 4)).eval()
    # Its other sizes are fixed: smaller halves, by their own arguments.
    sizes = {"ch": 32, "ch_mult": (1, 1, 2, 2, 4), "z_channels": 4}
    upstream.encoder, upstream.decoder = vae.Encoder(**sizes), vae.Decoder(**sizes)
    ours = AutoencoderKL(**sizes, attn_levels=[4]).eval()
    load(ours, autoencoder_tensors({"model": tensors_of(upstream)}, SIZE))
    images, latents = torch.randn(2, 3, 64, 64), torch.randn(2, 4, 4, 4)
    with torch.inference_mode():
        expected = upstream.encode(images)
        mean, std = ours.encode(images)
        torch.testing.assert_close(mean, expected.mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(std, expected.std, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.decode(latents), upstream.decode(latents), rtol=1e-4, atol=1e-4)


def test_images_and_latents_equal_those_of_diffusers():
    pytest.importorskip("diffusers", reason="diffusers is not installed")
    import_torchvision()
    from diffusers import AutoencoderKL as Upstream

    upstream = Upstream(
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=[32, 64, 64],
        layers_per_block=1,
        latent_channels=4,
    ).eval()
    ours = AutoencoderKL(**TINY).eval()
    load(ours, autoencoder_tensors(tensors_of(upstream), SIZE))
    images, latents = torch.randn(2, 3, 16, 16), torch.randn(2, 4, 4, 4)
    with torch.inference_mode():
        expected = upstream.encode(images).latent_dist
        mean, std = ours.encode(images)
        torch.testing.assert_close(mean, expected.mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(std, expected.std, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.decode(latents), upstream.decode(latents).sample, rtol=1e-4, atol=1e-4)
