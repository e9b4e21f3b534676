"""Several processes that train one model, one per GPU, started by torchrun.

Each process takes every n-th micro-batch of a step; the gradients are added up. The random numbers belong to the
micro-batches, so the result is that of one process but for the order of the sum.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist

from adaptive_neon.errors import InputError
from adaptive_neon.jobs.device import pick_device
from adaptive_neon.jobs.gpus import visible_gpus
from adaptive_neon.jobs.job import ERROR, job


def in_processes(count: int, log: str) -> None:
    """Run the calling script in `count` processes and end; with one, or inside of them, do nothing."""
    if count == 1 or dist.is_torchelastic_launched():
        return
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    with job(log, threads=1):
        environment = os.environ | {"ADAPTIVE_NEON_PARENT": str(os.getpid())}
        ended = subprocess.run(
            [*command, sys.argv[0]], stdout=sys.stdout, stderr=sys.stderr, env=environment
        ).returncode
        if ended:
            said = [line for line in Path(log).read_text().splitlines() if line.startswith(ERROR)]
            raise InputError(said[0].removeprefix(ERROR) if said else f"a training process failed; see {log}")
    sys.exit()


@contextmanager
def process_group(device: str) -> Iterator[torch.device]:
    """Join the processes of torchrun, if it started this one; yields the device of this process.

    Args:
        device: as for `pick_device`; each process takes a GPU of its own.
    """
    together = dist.is_torchelastic_launched()
    gpus = len(visible_gpus()) if together and device != "cpu" else 0
    if 0 < gpus < int(os.environ.get("WORLD_SIZE", 1)):  # some would wait for a GPU for ever
        raise InputError(f"config: run.training_processes: more than the {gpus} GPUs here; lower it")
    chosen = pick_device(device)
    if not together:
        yield chosen
        return
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield chosen
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0 on."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@torch.no_grad()
def add_up(tensors: Sequence[torch.Tensor]) -> None:
    """Replace each tensor by its sum over all processes."""
    if not dist.is_initialized():
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(total.view_as(tensor))
