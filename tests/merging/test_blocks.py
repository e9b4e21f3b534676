import pytest
import torch
from adaptive_neon.errors import InputError
from adaptive_neon.families.edm.family import build
from adaptive_neon.families.edm.network import ARCHITECTURES
from adaptive_neon.families.networks.settings import UNET_BLOCKS
from adaptive_neon.merging import blocks
from adaptive_neon.merging.blocks import assign_blocks, assign_layers, assign_weights, lowest_resolution


def published_rule(name):
    """The block of a parameter by the code of Adaptive Neon's authors."""
    if "8x8" in name or "map" in name:
        return "mid"
    if "enc" in name:
        return "enc"
    if "dec" in name:
        return "dec"
    return "mid"


@pytest.mark.parametrize(("preset", "resolution"), [("ddpmpp", 32), ("ncsnpp", 32), ("adm", 64)])
def test_blocks_of_edm_networks_are_the_published_ones(preset, resolution):
    architecture = {"img_resolution": resolution, "img_channels": 3, "label_dim": 10, **ARCHITECTURES[preset]}
    with torch.device("meta"):
        names = list(build(architecture).state_dict())
    assert lowest_resolution(names) == "8x8"
    assert assign_blocks(names, UNET_BLOCKS) == {name: published_rule(name) for name in names}


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        ({"enc": "enc"}, r"parameter dec\.0 matches no block"),
        ({"enc": "enc", "all": ""}, r"parameter enc\.0 matches the blocks enc, all"),
        ({"enc": "enc", "dec": "dec", "mid": "mid"}, r"blocks\.mid: 'mid' matches no parameter"),
        ({"enc": "enc", "dec": "dec", "mid": "{lowest}_"}, "no parameter names its resolution"),
    ],
)
def test_patterns_that_do_not_split_the_parameters(patterns, words):
    with pytest.raises(InputError, match=words) as caught:
        assign_blocks(["enc.0", "dec.0"], patterns)
    assert "\n" not in str(caught.value)


def test_a_pattern_that_would_try_for_ever_is_refused(refuses, monkeypatch):
    """Eight groups that are repeated: the ways to split a name among them are more than anyone waits for."""
    monkeypatch.setattr(blocks, "PATIENCE", 0.2)
    groups = "(.*?)" * 8 + "".join(rf"\{i}" for i in range(1, 9))
    with refuses("blocks.all", "takes too long on model.dec.4x4_block0.affine.bias"):
        assign_blocks(["model.dec.4x4_block0.affine.bias"], {"all": f"^{groups}$"})


@pytest.mark.parametrize(
    "pattern",
    [".{2147483647}|.", "(?:.{1000}){1000}|.", "(?<=.{99999}).", ".{" + "9" * 5000 + "}", "(?R)", "(?1)(a)"],
)
def test_a_pattern_that_takes_memory_without_end_is_no_pattern(refuses, pattern):
    """The engine unrolls counts, gigabytes of them, and recursion has no end."""
    with refuses("blocks.all", "is no regular expression"):
        assign_blocks(["enc.0"], {"all": pattern})
    assert assign_blocks(["enc.0"], {"all": r"^enc\.\d{1,3}$"}) == {"enc.0": "all"}


def test_a_layer_is_a_module_with_its_weight_and_bias():
    names = ["enc.8x8_conv.weight", "enc.8x8_conv.bias", "map_layer0.weight", "cls_token"]
    layers = dict(zip(names, ["enc.8x8-conv", "enc.8x8-conv", "map-layer0", "cls-token"], strict=True))
    assert assign_layers(names) == layers == assign_blocks(names, "layers")
    assert assign_weights(names, {"all": "."}, layers.values()) == layers
    assert assign_weights(names, {"all": "."}, ["all"]) == dict.fromkeys(names, "all")
