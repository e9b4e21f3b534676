"""How fast xAR draws here and in its authors' code: the same weights, the same noise, one after the other.

Networks: a tiny one, and stacks of two blocks as wide as those of xAR-B and xAR-L. A ratio above 1 means faster
here. XAR_REPO names a checkout of OliverRensu/xAR; its imports need timm and einops, and run on a CPU.

    XAR_REPO=../xAR python benchmarks/xar_sampling.py [--images 4] [--steps 5] [--repeats 3]
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest import mock

import torch
from adaptive_neon.families.xar.matching import draw_cells
from adaptive_neon.families.xar.network import XAR
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from torchvision_shim import import_torchvision

NETWORKS = {"tiny": (16, 2), "width of xAR-B": (768, 12), "width of xAR-L": (1024, 16)}  # width, heads


def upstream() -> ModuleType:
    """The module `models.xar`, with stand-ins for what it imports but never calls, and for the GPU."""
    import_torchvision()
    flash = ModuleType("flash_attn")
    flash.__spec__ = ModuleSpec("flash_attn", None)
    flash.flash_attn_func = None
    sys.modules["flash_attn"] = flash
    torch.Tensor.cuda = lambda self, *args, **kwargs: self
    sys.path.insert(0, os.environ["XAR_REPO"])
    return importlib.import_module("models.xar")


def pair(module: ModuleType, width: int, heads: int) -> tuple[nn.Module, XAR]:
    """Upstream's network and ours with the same weights."""
    torch.manual_seed(0)
    sizes = {"embed_dim": width, "depth": 1, "num_heads": heads}
    theirs = module.xAR(
        **{f"{stack}_{key}": value for stack in ("encoder", "decoder") for key, value in sizes.items()}
    )
    ours = XAR(16, 16, 1000, hidden_size=width, encoder_depth=1, decoder_depth=1, num_heads=heads)
    ours.load_state_dict(theirs.state_dict())
    return theirs.eval(), ours.eval()


@contextmanager
def noise_of(noise: Tensor) -> Iterator[None]:
    """torch.randn and torch.randn_like give the noise of the cells in the order in which upstream asks for it."""
    starts, steps = iter(noise[:, :, 0].unbind(1)), iter(noise[:, :, 1:].flatten(1, 2).unbind(1))
    with (
        mock.patch.object(torch, "randn", lambda *size: next(starts)),
        mock.patch.object(torch, "randn_like", lambda like: next(steps).to(like.dtype)),
    ):
        yield


def seconds(draw: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """How long it takes to draw, and what is drawn."""
    start = time.perf_counter()
    drawn = draw()
    return time.perf_counter() - start, drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5, help="evaluations a cell")
    parser.add_argument("--repeats", type=int, default=3, help="of which the fastest counts")
    arguments = parser.parse_args()
    module = upstream()
    classes = torch.arange(arguments.images)
    noise = torch.randn(arguments.images, 4, arguments.steps, 64, 16)
    for name, (width, heads) in NETWORKS.items():
        theirs, ours = pair(module, width, heads)
        for guidance in (1.0, 2.7):

            def draw_theirs(theirs=theirs, guidance=guidance) -> Tensor:
                with noise_of(noise):
                    return theirs.sample_tokens(arguments.steps, guidance, classes)

            def draw_ours(ours=ours, guidance=guidance) -> Tensor:
                return ours.grid.join(draw_cells(ours, noise, classes, guidance))

            best = [float("inf")] * 2
            with torch.inference_mode():
                for _ in range(arguments.repeats):
                    timed = [seconds(draw) for draw in (draw_theirs, draw_ours)]
                    best = [min(known, now) for known, (now, _) in zip(best, timed, strict=True)]
            apart = (timed[0][1] - timed[1][1]).abs().max().item()
            print(
                f"{name}, guidance {guidance}: upstream {best[0]:.3f} s, here {best[1]:.3f} s, "
                f"ratio {best[0] / best[1]:.2f}; images differ by at most {apart:.1e}",
                flush=True,
            )


main()
