"""The drift as a LoRA: against scipy's SVD; the outputs of diffusers and peft, against those of merged weights."""

import json

import numpy as np
import pytest
import torch
from adaptive_neon.commands.cli import main
from adaptive_neon.models.lora import factors
from other_checkpoints import state, write_pipeline
from safetensors.torch import load_file, save_file
from scipy.linalg import svd


@pytest.mark.parametrize("shape", [(7, 20), (20, 7), (6, 6)])
@pytest.mark.parametrize("rank", [1, 3, 9])
def test_factors_are_the_best_of_their_rank(shape, rank):
    matrix = np.random.default_rng(0).standard_normal(shape)
    u, s, v = svd(matrix, full_matrices=False)
    up, down, energy = factors(torch.from_numpy(matrix), rank)
    assert (up.shape, down.shape) == ((shape[0], rank), (rank, shape[1]))
    np.testing.assert_allclose(up @ down, (u[:, :rank] * s[:rank]) @ v[:rank], atol=1e-12)
    assert energy == pytest.approx(np.square(s[:rank]).sum(), rel=1e-12)
    norms = up.norm(dim=0), down.norm(dim=1)  # each factor has √s
    np.testing.assert_allclose(norms[0], norms[1], atol=1e-12)


def low_rank(theta_r, rank, seed=5):
    """θ_s whose every matrix differs by so few ranks; biases stay."""
    generator = torch.Generator().manual_seed(seed)
    tuned = {}
    for name, tensor in theta_r.items():
        matrix = tensor.flatten(1) if tensor.ndim > 1 else None
        if matrix is None:
            tuned[name] = tensor.clone()
            continue
        up, down = (torch.randn(n, rank, generator=generator) for n in matrix.shape)
        tuned[name] = (matrix + 0.1 * up @ down.T).reshape(tensor.shape)
    return tuned


@pytest.mark.parametrize("form", ["diffusers", "kohya", "peft"])
def test_a_lora_comes_back_as_the_tuned_model(tmp_path, monkeypatch, capsys, form):
    """A drift of rank 2 lies in a LoRA of rank 2 as a whole; merged with w = −1 it is θ_s."""
    monkeypatch.chdir(tmp_path)
    theta_r = state(0)
    theta_s = low_rank(theta_r, 2)
    save_file(theta_r, "A.safetensors")
    save_file(theta_s, "B.safetensors")
    output = "L" if form == "peft" else "L.safetensors"
    main(
        [
            "lora",
            "--base",
            "A.safetensors",
            "--tuned",
            "B.safetensors",
            "--rank",
            "2",
            "--form",
            form,
            "-o",
            output,
        ]
    )
    assert "rank 2 keeps 100.0% of |θ_s − θ_r|²; scale −w is Neon" in capsys.readouterr().out
    main(["merge", "--base", "A.safetensors", "--tuned", output, "--weights=-1", "-o", "C.safetensors"])
    for name, theta in load_file("C.safetensors").items():
        torch.testing.assert_close(theta, theta_s[name], rtol=0, atol=2e-6)


def test_what_is_kept_is_said_by_block(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    theta_r, theta_s = state(0), state(1)
    save_file(theta_r, "A.safetensors")
    save_file(theta_s, "B.safetensors")
    main(["lora", "--base", "A.safetensors", "--tuned", "B.safetensors", "--rank", "2", "-o", "L.safetensors"])
    rows = {cells[0]: cells for cells in map(str.split, capsys.readouterr().out.splitlines())}
    for block, prefix in (("down", ("conv_in", "down")), ("mid", ("time", "mid")), ("up", ("up", "conv_out"))):
        kept = total = 0.0
        for name in theta_r:
            if name.startswith(prefix):
                drift = (theta_s[name] - theta_r[name]).double().numpy()
                total += np.square(drift).sum()
                if drift.ndim > 1:
                    kept += np.square(svd(drift.reshape(len(drift), -1), compute_uv=False)[:2]).sum()
        assert float(rows[block][1]) == pytest.approx(total**0.5, rel=1e-4)
        assert float(rows[block][2].rstrip("%")) == pytest.approx(100 * kept / total, abs=0.06)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"unet.absent.lora_A.weight": torch.ones(2, 3), "unet.absent.lora_B.weight": torch.ones(3, 2)},
            "is no module of",
        ),
        ({"unet.conv_in.lora_A.weight": torch.ones(2, 1, 3, 3)}, "has not both of its factors"),
        (
            {"unet.conv_in.lora_A.weight": torch.ones(2, 9), "unet.conv_in.lora_B.weight": torch.ones(9, 2)},
            "don't fit",
        ),
        (
            {"unet.conv_in.lora_A.weight": torch.ones(2), "unet.conv_in.lora_B.weight": torch.ones(2)},
            "no matrices",
        ),
        (
            {"unet.conv_in.lora_A.weight": torch.ones(2, 9), "unet.conv_in.hada_w1_a": torch.ones(1)},
            "no factor of a LoRA",
        ),
    ],
)
def test_loras_of_other_models(here, line_of, changes, words):
    write_pipeline(here / "A", state(0))
    save_file(changes, "L.safetensors")
    assert words in line_of("merge", "--base", "A", "--tuned", "L.safetensors", "--weights=1", "-o", "C")


def test_what_lora_refuses(here, line_of):
    save_file(state(0), "A.safetensors")
    save_file(state(1), "B.safetensors")
    (here / "P").mkdir()
    (here / "P/adapter_config.json").write_text(json.dumps({"r": 0, "lora_alpha": 1}))
    two = ["lora", "--base", "A.safetensors", "--tuned"]
    assert "--rank: 0 must be" in line_of(*two, "B.safetensors", "--rank", "0", "-o", "L.safetensors")
    assert "ends in .safetensors" in line_of(*two, "B.safetensors", "--rank", "1", "-o", "L")
    assert "no configuration of a LoRA" in line_of(*two, "P", "--rank", "1", "-o", "L.safetensors")


# with diffusers and peft


def small_unet(diffusers, conditional):
    torch.manual_seed(0)
    common = {
        "sample_size": 8,
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (8, 16),
        "norm_num_groups": 4,
        "layers_per_block": 1,
        "attention_head_dim": 8,
    }
    if conditional:
        types = {
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        }
        return diffusers.UNet2DConditionModel(cross_attention_dim=12, **types, **common).eval()
    types = {
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    }
    return diffusers.UNet2DModel(**types, **common).eval()


def write_models(network):
    """θ_r in the folder A, θ_s with a drift of rank 2 in B; the network itself is θ_r."""
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(i)))
    theta_r = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.save_pretrained("B")
    save_file(low_rank(theta_r, 2), "B/diffusion_pytorch_model.safetensors", {"format": "pt"})
    network.save_pretrained("A")


def output(network):
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(2, 3, 8, 8, generator=generator)
    conditioning = {}
    if hasattr(network.config, "cross_attention_dim"):
        conditioning["encoder_hidden_states"] = torch.randn(2, 4, 12, generator=generator)
    with torch.inference_mode():
        return network(x, torch.tensor([3, 500]), **conditioning).sample


@pytest.mark.parametrize("form", ["diffusers", "kohya"])
def test_diffusers_loads_the_lora(here, diffusers, form):
    """With scale −w the loaded LoRA gives what the merged model gives."""
    network = small_unet(diffusers, conditional=True)
    write_models(network)
    before = output(network)
    main(["lora", "--base", "A", "--tuned", "B", "--rank", "2", "--form", form, "-o", "L.safetensors"])
    main(["merge", "--base", "A", "--tuned", "B", "--weights", "0.75", "-o", "C"])
    merged = output(diffusers.UNet2DConditionModel.from_pretrained("C"))

    pipeline = diffusers.StableDiffusionPipeline
    tensors, alphas, *_ = pipeline.lora_state_dict("L.safetensors")[:2]
    pipeline.load_lora_into_unet(tensors, alphas, network, adapter_name="neon")
    network.set_adapters(["neon"], weights=[-0.75])
    loaded = output(network)
    assert (merged - before).abs().max() > 0.05
    torch.testing.assert_close(loaded, merged, rtol=0, atol=2e-4)


def test_peft_loads_the_lora_of_any_network(here, diffusers):
    """UNet2DModel, which diffusers has no LoRA for. The weights of the blocks are in the LoRA."""
    peft = pytest.importorskip("peft")
    network = small_unet(diffusers, conditional=False)
    write_models(network)
    weights = "--weights=down=0.5,mid=-0.25,up=1"
    main(["lora", "--base", "A", "--tuned", "B", "--rank", "2", weights, "--form", "peft", "-o", "L"])
    main(["merge", "--base", "A", "--tuned", "B", weights, "-o", "C"])
    merged = output(diffusers.UNet2DModel.from_pretrained("C"))
    before = output(network)
    loaded = output(peft.PeftModel.from_pretrained(network, "L").base_model.model)
    assert (merged - before).abs().max() > 0.05
    torch.testing.assert_close(loaded, merged, rtol=0, atol=2e-4)


def test_a_merged_pipeline_opens(here, diffusers):
    network = small_unet(diffusers, conditional=False)
    write_models(network)
    other = diffusers.UNet2DModel.from_pretrained("B")
    for name, unet in (("PA", network), ("PB", other)):
        diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler(10)).save_pretrained(name)
    diffusers.UNet2DModel.from_pretrained("A").save_pretrained("SA", max_shard_size="20KB")
    main(["merge", "--base", "PA", "--tuned", "PB", "--weights=-1", "-o", "PC"])
    main(["merge", "--base", "SA", "--tuned", "PB", "--weights=-1", "-o", "SC"])
    opened = diffusers.DDPMPipeline.from_pretrained("PC")
    assert torch.equal(output(opened.unet), output(other))
    assert torch.equal(output(diffusers.UNet2DModel.from_pretrained("SC")), output(other))
    images = opened(num_inference_steps=2, generator=torch.Generator().manual_seed(0), output_type="np").images
    assert images.shape == (1, 8, 8, 3) and np.isfinite(images).all()
