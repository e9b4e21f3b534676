"""Features of Inception against clean-fid's on this machine, in one run: speed and deviation.

    OMP_NUM_THREADS=1 python benchmarks/features.py --data cifar-10-python.tar.gz --images 500

Images per second of CPU time, so that other processes on the machine don't count; one thread.
The deviation of features is |ours − theirs| / |theirs| over all images. The FID is between the first images of the
training set and those of the test set; its deviation is from clean-fid's FID of clean-fid's features.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from adaptive_neon.data.datasets import read_dataset
from adaptive_neon.evaluation.inception import Inception, weights_file

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from test_inception import cleanfid_extractor, fid  # which makes clean-fid importable

from cleanfid.fid import fid_from_feats  # isort: skip


def timed(extract: Callable[[np.ndarray], np.ndarray], sets: list[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Features of each set, and images per second of CPU time."""
    extract(sets[0][:8])  # the first call sets up the kernels
    start = time.process_time()
    features = [extract(images) for images in sets]
    return features, sum(map(len, sets)) / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", required=True, help="CIFAR-10 in any form that adaptive_neon.data.datasets reads"
    )
    parser.add_argument("--weights", help="Inception's weights; they are fetched if not given")
    parser.add_argument("--images", type=int, default=64, help="of each split")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    weights = weights_file(arguments.weights)
    sets = [read_dataset(arguments.data, split)[0][: arguments.images] for split in ("train", "test")]
    print("| convention | network | images/s | ratio | deviation of features | FID | deviation of FID |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for convention, mode in (("inception", "legacy_tensorflow"), ("inception-clean", "clean")):
        theirs, slow = timed(cleanfid_extractor(weights, mode), sets)
        expected = fid_from_feats(*theirs)
        print(f"| {convention} | clean-fid | {slow:.2f} | 1 | 0 | {expected:.4f} | 0 |", flush=True)
        for dtype in (torch.float32, torch.bfloat16):
            ours, fast = timed(Inception(weights, convention, dtype=dtype), sets)
            deviation = np.linalg.norm(np.subtract(ours, theirs)) / np.linalg.norm(theirs)
            distance = fid(*ours)
            print(
                f"| {convention} | {str(dtype).removeprefix('torch.')} | {fast:.2f} | {fast / slow:.2f} |"
                f" {deviation:.1e} | {distance:.4f} | {distance / expected - 1:+.1e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
