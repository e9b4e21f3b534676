import numpy as np
import pytest
import torch
import yaml
from adaptive_neon.families import settings_of
from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.families.flow import family
from adaptive_neon.families.loading import arguments, arrays, build, load
from adaptive_neon.families.pixels import to_uint8
from adaptive_neon.families.sampling import seeded_noise, with_guidance
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.studies.config import check_config, check_network
from adaptive_neon.studies.layers import read_config

SIZE = {"family": "flow", "img_resolution": 8, "img_channels": 1, "label_dim": 10}
ARCHITECTURES = {
    "U-Net": SIZE
    | {
        "model_type": "SongUNet",
        "model_channels": 8,
        "channel_mult": [1, 1],
        "num_blocks": 1,
        "attn_resolutions": [],
    },
    "DiT": SIZE | {"model_type": "DiT", "patch_size": 2, "hidden_size": 16, "depth": 3, "num_heads": 2},
}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture
def network(architecture):
    """Every parameter is random, since those that start at zero would hide mistakes."""
    torch.manual_seed(0)
    network = build(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


SAMPLER = {"method": "heun", "steps": 3}


def test_images_depend_on_their_seed_and_class_alone(network):
    images, classes = family.draw(network, range(100, 106), SAMPLER)
    again, _ = family.draw(network, [104, 101], SAMPLER, classes=classes[[4, 1]])
    other, _ = family.draw(network, [104, 101], SAMPLER, classes=(classes[[4, 1]] + 1) % 10)
    assert images.dtype == torch.uint8 and images.shape == (6, 8, 8, 1)
    assert (again.int() - images[[4, 1]].int()).abs().max() <= 1  # layers may round otherwise in another batch
    assert not torch.equal(other, again)


def test_a_diverged_model_has_no_images(network):
    with torch.no_grad():
        next(network.parameters()).fill_(torch.nan)
    assert family.draw(network, range(3), SAMPLER)[0].shape == (0, 8, 8, 1)


def test_a_network_comes_back(network, architecture, tmp_path):
    write_checkpoint(tmp_path / "model.safetensors", arrays(network), architecture)
    again = load(read_checkpoint(tmp_path / "model.safetensors"))
    x = torch.randn(2, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(again(x, 0.3), network(x, 0.3))


def test_presets_split_the_weights(network, architecture):
    settings = settings_of(architecture)
    weights = list(filter(settings.is_weight, network.state_dict()))
    parameters = [name for name, _ in network.named_parameters()]
    assert weights == parameters
    for preset in settings.block_presets(architecture).values():
        assert assign_blocks(weights, preset).keys() == set(parameters)


def test_training_moves_every_weight_towards_the_data(network):
    """All gradients exist, and some steps lower the loss."""
    torch.manual_seed(0)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), dtype=np.uint8))
    labels = torch.arange(64) % 10
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = family.loss(network, images, labels, {"dropout": 0}, torch.float32)
        assert loss.shape == (64, 1, 8, 8)
        loss.mean().backward()
        losses.append(loss.mean().item())
        optimizer.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_guidance(network):
    """The velocity is null + g·(conditional − null); scale 1 is no guidance, in as many evaluations as without."""
    x, hot, scale = torch.randn(2, 1, 8, 8), torch.eye(10)[[3, 5]], 1.7
    with torch.inference_mode():
        null = network(x, 0.3)
        expected = null + scale * (network(x, 0.3, hot) - null)
        torch.testing.assert_close(with_guidance(network, hot, scale)(x, 0.3), expected, rtol=1e-4, atol=1e-5)
    free, _ = family.draw(network, [1, 2], SAMPLER, [3, 5])
    assert torch.equal(free, family.draw(network, [1, 2], SAMPLER | {"guidance": 1}, [3, 5])[0])
    assert not torch.equal(free, family.draw(network, [1, 2], SAMPLER | {"guidance": 2}, [3, 5])[0])


def test_guidance_in_an_interval(network):
    """Euler's four steps start at 0, 0.25, 0.5 and 0.75, of which two are guided: six evaluations of an image."""
    hot, scale = torch.eye(10)[[3, 5]], 1.7
    noise, _ = seeded_noise([1, 2], (1, 8, 8), 10)
    x = noise.double()
    with torch.inference_mode():
        for t in (0, 0.25, 0.5, 0.75):
            v, null = network(x, t, hot), network(x, t)
            x = x + 0.25 * (null + scale * (v - null) if t in (0.25, 0.5) else v)
    sampler = {"method": "euler", "steps": 4, "guidance": scale, "guidance_from": 0.2, "guidance_to": 0.6}
    images, _ = family.draw(network, [1, 2], sampler, [3, 5])
    assert (images.int() - to_uint8(x).int()).abs().max() <= 1
    architecture = ARCHITECTURES["DiT"]
    each = family.drawing_flop(arguments(architecture), {"method": "euler", "steps": 1})
    assert family.drawing_flop(arguments(architecture), sampler) == 6 * each
    heun = sampler | {"method": "heun"}  # at 0.25 and 0.5 also at the end of the step before
    assert family.drawing_flop(arguments(architecture), heun) == 12 * each


def test_label_dropout(network):
    """With all labels dropped the classes make no difference, without any they do."""
    images = torch.randint(256, (8, 8, 8, 1), dtype=torch.uint8)

    def loss(share, labels):
        torch.manual_seed(0)
        return family.loss(network, images, labels, {"dropout": 0, "label_dropout": share}, torch.float32)

    labels = torch.arange(8)
    assert torch.equal(loss(1, labels), loss(1, labels + 1))
    assert not torch.equal(loss(0, labels), loss(0, labels + 1))


def test_the_network_runs_in_bfloat16(network):
    x = torch.randn(2, 1, 8, 8)
    with torch.inference_mode():
        exact, rounded = network(x, 0.3), network(x, 0.3, dtype=torch.bfloat16)
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.05 * exact.abs().max()


def test_flop_of_a_transformer():
    """A linear layer computes 2·in·out a token (the modulation: once), an attention 4·tokens²·width."""
    architecture = ARCHITECTURES["DiT"]
    tokens, width = 16, 16
    flop = (
        3 * 4 * tokens**2 * width + 2 * 11 * width
    )  # and the table of classes, a product with their one-hot code
    for name, parameter in build(architecture).named_parameters():
        if name.endswith("weight") and parameter.ndim > 1 and "y_embedder" not in name:
            once = "adaLN" in name or "t_embedder" in name
            flop += 2 * parameter.numel() * (1 if once else tokens)
    arguments = {key: value for key, value in architecture.items() if key != "family"}
    assert family.drawing_flop(arguments, {"method": "heun", "steps": 5}) == 10 * flop
    assert family.drawing_flop(arguments, {"method": "euler", "steps": 5}) == 5 * flop
    assert family.drawing_flop(arguments, {"method": "euler", "steps": 5, "guidance": 2}) == 10 * flop
    assert family.training_flop(arguments) == 3 * flop


# Configurations


@pytest.fixture
def experiment(architecture, tmp_path, root):
    def read(**changes):
        overlay = {"base": {"architecture": architecture, "training": {"dropout": 0}}, "sampler": SAMPLER}
        overlay |= {"finetune": {"dropout": 0}, "blocks": "by-depth" if "depth" in architecture else "enc-mid-dec"}
        (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay | changes))
        return read_config(root / "schemas/config.schema.yaml", [root / "config.yaml", tmp_path / "overlay.yaml"])

    return read


def test_an_overlay_of_another_family_brings_its_own_keys(experiment, architecture, config):
    """The default experiment is of EDM; what every family has stays."""
    read = experiment()
    check_network(read)
    assert read["base"]["architecture"] == architecture
    assert read["sampler"] == SAMPLER
    assert read["base"]["training"]["kimg"] == config["base"]["training"]["kimg"]
    assert "augment" not in read["base"]["training"]


def test_keys_of_another_family_are_refused(experiment, refuses):
    with refuses("sampler.sigma_min: unknown key"):
        experiment(sampler=SAMPLER | {"sigma_min": 0.002})
    with refuses("finetune.augment: unknown key"):
        experiment(finetune={"augment": 0.1, "dropout": 0})


def test_guidance_needs_classes_and_training_without_them(experiment, refuses, root):
    schema = yaml.safe_load((root / "schemas/config.schema.yaml").read_text())
    config = experiment()
    config["sampler"]["guidance"] = 1.5
    with refuses("sampler.guidance: 1.5 needs base.training.label_dropout above 0"):
        check_config(config, schema)
    config["base"]["training"]["label_dropout"] = 0.1
    check_config(config, schema)
    config["base"]["architecture"]["label_dim"] = 0
    with refuses("sampler.guidance: 1.5, but a model without classes has none"):
        check_config(config, schema)


def test_arguments_of_another_network_are_refused(experiment, architecture, refuses, root):
    config = experiment()
    schema = yaml.safe_load((root / "schemas/config.schema.yaml").read_text())
    key, value = ("model_channels", 8) if "depth" in architecture else ("depth", 3)
    config["base"]["architecture"][key] = value
    with refuses(f"base.architecture.{key}: no argument of {architecture['model_type']}"):
        check_config(config, schema)
