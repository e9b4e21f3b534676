"""Fine-tuning by LoRA: what is trained, against peft and against what a LoRA is."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from adaptive_neon.families import family_of
from adaptive_neon.families.diffusers.settings import ADAPTED, block_presets, contradictions
from adaptive_neon.families.loading import arrays, load, load_codec
from adaptive_neon.families.networks.low_rank import adapt, merged
from adaptive_neon.merging.blocks import assign_blocks
from adaptive_neon.models.imported import find_codec, read_codec, read_model
from adaptive_neon.training.loop import Training, TrainingSettings, train
from tiny_pipelines import PIXELS, TRANSFORMER
from torch import nn

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
RANK = 2
UNUSED = {"transformer_blocks.2.attn.add_q_proj.weight"}  # SD3's last block puts out no text
SETTINGS = {"batch": 4, "lr": 1e-2, "ema_halflife_kimg": 0.004, "weight_decay": 0.1, "clip_norm": 1.0, "seed": 3}


class NotRolling:
    """No state between the segments of a training but what a test keeps."""

    load = staticmethod(lambda: None)
    save_if_due = staticmethod(lambda state: None)


def trained(checkpoint, codec, until, state=None):
    """A training that has seen so many images."""
    settings = TrainingSettings.from_section(SETTINGS | {"lora_rank": RANK})
    torch.manual_seed(settings.seed)
    training = Training(load(checkpoint, settings.family), settings, partial(family_of(PIXELS).loss, **codec))
    if state:
        training.load_state_dict(state)
    images = np.random.default_rng(0).integers(256, size=(8, 8, 8, 1), dtype=np.uint8)
    train(training, images, np.arange(8) % 4, until, NotRolling)
    return training


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3"])
def test_attention_alone_moves_by_no_more_than_its_rank(text_folders, name):
    folders, prompts = text_folders
    checkpoint = read_model(folders[name][0], prompts)
    files = find_codec(folders[name][0], None, checkpoint.architecture)
    codec = load_codec(files, checkpoint.architecture, torch.device("cpu"), read_codec)
    first = trained(checkpoint, codec, 8)
    training = trained(checkpoint, codec, 16, first.state_dict())
    tuned = arrays(merged(training.ema))
    assert tuned.keys() == checkpoint.tensors.keys()
    moved = set()
    for key, theta_s in tuned.items():
        drift = theta_s - checkpoint.tensors[key]
        if not drift.any():
            continue
        moved.add(key)
        values = np.linalg.svd(drift.astype(np.float64), compute_uv=False)
        assert values[RANK:].max() < 1e-6 < 1e-3 < values[0], key
    adapted = {key for key in tuned if re.fullmatch(rf"{ADAPTED}\.weight", key)}
    assert moved == adapted - UNUSED != set()

    uninterrupted = trained(checkpoint, codec, 16)
    assert all(
        torch.equal(a, b) for a, b in zip(training.ema.parameters(), uninterrupted.ema.parameters(), strict=True)
    )


def test_a_layer_is_that_of_peft(library):
    peft = pytest.importorskip("peft", reason="peft is not installed (requirements-diffusers.txt)")
    network = family_of(PIXELS).build({key: value for key, value in PIXELS.items() if key != "family"}).eval()
    theirs = family_of(PIXELS).build({key: value for key, value in PIXELS.items() if key != "family"}).eval()
    theirs.load_state_dict(network.state_dict())
    plain = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    adapt(network, ADAPTED, RANK)
    peft.inject_adapter_in_model(peft.LoraConfig(r=RANK, lora_alpha=RANK, target_modules=ADAPTED), theirs)
    layers = dict(theirs.named_modules())
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                parameter.normal_()
                layer, _, factor = name.rpartition(".")
                there = layers[layer].lora_A if factor == "down" else layers[layer].lora_B
                there["default"].weight.copy_(parameter)
        x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 50])
        expected = theirs(x, t).sample
        torch.testing.assert_close(network(x, t).sample, expected)
        whole = merged(network)
        torch.testing.assert_close(whole(x, t).sample, expected, rtol=1e-4, atol=1e-5)
    assert whole.state_dict().keys() == plain.keys() and merged(whole) is whole
    adapted = {name.removesuffix(".base_layer") for name in layers if name.endswith(".base_layer")}
    assert adapted == {name for name in dict(network.named_modules()) if re.fullmatch(ADAPTED, name)}


def test_what_cannot_be_adapted_is_one_line(refuses):
    network = nn.ModuleDict({"to_q": nn.Linear(3, 8)})
    with refuses("finetune.lora_rank: the network has no attention"):
        adapt(nn.Sequential(nn.Linear(3, 3)), ADAPTED, 1)
    with refuses("finetune.lora_rank: 3, but attn.to_q has rank 3"):
        adapt(nn.ModuleDict({"attn": network}), ADAPTED, 3)
    base = {"training": None, "architecture": TRANSFORMER}
    config = {"base": base, "sampler": {"steps": 5}, "finetune": {"lora_rank": 2}, "blocks": "by-depth"}
    ((key, message),) = contradictions(config)
    assert key == "blocks" and message.endswith("set it to thirds")
    assert not list(contradictions(config | {"blocks": "thirds"}))
    training = {"base": base | {"training": {"lora_rank": 2}}, "finetune": {}}
    assert [key for key, _ in contradictions(config | training)] == ["base.training.lora_rank"]


def test_in_thirds_every_block_has_attention():
    """Unlike by-depth, whose embedding and head have none."""
    presets = block_presets(TRANSFORMER)
    names = [f"transformer_blocks.{i}.attn1.to_q.weight" for i in range(3)]
    others = ["pos_embed.proj.weight", "norm_out.linear.bias", "proj_out_1.weight"]
    assert set(assign_blocks([*names, *others], presets["thirds"]).values()) == {"early", "middle", "late"}
    assert set(assign_blocks(names + others, presets["by-depth"]).values()) == {
        "embedding",
        *("early", "middle", "late"),
        "head",
    }
