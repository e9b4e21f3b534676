"""Drawing images with VAR against FoundationVision/VAR on this machine, with the same weights in the same run.

    VAR_REPO=<checkout of FoundationVision/VAR> python benchmarks/var_sampling.py [--device cuda] [--blocks 2]

Two models: a tiny one whose time is overhead, and blocks of the published width and pyramid (d16 for 256 pixels),
few of them for a CPU. Both draw tokens and decode nothing: the decoder is the same for both.
"""

import argparse
import os
import sys
import time
import types
from collections.abc import Callable

import torch
from adaptive_neon.families.var import family
from adaptive_neon.families.var.published import CODEC, preset
from adaptive_neon.families.var.sampler import keyed_race, sample_features, seeded_keys

TOP_K, TOP_P, CFG = 900, 0.95, 1.5


def upstream(architecture: dict) -> torch.nn.Module:
    """Upstream's transformer; its tokenizer is a quantizer alone."""
    hub = types.ModuleType("huggingface_hub")
    hub.PyTorchModelHubMixin = type("PyTorchModelHubMixin", (), {})
    sys.modules.setdefault("huggingface_hub", hub)
    sys.path.insert(0, os.environ["VAR_REPO"])
    from models import VAR, VectorQuantizer2

    codec, sides = architecture["codec"], tuple(architecture["patch_nums"])
    tokenizer = types.SimpleNamespace(
        Cvae=codec["z_channels"],
        vocab_size=codec["vocab_size"],
        quantize=VectorQuantizer2(codec["vocab_size"], codec["z_channels"], False, v_patch_nums=sides),
        fhat_to_img=lambda f_hat: f_hat,
    )
    return VAR(
        tokenizer,
        num_classes=architecture["label_dim"],
        depth=architecture["depth"],
        embed_dim=architecture["embed_dim"],
        num_heads=architecture["num_heads"],
        attn_l2_norm=True,
        patch_nums=sides,
    )


def median_seconds(run: Callable[[], object], device: str, repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):  # the first warms up
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[1:])[repeats // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--blocks", type=int, default=2, help="of the published width")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    device = arguments.device
    torch.set_grad_enabled(False)
    tiny = {"img_resolution": 64, "img_channels": 3, "label_dim": 10, "codec": CODEC | {"vocab_size": 1024}}
    tiny |= {"patch_nums": [1, 2, 3, 4], "depth": 4, "embed_dim": 64, "num_heads": 4}
    models = {"tiny": (tiny, 16), "d16": (preset(16) | {"depth": arguments.blocks}, 2)}
    print("| model | images | cfg | upstream, s | ours, s | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (architecture, count) in models.items():
        theirs = upstream(architecture).to(device).eval()
        theirs.init_weights(init_head=1)
        theirs.vae_quant_proxy[0].to(device)
        ours = family.build(architecture)
        ours.load_state_dict(theirs.state_dict())
        ours.to(device).eval()
        quantizer = family.build_codec(architecture).quantize
        state = theirs.vae_quant_proxy[0].state_dict()
        quantizer.load_state_dict({key: value for key, value in state.items() if "hit" not in key})
        quantizer.to(device)
        labels = torch.arange(count, device=device) % architecture["label_dim"]

        for cfg in (0, CFG):

            def draw_theirs(theirs=theirs, labels=labels, cfg=cfg):
                return theirs.autoregressive_infer_cfg(len(labels), labels, 0, cfg=cfg, top_k=TOP_K, top_p=TOP_P)

            def draw_ours(ours=ours, labels=labels, cfg=cfg, quantizer=quantizer):
                keys, _ = seeded_keys(range(len(labels)), 0)
                race = keyed_race(keys.to(labels.device), ours.patch_nums, ours.head.out_features)
                return sample_features(ours, quantizer, labels, race, 1 + cfg, TOP_K, TOP_P)

            slow, fast = (median_seconds(run, device, arguments.repeats) for run in (draw_theirs, draw_ours))
            print(f"| {name} | {count} | {cfg} | {slow:.3f} | {fast:.3f} | {slow / fast:.2f} |", flush=True)


main()
