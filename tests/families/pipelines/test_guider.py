"""Two networks in a pipeline of diffusers: (1 + w)·D_r − w·D_s, and nothing else."""

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


def test_as_stable_diffusion_calls_its_network(library):
    """By keyword, a prompt's states beside the latents, and a tuple back."""
    torch.manual_seed(0)
    config = {"sample_size": 8, "block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
    config |= {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "cross_attention_dim": 8}
    config |= {"up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "attention_head_dim": 8}
    strong, weak = (library.UNet2DConditionModel(**config).eval() for _ in range(2))
    call = {
        "sample": torch.randn(2, 4, 8, 8),
        "timestep": torch.tensor(7),
        "encoder_hidden_states": torch.randn(2, 3, 8),
    }
    with torch.no_grad():
        d_r, d_s = strong(**call).sample, weak(**call).sample
        with guide(strong, weak, 0.75):
            (guided,) = strong(**call, return_dict=False)
    torch.testing.assert_close(guided, 1.75 * d_r - 0.75 * d_s)
