import numpy as np
from adaptive_neon.toy.models import read_models, write_models


def model(value):
    return {"output.weight": np.full((2, 3), value, np.float32), "output.bias": np.zeros((2, 1), np.float32)}


def test_models_come_back_as_they_were_written(tmp_path):
    tuned = {(0.9, 50): model(1), (0.9, 250): model(2), (1.1, 50): model(3)}
    write_models(tmp_path / "models", model(0), tuned, {"steps": 20})
    base, found = read_models(tmp_path / "models")
    np.testing.assert_array_equal(base["output.weight"], model(0)["output.weight"])
    assert list(found) == list(tuned)
    for key, expected in tuned.items():
        for name, array in expected.items():
            np.testing.assert_array_equal(found[key][name], array)


def test_a_missing_or_broken_model_is_one_line(tmp_path, refuses):
    with refuses(tmp_path, "make it again"):
        read_models(tmp_path)
    write_models(tmp_path, model(0), {(1.1, 250): model(1)}, {})
    (tmp_path / "1.1-250.safetensors").write_bytes(b"half a file")
    with refuses("1.1-250.safetensors", "make it again"):
        read_models(tmp_path)
