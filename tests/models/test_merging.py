"""`merge` and `inspect` on checkpoints of other programs, as a user types it."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from adaptive_neon.commands.cli import main
from adaptive_neon.models.opening import open_model
from adaptive_neon.models.tensors import whole
from other_checkpoints import extrapolated, state, write_pipeline, write_shards
from safetensors import safe_open
from safetensors.torch import load_file, save_file

W = {"down": 1.25, "mid": -0.5, "up": 0.75}
WEIGHTS = "--weights=" + ",".join(f"{block}={w}" for block, w in W.items())


def block(name):
    return (
        "down" if name.startswith(("conv_in", "down")) else "up" if name.startswith(("up", "conv_out")) else "mid"
    )


def merge(base, tuned, output, *more, weights=WEIGHTS):
    main(["merge", "--base", str(base), "--tuned", str(tuned), weights, "-o", str(output), *more])


def expect_merged(tensors, theta_r, theta_s, atol=1e-6):
    assert tensors.keys() == theta_r.keys()
    for name, theta in tensors.items():
        expected = extrapolated(theta_r[name], theta_s[name], W[block(name)])
        assert theta.dtype == theta_r[name].dtype
        torch.testing.assert_close(theta.double(), expected.double(), rtol=1e-6, atol=atol, msg=name)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_types_stay_what_they_were(here, dtype):
    theta_r, theta_s = state(0, dtype), state(1, dtype)
    save_file(theta_r, "A.safetensors", {"format": "pt", "trained": "by them"})
    save_file(theta_s, "B.safetensors")
    merge("A.safetensors", "B.safetensors", "C.safetensors")
    merged = load_file("C.safetensors")
    for name, theta in merged.items():
        a, b, w = theta_r[name].double(), theta_s[name].double(), W[block(name)]
        assert theta.dtype == dtype
        error = (theta.double() - (a - w * (b - a))).abs()
        # half a unit in the last place, and what rounding to float32 before adds
        assert bool((error <= 0.5001 * torch.finfo(dtype).eps * (a - w * (b - a)).abs() + 1e-7).all()), name
    with safe_open("C.safetensors", "pt") as file:
        about = file.metadata()
    assert about["format"] == "pt" and about["trained"] == "by them"
    recipe = json.loads(about["recipe"])
    assert recipe["base"] == {
        "name": "A.safetensors",
        "sha256": sha256(Path("A.safetensors").read_bytes()).hexdigest(),
    }
    assert recipe["tuned"]["sha256"] == sha256(Path("B.safetensors").read_bytes()).hexdigest()
    assert recipe["weights"] == W and list(recipe["blocks"]) == list(W)
    assert recipe["version"].startswith("adaptive-neon")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_float8(here, dtype):
    """Of all values of the type whose extrapolation stays in its range."""
    bits = torch.arange(256, dtype=torch.uint8)
    values = bits[bits.view(dtype).float().abs() <= 100].view(dtype)
    others = values.view(torch.uint8).flip(0).view(dtype)
    save_file({"blocks.weight": values}, "A.safetensors")
    save_file({"blocks.weight": others}, "B.safetensors")
    merge("A.safetensors", "B.safetensors", "C.safetensors", weights="--weights=0.5")
    expected = (1.5 * values.float() - 0.5 * others.float()).to(dtype)
    merged = load_file("C.safetensors")["blocks.weight"]
    assert torch.equal(merged.view(torch.uint8), expected.view(torch.uint8))


def test_constants_are_carried_over(here):
    """Masks with infinities, whole numbers, running statistics: those of θ_r."""
    constants = {
        "mask": torch.full((2, 2), -torch.inf).triu(1),
        "steps": torch.tensor(3),
        "norm.running_var": torch.tensor([0.1, 0.2]),
        "flags": torch.tensor([True, False]),
    }
    others = constants | {"steps": torch.tensor(9), "norm.running_var": torch.tensor([9.0, 9.0])}
    save_file(state(0) | constants, "A.safetensors")
    save_file(state(1) | others, "B.safetensors")
    merge("A.safetensors", "B.safetensors", "C.safetensors")
    merged = load_file("C.safetensors")
    for name, constant in constants.items():
        assert torch.equal(merged[name], constant), name


@pytest.mark.parametrize(
    "base", ["A.safetensors", "A.pt", "A.bin", "A.ckpt", "shards", "shards/index", "pipeline"]
)
@pytest.mark.parametrize("tuned", ["B.safetensors", "B.pt", "shards", "pipeline"])
def test_forms_mix(here, base, tuned):
    theta_r, theta_s = state(0, torch.bfloat16), state(1, torch.bfloat16)

    def write(form, tensors):
        path = here / form
        if form.endswith(".safetensors"):
            save_file(tensors, path)
        elif form.startswith("shards"):
            index = write_shards(here / form[0:6] / str(id(tensors)), tensors)
            (index.parent / "config.json").write_text("{}")
            return index if form.endswith("index") else index.parent
        elif form == "pipeline":
            path = here / form / str(id(tensors))
            write_pipeline(path, tensors)
        else:
            torch.save({"state_dict": tensors, "epoch": 3} if form.endswith("ckpt") else tensors, path)
        return path

    output = here / ("C.safetensors" if base.startswith("A.") else "C")
    merge(write(base, theta_r), write(tuned, theta_s), output)
    component = {"pipeline": "unet"}.get(base, "")
    found = {name: whole(tensor) for name, tensor in open_model(output).components[component].tensors.items()}
    expect_merged(found, theta_r, theta_s, atol=0.04)  # a unit in the last place of bfloat16 near 4


def test_float8_in_a_file_of_torch(here):
    torch.save({"blocks.weight": torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)}, "A.pt")
    torch.save({"blocks.weight": torch.tensor([2.0, 2.0]).to(torch.float8_e4m3fn)}, "B.pt")
    merge("A.pt", "B.pt", "C.safetensors", weights="--weights=0.5")
    merged = load_file("C.safetensors")["blocks.weight"]
    assert merged.dtype == torch.float8_e4m3fn and merged.float().tolist() == [0.5, 2.0]


def test_a_pipeline_keeps_all_else(here):
    theta_r, theta_s = state(0), state(1)
    write_pipeline(here / "A", theta_r)
    write_pipeline(here / "B", theta_s)
    (here / "A/README.md").write_text("---\nlicense: openrail\ntags: [cats]\n---\n# Cats\n")
    (here / "A/unet/diffusion_pytorch_model.bin").write_bytes(b"an older form of the U-Net")
    (here / "A/.cache").mkdir()
    merge("A", "B", "C")
    expect_merged(load_file("C/unet/diffusion_pytorch_model.safetensors"), theta_r, theta_s)
    for same in (
        "vae/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "unet/config.json",
        "model_index.json",
    ):
        assert (here / "C" / same).read_bytes() == (here / "A" / same).read_bytes()
    files = {str(path.relative_to("C")) for path in Path("C").rglob("*") if path.is_file()}
    assert files - {str(path.relative_to("A")) for path in Path("A").rglob("*")} == {"neon.json"}
    assert not (here / "C/unet/diffusion_pytorch_model.bin").exists()
    card = (here / "C/README.md").read_text()
    assert card.startswith(
        "---\nlibrary_name: diffusers\nlicense: openrail\ntags:\n- neon\n- model-merging\n---\n"
    )
    assert "| down | 1.25 |" in card
    recipe = json.loads((here / "C/neon.json").read_text())
    assert recipe["components"] == ["unet"]
    assert recipe["base"]["sha256"].keys() == {
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }


def test_shards_keep_their_names(here):
    index = write_shards(here / "A", state(0), count=3)
    write_shards(here / "B", state(1), count=2)
    merge(index, "B/diffusion_pytorch_model.safetensors.index.json", "C")
    written = json.loads(Path("C", index.name).read_text())
    assert written["weight_map"] == json.loads(index.read_text())["weight_map"]
    assert written["metadata"]["total_size"] == sum(t.numel() * 4 for t in state(0).values())
    recipe = json.loads(Path("C/neon.json").read_text())
    for name, file in written["weight_map"].items():
        assert name in load_file(Path("C", file))
        with safe_open(Path("C", file), "pt") as opened:
            assert json.loads(opened.metadata()["recipe"]) == recipe
    for side, folder in (("base", "A"), ("tuned", "B")):
        for file, digest in recipe[side]["sha256"].items():
            assert digest == sha256(Path(folder, file).read_bytes()).hexdigest()


def test_components_that_differ_have_blocks_of_their_own(here):
    write_pipeline(here / "A", state(0), {"decoder.weight": torch.tensor([1.0, 2.0])})
    write_pipeline(here / "B", state(1), {"decoder.weight": torch.tensor([3.0, 2.0])})
    merge("A", "B", "C", weights="--weights=unet.down=0,unet.mid=0,unet.up=0,vae.all=0.5")
    assert load_file("C/vae/diffusion_pytorch_model.safetensors")["decoder.weight"].tolist() == [0.0, 2.0]


def test_inspect(here, capsys):
    theta_r, theta_s = state(0), state(1)
    write_pipeline(here / "A", theta_r)
    save_file(theta_s, "B.safetensors")
    main(["inspect", "A", "B.safetensors"])
    out = capsys.readouterr().out
    assert "A, unet: 577 parameters, float32" in out
    assert "presets: down-mid-up (3), block-weighted (5), all (1); the first is the default" in out
    rows = {cells[0]: cells[1:] for cells in map(str.split, out.splitlines()) if cells[0] in W}
    for name in W:
        members = [n for n in theta_r if block(n) == name]
        drift = sum(float((theta_s[n].double() - theta_r[n].double()).square().sum()) for n in members)
        norm = sum(float(theta_r[n].double().square().sum()) for n in members)
        assert float(rows[name][2]) == pytest.approx(drift**0.5, rel=1e-4)
        assert float(rows[name][3]) == pytest.approx((drift / norm) ** 0.5, rel=1e-4)
    main(["inspect", "A", "--preset", "all"])


# what is refused


def test_two_that_are_not_the_same_network(here, line_of):
    save_file(state(0), "A.safetensors")
    save_file(state(1, torch.float16), "half.safetensors")
    save_file(state(1) | {"conv_out.weight": torch.zeros(1, 5, 3, 1)}, "shape.safetensors")
    save_file(state(1) | {"more.weight": torch.zeros(1)}, "names.safetensors")
    save_file(state(1) | {"conv_in.bias": torch.full((4,), torch.nan)}, "nan.safetensors")
    options = ["merge", "--base", "A.safetensors", "-o", "C.safetensors", "--weights=1", "--tuned"]
    assert "of the type float32 in A.safetensors and float16 in half" in line_of(*options, "half.safetensors")
    assert "of the shape (1, 5, 3, 3)" in line_of(*options, "shape.safetensors")
    assert "more.weight is only in one" in line_of(*options, "names.safetensors")
    assert "nan.safetensors: conv_in.bias is not finite" in line_of(*options, "nan.safetensors")
    assert "the same as A.safetensors" in line_of(*options, "A.safetensors")
    assert os.listdir().count("C.safetensors") == 0


def _overlapping(folder):
    """A shard two of whose tensors share their bytes."""
    shard = sorted(folder.glob("*.safetensors"))[0]
    content = shard.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    first, second = [entry for name, entry in header.items() if name != "__metadata__"][:2]
    second |= {key: first[key] for key in ("data_offsets", "shape")}
    text = json.dumps(header).encode()
    shard.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


def _outside(folder):
    """An index whose first shard is a file beside the folder, with the tensors that the index says."""
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    names = json.loads(index.read_text())["weight_map"]
    first = min(names.values())
    (folder / first).rename(folder.parent / "secret.safetensors")
    moved = {name: "../secret.safetensors" if shard == first else shard for name, shard in names.items()}
    index.write_text(json.dumps({"weight_map": moved}))


def _renamed(folder):
    """A shard with the names of another network's tensors, which its index does not tell of."""
    shard = sorted(folder.glob("*.safetensors"))[0]
    save_file({f"text_model.{name}": tensor for name, tensor in load_file(shard).items()}, shard)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_overlapping, "00001-of-00002.safetensors: not a model in safetensors"),
        (_outside, "index.json: '../secret.safetensors' is no file beside it"),
        (_renamed, "is only in one of this shard and diffusion_pytorch_model.safetensors.index.json"),
    ],
)
def test_hostile_shards_are_one_line_in_every_place(here, line_of, spoil, words):
    """Named by their index, in a folder, and in a pipeline; as θ_r and as θ_s."""
    write_pipeline(here / "P", state(0))
    write_pipeline(here / "Q", state(1))
    (here / "Q/unet/diffusion_pytorch_model.safetensors").unlink()
    index = write_shards(here / "Q/unet", state(1))
    spoil(index.parent)
    before = sorted(here.rglob("*"))
    lora = ["lora", "--rank", "1", "-o", "lora.safetensors"]
    for bad in ("Q", "Q/unet", index.relative_to(here)):
        assert words in line_of("inspect", bad)
        assert words in line_of("inspect", "P", bad)
        for command in (["merge", "--weights=1", "-o", "C"], lora):
            assert words in line_of(*command, "--base", bad, "--tuned", "P")
            assert words in line_of(*command, "--base", "P", "--tuned", bad)
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("name", ["A.ckpt", "A.bin", "A.pt", "A.pth"])
def test_nothing_in_a_file_of_torch_is_run(here, line_of, name):
    class Payload:
        def __reduce__(self):
            return os.mkdir, ("canary",)

    save_file(state(0), "B.safetensors")
    torch.save({"state_dict": state(0), "callbacks": Payload()}, name)
    line = line_of("merge", "--base", name, "--tuned", "B.safetensors", "--weights=1", "-o", "C.safetensors")
    assert f"{name}: names " in line and "nothing was run" in line
    assert not (here / "canary").exists()


def test_a_folder_with_several_files_is_read_by_the_usual_name(here):
    for folder, seed in (("A", 0), ("B", 1)):
        (here / folder).mkdir()
        (here / folder / "config.json").write_text("{}")
        save_file(state(seed), here / folder / "model.safetensors")
        save_file({"other": torch.ones(1)}, here / folder / "Lora.safetensors")
        save_file(state(7), here / folder / "model.fp16.safetensors")
    merge("A", "B", "C")
    expect_merged(load_file("C/model.safetensors"), state(0), state(1))
    assert sorted(os.listdir("C")) == ["README.md", "config.json", "model.safetensors", "neon.json"]


def test_a_merge_that_leaves_the_range_of_its_type(here, line_of):
    save_file({"a.weight": torch.tensor([6e4, 1.0]).half()}, "A.safetensors")
    save_file({"a.weight": torch.tensor([1e4, 1.0]).half()}, "B.safetensors")
    line = line_of(
        "merge", "--base", "A.safetensors", "--tuned", "B.safetensors", "--weights=1", "-o", "C.safetensors"
    )
    assert "a.weight: w = 1.0 leaves the range of float16" in line


@pytest.mark.parametrize(
    "tensors",
    [
        {"fc.weight": torch.tensor([1, 2], dtype=torch.int8), "fc.scale": torch.ones(1)},
        {"fc.weight": torch.ones(2).to(torch.float8_e4m3fn), "fc.weight_scale": torch.ones(1)},
    ],
)
def test_quantised_weights_are_refused(here, line_of, tensors):
    save_file(tensors, "A.safetensors")
    save_file({name: (2 * t.float()).to(t.dtype) for name, t in tensors.items()}, "B.safetensors")
    line = line_of(
        "merge", "--base", "A.safetensors", "--tuned", "B.safetensors", "--weights=1", "-o", "C.safetensors"
    )
    assert "fc.weight is quantised" in line


def test_presets_that_do_not_fit_and_outputs_that_cannot_be(here, line_of):
    save_file(state(0), "A.safetensors")
    save_file(state(1), "B.safetensors")
    write_pipeline(here / "P", state(0))
    two = ["merge", "--tuned", "B.safetensors", "--weights=1", "--base"]
    assert "use down-mid-up or" in line_of(*two, "A.safetensors", "--preset", "thirds", "-o", "C.safetensors")
    assert "ends in .safetensors" in line_of(*two, "A.safetensors", "-o", "C.pt")
    assert "P: is there already" in line_of(*two, "P", "-o", "P")
    assert "lies in the model" in line_of(*two, "P", "-o", "P/new")
    assert sorted(os.listdir()) == ["A.safetensors", "B.safetensors", "P"]


# memory, kills, full disks


def _large(path, seed, megabytes=48):
    generator = torch.Generator().manual_seed(seed)
    save_file({"blocks.weight": torch.randn(megabytes * 2**18, generator=generator)}, path)


MERGE = [sys.executable, "-m", "adaptive_neon.commands.cli", "merge", "--base", "A.safetensors"]
MERGE += ["--tuned", "B.safetensors", "--weights=0.5", "-o", "C.safetensors"]


def test_a_killed_merge_leaves_nothing_under_the_name(here):
    _large("A.safetensors", 0)
    _large("B.safetensors", 1)
    process = subprocess.Popen(MERGE)
    deadline = time.monotonic() + 60
    while not list(here.glob(".C*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (here / "C.safetensors").exists()


def test_a_full_disk_leaves_nothing(here, line_of):
    """A limit on the size of files is as good as a full disk."""
    _large("A.safetensors", 0, 8)
    _large("B.safetensors", 1, 8)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    done = subprocess.run(MERGE, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert sorted(os.listdir()) == ["A.safetensors", "B.safetensors"]


def test_memory_does_not_grow_with_the_model(here):
    """The peak of a merge of two models of 96 MB above that of two of 1 MB, in a process of its own each."""
    peaks = []
    for size in (1, 96):
        _large("A.safetensors", 0, size)
        _large("B.safetensors", 1, size)
        code = "import resource, sys; from adaptive_neon.commands.cli import main; main(sys.argv[1:]); "
        code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        launch = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"  # small, so that its peak is
        command = [sys.executable, "-S", "-c", launch, sys.executable, "-c", code, *MERGE[3:]]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]))
        os.remove("C.safetensors")
    assert peaks[1] - peaks[0] < 24 * 1024, peaks  # KiB
