"""Files as FoundationVision/VAR and Neon write them, made here of random weights."""

import numpy as np
import pytest
import torch
from adaptive_neon.families import settings_of
from adaptive_neon.families.checkpoints import read_model
from adaptive_neon.families.loading import load
from adaptive_neon.families.pickles import RefusedError
from adaptive_neon.families.torch_files import read_torch_file
from adaptive_neon.families.var import family
from adaptive_neon.families.var.published import CODEC, codec_from_published, preset

WRAPPERS = {
    "flat": lambda state: state,
    "state_dict": lambda state: {"state_dict": state},
    "training": lambda state: {"epoch": 3, "trainer": {"config": {"resos": (16, 32)}, "var_wo_ddp": state}},
}


@pytest.fixture
def network(architecture):
    torch.manual_seed(0)
    return family.build(architecture | {"codec": CODEC | {"vocab_size": 40, "z_channels": 8}})


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_reads_a_transformer(network, architecture, wrap, tmp_path):
    torch.save(wrap(network.state_dict()), tmp_path / "var_d3.pth")
    checkpoint = read_model(tmp_path / "var_d3.pth")
    codec = CODEC | {"vocab_size": 40, "z_channels": 8}
    assert checkpoint.architecture == {"family": "var"} | architecture | {"codec": codec}
    again = load(checkpoint)
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_reads_a_tokenizer(architecture, tmp_path):
    """Without the counts of codes, whose number of scales may be another."""
    codec = family.build_codec(architecture)
    hits = {"quantize.ema_vocab_hit_SV": torch.zeros(10, 40)}
    for content in (codec.state_dict() | hits, {"model": codec.state_dict() | hits}):
        torch.save(content, tmp_path / "vae.pth")
        tensors = codec_from_published(read_torch_file(tmp_path / "vae.pth"), 10**8)
        assert tensors.keys() == codec.state_dict().keys()
        np.testing.assert_array_equal(tensors["quant_conv.weight"], codec.quant_conv.weight)


def test_refuses_other_files(network, refuses, tmp_path):
    state = network.state_dict()
    del state["blocks.0.ffn.fc1.weight"]
    for content, words in (({"weight": torch.ones(2)}, "no state dict of a VAR"), (state, "ffn.fc1.weight")):
        torch.save(content, tmp_path / "other.pth")
        with refuses("other.pth", words):
            read_model(tmp_path / "other.pth")
    with pytest.raises(RefusedError, match="no tokenizer"):
        codec_from_published({"weight": np.ones(2)}, 8)


def test_presets_of_names():
    settings = settings_of({"family": "var"})
    assert settings.published_architecture("https://example.org/var_d30.pth") == preset(30)
    assert settings.published_architecture("Neon_VARd16_imagenet256.pth") == preset(16)
    d36 = settings.published_architecture("var_d36.pth")
    assert (d36["img_resolution"], d36["shared_aln"], sum(side**2 for side in d36["patch_nums"])) == (
        512,
        True,
        2240,
    )
    usage = settings.upstream_usage({"family": "var"} | d36, "model.pth")
    assert "depth=36, shared_aln=True" in usage and "load('model.pth')" in usage
    assert "adaptive_neon" in settings.upstream_usage({"family": "var"} | d36 | {"depth": 35}, "model.pth")
