import numpy as np
import pytest
import torch
import yaml
from adaptive_neon.families import settings_of
from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.families.imm import family, published
from adaptive_neon.families.loading import arrays, build, load
from adaptive_neon.families.sampling import with_guidance
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.studies.config import check_config
from adaptive_neon.studies.layers import read_config

SIZE = {"family": "imm", "img_resolution": 8, "img_channels": 1, "label_dim": 10}
DIT = {"model_type": "DiT", "patch_size": 2, "hidden_size": 16, "depth": 3, "num_heads": 2}
CODEC = {
    "img_channels": 1,
    "ch": 32,
    "ch_mult": [1, 1],
    "num_res_blocks": 1,
    "attn_levels": [],
    "z_channels": 2,
    "mean": [0.5, -1.0],
    "std": [2.0, 0.25],
}
ARCHITECTURES = {
    "U-Net": SIZE
    | {
        "model_type": "SongUNet",
        "model_channels": 8,
        "channel_mult": [1, 1],
        "num_blocks": 1,
        "attn_resolutions": [],
        "eps": 0.006,
        "f_type": "simple_edm",
        "temb_type": "identity",
    },
    "DiT": SIZE | DIT,
    "latent": SIZE | DIT | {"codec": CODEC, "patch_size": 1},
}
SAMPLER = {"steps": 3}
TRAINING = {"dropout": 0}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request):
    return request.param


def randomised(network):
    """Every parameter is random, since those that start at zero would hide mistakes."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture
def network(architecture):
    return randomised(build(architecture))


@pytest.fixture
def codec(architecture):
    return family.build_codec(architecture) if architecture.get("codec") else None


def test_a_jump_to_the_same_time_stays(network):
    x = torch.randn(3, *network.shape, dtype=torch.float64)
    t = torch.tensor([0.1, 0.5, 0.99]).reshape(-1, 1, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(network(x, t, s=t), x)
        assert (network(x, t) - x).abs().amax((1, 2, 3)).min() > 0.01


def test_the_velocity_is_the_slope_of_the_jump(network, monkeypatch):
    """By central differences, with an F that does not change with s."""
    x, f = torch.randn(2, 2, *network.shape, dtype=torch.float64)
    monkeypatch.setattr(network, "raw", lambda x, t, s, labels, dtype: f)
    t = torch.tensor([0.2, 0.7], dtype=torch.float64).reshape(-1, 1, 1, 1)
    slope = (network(x, t, s=t + 1e-6) - network(x, t, s=t - 1e-6)) / 2e-6
    torch.testing.assert_close(network.velocity(x, t), slope, rtol=1e-6, atol=1e-6)


def test_images_depend_on_their_seed_and_class_alone(network, codec):
    images, classes = family.draw(network, range(100, 106), SAMPLER, codec=codec)
    again, _ = family.draw(network, [104, 101], SAMPLER, classes[[4, 1]], codec=codec)
    other, _ = family.draw(network, [104, 101], SAMPLER, (classes[[4, 1]] + 1) % 10, codec=codec)
    assert images.dtype == torch.uint8 and images.shape == (6, 8, 8, 1)
    assert (again.int() - images[[4, 1]].int()).abs().max() <= 1  # layers may round otherwise in another batch
    assert not torch.equal(other, again)


def test_guidance(network):
    """A guided jump is null + g·(conditional − null); scale 1 is no guidance."""
    scale, x = 1.7, torch.randn(2, *network.shape)
    t, s = torch.tensor(0.994), torch.tensor(0.3)
    hot = torch.eye(10)[[3, 5]]
    with torch.inference_mode():
        expected = network(x, t, s=s) + scale * (network(x, t, hot, s=s) - network(x, t, s=s))
        found = with_guidance(network, hot, scale)(x, t, s=s)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    free, _ = family.draw(network, [1, 2], SAMPLER, [3, 5])
    assert torch.equal(free, family.draw(network, [1, 2], SAMPLER | {"guidance": 1}, [3, 5])[0])
    assert not torch.equal(free, family.draw(network, [1, 2], SAMPLER | {"guidance": 2}, [3, 5])[0])


def test_guidance_needs_classes(refuses):
    network = build(ARCHITECTURES["DiT"] | {"label_dim": 0})
    with refuses("sampler.guidance", "no classes"):
        family.draw(network, [1], SAMPLER | {"guidance": 1.5})


@pytest.mark.parametrize("name", ["DiT", "U-Net"])
def test_models_without_classes(name):
    network = randomised(build(ARCHITECTURES[name] | {"label_dim": 0}))
    images, classes = family.draw(network, range(3), SAMPLER)
    assert images.shape == (3, 8, 8, 1) and not classes.any()
    losses = family.loss(network, images.repeat(4, 1, 1, 1), None, TRAINING | {"flow_share": 0.3}, torch.float32)
    assert losses.shape == (12,) and torch.isfinite(losses).all()


def test_a_diverged_model_has_no_images(network):
    with torch.no_grad():
        next(network.parameters()).fill_(torch.nan)
    assert len(family.draw(network, range(3), SAMPLER)[0]) == 0


def test_a_network_comes_back(network, architecture, tmp_path):
    write_checkpoint(tmp_path / "model.safetensors", arrays(network), architecture)
    again = load(read_checkpoint(tmp_path / "model.safetensors"))
    x = torch.randn(2, *network.shape)
    with torch.inference_mode():
        assert torch.equal(again(x, 0.3), network(x, 0.3))


def test_presets_split_the_weights(network, architecture):
    """The table of positions is one of them."""
    settings = settings_of(architecture)
    weights = list(filter(settings.is_weight, network.state_dict()))
    assert set(weights) == {name for name, _ in network.named_parameters()}
    assert ("model.pos_embed" in weights) == (architecture["model_type"] == "DiT")
    for preset in settings.block_presets(architecture).values():
        assert assign_blocks(weights, preset).keys() == set(weights)


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_training_moves_every_weight_towards_the_data(network, codec, share):
    """All gradients exist, and some steps lower the loss on the same random numbers."""
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), dtype=np.uint8))
    labels = torch.arange(64) % 10
    training = TRAINING | {"flow_share": share}

    def loss():
        torch.manual_seed(1)
        return family.loss(network, images, labels, training, torch.float32, codec)

    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        values = loss()
        assert values.shape == (64,)
        values.mean().backward()
        losses.append(values.mean().item())
        optimizer.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert losses[-1] < losses[0]


def test_groups_share_their_loss_and_the_flow_its_images(network, codec):
    images = torch.randint(256, (24, 8, 8, 1), dtype=torch.uint8)
    training = TRAINING | {"flow_share": 0.5, "group": 4}
    losses = family.loss(network, images, torch.arange(24) % 10, training, torch.float32, codec).detach()
    assert (losses[:12].reshape(3, 4) == losses[:12:4, None]).all()
    assert len(losses[12:].unique()) == 12


def test_both_times_see_the_same_dropout():
    """With r close to t and no dropped labels the two jumps agree."""
    network = randomised(build(ARCHITECTURES["U-Net"], {"dropout": 0.5})).train()
    images = torch.randint(256, (8, 8, 8, 1), dtype=torch.uint8)
    training = {"dropout": 0.5, "label_dropout": 0, "k": 60, "min_tr_gap": 0}
    torch.manual_seed(0)
    same = family.loss(network, images, torch.arange(8), training, torch.float32)
    assert same.abs().max() < 1e-9


def test_the_network_runs_in_bfloat16(network):
    x = torch.randn(2, *network.shape)
    with torch.inference_mode():
        exact, rounded = network(x, 0.9), network(x, 0.9, dtype=torch.bfloat16)
    assert rounded.dtype == torch.float64
    assert 0 < (exact - rounded).abs().max() < 0.05 * exact.abs().max()


def test_the_published_networks():
    """Parameter counts of Luma's networks, built without their memory."""
    with torch.device("meta"):
        imagenet = build({"family": "imm"} | published.IMAGENET_256)
        cifar = build({"family": "imm"} | published.CIFAR_10)
    assert imagenet.shape == (4, 32, 32)
    assert sum(parameter.numel() for parameter in imagenet.parameters()) == 676_735_504
    assert len(imagenet.state_dict()) == 296
    assert cifar.shape == (3, 32, 32)


def test_latents_are_whitened():
    """The codec's latents of mean `mean` and deviation `std` are the model's of mean 0 and deviation ½."""
    codec = family.build_codec(ARCHITECTURES["latent"])
    assert not any(name.startswith(("mean", "std")) for name in codec.state_dict())
    images = torch.rand(2, 1, 8, 8) * 2 - 1
    torch.manual_seed(0)
    raw = super(type(codec), codec).sample(images)
    torch.manual_seed(0)
    seen = codec.sample(images)
    torch.testing.assert_close(seen[:, 0], (raw[:, 0] - 0.5) / 4)
    torch.testing.assert_close(seen[:, 1], (raw[:, 1] + 1) * 2)
    torch.testing.assert_close(codec.decode(seen), super(type(codec), codec).decode(raw), rtol=1e-4, atol=1e-5)


def test_flop():
    """An image costs a network evaluation a step, two if guided; a training image a step and its target."""
    one = family.drawing_flop(DIT | SIZE_ARGUMENTS, {"steps": 1})
    assert one > 16 * 2 * 12 * 16**2 * 3  # the linear layers of three blocks on 16 tokens
    assert family.drawing_flop(DIT | SIZE_ARGUMENTS, {"steps": 4}) == 4 * one
    assert family.drawing_flop(DIT | SIZE_ARGUMENTS, {"steps": 4, "guidance": 1.5}) == 8 * one
    assert family.training_flop(DIT | SIZE_ARGUMENTS) == 4 * one


SIZE_ARGUMENTS = {key: value for key, value in SIZE.items() if key != "family"}


# Configurations


@pytest.fixture
def experiment(architecture, tmp_path, root):
    def read(**changes):
        overlay = {"base": {"architecture": architecture, "training": TRAINING}, "sampler": SAMPLER}
        overlay |= {"finetune": TRAINING, "blocks": "by-depth" if "depth" in architecture else "enc-mid-dec"}
        (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay | changes))
        return read_config(root / "schemas/config.schema.yaml", [root / "config.yaml", tmp_path / "overlay.yaml"])

    return read


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("sampler", {"mid_nt": 1.4}, "sampler.mid_nt: the time between two steps, but sampler.steps is 3"),
        ("sampler", {"discretization": "edm", "mid_nt": 1.4, "steps": 2}, "remove it or sampler.discretization"),
        ("finetune", {"group": 7}, "finetune.batch: 256 images do not split into groups of 7"),
        ("finetune", {"micro_batch": 2}, "finetune.micro_batch: 2 images do not split into groups of 4"),
        ("architecture", {"eps": 0.999}, "base.architecture.eps: 0.999 is not below T, 0.994"),
    ],
)
@pytest.mark.parametrize("architecture", [ARCHITECTURES["DiT"]])
def test_contradictions(experiment, refuses, root, section, change, message):
    config = experiment()
    schema = yaml.safe_load((root / "schemas/config.schema.yaml").read_text())
    (config["base"] if section == "architecture" else config)[section] |= change
    with refuses(message):
        check_config(config, schema)


def test_arguments_of_another_network_are_refused(experiment, architecture, refuses, root):
    config = experiment()
    schema = yaml.safe_load((root / "schemas/config.schema.yaml").read_text())
    key, value = ("model_channels", 8) if "depth" in architecture else ("depth", 3)
    config["base"]["architecture"][key] = value
    with refuses(f"base.architecture.{key}: no argument of {architecture['model_type']}"):
        check_config(config, schema)


def test_an_image_must_split_into_latents(refuses):
    with refuses("img_resolution: 9 is no multiple of 2"):
        build(ARCHITECTURES["latent"] | {"img_resolution": 9})
