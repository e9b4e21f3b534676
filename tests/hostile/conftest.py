"""Real files of each kind in one folder, and the limits of what reading a damaged one may take."""

import io
import json
import resource
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from adaptive_neon.commands.cli import main
from adaptive_neon.data import datasets
from adaptive_neon.data.datasets import write_dataset
from adaptive_neon.data.images import write_images
from adaptive_neon.evaluation.features import write_digits_classifier
from adaptive_neon.evaluation.measurement import reference_images, write_reference
from adaptive_neon.evaluation.references import write_statistics
from adaptive_neon.families.checkpoints import write_checkpoint
from adaptive_neon.families.loading import arrays
from adaptive_neon.jobs.rolling import RollingCheckpoint
from persistent import write_network_pickle
from study_entries import entry, study

MOST_MEMORY = 2**29  # bytes that the process may grow by


@pytest.fixture(scope="module", autouse=True)
def memory():
    """The process does not grow by more than `MOST_MEMORY` over all tests here."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < MOST_MEMORY


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The current folder of a test here."""
    path = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setattr(datasets, "BATCH", 20)
        patch.setattr("adaptive_neon.evaluation.inception.DIMENSION", 3)
        patch.setattr("adaptive_neon.evaluation.inception.weights_file", lambda path, cache=None: path)
        patch.setattr("adaptive_neon.evaluation.inception.Inception", lambda *_: lambda x: x.mean((1, 2)))
        yield path


@pytest.fixture(scope="module")
def good(folder):
    """Real files, and folders of them: name → bytes."""
    import torch
    from adaptive_neon.families.edm.family import build

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    names = [f"{i:02d}.png" for i in range(20)]
    labels = np.arange(20) % 10
    features = rng.standard_normal((20, 3))
    architecture = {"model_type": "SongUNet", "img_resolution": 8, "img_channels": 3, "label_dim": 10}
    architecture |= {"model_channels": 8, "channel_mult": [1, 1], "num_blocks": 1, "attn_resolutions": []}
    torch.manual_seed(0)
    network = build(architecture)
    write_dataset("images.npz", images, labels, names)
    write_dataset("images.zip", images, labels, names)
    write_dataset("pngs", images[:3], labels[:3], names[:3])
    np.save("images.npy", images)
    write_images("sets.npz", {"all~1.0": images}, labels)
    write_statistics("statistics.npz", features.mean(0), np.cov(features.T))
    write_reference("reference.npz", reference_images(features, labels, 2))
    sizes = [(192, 4), (4, 2), (2, 10)]
    layers = {f"layer{i}.weight": rng.random(size, np.float32) for i, size in enumerate(sizes)}
    layers |= {f"layer{i}.bias": rng.random(size[1], np.float32) for i, size in enumerate(sizes)}
    write_digits_classifier("classifier.safetensors", layers)
    write_network_pickle(Path("A.pkl"), network, architecture)
    torch.save(network.state_dict(), "model.pth")
    RollingCheckpoint("rolling.npz", "fits", 0).save_if_due(lambda: list(network.parameters()))
    Path("config.yaml").write_bytes((Path(__file__).parents[2] / "config.yaml").read_bytes())
    sampler = '{"steps": 2, "sigma_min": 0.002, "sigma_max": 80, "rho": 7}'
    write_checkpoint("B.safetensors", arrays(network), architecture, sampler=sampler)
    with tarfile.open("cifar.tar.gz", "w:gz") as archive:
        for name in ("test_batch", *(f"data_batch_{i}" for i in range(1, 6))):
            batch = b"\x80\x02}(U\x06labels](" + b"K\x01" * 20 + b"eU\x04dataT"
            batch += struct.pack("<I", 20 * 3072) + bytes(20 * 3072) + b"u."
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(batch)
            archive.addfile(member, io.BytesIO(batch))
    for part in ("benchmarks", "logs"):
        Path("results", part).mkdir(parents=True)
    Path("results/benchmarks/base.tsv").write_text("s\th:m:s\n12.5\t0:00:12\n")
    Path("results/logs/base.log").write_text("start-up 1.00 s\n")
    Path("results/summary.json").write_text(json.dumps(study(entry())))
    return {path.as_posix(): path.read_bytes() for path in Path(".").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def line_of():
    """`line_of(arguments)`: the one line that the command ends in with code 1, and None if it succeeds."""

    def run(arguments):
        try:
            main(list(map(str, arguments)))
        except SystemExit as ended:
            if ended.code not in (None, 0):
                line = ended.code  # a text as exit code is printed, and the code is 1
                assert isinstance(line, str) and line.startswith("adaptive-neon: "), line
                assert line.isprintable() and len(line) < 1000 and "report this line" not in line, line
                return line
        return None

    return run
