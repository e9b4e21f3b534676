"""Two networks in a pipeline of diffusers: (1 + w)·D_r − w·D_s, and nothing else."""

import copy
import re
import textwrap

import numpy as np
import pytest
import torch
from adaptive_neon.families.diffusers.guider import guide
from tiny_pipelines import LATENTS, PIXELS, TRANSFORMER
from torch import nn

# The pipeline takes class 1,000 as none.
CLASSES = TRANSFORMER | {"label_dim": 1000, "model": TRANSFORMER["model"] | {"num_embeds_ada_norm": 1000}}


def draw(pipeline, **more):
    torch.manual_seed(3)  # the DiT's pipeline draws the noise of its steps from there
    images = pipeline(generator=torch.Generator().manual_seed(3), num_inference_steps=3, output_type="np", **more)
    return images.images


def test_on_linear_networks_it_is_the_merged_network():
    torch.manual_seed(0)
    strong, weak, merged = (nn.Conv2d(2, 2, 3).double() for _ in range(3))
    w = 0.75
    with torch.no_grad():
        for theta, theta_r, theta_s in zip(*(net.parameters() for net in (merged, strong, weak)), strict=True):
            theta.copy_(theta_r - w * (theta_s - theta_r))
        x = torch.randn(1, 2, 5, 5).double()
        with guide(strong, weak, w):
            guided = strong(x)
        torch.testing.assert_close(guided, merged(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("architecture", "part", "more"),
    [
        (PIXELS, "unet", {}),
        (LATENTS, "unet", {}),
        (CLASSES, "transformer", {"class_labels": [4], "guidance_scale": 2.0}),
    ],
    ids=["pixels", "latents", "transformer"],
)
def test_in_a_pipeline(pipeline, architecture, part, more):
    made, other = pipeline(architecture), pipeline(architecture, seed=1)
    strong, weak = getattr(made, part), getattr(other, part)
    alone = draw(made, **more)
    setattr(made, part, weak)
    others = draw(made, **more)
    setattr(made, part, strong)
    with guide(strong, weak, 0):
        np.testing.assert_array_equal(draw(made, **more), alone)
    with guide(strong, weak, -1):
        np.testing.assert_allclose(draw(made, **more), others, atol=1e-4)

    handle = guide(strong, weak, 0.5)
    guided = draw(made, **more)
    handle.remove()
    assert np.abs(guided - alone).max() > 1e-3
    np.testing.assert_array_equal(draw(made, **more), alone)  # the guidance is off again

    plain = strong.forward

    def by_hand(*args, **kwargs):
        d_r, d_s = plain(*args, **kwargs), weak(*args, **kwargs)
        channels = architecture["model"]["in_channels"]
        d_r.sample = torch.cat(
            [1.5 * d_r.sample[:, :channels] - 0.5 * d_s.sample[:, :channels], d_r.sample[:, channels:]], dim=1
        )
        return d_r

    strong.forward = by_hand
    np.testing.assert_allclose(guided, draw(made, **more), atol=1e-4)


# Pipelines that draw from prompts, with guidance by prompt beside it


def draw_prompts(pipeline, **more):
    generator = torch.Generator().manual_seed(3)
    more = {"prompt": ["a cat", "sea"], "num_inference_steps": 3, "guidance_scale": 3.5} | more
    return pipeline(generator=generator, output_type="np", **more).images


@pytest.fixture(params=["sd", "sd-v", "sdxl", "sd3"])
def from_prompts(text_folders, request):
    """A pipeline, its network θ_r, and another θ_s."""
    made = copy.deepcopy(text_folders[0][request.param][1])
    strong = made.transformer if request.param == "sd3" else made.unet
    weak = copy.deepcopy(strong)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in weak.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made, strong, weak


def test_a_network_guided_by_itself_is_itself(from_prompts):
    made, strong, _ = from_prompts
    alone = draw_prompts(made)
    with guide(strong, copy.deepcopy(strong), 0.75):
        np.testing.assert_array_equal(draw_prompts(made), alone)


def test_every_step_beside_guidance_by_prompt(from_prompts):
    """The scheduler is given ∅ + 3.5·(prompt − ∅), where each of the two is (1 + w)·ε_r − w·ε_s."""
    made, strong, weak = from_prompts
    calls, given = [], []
    step = made.scheduler.step
    made.scheduler.step = lambda prediction, *args, **more: (
        given.append(prediction) or step(prediction, *args, **more)
    )
    recorder = strong.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append((args, kwargs)), with_kwargs=True
    )
    with guide(strong, weak, 0.75):
        draw_prompts(made)
    recorder.remove()
    assert len(calls) == len(given) == 3  # once a step, all images with and without their prompt
    for (args, kwargs), prediction in zip(calls, given, strict=True):
        with torch.no_grad():
            epsilon_r, epsilon_s = strong(*args, **kwargs)[0], weak(*args, **kwargs)[0]
        without, with_prompt = (1.75 * epsilon_r - 0.75 * epsilon_s).chunk(2)
        torch.testing.assert_close(prediction, without + 3.5 * (with_prompt - without), rtol=1e-4, atol=1e-4)


def test_the_example_of_the_page(root, tmp_path, monkeypatch, text_folders):
    """docs/own-model.md's, with Stable Diffusion, to the letter; B is the pipeline with another U-Net."""
    page = (root / "docs/own-model.md").read_text()
    blocks = re.findall(r"\n\n((?:    .*\n|\n)+)", page)
    (code,) = (textwrap.dedent(block) for block in blocks if "UNet2DConditionModel" in block)
    pipeline = copy.deepcopy(text_folders[0]["sd"][1])
    pipeline.save_pretrained(tmp_path / "A")
    with torch.no_grad():
        for parameter in pipeline.unet.parameters():
            parameter.mul_(0.9)
    pipeline.save_pretrained(tmp_path / "B")
    monkeypatch.chdir(tmp_path)
    drawn = {}
    exec(compile(code, "own-model.md", "exec"), drawn)
    assert (tmp_path / "image.png").is_file() and len(drawn["pipeline"].unet._forward_hooks) == 1
