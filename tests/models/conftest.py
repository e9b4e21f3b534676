"""What the tests of checkpoints of other programs share."""

import pytest
from adaptive_neon.commands.cli import main
from torchvision_shim import import_torchvision


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def line_of():
    """`line_of(*arguments)`: the one line that a failing command ends with."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        line = str(ended.value.code)
        assert line.startswith("adaptive-neon: ") and len(line.splitlines()) == 1, line
        assert "please report" not in line, line
        return line

    return run


@pytest.fixture(scope="session")
def diffusers():
    """The library, where it is installed."""
    import_torchvision()
    pytest.importorskip("peft", reason="peft is not installed (requirements-diffusers.txt)")
    return pytest.importorskip("diffusers", reason="diffusers is not installed (requirements-diffusers.txt)")
