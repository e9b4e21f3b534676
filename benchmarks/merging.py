"""Merging two checkpoints against copying one of them, and against mergekit where it is installed, in one run.

    python benchmarks/merging.py --gigabytes 1 8

For each size two models of float16, of a U-Net's largest convolutions, are made in a temporary folder. The
programs run in turn, several times, each in a process of its own, and of each the fastest run counts: wall time
with the output flushed to the disk, also as a multiple of cp's, CPU time, and the peak of the resident memory.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from adaptive_neon.models.stored import write_tensors
from adaptive_neon.models.tensors import Held

SHAPE = (1280, 1280, 3, 3)  # of the largest convolutions of Stable Diffusion, 29 MB in float16
CONFIG = """
merge_method: task_arithmetic
base_model: {base}
models:
  - model: {tuned}
    parameters: {{weight: -0.75}}
"""
# transformers, which it imports, wants torchvision
MERGEKIT = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "tests")!r})
from torchvision_shim import import_torchvision
import_torchvision()
from mergekit.scripts.merge_raw_pytorch import main
main()
"""


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds of the clock, of the processor, and MB at the peak."""

    wall: float
    cpu: float
    memory: float


def make(path: Path, gigabytes: float, seed: int) -> None:
    """A model of that size."""
    generator = torch.Generator().manual_seed(seed)
    count = max(1, round(gigabytes * 1e9 / (2 * np.prod(SHAPE))))
    values = [(0.02 * torch.randn(SHAPE, generator=generator)).half() for _ in range(min(count, 4))]
    tensors = {f"down_blocks.{i}.weight": Held(path, values[i % 4]) for i in range(count)}
    write_tensors(path, tensors, {"format": "pt"})


# A process's peak counts that of the one it was forked from, so a small one starts it.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, used = os.wait4(pid, 0)
os.sync()
print(status, time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def measure(command: Sequence[str], output: Path) -> Cost:
    """The cost of one process; its output is flushed to the disk, and removed."""
    launch = [sys.executable, "-S", "-c", LAUNCHER, *command]
    done = subprocess.run(launch, capture_output=True, text=True, check=True)
    status, wall, cpu, memory = map(float, done.stdout.split())
    if status:
        sys.exit(f"{command}: {done.stderr[-500:]}")
    subprocess.run(["rm", "-rf", str(output)], check=True)
    return Cost(wall, cpu, memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[1.0, 8.0], help="of each model")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--folder", help="on the disk to measure; default: the temporary folder")
    arguments = parser.parse_args()
    print("| GB | program | wall s | times cp | CPU s | peak MB |\n| --- | --- | --- | --- | --- | --- |")
    for gigabytes in arguments.gigabytes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            folder = Path(name)
            base, tuned, output = folder / "A.safetensors", folder / "B.safetensors", folder / "C.safetensors"
            make(base, gigabytes, 0)
            make(tuned, gigabytes, 1)
            config = folder / "mergekit.yaml"
            config.write_text(CONFIG.format(base=base, tuned=tuned))
            ours = [sys.executable, "-m", "adaptive_neon.commands.cli", "merge", "--base", base, "--tuned", tuned]
            programs = {
                "cp": ["cp", base, output],
                "adaptive-neon merge": [*ours, "--weights", "0.75", "-o", output],
            }
            if importlib.util.find_spec("mergekit"):
                programs["mergekit"] = [sys.executable, "-c", MERGEKIT, config, output]
            runs: dict[str, list[Cost]] = {program: [] for program in programs}
            for _ in range(arguments.repetitions):
                for program, command in programs.items():
                    runs[program].append(measure(list(map(str, command)), output))
            best = {program: min(costs, key=lambda cost: cost.wall) for program, costs in runs.items()}
            for program, cost in best.items():
                times = cost.wall / best["cp"].wall
                print(
                    f"| {gigabytes:g} | {program} | {cost.wall:.2f} | {times:.2f} | {cost.cpu:.2f} "
                    f"| {cost.memory:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
