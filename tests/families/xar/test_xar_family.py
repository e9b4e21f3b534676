import numpy as np
import pytest
import torch
from adaptive_neon.families.checkpoints import read_checkpoint, read_model, write_checkpoint
from adaptive_neon.families.loading import arrays, load
from adaptive_neon.families.pickles import RefusedError
from adaptive_neon.families.xar import family, settings
from adaptive_neon.families.xar.matching import draw_cells
from adaptive_neon.families.xar.published import IMAGENET_256, SIZES
from adaptive_neon.merging.blocks import assign_blocks
from torch.utils.flop_counter import FlopCounterMode

PIXELS = {
    "img_resolution": 8,
    "img_channels": 1,
    "label_dim": 10,
    "patch_size": 2,
    "cells": 2,
    "hidden_size": 16,
    "encoder_depth": 2,
    "decoder_depth": 1,
    "num_heads": 2,
    "scale": 1.25,
}
CODEC = {
    "img_channels": 1,
    "ch": 32,
    "ch_mult": [1, 1],
    "num_res_blocks": 1,
    "attn_levels": [],
    "z_channels": 4,
}
ARCHITECTURES = {"pixels": PIXELS, "latents": PIXELS | {"codec": CODEC, "patch_size": 1}}
SAMPLER = {"steps": 3, "guidance": 2.5}
TRAINING = {"dropout": 0, "label_dropout": 0.1}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture
def codec(architecture):
    torch.manual_seed(1)
    return family.build_codec(architecture) if "codec" in architecture else None


@pytest.fixture
def network(architecture):
    """Every parameter is random, since those that start at zero would hide mistakes."""
    torch.manual_seed(0)
    network = family.build(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


# Drawing and training


def test_images_depend_on_their_seed_and_class_alone(network, codec):
    images, classes = family.draw(network, range(100, 106), SAMPLER, codec=codec)
    again, _ = family.draw(network, [104, 101], SAMPLER, classes=classes[[4, 1]], codec=codec)
    other, _ = family.draw(network, [104, 101], SAMPLER, classes=(classes[[4, 1]] + 1) % 10, codec=codec)
    assert images.dtype == torch.uint8 and images.shape == (6, 8, 8, 1)
    assert (again.int() - images[[4, 1]].int()).abs().max() <= 1  # layers may round otherwise in another batch
    assert not torch.equal(other, again)


def test_the_first_cell_is_not_guided(network):
    noise, classes = torch.randn(2, 4, 3, *network.grid.shape[1:]), torch.tensor([3, 7])
    with torch.inference_mode():
        free, guided = (draw_cells(network, noise, classes, guidance) for guidance in (1, 4))
    assert torch.equal(free[:, 0], guided[:, 0])
    assert not torch.isclose(free[:, 1:], guided[:, 1:]).all(-1).any()


def test_a_diverged_model_has_no_images(network, codec):
    with torch.no_grad():
        network.z_proj.weight.fill_(torch.nan)
    assert family.draw(network, range(3), SAMPLER, codec=codec)[0].shape == (0, 8, 8, 1)


def test_training_moves_every_weight_towards_the_data(network, codec):
    """All gradients exist, and some steps lower the loss."""
    torch.manual_seed(0)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), dtype=np.uint8))
    labels = torch.arange(64) % 10
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = family.loss(network, images, labels, TRAINING | {"flip": 0.5}, torch.float32, codec=codec)
        assert loss.shape == (64,)
        loss.mean().backward()
        losses.append(loss.mean().item())
        optimizer.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_a_share_of_images_is_mirrored_and_a_share_loses_its_class(monkeypatch):
    seen = {}

    def forward(cells, t, classes):
        seen.update(cells=cells, classes=classes)
        return torch.zeros_like(cells)

    network = family.build(PIXELS)
    monkeypatch.setattr(network, "forward", forward)
    monkeypatch.setattr(
        family, "matching_loss", lambda velocity, cells: velocity(cells, torch.zeros(len(cells), 4))
    )
    images = torch.zeros(4000, 8, 8, 1, dtype=torch.uint8)
    images[:, :, :4] = 255
    torch.manual_seed(0)
    family.loss(network, images, torch.full([4000], 7), TRAINING | {"flip": 0.25}, torch.float32)
    assert set(seen["classes"].tolist()) == {7, 10}
    assert (seen["classes"] == 10).float().mean().item() == pytest.approx(0.1, abs=0.02)
    left = seen["cells"][:, 0].flatten(1)
    assert left.unique().tolist() == [-PIXELS["scale"], PIXELS["scale"]]
    assert (left < 0).all(1).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_dropout_is_of_training_alone(network, architecture):
    dropping = family.build(architecture, {"dropout": 0.5, "label_dropout": 0})
    dropping.load_state_dict(network.state_dict())
    cells, t, classes = torch.randn(2, *network.grid.shape), torch.rand(2, 4), torch.tensor([1, 2])
    with torch.inference_mode():
        expected = network(cells, t, classes)
        assert torch.equal(dropping.eval()(cells, t, classes), expected)
        assert not torch.isclose(dropping.train()(cells, t, classes), expected, rtol=1e-3).any(-1).all()


def test_the_network_runs_in_bfloat16(network):
    noise, classes = torch.randn(2, 4, 3, *network.grid.shape[1:]), torch.tensor([3, 7])
    with torch.inference_mode():
        exact = draw_cells(network, noise, classes, 2)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = draw_cells(network, noise, classes, 2, torch.bfloat16)
    assert 0 < (exact - rounded).abs().max() < 0.05 * exact.abs().max()


# Files and blocks


def test_a_network_comes_back(network, architecture, tmp_path):
    architecture = {"family": "xar"} | architecture
    write_checkpoint(tmp_path / "model.safetensors", arrays(network), architecture)
    again = load(read_checkpoint(tmp_path / "model.safetensors"))
    cells, t, classes = torch.randn(2, *network.grid.shape), torch.rand(2, 4), torch.tensor([1, 10])
    with torch.inference_mode():
        assert torch.equal(again(cells, t, classes), network(cells, t, classes))


def test_weights_are_the_parameters_and_presets_split_them(network, architecture):
    weights = list(filter(settings.is_weight, network.state_dict()))
    assert set(weights) == {name for name, _ in network.named_parameters()}
    for preset in settings.block_presets(architecture).values():
        assert assign_blocks(weights, preset).keys() == set(weights)
    by_depth, _ = settings.block_presets(SIZES["base"]).values()
    with torch.device("meta"):
        names = family.build(IMAGENET_256 | SIZES["base"]).state_dict()
    blocks = assign_blocks(list(filter(settings.is_weight, names)), by_depth)
    in_order = [blocks[f"{stack}_blocks.{i}.mlp.fc2.bias"] for stack in ("encoder", "decoder") for i in range(8)]
    assert in_order == ["early"] * 5 + ["middle"] * 6 + ["late"] * 5
    assert blocks["decoder_embed.weight"] == "middle"


@pytest.mark.parametrize("key", [None, "model_ema", "state_dict"])
def test_published_files_load_without_a_mapping(key, tmp_path):
    """Of random weights, in the size of upstream's latents."""
    sizes = {"hidden_size": 16, "encoder_depth": 2, "decoder_depth": 3, "num_heads": 2}
    network = family.build(IMAGENET_256 | sizes)
    state = network.state_dict()
    torch.save(state if key is None else {key: state, "epoch": 3}, tmp_path / "xAR-B.pth")
    checkpoint = read_model(tmp_path / "xAR-B.pth")
    assert checkpoint.architecture == {"family": "xar"} | IMAGENET_256 | sizes
    again = load(checkpoint).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"z_proj_ln.weight": None}, "holds no state dict of an xAR"),
        ({"z_proj.weight": np.zeros((16, 4))}, "for 256 tokens of 4 numbers"),
        ({"class_emb.weight": None}, "nearly an xAR's"),
    ],
)
def test_other_files_are_refused(changes, message):
    state = arrays(
        family.build(IMAGENET_256 | {"hidden_size": 16, "encoder_depth": 1, "decoder_depth": 1, "num_heads": 2})
    )
    state = {name: array for name, array in (state | changes).items() if array is not None}
    with pytest.raises(RefusedError, match=message):
        settings.from_published(state, 10**8)


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [("xAR-B.pth", "base", 172_638_224), ("Neon_xARL_imagenet256.pth", "large", 608_397_968)],
)
def test_published_sizes(name, size, parameters, refuses):
    architecture = settings.published_architecture(f"https://models/{name}")
    with torch.device("meta"):
        network = family.build(architecture)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert f"xar_{size}()" in settings.upstream_usage(architecture, "model.pt")
    with refuses("base.architecture: not known before other.pth is imported"):
        settings.published_architecture("other.pth")


def test_floating_point_operations():
    """A linear layer computes 2·in·out a token, the modulation once a cell, attention 4·queries·keys·width."""
    tokens, per_cell, width = 16, 4, 16
    network = family.build(PIXELS)
    flop = 3 * 4 * tokens**2 * width
    for name, parameter in network.named_parameters():
        if name.endswith("weight") and parameter.ndim > 1 and "class_emb" not in name:
            a_cell = "ada_lin" in name or "time_embed" in name
            flop += 2 * parameter.numel() * (tokens // per_cell if a_cell else tokens)
    assert family.training_flop(PIXELS) == 3 * flop
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        noise = torch.zeros(1, 4, 2, *network.grid.shape[1:])
        draw_cells(family.build(PIXELS), noise, torch.zeros(1, dtype=torch.int64), 3)
    # It counts the embedding of time for each of the two classes that nine evaluations are of.
    twice = 9 * 2 * (256 * width + width**2)
    assert family.drawing_flop(PIXELS, {"steps": 2, "guidance": 3}) == counter.get_total_flops() + twice


def test_floating_point_operations_of_the_codec():
    """One more decoder block of 32 channels: two convolutions 3×3; and so of the encoder, once a training step."""
    latents, more = ARCHITECTURES["latents"], PIXELS | {"codec": CODEC | {"num_res_blocks": 2}, "patch_size": 1}
    block = 2 * 2 * 9 * 32**2 * (8**2 + 4**2)
    for flop in (family.training_flop, lambda architecture: family.drawing_flop(architecture, SAMPLER)):
        assert flop(more) - flop(latents) == block


# Configurations


def contradicting(architecture, label_dropout=0.1, guidance=2):
    config = {
        "base": {"architecture": architecture, "training": {"label_dropout": label_dropout}},
        "sampler": {"guidance": guidance},
    }
    return dict(settings.contradictions(config))


def test_contradictions():
    assert not contradicting(PIXELS)
    assert not contradicting(PIXELS, label_dropout=0, guidance=1)
    assert "label_dropout above 0" in contradicting(PIXELS, label_dropout=0)["sampler.guidance"]
    assert "without classes" in contradicting(PIXELS | {"label_dim": 0})["sampler.guidance"]
    assert (
        "make them equal"
        in contradicting(PIXELS | {"img_channels": 3, "codec": CODEC})["base.architecture.codec.img_channels"]
    )


@pytest.mark.parametrize(("key", "value"), [("img_resolution", 10), ("hidden_size", 20)])
def test_sizes_that_do_not_divide(key, value, refuses):
    with refuses(f"architecture.{key}: {value} is no multiple of"):
        family.build(PIXELS | {key: value})
