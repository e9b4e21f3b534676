"""Presets against the numbers of blocks that block-weighted merging and the networks' papers have."""

from collections import Counter

import pytest
import torch
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.models.presets import presets, proposed, split


def unet(levels, down, up, extra=()):
    """The names of a U-Net of diffusers with so many residual blocks a level."""
    names = ["conv_in.weight", "time_embedding.linear_1.weight", *extra]
    for i in range(levels):
        names += [f"down_blocks.{i}.{kind}.{j}.w" for kind in ("resnets", "attentions") for j in range(down)]
        names += [f"up_blocks.{i}.{kind}.{j}.w" for kind in ("resnets", "attentions") for j in range(up)]
        if i < levels - 1:
            names += [f"down_blocks.{i}.downsamplers.0.conv.weight", f"up_blocks.{i}.upsamplers.0.conv.weight"]
    return [*names, "mid_block.resnets.0.w", "conv_norm_out.weight", "conv_out.bias"]


def original(inputs, outputs):
    """The names of Stable Diffusion's single file."""
    unet_names = [f"input_blocks.{i}.0.w" for i in range(inputs)] + [
        f"output_blocks.{i}.0.w" for i in range(outputs)
    ]
    unet_names += ["middle_block.0.w", "time_embed.0.weight", "out.2.weight"]
    return [f"model.diffusion_model.{name}" for name in unet_names] + ["first_stage_model.decoder.conv_out.weight"]


@pytest.mark.parametrize(
    ("names", "blocks", "inner"),
    [
        (unet(4, 2, 3), 26, 12),
        (unet(3, 2, 3, ["add_embedding.linear_1.weight"]), 20, 9),
        (original(12, 12), 26, 12),
        (original(9, 9), 20, 9),
    ],
    ids=["SD", "SDXL", "SD-original", "SDXL-original"],
)
def test_block_weighted_merging_has_its_blocks(names, blocks, inner):
    """26 in Stable Diffusion 1 and 2, 20 in SDXL."""
    patterns = presets(names)["block-weighted"]
    expected = ["BASE", *(f"IN{i:02d}" for i in range(inner)), "MID", *(f"OUT{i:02d}" for i in range(inner))]
    assert list(patterns) == expected and len(patterns) == blocks
    assert split(names, patterns) == assign_blocks(names, patterns)


def test_both_namings_of_a_unet_are_cut_alike():
    """Where the original code has input block 3 the first downsampling of diffusers stands, and so on."""
    block_of = split(unet(4, 2, 3), presets(unet(4, 2, 3))["block-weighted"])
    assert block_of["conv_in.weight"] == "IN00"
    assert block_of["down_blocks.0.resnets.1.w"] == "IN02"
    assert block_of["down_blocks.0.downsamplers.0.conv.weight"] == "IN03"
    assert block_of["down_blocks.3.attentions.1.w"] == "IN11"
    assert block_of["up_blocks.0.upsamplers.0.conv.weight"] == "OUT02"
    assert block_of["up_blocks.3.resnets.2.w"] == block_of["conv_out.bias"] == "OUT11"


def flux(double="transformer_blocks", single="single_transformer_blocks", prefix=""):
    blocks = [f"{double}.{i}.attn.w" for i in range(19)] + [f"{single}.{i}.attn.w" for i in range(38)]
    return [prefix + name for name in ("x_embedder.weight", *blocks, "norm_out.linear.weight", "proj_out.weight")]


@pytest.mark.parametrize(
    "names",
    [flux(), [n.replace("norm_out", "final_layer") for n in flux("double_blocks", "single_blocks", "model.")]],
    ids=["diffusers", "original"],
)
def test_flux_is_cut_by_the_depth_of_both_stacks(names):
    if "model." in names[0]:
        names = [name for name in names if not name.endswith("proj_out.weight")]
    found = presets(names)
    assert list(found) == ["thirds", "every-block", "all"]
    counts = Counter(split(names, found["thirds"]).values())
    assert (counts["early"], counts["middle"], counts["late"]) == (19, 19, 19)
    assert len(found["every-block"]) == 57 + 2


def test_edm_and_what_no_preset_knows():
    edm = [
        "model.enc.32x32_conv.weight",
        "model.enc.8x8_block0.w",
        "model.map_layer0.weight",
        "model.dec.32x32_block0.w",
    ]
    assert proposed(edm)[0] == "enc-mid-dec"
    assert split(edm, proposed(edm)[1]) == dict(zip(edm, ("enc", "mid", "mid", "dec"), strict=True))
    assert proposed(["anything.weight"]) == ("all", {"all": "."})


def test_networks_of_diffusers(diffusers):
    """Every weight of the networks at their published sizes, built without memory."""
    with torch.device("meta"):
        sd1 = diffusers.UNet2DConditionModel(cross_attention_dim=768)
        networks = {
            "down-mid-up": (diffusers.UNet2DModel(), sd1),
            "thirds": (
                diffusers.DiTTransformer2DModel(),
                diffusers.SD3Transformer2DModel(dual_attention_layers=(0, 1), qk_norm="rms_norm"),
                diffusers.FluxTransformer2DModel(guidance_embeds=True),
            ),
        }
    assert len(presets(sd1.state_dict())["block-weighted"]) == 26
    for preset, models in networks.items():
        for model in models:
            names = list(model.state_dict())
            assert proposed(names)[0] == preset
            for patterns in presets(names).values():
                assert split(names, patterns) == assign_blocks(names, patterns)
