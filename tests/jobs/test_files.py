import os

import numpy as np
import pytest
from adaptive_neon.jobs.files import check_zip, read_json, replacing


def test_the_file_appears_when_the_block_is_done(tmp_path):
    path = tmp_path / "new" / "folder" / "metrics.json"
    with replacing(path) as temporary:
        temporary.write_text("{}")
        assert not path.exists()
        assert temporary.parent == path.parent  # on one file system, where renaming is atomic
    assert path.read_text() == "{}"
    assert os.listdir(path.parent) == ["metrics.json"]


def test_the_old_content_stays_until_then(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with replacing(str(path)) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failing_block_leaves_nothing_behind(tmp_path, old, error):
    path = tmp_path / "metrics.json"
    if old:
        path.write_text(old)
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("hal")
        raise error
    assert [file.read_text() for file in tmp_path.iterdir()] == [old] * bool(old)


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_numpy_keeps_the_name(tmp_path):
    """It appends .npz to names without."""
    with replacing(tmp_path / "images.npz") as temporary:
        np.savez(temporary, images=np.arange(3))
    assert os.listdir(tmp_path) == ["images.npz"]
    assert np.load(tmp_path / "images.npz")["images"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"[1, 2"])
def test_what_is_not_json_is_named(tmp_path, refuses, content):
    path = tmp_path / "metrics.json"
    if content is not None:
        path.write_bytes(content)
    with refuses(path, "JSON"):
        read_json(path)


def test_an_altered_member_of_a_zip_file_is_found(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, images=np.zeros(1000, np.uint8))
    check_zip(path)
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="bad CRC-32 of images"):
        check_zip(path)
