"""Drawing with moment matching against lumalabs/imm on this machine, with the same weights in the same run.

    IMM_REPO=<checkout of lumalabs/imm> python benchmarks/imm_sampling.py [--device cuda] [--blocks 2]

Two models: a tiny one whose time is overhead, and blocks of the published width on latents of 32×32 (256 pixels),
few of them for a CPU. Neither decodes: the autoencoder is the same for both. Upstream needs timm and einops.
"""

import argparse
import os
import sys
import time
import types
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch
from adaptive_neon.families.imm import family
from adaptive_neon.families.imm.matching import pushforward, time_steps
from adaptive_neon.families.sampling import with_guidance

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from torchvision_shim import import_torchvision

import_torchvision()
for name in ("hydra", "omegaconf"):  # of upstream's script, not of its sampler
    sys.modules[name] = types.ModuleType(name)
sys.modules["hydra"].main = lambda **_: lambda function: function
sys.modules["omegaconf"].OmegaConf = None
sys.path.insert(0, os.environ["IMM_REPO"])
from generate_images import pushforward_generator_fn  # noqa: E402
from training.preconds import IMMPrecond  # noqa: E402

STEPS = 8


def median_seconds(runs: Sequence[Callable[[], object]], device: str, repeats: int) -> list[float]:
    """Of each, in turns, so that whatever else the machine does meets all alike; the first turn warms up."""
    seconds = [[] for _ in runs]
    for _ in range(repeats + 1):
        for run, taken in zip(runs, seconds, strict=True):
            start = time.perf_counter()
            run()
            if device == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - start)
    return [median(taken[1:]) for taken in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--blocks", type=int, default=2, help="of the published width")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    device = arguments.device
    torch.set_grad_enabled(False)
    tiny = {"img_resolution": 8, "img_channels": 1, "label_dim": 10, "hidden_size": 64, "depth": 3, "num_heads": 4}
    xl = {"img_resolution": 32, "img_channels": 4, "label_dim": 1000, "depth": arguments.blocks}
    print("| model | images | guidance | upstream, s | ours, s | ratio | largest difference |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, architecture, count in (("tiny", tiny, 64), ("DiT-XL/2", xl, 2)):
        common = {"f_type": "euler_fm", "temb_type": "stride", "model_type": "DiT"} | architecture
        theirs = IMMPrecond(**common, num_classes=architecture["label_dim"])
        for parameter in theirs.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        ours = family.build(common)
        ours.load_state_dict(theirs.state_dict())
        theirs, ours = theirs.to(device).eval(), ours.to(device).eval()
        noise = 0.5 * torch.randn(count, *ours.shape, device=device)
        labels = torch.eye(architecture["label_dim"], device=device)[torch.arange(count) % 10]
        times = time_steps(STEPS, ours.T, ours.eps).to(device)

        for scale in (1, 1.5):
            jump = partial(ours, class_labels=labels) if scale == 1 else with_guidance(ours, labels, scale)
            draw_ours = partial(pushforward, lambda x, t, s, jump=jump: jump(x, t, s=s), noise, times)
            draw_theirs = partial(
                pushforward_generator_fn,
                theirs,
                noise,
                labels,
                discretization="uniform",
                num_steps=STEPS,
                cfg_scale=None if scale == 1 else scale,
            )
            slow, fast = median_seconds((draw_theirs, draw_ours), device, arguments.repeats)
            difference = (draw_theirs() - draw_ours()).abs().max().item()
            print(
                f"| {name} | {count} | {scale} | {slow:.3f} | {fast:.3f} | {slow / fast:.2f} | {difference:.0e} |",
                flush=True,
            )


main()
