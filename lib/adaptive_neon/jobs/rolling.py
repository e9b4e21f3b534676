"""Rolling checkpoints: what a long stage keeps on disk so that a killed job loses only the last minutes."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from adaptive_neon.jobs.files import check_zip, replacing


def fingerprint(parameters: Any, inputs: Iterable[str | Path]) -> str:
    """A digest of everything that a state depends on: the parameters, the input files, the code, torch."""
    digest = hashlib.sha256(json.dumps([parameters, torch.__version__], sort_keys=True, default=str).encode())
    for path in [*map(Path, inputs), *sorted(Path(__file__).parents[1].rglob("*.py"))]:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


class RollingCheckpoint:
    """The state of one job, saved beside its output every `minutes`; used only if the fingerprint agrees."""

    def __init__(self, output: str | Path, fingerprint: str, minutes: float):
        output = Path(output)
        self.path = output.with_name(f".{output.stem}.partial.pt")
        self.fingerprint = fingerprint
        self.seconds = minutes * 60
        self.saved_at = time.monotonic()

    def load(self) -> Any | None:
        """The saved state, or None if there is none that fits. Only tensors and plain values are unpickled."""
        try:
            check_zip(self.path)
            saved = torch.load(self.path, weights_only=True)
            fingerprint, state = saved["fingerprint"], saved["state"]
        except FileNotFoundError:
            return None
        except Exception as error:  # a damaged state is as good as none
            print(f"{self.path}: not used ({type(error).__name__}); the stage starts anew")
            return None
        if fingerprint != self.fingerprint:
            print(f"{self.path}: not used, made with other parameters, inputs or code; the stage starts anew")
            return None
        print(f"continues from the state in {self.path}")
        return state

    def save_if_due(self, state: Callable[[], Any]) -> None:
        """Save `state()` if the last save is long enough ago."""
        if time.monotonic() - self.saved_at >= self.seconds:
            with replacing(self.path) as temporary:
                torch.save({"fingerprint": self.fingerprint, "state": state()}, temporary)
            self.saved_at = time.monotonic()

    def clear(self) -> None:
        """Remove the state, once the job's outputs stand under their final names."""
        self.path.unlink(missing_ok=True)
