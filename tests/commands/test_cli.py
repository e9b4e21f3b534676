"""The command line as a user types it, on tiny networks; `main` runs in this process, which saves its start."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from adaptive_neon.commands.cli import main
from adaptive_neon.data.datasets import read_dataset, write_dataset
from adaptive_neon.families.checkpoints import read_checkpoint, write_checkpoint
from adaptive_neon.families.edm.family import build, draw
from adaptive_neon.families.loading import arguments, arrays
from persistent import write_network_pickle

SAMPLER = {"steps": 3, "sigma_min": 0.002, "sigma_max": 80, "rho": 7}


@pytest.fixture
def models(tmp_path, make_network, tiny, monkeypatch):
    """θ_r in A.pkl, θ_s in B.pkl and B.safetensors, in the current folder."""
    monkeypatch.chdir(tmp_path)
    base, tuned = make_network(0), make_network(1)
    write_network_pickle(tmp_path / "A.pkl", base, tiny)
    write_network_pickle(tmp_path / "B.pkl", tuned, tiny)
    write_checkpoint("B.safetensors", arrays(tuned), tiny)
    return arrays(base), arrays(tuned)


@pytest.fixture
def fails(capsys):
    """`fails(*words, …)`: the command ends with code 1 and one line that holds the words."""

    def run(words, *arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        line = str(ended.value.code)  # a text as exit code is printed, and the code is 1
        assert line.startswith("adaptive-neon: ") and len(line.splitlines()) == 1, line
        assert words in line

    return run


def test_help_explains_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    listed = capsys.readouterr().out
    for command in ("merge", "inspect", "sample", "reference", "fid", "export", "show"):
        assert re.search(rf"^    {command}\s", listed, re.MULTILINE)
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert f"adaptive-neon {command}" in capsys.readouterr().out


def test_an_error_is_one_line_and_code_1(tmp_path):
    """As the shell sees it."""
    process = subprocess.run(
        [sys.executable, "-m", "adaptive_neon.commands.cli", "inspect", "absent.pkl"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr == "adaptive-neon: absent.pkl: no such file; give the path of a published checkpoint\n"


def test_a_reader_that_has_seen_enough_is_no_error(models):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "adaptive_neon.commands.cli", "inspect", "A.pkl"]
    process = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert process.stderr == ""


# merge


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("enc=1.25,mid=1.0,dec=0.75", {"enc": 1.25, "mid": 1.0, "dec": 0.75}),
        ("dec=0.5, enc=-1,mid=0", {"enc": -1, "mid": 0, "dec": 0.5}),
        ("0.75", dict.fromkeys(["enc", "mid", "dec"], 0.75)),
    ],
)
@pytest.mark.parametrize("tuned", ["B.pkl", "B.safetensors"])
def test_merge(models, tiny, weights, expected, tuned):
    main(["merge", "--base", "A.pkl", "--tuned", tuned, f"--weights={weights}", "-o", "C.safetensors"])
    merged = read_checkpoint("C.safetensors")
    assert merged.architecture == {"family": "edm"} | tiny
    assert merged.metadata["weights"] == "_".join(f"{block}~{float(w)}" for block, w in expected.items())
    theta_r, theta_s = models
    for name, theta in merged.tensors.items():
        # the published rule (Adaptive Neon's code); 4x4 is the lowest resolution here
        block = "mid" if "4x4" in name or "map" in name else "enc" if "enc" in name else "dec"
        w = expected[block]
        np.testing.assert_allclose(theta, (1 + w) * theta_r[name] - w * theta_s[name], rtol=1e-5, atol=1e-6)


def test_merge_in_blocks_of_ones_own(models):
    blocks = ["--block", "all=."]
    main(["merge", "--base", "A.pkl", "--tuned", "B.pkl", *blocks, "--weights=all=-1", "-o", "C.safetensors"])
    for name, theta in read_checkpoint("C.safetensors").tensors.items():
        np.testing.assert_array_equal(theta, models[1][name])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--base": "X.pkl"}, "X.pkl: no such file"),
        ({"--tuned": "X.safetensors"}, "X.safetensors: no such file"),
        ({"--tuned": "other.safetensors"}, "base and tuned model differ"),
        ({"--weights": "much"}, "--weights: 'much' is neither a number"),
        ({"--weights": "enc=1,mid=2"}, "must name each of the blocks enc, mid, dec once"),
        ({"--weights": "enc=1,mid=2,dec=3,tail=4"}, "must name each of the blocks enc, mid, dec once"),
        ({"--weights": "enc=1,enc=1,mid=2,dec=3"}, "must name each of the blocks enc, mid, dec once"),
        ({"--block": "enc"}, "give each block once, as NAME=PATTERN"),
        ({"--block": "top=enc"}, "--weights"),
        ({"-o": "C.pkl"}, "C.pkl: give a name that ends in .safetensors"),
        ({"-o": "A.pkl/C.safetensors"}, "A.pkl"),
    ],
)
def test_merge_refuses(models, make_network, tiny, fails, change, words, tmp_path):
    larger = tiny | {"num_blocks": 2}
    write_checkpoint("other.safetensors", arrays(build(larger)), larger)
    options = {"--base": "A.pkl", "--tuned": "B.pkl", "--weights": "enc=1,mid=1,dec=1", "-o": "C.safetensors"}
    fails(words, "merge", *[word for option in (options | change).items() for word in option])
    assert not list(tmp_path.glob("C*"))


# inspect


def test_inspect(models, capsys):
    main(["inspect", "A.pkl", "B.pkl"])
    lines = capsys.readouterr().out.splitlines()
    total = sum(array.size for name, array in models[0].items() if "resample_filter" not in name)
    assert lines[0] == f"A.pkl: {total:,} parameters"
    assert "  model_channels: 8" in lines
    start = next(i for i, line in enumerate(lines) if line.split()[:1] == ["block"])
    rows = {cells[0]: cells[1:] for cells in map(str.split, lines[start + 1 :])}
    assert set(rows) == {"enc", "mid", "dec"}
    assert sum(int(cells[1].replace(",", "")) for cells in rows.values()) == total
    for block, cells in rows.items():
        names = [
            name
            for name in models[0]
            if "resample_filter" not in name
            and block == ("mid" if "4x4" in name or "map" in name else "enc" if "enc" in name else "dec")
        ]
        theta_r, theta_s = (np.concatenate([model[name].ravel() for name in names]) for model in models)
        assert int(cells[0]) == len(names)
        assert float(cells[2]) == pytest.approx(np.linalg.norm(theta_s - theta_r), rel=1e-4)
        assert float(cells[3]) == pytest.approx(
            np.linalg.norm(theta_s - theta_r) / np.linalg.norm(theta_r), rel=1e-4
        )


def test_inspect_one(models, capsys):
    main(["inspect", "B.safetensors"])
    assert "θ_s" not in capsys.readouterr().out


# sample


@pytest.mark.parametrize("output", ["images", "images.of.A/", "images.zip", "images.npz"])
def test_sample(models, make_network, output):
    main(["sample", "A.pkl", "--seeds", "7,100-102", "--sampler", "steps=3", "--batch", "3", "-o", output])
    expected, classes = draw(make_network(0).eval(), [7, 100, 101, 102], SAMPLER)
    images, labels = read_dataset(output)
    assert np.abs(images.astype(int) - expected.numpy()).max() <= 1  # convolutions may round otherwise in a batch
    np.testing.assert_array_equal(labels, classes)


def test_a_killed_sample_continues(models, monkeypatch):
    """With the same images as in one go, and with no memory of one that asked for others."""
    from adaptive_neon.families.edm import family

    command = ["sample", "A.pkl", "--seeds", "0-6", "--sampler", "steps=2", "--batch", "2", "-o", "new/images.npz"]
    draw, calls = family.draw, []

    def dying(network, seeds, *rest, **more):
        calls.append(list(seeds))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return draw(network, seeds, *rest, **more)

    monkeypatch.setattr(family, "draw", dying)
    with pytest.raises(KeyboardInterrupt):
        main(command)
    main(command)
    assert calls == [[0, 1], [2, 3], [4, 5], [4, 5], [6]]
    assert os.listdir("new") == ["images.npz"]
    whole = [*command[:-1], "whole.npz"]
    main(whole)
    for found, expected in zip(read_dataset("new/images.npz"), read_dataset("whole.npz"), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_sample_draws_one_class(models, make_network):
    main(["sample", "A.pkl", "--seeds", "7-9", "--class", "4", "--sampler", "steps=3", "-o", "images.npz"])
    images, labels = read_dataset("images.npz")
    expected, _ = draw(make_network(0).eval(), [7, 8, 9], SAMPLER, [4, 4, 4])
    assert np.abs(images.astype(int) - expected.numpy()).max() <= 1
    assert labels.tolist() == [4, 4, 4]


def test_sample_names_the_files_by_their_seeds(models, tmp_path):
    main(["sample", "A.pkl", "--seeds", "7,12-13", "--sampler", "steps=2", "-o", "images"])
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [
        *("000007.png", "000012.png", "000013.png"),
        "dataset.json",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["A.pkl", "-o", "."], "is not empty"),
        (["A.pkl", "-o", "images", "--seeds", "ten"], "--seeds: 'ten' is no list of seeds"),
        (["A.pkl", "-o", "images", "--seeds", "9-3"], "is empty"),
        (["A.pkl", "-o", "images", "--seeds", "3,1-5"], "repeats a seed"),
        (["A.pkl", "-o", "images", "--sampler", "steps=1"], "--sampler: steps: 1 must be at least 2"),
        (["A.pkl", "-o", "images", "--class", "10"], "--class: 10, but the model has 10 classes"),
        (["nan.safetensors", "-o", "images"], "is not finite; the training that made it diverged"),
        (
            ["huge.safetensors", "-o", "images", "--sampler", "steps=2", "--seeds", "0"],
            "its images are not finite",
        ),
        (["A.pkl", "-o", "images", "--seeds", "0-4294967295"], "are more than 1,000,000 images"),
        (["A.pkl", "-o", "images", "--sampler", "rho=.nan"], "--sampler: rho"),
    ],
)
def test_sample_refuses(models, tiny, fails, arguments, words, tmp_path):
    write_checkpoint("nan.safetensors", {name: array * np.nan for name, array in models[0].items()}, tiny)
    write_checkpoint("huge.safetensors", {name: array * 1e30 for name, array in models[0].items()}, tiny)
    fails(words, "sample", *arguments)
    assert not (tmp_path / "images").exists()


# export


def test_export_to_a_state_dict(models, tiny):
    main(["export", "A.pkl", "-o", "C.pt"])
    state = torch.load("C.pt", weights_only=True)
    assert list(state) == list(build(tiny).state_dict())
    for name, tensor in state.items():
        np.testing.assert_array_equal(tensor, models[0][name])


def test_export_to_safetensors(models, tiny):
    main(["export", "A.pkl", "-o", "C.safetensors"])
    exported = read_checkpoint("C.safetensors")
    assert exported.architecture == {"family": "edm"} | tiny
    assert exported.metadata["source"] == "A.pkl"
    for name, array in models[0].items():
        np.testing.assert_array_equal(exported.tensors[name], array)


def test_export_refuses(models, fails, tmp_path):
    fails("give a name that ends in .pt or .safetensors", "export", "A.pkl", "-o", "C.onnx")
    (tmp_path / "not.pkl").write_text("x")
    fails("not a published checkpoint", "export", "not.pkl", "-o", "C.pt")
    assert not list(tmp_path.glob("C*"))


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "SongUNet", "augment_dim": 9},
        {"model_type": "DhariwalUNet", "label_dim": 0},
    ],
    ids=["ddpmpp", "adm"],
)
def test_from_upstreams_pickle_back_into_upstreams_class(edm, tmp_path, monkeypatch, changes):
    """A snapshot as EDM's training loop writes it; merged with w = 0 and exported, its outputs are the same."""
    import pickle

    monkeypatch.chdir(tmp_path)
    architecture = {"img_resolution": 16, "img_channels": 3, "label_dim": 10, "num_blocks": 1, "dropout": 0.13}
    architecture |= {"model_channels": 64, "channel_mult": [1, 2], "attn_resolutions": [8]} | changes
    networks = edm("training.networks")
    torch.manual_seed(0)
    ema = networks.EDMPrecond(**architecture).eval().requires_grad_(False)
    for parameter in ema.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    snapshot = {"ema": ema, "loss_fn": edm("training.loss").EDMLoss(), "augment_pipe": None}
    (tmp_path / "network.pkl").write_bytes(pickle.dumps(snapshot))

    main(["merge", "--base", "network.pkl", "--tuned", "network.pkl", "--weights", "0", "-o", "C.safetensors"])
    main(["export", "C.safetensors", "-o", "C.pt"])
    again = networks.EDMPrecond(**arguments(read_checkpoint("C.safetensors").architecture)).eval()
    again.load_state_dict(torch.load("C.pt", weights_only=True))
    x, sigma = torch.randn(2, 3, 16, 16), torch.tensor([0.5, 5.0])
    labels = torch.eye(10)[:2] if architecture["label_dim"] else None
    with torch.inference_mode():
        assert torch.equal(again(x, sigma, labels), ema(x, sigma, labels))


# fid


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Two sets of images; features that are their mean colours, in the place of Inception."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 60, 8, 8, 3), dtype=np.uint8)
    images[1] //= 2
    write_dataset("A.zip", images[0], None, [f"{i:02d}.png" for i in range(60)])
    np.savez("B.npz", images=images[1])
    features = [part.mean((1, 2)) for part in images]
    np.savez("reference.npz", mu=features[1].mean(0), sigma=np.cov(features[1].T))
    monkeypatch.setattr("adaptive_neon.evaluation.inception.DIMENSION", 3)
    monkeypatch.setattr("adaptive_neon.evaluation.inception.weights_file", lambda path: path)
    monkeypatch.setattr(
        "adaptive_neon.evaluation.inception.Inception", lambda *_: lambda images: images.mean((1, 2))
    )
    return features


@pytest.mark.parametrize("reference", ["reference.npz", "B.npz"])
@pytest.mark.parametrize("number", [None, 40])
def test_fid(sets, capsys, reference, number):
    from scipy.linalg import sqrtm

    main(["fid", "A.zip", reference, *(["-n", str(number)] if number else [])])
    a, b = sets[0][:number], sets[1]
    product = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * product)
    words = capsys.readouterr().out.split()
    assert float(words[1]) == pytest.approx(expected, rel=1e-5)
    assert words[2:] == ["(inception,", str(number or 60), "images)"]


def test_reference(sets, capsys):
    main(["reference", "B.npz", "-o", "out.npz"])
    with np.load("out.npz") as file:
        np.testing.assert_allclose(file["mu"], sets[1].mean(0), rtol=1e-12)
        np.testing.assert_allclose(file["sigma"], np.cov(sets[1].T), rtol=1e-10)
    assert capsys.readouterr().out == "out.npz: mean and covariance of 60 images\n"


def test_a_reference_of_few_images_says_so(sets, capsys):
    """The covariance of n images in D dimensions has at most rank n − 1."""
    np.savez("few.npz", images=np.zeros((3, 8, 8, 3), np.uint8))
    main(["reference", "few.npz", "-o", "out.npz"])
    assert capsys.readouterr().out.splitlines()[1:] == [
        "of little use: 3 images leave the covariance of 3 features singular"
    ]


def test_a_killed_reference_continues(sets, monkeypatch):
    monkeypatch.setattr("adaptive_neon.evaluation.features.BATCH", 20)
    monkeypatch.setattr("adaptive_neon.commands.reference.MINUTES", 0)
    extracted = []

    def killed_at(batch):
        def extract(images):
            if len(extracted) == batch:
                raise KeyboardInterrupt
            extracted.append(images.mean((1, 2)))
            return extracted[-1]

        return lambda *_: extract

    monkeypatch.setattr("adaptive_neon.evaluation.inception.Inception", killed_at(2))
    with pytest.raises(KeyboardInterrupt):
        main(["reference", "B.npz", "-o", "out.npz"])
    monkeypatch.setattr("adaptive_neon.evaluation.inception.Inception", killed_at(None))
    main(["reference", "B.npz", "-o", "out.npz"])
    assert len(extracted) == 3
    with np.load("out.npz") as file:
        np.testing.assert_allclose(file["sigma"], np.cov(sets[1].T), rtol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent", "B.npz"], "absent: no such file"),
        (["A.zip", "absent.npz"], "absent.npz: no such file"),
        (["A.zip", "small.npz"], "statistics of 2 features, not of Inception's 3"),
        (["A.zip", "nan.npz"], "not finite"),
        (["A.zip", "reference.npz", "-n", "1"], "at least 2"),
        (["reference.npz", "B.npz"], "reference.npz: holds no array `images`"),
    ],
)
def test_fid_refuses(sets, fails, arguments, words):
    np.savez("small.npz", mu=np.zeros(2), sigma=np.eye(2))
    np.savez("nan.npz", mu=np.full(3, np.nan), sigma=np.eye(3))
    fails(words, "fid", *arguments)


# check


def test_check(tmp_path, capsys, fails):
    root = Path(__file__).parents[2]
    main(["check", str(root / "config.yaml"), str(root / "experiments/digits-replicas.yaml")])
    assert "12 points of 3 blocks, snapshots at 12 kimg, replicas: 5" in capsys.readouterr().out
    fails(
        "did you mean digits-null?", "check", str(root / "config.yaml"), str(root / "experiments/digit-null.yaml")
    )
    (tmp_path / "config.yaml").write_text("experiment: alone\n")
    fails("give the config.yaml of a clone first", "check", tmp_path / "config.yaml")


def test_no_model_that_is_not_finite_is_read_or_written(models, tiny, fails, tmp_path):
    tensors = models[0]
    name = "model.map_label.weight"
    write_checkpoint("nan.safetensors", tensors | {name: tensors[name] * np.nan}, tiny)
    write_checkpoint("integers.safetensors", tensors | {name: tensors[name].astype(np.int32)}, tiny)
    write_checkpoint("far.safetensors", tensors | {name: np.full_like(tensors[name], 3e38)}, tiny)
    merge = ["merge", "--base", "A.pkl", "-o", "C.safetensors", "--weights"]
    fails(f"nan.safetensors: {name} is not finite", *merge, "1", "--tuned", "nan.safetensors")
    fails(f"integers.safetensors: {name} is int32", *merge, "1", "--tuned", "integers.safetensors")
    fails(f"C.safetensors: {name} is not finite", *merge, "2", "--tuned", "far.safetensors")
    for weight in ("nan", "inf", "1e308", "101"):
        fails("must be between -100 and 100", *merge, weight, "--tuned", "B.pkl")
    fails("holds no model.safetensors", *merge, "1", "--tuned", str(tmp_path))
    fails("matches no block", *merge, "1", "--tuned", "B.pkl", "--block", "all=^(([a-z0-9._])+)+!$")
    assert not (tmp_path / "C.safetensors").exists()


def test_a_name_forges_no_line(fails):
    fails("A\\nadaptive-neon: fine.pkl: no such file", "inspect", "A\nadaptive-neon: fine.pkl")
