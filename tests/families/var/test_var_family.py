import numpy as np
import pytest
import torch
import yaml
from adaptive_neon.families import settings_of
from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.families.loading import arrays, build, load
from adaptive_neon.families.var import family
from adaptive_neon.families.var.crops import enlarge_and_crop
from adaptive_neon.families.var.published import preset
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.merging.extrapolation import merge
from adaptive_neon.studies.config import check_config, check_network
from adaptive_neon.studies.layers import read_config
from PIL import Image


@pytest.mark.parametrize(("depth", "parameters", "tensors"), [(16, 310_283_520, 220), (36, 2_353_893_904, 446)])
def test_published_sizes(depth, parameters, tensors):
    with torch.device("meta"):
        network = family.build(preset(depth))
    sizes = [parameter.numel() for parameter in network.parameters()]
    assert (sum(sizes), len(network.state_dict())) == (parameters, tensors)


def test_a_new_network_knows_nothing_yet(digits):
    """Blocks and head start near zero: all codes are about as likely."""
    architecture, _, _ = digits
    logits = family.build(architecture)(torch.tensor([3]), torch.randn(1, 20, 4))
    torch.testing.assert_close(logits.softmax(2), torch.full((1, 21, 12), 1 / 12), rtol=0.1, atol=0)


def test_the_class_matters_and_no_class_is_one_more(digits):
    _, network, _ = digits
    logits = network(torch.arange(11), torch.zeros(11, 20, 4))
    assert len(logits[:, 0].unique(dim=0)) == 11


def test_a_network_comes_back(digits, tmp_path):
    """Buffers, whole numbers and −∞ among them, too."""
    architecture, network, _ = digits
    write_checkpoint(tmp_path / "model.safetensors", arrays(network), {"family": "var"} | architecture)
    again = load(read_checkpoint(tmp_path / "model.safetensors")).state_dict()
    assert again["lvl_1L"].dtype == torch.int64 and again["attn_bias_for_masking"].min() == -torch.inf
    for name, tensor in network.state_dict().items():
        assert torch.equal(again[name], tensor), name


@pytest.mark.parametrize("shared", [False, True])
def test_presets_split_the_weights(digits, shared):
    architecture = {"family": "var"} | digits[0] | {"shared_aln": shared}
    network, settings = build(architecture), settings_of(architecture)
    weights = list(filter(settings.is_weight, network.state_dict()))
    assert weights == [name for name, _ in network.named_parameters()]
    for preset_ in settings.block_presets(architecture).values():
        assert assign_blocks(weights, preset_).keys() == set(weights)
    assert list(settings.block_presets(architecture)) == ["by-depth", "by-kind"]
    by_depth = assign_blocks(weights, settings.block_presets(architecture)["by-depth"])
    assert by_depth["blocks.1.attn.proj.weight"] == "middle" and by_depth["head_nm.ada_lin.1.bias"] == "head"
    assert not shared or by_depth["shared_ada_lin.1.weight"] == "embedding"


def test_a_merge_keeps_the_constants(digits):
    """Extrapolated, a mask of −∞ would be NaN."""
    architecture, network, _ = digits
    base, tuned = arrays(network), {name: array + 1 for name, array in arrays(network).items()}
    settings = settings_of({"family": "var"})
    block_of = assign_blocks(
        list(filter(settings.is_weight, base)), settings.block_presets(architecture)["by-depth"]
    )
    merged = merge(base, tuned, dict.fromkeys(block_of.values(), 2.0), block_of)
    np.testing.assert_array_equal(merged["attn_bias_for_masking"], base["attn_bias_for_masking"])
    np.testing.assert_allclose(merged["head.weight"], base["head.weight"] - 2, rtol=1e-6)


def test_training_moves_every_weight_towards_the_data(digits):
    architecture, _, codec = digits
    torch.manual_seed(0)
    network = family.build(architecture, {"drop_path": 0.1}).train()
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), dtype=np.uint8))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        training = {"label_dropout": 0.1, "drop_path": 0.1}
        loss = family.loss(network, images, torch.arange(64) % 10, training, torch.float32, codec=codec)
        assert loss.shape == (64,)
        loss.mean().backward()
        losses.append(loss.mean().item())
        optimizer.step()
    assert losses[0] == pytest.approx(np.log(12), rel=0.01)  # every code alike
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert np.mean(losses[-5:]) < losses[0] - 0.1


def test_a_network_without_classes(digits):
    architecture, _, codec = digits
    network = family.build(architecture | {"label_dim": 0})
    images, classes = family.draw(network, range(2), {"guidance": 1, "top_k": 0, "top_p": 1}, codec=codec)
    loss = family.loss(network, images, None, {"label_dropout": 0}, torch.float32, codec=codec)
    assert loss.shape == (2,) and not classes.any()


def test_crops_equal_pillow():
    """Enlarged from 32 to 36 pixels; each crop is a window of Pillow's image, to one grey level."""
    images = torch.randint(256, (40, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    crops = enlarge_and_crop(images, 1.125).permute(0, 2, 3, 1)
    places = set()
    for image, crop in zip(images, crops, strict=True):
        whole = torch.from_numpy(
            np.array(Image.fromarray(image.numpy()).resize((36, 36), Image.Resampling.LANCZOS))
        )
        windows = whole.unfold(0, 32, 1).unfold(1, 32, 1).permute(0, 1, 3, 4, 2).int()
        worst = (windows - crop.int()).abs().flatten(2).amax(2)
        assert worst.min() <= 1
        places.add(worst.argmin().item())
    assert len(places) > 15  # of 25
    assert torch.equal(enlarge_and_crop(images, 1).permute(0, 2, 3, 1).byte(), images)


def test_flop(digits):
    """A linear layer computes 2·in·out a token (the modulation: once), attention 4·l·(tokens so far)·width."""
    architecture, network, _ = digits
    flop = attention = 0
    for name, parameter in network.named_parameters():
        if name.endswith("weight") and parameter.ndim > 1 and "emb.weight" not in name and "lvl" not in name:
            flop += 2 * parameter.numel() * {"word": 20}.get(name[:4], 3 if "ada_lin" in name else 21)
    once = sum(
        parameter.numel()
        for name, parameter in network.named_parameters()
        if "ada_lin" in name and parameter.ndim == 2
    )
    attention = 3 * 4 * 16 * (1 * 1 + 4 * 5 + 16 * 21)
    tokenizer = 2 * 21 * 4 * 12  # distances to the codes
    sampler = {"guidance": 1, "top_k": 0, "top_p": 1}
    assert family.drawing_flop(architecture, sampler) == flop + attention
    guided = family.drawing_flop(architecture, sampler | {"guidance": 2})
    assert guided == 2 * (flop + attention) - 2 * 20 * 4 * 16  # inputs are embedded once
    whole = flop - 2 * 2 * once + 3 * 4 * 16 * 21 * 21
    assert family.training_flop(architecture) == 3 * whole + tokenizer


def test_faults_of_an_architecture(digits, refuses):
    architecture, _, _ = digits
    with refuses("architecture.patch_nums", "6, not 8 pixels"):
        family.build(architecture | {"patch_nums": [1, 2, 3]})
    with refuses("architecture.embed_dim", "no multiple of 3 heads"):
        family.build(architecture | {"num_heads": 3})
    with refuses("architecture.depth is missing"):
        family.build({key: value for key, value in architecture.items() if key != "depth"})


# Configurations


@pytest.fixture
def experiment(digits, tmp_path, root):
    def read(**changes):
        training = {"label_dropout": 0.1, "drop_path": 0.0}
        overlay = {
            "base": {"architecture": {"family": "var"} | digits[0], "training": training},
            "sampler": {"guidance": 1.5, "top_k": 0, "top_p": 1},
            "finetune": training,
            "blocks": "by-depth",
        }
        (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay | changes))
        return read_config(root / "schemas/config.schema.yaml", [root / "config.yaml", tmp_path / "overlay.yaml"])

    return read


def test_an_overlay_of_this_family(experiment, digits):
    config = experiment()
    check_network(config)
    assert config["base"]["architecture"] == {"family": "var"} | digits[0]


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("codec", "ch", 32, "base.architecture.codec.ch: no argument of patches"),
        ("codec", "model_type", "VQVAE", "base.architecture.codec.patch_size: no argument of VQVAE"),
        ("architecture", "patch_nums", [2, 1, 4], "base.architecture.patch_nums: [2, 1, 4] do not rise"),
        ("training", "label_dropout", 0, "sampler.guidance: 1.5 needs base.training.label_dropout above 0"),
        ("sampler", "top_p", 0, "sampler.top_p: 0 must be above 0"),
    ],
)
def test_contradictions(experiment, root, refuses, section, key, value, words):
    config = experiment()
    base = config["base"]
    sections = base | {"codec": base["architecture"]["codec"], "sampler": config["sampler"]}
    sections[section][key] = value
    with refuses(words):
        check_config(config, yaml.safe_load((root / "schemas/config.schema.yaml").read_text()))
