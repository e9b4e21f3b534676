"""How long a GPU stands idle while a search starts its jobs: 27 grid points × 2,000 images of the digits study.

The GPU is made up: `nvidia-smi` lists one, which one job at a time holds, and the network runs on a core. What a
search loses between its jobs needs no real one; what CUDA takes to start comes on top.

    python benchmarks/overhead.py [--images 2000]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from adaptive_neon.jobs.times import job_seconds, start_up_seconds

ROOT = Path(__file__).parents[1]
SMALL = {
    "base": "{training: {kimg: 2}}",
    "synthetic": "{images: 200}",
    "finetune": "{snapshots_kimg: [1]}",
    "grid": "{diagonal: []}",
    "heldout": "{first_seed: 1000000}",
}
TUNED, SELECTION = (
    f"results/digits/replica-0/{name}" for name in ("finetune/1/model.safetensors", "selection/1.json")
)


def make(folder: Path, images: int, gpu: int, target: str) -> None:
    """Run the study up to a file, with so many jobs at a time that ask for the GPU."""
    config = SMALL | {"search": f"{{images: {images}}}"}
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder),
        *("--configfile", ROOT / "config.yaml"),
        *("--resources", f"gpu={gpu}", "--cores", "3", "--quiet", "all"),
        *("--config", *(f"{key}={value}" for key, value in config.items())),
        *("--", target),
    ]
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode:
        sys.exit(process.stdout + process.stderr)


def busy(results: Path) -> tuple[float, float, int]:
    """Seconds from the first job's hold of the GPU to the end of the last one's, those of work in it, and jobs."""
    spans = []
    for log in (results / "logs").rglob("*-generate.log"):
        benchmark = results / "benchmarks" / log.relative_to(results / "logs").with_suffix(".tsv")
        end = log.stat().st_mtime
        spans.append((end - job_seconds(results, benchmark) + start_up_seconds(results, benchmark), end))
    return max(spans)[1] - min(spans)[0], sum(end - start for start, end in spans), len(spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="of each grid point")
    images = parser.parse_args().images
    os.environ["OMP_NUM_THREADS"] = "1"
    for gpu, how in ((1, "one job after the other"), (2, "the next starts up meanwhile")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            smi = folder / "nvidia-smi"
            smi.write_text("#!/bin/sh\necho 'GPU 0: none (UUID: GPU-0)'\n")
            smi.chmod(0o755)
            make(folder, images, gpu, TUNED)
            make(folder, images, gpu, SELECTION)
            span, work, jobs = busy(folder / "results/digits")
            print(f"{how}: {jobs} jobs, {span:.0f} s, of these the GPU idle {1 - work / span:.1%}", flush=True)


main()
