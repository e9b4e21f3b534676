import contextlib
import copy
import itertools
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from adaptive_neon.families.edm import family as edm_family
from adaptive_neon.jobs.rolling import RollingCheckpoint
from adaptive_neon.training.averages import Averages
from adaptive_neon.training.loop import (
    Training,
    TrainingSettings,
    data_order,
    read_state,
    stream_seed,
    train,
    write_losses,
    write_state,
)
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = {"batch": 4, "lr": 1e-3, "ema_halflife_kimg": 0.004, "dropout": 0.1, "seed": 3}
RAMPS = {"ema_rampup_ratio": 0.3, "lr_rampup_kimg": 0.01}


@pytest.fixture
def data():
    """Ten images, so that the third batch of four begins a new epoch."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (10, 8, 8, 1), dtype=np.uint8), rng.integers(0, 10, 10)


@pytest.fixture
def start(make_network):
    """A training from the same random network."""
    return lambda **changes: Training(
        make_network(dropout=(SETTINGS | changes)["dropout"]),
        TrainingSettings.from_section(SETTINGS | changes),
        edm_family.loss,
    )


@pytest.fixture
def rolling(tmp_path):
    """A new job each time, which saves its state only where `minutes` says so."""
    return lambda minutes=1e9, name="model": RollingCheckpoint(tmp_path / f"{name}.safetensors", "", minutes)


def contents(training):
    """All that a training holds, not by way of its own `state_dict`, which might forget something."""
    parts = (training.network, training.ema, training.optimizer, *filter(None, [training.averages]))
    return [*(part.state_dict() for part in parts), training.images_seen, training.losses]


def assert_same(found, expected):
    """Bit for bit."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    else:
        assert found == expected


# A chain of segments equals one run


@pytest.mark.parametrize("changes", [{}, RAMPS, {"micro_batch": 2}], ids=["plain", "ramps", "micro-batches"])
def test_segments_chain(start, rolling, data, tmp_path, changes):
    whole = start(**changes)
    train(whole, *data, 16, rolling())
    assert whole.images_seen == 16

    first = start(**changes)
    train(first, *data, 8, rolling())
    torch.save(first.state_dict(), tmp_path / "state.pt")
    torch.rand(5)  # the global stream has moved on
    second = start(**changes)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    train(second, *data, 16, rolling())

    assert_same(contents(second), contents(whole))
    assert not torch.equal(whole.network.model.map_layer0.weight, whole.ema.model.map_layer0.weight)


def test_a_killed_job_continues_from_its_rolling_state(start, rolling, data):
    def begin():
        training = start(**RAMPS)
        training.averages = Averages(training.network, 4)
        return training

    whole = begin()
    train(whole, *data, 16, rolling())
    ticks = []

    def kill(images):
        ticks.append(images)
        if len(ticks) == 3:  # before the third step is saved
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(begin(), *data, 16, rolling(minutes=0), kill)
    ticks.clear()
    continued = begin()
    train(continued, *data, 16, rolling(), ticks.append)
    assert ticks == [8, 4, 4]
    assert_same(contents(continued), contents(whole))
    assert list(continued.averages.kept) == [4, 8, 12, 16]


def test_a_finished_rolling_state_needs_no_step(start, rolling, data):
    finished, again, ticks = start(), start(), []
    train(finished, *data, 8, rolling(minutes=0))
    train(again, *data, 8, rolling(), ticks.append)
    assert ticks == [8]
    assert_same(contents(again), contents(finished))


@pytest.mark.parametrize("change", [{"seed": 4}, {"dropout": 0.2}, {"lr": 2e-3}, {"micro_batch": 2}])
def test_every_setting_matters(start, rolling, data, change):
    """Else the chain could be equal because nothing happens."""
    one, other = start(), start(**change)
    for training in (one, other):
        train(training, *data, 8, rolling())
    assert not torch.equal(one.network.model.map_layer0.weight, other.network.model.map_layer0.weight)


# One step


def clean_loss(denoise, images, sigma_data, augment=None):
    """A loss without random numbers."""
    return (denoise(images, torch.full([len(images), 1, 1, 1], sigma_data)) - images) ** 2


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 6])
def test_micro_batches_add_up_to_the_batch(start, rolling, data, monkeypatch, micro_batch):
    monkeypatch.setattr(edm_family, "edm_loss", clean_loss)
    changes = {"dropout": 0.0, "batch": 6}
    parts = start(**changes, micro_batch=micro_batch)
    network = start(**changes).network
    train(parts, *data, 6, rolling())

    images, labels = data
    order = data_order(SETTINGS["seed"], 0, 6, 10)
    y = torch.from_numpy(images[order] / 127.5 - 1).float().permute(0, 3, 1, 2)
    loss = clean_loss(lambda x, sigma: network(x, sigma, torch.eye(10)[labels[order]]), y, 0.5)
    (loss.sum() / 6).backward()
    for (name, found), expected in zip(parts.network.named_parameters(), network.parameters(), strict=True):
        scale = expected.grad.abs().max().item()
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-4, atol=1e-5 * scale, msg=name)
    assert parts.losses[0][1] == pytest.approx(loss.mean().item(), rel=1e-5)


def first_gradient(training, data):
    """Of the loss of the first step, by autograd alone."""
    images, labels = data
    network, settings = training.network, training.settings
    order = data_order(settings.seed, 0, settings.batch, len(images))
    torch.manual_seed(stream_seed(settings.seed, 0, 0))
    batch, classes = torch.from_numpy(images[order]), torch.from_numpy(labels[order])
    losses = training.loss(network, batch, classes, settings.family, torch.float32)
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(losses.sum() / settings.batch, list(parameters.values()))
    return dict(zip(parameters, gradients, strict=True))


@pytest.mark.parametrize("clip_norm", [None, 1e-7])
def test_the_first_step_of_adamw(start, rolling, data, clip_norm):
    """Its moments are g and g², so θ ← (1 − lr·λ)·θ − lr·g/(|g| + 1e-8), g clipped; vectors don't decay."""
    training = start(ema_halflife_kimg=0, weight_decay=0.1, clip_norm=clip_norm, betas=[0.8, 0.99])
    before = copy.deepcopy(training.network.state_dict())
    gradients = first_gradient(training, data)
    norm = sum((g**2).sum() for g in gradients.values()) ** 0.5
    train(training, *data, 4, rolling())
    for name, g in gradients.items():
        g = g if clip_norm is None else g * clip_norm / norm
        decay = 1 - SETTINGS["lr"] * 0.1 if g.ndim > 1 else 1
        expected = decay * before[name] - SETTINGS["lr"] * g / (g.abs() + 1e-8)
        torch.testing.assert_close(training.ema.state_dict()[name], expected, rtol=1e-5, atol=1e-6)


def test_learning_rate_ramps_up(start, rolling, data):
    training = start(lr_rampup_kimg=0.01)
    rates = []
    for images in (4, 8, 12, 16, 20):
        train(training, *data, images, rolling())
        rates.append(training.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0, 0.4e-3, 0.8e-3, 1e-3, 1e-3])


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({"ema_halflife_kimg": 0.004}, 0.5),
        ({"ema_halflife_kimg": 0.002}, 0.25),
        ({"ema_halflife_kimg": 0.008}, 0.5**0.5),
        ({"ema_halflife_kimg": 0}, 0.0),
        ({"ema_halflife_kimg": 1, "ema_rampup_ratio": 0.5}, 0.0),
    ],
)
def test_share_of_the_old_weights_in_the_average(start, rolling, data, changes, share):
    """After one batch of four. A ramp-up starts from no images seen, with no memory."""
    training = start(**changes)
    before = training.ema.model.map_layer0.weight.clone()
    train(training, *data, 4, rolling())
    after = training.network.model.map_layer0.weight
    torch.testing.assert_close(
        training.ema.model.map_layer0.weight, share * before + (1 - share) * after, rtol=0, atol=1e-7
    )


def test_augmentation_needs_a_network_that_sees_its_labels(start, make_network, rolling, data, refuses):
    with refuses("augment: 0.12, but the network has augment_dim 0"):
        train(start(augment=0.12), *data, 4, rolling())
    settings = TrainingSettings.from_section(SETTINGS | {"augment": 0.12})
    training = Training(make_network(augment_dim=9), settings, edm_family.loss)
    train(training, *data, 4, rolling())
    assert training.network.model.map_augment.weight.grad.abs().max() > 0


PROCESS = """
import sys
import torch
sys.path[:0] = [{tests!r}, {tests!r} + "/training"]
from adaptive_neon.training.distributed import process_group, rank
from adaptive_neon.families.edm.family import loss
from adaptive_neon.jobs.rolling import RollingCheckpoint
from adaptive_neon.training.loop import Training, train
with process_group("cpu"):
    network, settings, images, labels, path = torch.load("start.pt", weights_only=False)
    training = Training(network, settings, loss)
    train(training, images, labels, 16, RollingCheckpoint(path, "", 0))
    if rank() == 0:
        torch.save(training.state_dict(), "end.pt")
"""


def test_two_processes_train_like_one(make_network, rolling, data, tmp_path):
    """Up to the order in which gradients are summed; the rolling state is the first process's alone."""
    settings = TrainingSettings.from_section(SETTINGS | RAMPS | {"micro_batch": 1, "augment": 0.5})
    network = make_network(augment_dim=9, dropout=SETTINGS["dropout"])
    torch.save((network, settings, *data, tmp_path / "model.safetensors"), tmp_path / "start.pt")
    script = tmp_path / "script.py"
    script.write_text(PROCESS.format(tests=str(Path(__file__).parents[1])))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script]
    subprocess.run(command, cwd=tmp_path, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

    one = Training(network, settings, edm_family.loss)
    train(one, *data, 16, rolling())
    two = torch.load(tmp_path / "end.pt", weights_only=True)
    assert [images for images, _ in two["losses"]] == [0, 4, 8, 12]
    assert [loss for _, loss in two["losses"]] == pytest.approx([loss for _, loss in one.losses], rel=1e-5)
    for part in ("network", "ema"):
        for name, expected in one.state_dict()[part].items():
            if "qkv.bias" not in name:  # a key's bias has no gradient but rounding, which Adam blows up
                torch.testing.assert_close(two[part][name], expected, rtol=0, atol=1e-6, msg=name)
    assert [path.name for path in tmp_path.glob(".*")] == [".model.partial.pt"]


def test_bfloat16_trains_weights_that_stay_float32(start, rolling, data):
    """The network computes in about three digits, so the first loss agrees to about that."""
    exact, rounded = start(dropout=0.0), start(dropout=0.0)
    train(exact, *data, 8, rolling())
    train(rounded, *data, 8, rolling(), dtype=torch.bfloat16)
    assert rounded.losses[0][1] == pytest.approx(exact.losses[0][1], rel=0.02)
    assert rounded.losses[0][1] != exact.losses[0][1]
    assert {tensor.dtype for tensor in rounded.network.parameters()} == {torch.float32}


def test_a_diverged_training_stops(start, rolling, data, refuses):
    training = start()
    train(training, *data, 8, rolling())
    with torch.no_grad():
        training.network.model.map_layer0.weight[0, 0] = torch.nan
    with refuses("step 2", "8 images", "loss nan", "lr"):
        train(training, *data, 16, rolling())
    assert training.images_seen == 8


def test_loss_log(start, rolling, data, tmp_path):
    """Images seen before each step, and its loss."""
    training = start()
    train(training, *data, 12, rolling())
    assert [images for images, _ in training.losses] == [0, 4, 8]
    write_losses(tmp_path / "losses.csv", [(0, 1.25), (512, 0.00123456789)])
    assert (tmp_path / "losses.csv").read_text() == "images,loss\n0,1.25\n512,0.00123457\n"


# Random numbers


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 12),
    cuts=st.lists(st.integers(1, 15), min_size=1, max_size=6),
)
def test_order_of_the_data(seed, size, cuts):
    """Epoch after epoch each image once, however the order is cut into batches."""
    total = sum(cuts)
    whole = data_order(seed, 0, total, size)
    starts = np.cumsum([0, *cuts[:-1]])
    parts = [data_order(seed, int(start), count, size) for start, count in zip(starts, cuts, strict=True)]
    assert list(map(len, parts)) == cuts
    assert np.concatenate(parts).tolist() == whole.tolist()
    for start in range(0, total - size + 1, size):
        assert sorted(whole[start : start + size]) == list(range(size))


def test_order_changes_with_epoch_and_seed():
    order = data_order(0, 0, 300, 100)
    others = [order[100:200], order[200:], data_order(1, 0, 100, 100)]
    assert not any(np.array_equal(order[:100], other) for other in others)


def test_stream_seeds_are_distinct_and_for_ever():
    """The generator's numbers are part of numpy's promise: SeedSequence((1, 2, 3)) has these words."""
    seeds = {stream_seed(*key) for key in np.ndindex(20, 20, 5)}
    assert len(seeds) == 2000
    assert all(0 <= seed < 2**64 for seed in seeds)
    low, high = np.random.SeedSequence((1, 2, 3)).generate_state(2, np.uint32).tolist()
    assert stream_seed(1, 2, 3) == low + (high << 32)


# Parity with NVIDIA's training loop


class OneImage(torch.utils.data.Dataset):
    """A data set whose order doesn't matter."""

    resolution, num_channels, label_dim = 8, 1, 10

    def __init__(self, image, label):
        self.item = image.transpose(2, 0, 1), np.eye(10, dtype=np.float32)[label]

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.item


class OneProcess(torch.nn.parallel.DistributedDataParallel):
    """Stands in for its parent, which wants a process group."""

    def __init__(self, module, device_ids):
        torch.nn.Module.__init__(self)
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def no_sync(self):
        return contextlib.nullcontext()


@pytest.mark.parametrize(("micro_batch", "augment"), [(4, 0.0), (2, 0.0), (2, 0.5)])
def test_training_equals_upstream(
    edm, tiny, make_network, rolling, data, tmp_path, monkeypatch, micro_batch, augment
):
    """Five steps of training_loop.py: loss, dropout, augmentation, accumulation, Adam, learning rate, EMA."""
    loop = edm("training.training_loop")
    architecture = tiny | {"augment_dim": 9, "dropout": SETTINGS["dropout"]}
    settings = TrainingSettings.from_section(SETTINGS | RAMPS | {"micro_batch": micro_batch, "augment": augment})
    training = Training(make_network(**architecture), settings, edm_family.loss)
    image, label = data[0][:1], data[1][:1]
    network = edm("training.networks").EDMPrecond(**architecture)
    network.load_state_dict(training.network.state_dict())
    loss = edm("training.loss").EDMLoss()
    calls, averages = itertools.count(), []

    def seeded_loss(**arguments):
        """Upstream seeds once; ours for every step and micro-batch."""
        torch.manual_seed(stream_seed(SETTINGS["seed"], *divmod(next(calls), 4 // micro_batch)))
        return loss(**arguments)

    def deepcopy(network):
        averages.append(copy.deepcopy(network))
        return averages[-1]

    parts = {
        "data": lambda: OneImage(image[0], label[0]),
        "network": lambda **_: network,
        "loss": lambda: seeded_loss,
        "optimizer": torch.optim.Adam,
        # what --augment of upstream's train.py switches on
        "augment": lambda: edm("training.augment").AugmentPipe(
            p=augment, xflip=1e8, yflip=1, scale=1, rotate_frac=1, aniso=1, translate_frac=1
        ),
    }
    monkeypatch.setattr(
        loop.dnnlib.util, "construct_class_by_name", lambda class_name, **kwargs: parts[class_name](**kwargs)
    )
    monkeypatch.setattr(loop, "copy", types.SimpleNamespace(deepcopy=deepcopy))
    monkeypatch.setattr(loop.misc, "InfiniteSampler", lambda **_: itertools.repeat(0))
    monkeypatch.setattr(torch.nn.parallel, "DistributedDataParallel", OneProcess)
    for name in ("max_memory_allocated", "max_memory_reserved", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: 0)
    loop.training_loop(
        run_dir=tmp_path,
        dataset_kwargs={"class_name": "data"},
        network_kwargs={"class_name": "network"},
        loss_kwargs={"class_name": "loss"},
        optimizer_kwargs={"class_name": "optimizer", "lr": SETTINGS["lr"]},
        augment_kwargs={"class_name": "augment"} if augment else None,
        batch_size=4,
        batch_gpu=micro_batch,
        total_kimg=0.02,
        ema_halflife_kimg=SETTINGS["ema_halflife_kimg"],
        **RAMPS,
        snapshot_ticks=None,
        state_dump_ticks=None,
        device=torch.device("cpu"),
    )
    before = training.network.model.map_layer0.weight.clone()
    train(training, image, label, 20, rolling())
    assert (training.network.model.map_layer0.weight - before).abs().max() > 1e-3
    for found, expected in ((training.network, network), (training.ema, averages[0])):
        for (name, one), other in zip(found.named_parameters(), expected.parameters(), strict=True):
            if "qkv.bias" not in name:  # a key's bias has no gradient but rounding, which Adam blows up
                torch.testing.assert_close(one, other, rtol=0, atol=1e-6, msg=name)


# States in files, and data that do not fit


def test_a_damaged_state_is_one_line(tmp_path, refuses):
    path = tmp_path / "state.pt"
    path.write_bytes(b"no state")
    with refuses(path, "not a readable training state", "make it again"):
        read_state(path)


def test_a_state_comes_back(start, rolling, data, tmp_path):
    training = start()
    train(training, *data, 8, rolling())
    write_state(tmp_path / "state.pt", training)
    again = start()
    again.load_state_dict(read_state(tmp_path / "state.pt"))
    assert again.images_seen == 8
    for name, tensor in training.ema.state_dict().items():
        assert torch.equal(again.ema.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((20, 8, 8, 3), np.uint8), np.zeros(20, np.int64), "img_channels"),
        (np.zeros((20, 4, 4, 1), np.uint8), np.zeros(20, np.int64), "img_resolution"),
        (np.zeros((20, 8, 8, 1), np.uint8), np.full(20, 10), "label_dim"),
        (np.zeros((20, 8, 8, 1), np.uint8), None, "label_dim"),
    ],
)
def test_images_of_another_kind_are_refused(start, rolling, refuses, images, labels, words):
    with refuses("base.architecture", words):
        train(start(), images, labels, 8, rolling())
