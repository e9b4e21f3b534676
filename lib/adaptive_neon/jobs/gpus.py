"""Which GPU a job uses: one that no other job has. Imports no torch, which would be late to hear of the choice."""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from adaptive_neon.jobs.lock import try_lock


def visible_gpus() -> dict[str, str]:
    """The GPUs that CUDA would show to this process: the name in CUDA_VISIBLE_DEVICES → the hardware's UUID.

    Without that variable these are all that `nvidia-smi` lists; none where there is no such command.
    """
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    uuids = re.findall(r"^GPU \d+:.*\(UUID: (\S+)\)$", listed, re.MULTILINE)
    names = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(len(uuids)))))
    gpus = {}
    for name in names.replace(" ", "").split(","):
        if name.isdecimal() and int(name) < len(uuids):
            gpus[name] = uuids[int(name)]
        elif name.startswith(("GPU-", "MIG-")):
            gpus[name] = name
        else:  # as in CUDA, what follows an unknown name is not seen
            break
    return gpus


def take_gpu() -> None:
    """Take a GPU that no other job has, until this process ends, and let CUDA see it alone.

    Waits until one is free; does nothing where there is none. To be called before CUDA starts.
    """
    gpus = visible_gpus()
    begun = time.monotonic()
    waiting = False
    while gpus:
        for name, uuid in gpus.items():
            if try_lock(Path(tempfile.gettempdir()) / f"adaptive-neon-{uuid}.lock"):
                os.environ["CUDA_VISIBLE_DEVICES"] = name
                print(f"GPU {name}, waited {time.monotonic() - begun:.1f} s")
                return
        if not waiting:
            print(f"waits for one of the GPUs {', '.join(gpus)}")
            waiting = True
        time.sleep(0.1)
