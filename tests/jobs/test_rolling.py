import pickle
import time

import pytest
import torch
from adaptive_neon.jobs import rolling as resume
from adaptive_neon.jobs.rolling import RollingCheckpoint, fingerprint

STATE = {"weights": torch.arange(5.0), "step": 3, "losses": [(0, 1.5), (4, 1.25)]}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "finetune" / "model.safetensors"


def saved(output, state=STATE):
    RollingCheckpoint(output, "fits", minutes=0).save_if_due(lambda: state)
    return next(output.parent.iterdir())


# State


def test_a_state_comes_back(output):
    saved(output)
    state = RollingCheckpoint(output, "fits", minutes=5).load()
    assert torch.equal(state["weights"], STATE["weights"])
    assert (state["step"], state["losses"]) == (3, STATE["losses"])


def test_the_latest_state_counts_and_stands_beside_the_output(output):
    saved(output)
    path = saved(output, STATE | {"step": 4})
    assert RollingCheckpoint(output, "fits", minutes=5).load()["step"] == 4
    assert [path] == list(output.parent.iterdir())
    assert path.name.startswith(".")
    assert RollingCheckpoint(output.with_name("images.npz"), "fits", minutes=5).load() is None


def test_a_state_of_something_else_is_not_used(output):
    saved(output)
    assert RollingCheckpoint(output, "differs", minutes=5).load() is None


class Attack:
    def __reduce__(self):
        return pytest.fail, ("a pickle was executed",)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)


def flip(path):
    """One bit of the weights."""
    content = bytearray(path.read_bytes())
    content[content.index(STATE["weights"].numpy().tobytes())] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        truncate,
        damage,
        flip,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not a state\n" * 100),
        lambda path: path.write_bytes(pickle.dumps(Attack(), protocol=2)),
        lambda path: torch.save({"fingerprint": "fits", "state": Attack()}, path),
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save({"fingerprint": "fits"}, path),
    ],
    ids=["truncated", "damaged", "flipped", "empty", "text", "pickle", "code", "list", "no state"],
)
def test_a_damaged_state_is_passed_over(output, capsys, spoil):
    path = saved(output)
    spoil(path)
    rolling = RollingCheckpoint(output, "fits", minutes=0)
    assert rolling.load() is None
    assert f"{path}: not used" in capsys.readouterr().out
    rolling.save_if_due(lambda: STATE)
    assert rolling.load()["step"] == 3


def test_clear(output):
    rolling = RollingCheckpoint(output, "fits", minutes=0)
    assert rolling.load() is None
    rolling.clear()  # nothing there: no fault
    saved(output)
    rolling.clear()
    assert rolling.load() is None
    assert not list(output.parent.iterdir())


def test_saves_only_when_due(output, monkeypatch):
    clock = [100]
    monkeypatch.setattr(time, "monotonic", lambda: clock[-1])
    rolling = RollingCheckpoint(output, "fits", minutes=5)
    saved_at = []
    for seconds in (100, 399.9, 400, 500, 699.9, 700):
        clock.append(seconds)
        rolling.save_if_due(lambda: saved_at.append(clock[-1]) or list(saved_at))
    assert saved_at == rolling.load() == [400, 700]


def test_a_failing_save_leaves_the_old_state(output):
    saved(output)
    rolling = RollingCheckpoint(output, "fits", minutes=0)
    with pytest.raises(ZeroDivisionError):
        rolling.save_if_due(lambda: 1 / 0)
    assert rolling.load()["step"] == 3
    assert len(list(output.parent.iterdir())) == 1


# Fingerprint

PARAMETERS = {"batch": 4, "lr": 1e-3, "blocks": ["enc", "dec"], "precision": None}


@pytest.fixture
def inputs(tmp_path):
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        path.write_bytes(path.name.encode() * 1000)
    return paths


def test_fingerprint_is_of_the_content(inputs, tmp_path):
    """Not of file times, of the order of keys, or of where the inputs stand."""
    before = fingerprint(PARAMETERS, inputs)
    for path in inputs:
        path.touch()
    moved = [path.rename(tmp_path / f"moved-{path.name}") for path in inputs]
    assert fingerprint(dict(reversed(PARAMETERS.items())), map(str, moved)) == before


@pytest.mark.parametrize(
    "changes",
    [{"batch": 5}, {"lr": 1.0001e-3}, {"blocks": ["dec", "enc"]}, {"precision": "float32"}, {"new": 0}],
    ids=str,
)
def test_parameters_change_the_fingerprint(inputs, changes):
    assert fingerprint(PARAMETERS | changes, inputs) != fingerprint(PARAMETERS, inputs)


def test_inputs_change_the_fingerprint(inputs):
    before = fingerprint(PARAMETERS, inputs)
    assert fingerprint(PARAMETERS, inputs[:1]) != before
    content = bytearray(inputs[1].read_bytes())
    content[2500] ^= 1
    inputs[1].write_bytes(content)
    assert fingerprint(PARAMETERS, inputs) != before


def test_code_and_torch_change_the_fingerprint(inputs, tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "part").mkdir(parents=True)
    monkeypatch.setattr(resume, "__file__", str(package / "resume.py"))
    seen = [fingerprint(PARAMETERS, inputs)]
    (package / "unet.py").write_text("SCALE = 1\n")
    seen.append(fingerprint(PARAMETERS, inputs))
    (package / "unet.py").write_text("SCALE = 2\n")
    seen.append(fingerprint(PARAMETERS, inputs))
    (package / "part" / "blocks.py").write_text("SCALE = 2\n")
    seen.append(fingerprint(PARAMETERS, inputs))
    (package / "notes.txt").write_text("not code")
    assert fingerprint(PARAMETERS, inputs) == seen[-1]
    monkeypatch.setattr(torch, "__version__", "9.9")
    seen.append(fingerprint(PARAMETERS, inputs))
    assert len(set(seen)) == len(seen)
