"""Models from the hub of Hugging Face, by its own client, against a server here that answers as the hub does."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from adaptive_neon.data.downloads import Source, fetch

FILES = {
    "model_index.json": b"{}",
    "unet/config.json": b"[]",
    "unet/diffusion_pytorch_model.bin": b"weights",
    "unet/code.py": b"raise SystemExit",
}
COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """One model, someone/tiny."""

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.wfile.write(self.answer())

    def answer(self):
        path, headers = self.path.partition("?")[0], {}
        if path.startswith("/api/models/someone/tiny/revision/"):
            names = [{"rfilename": name} for name in FILES]
            content = json.dumps({"id": "someone/tiny", "sha": COMMIT, "siblings": names}).encode()
        elif path.startswith("/api/models/someone/tiny/tree/"):
            files = FILES.items()
            tree = [
                {"type": "file", "path": n, "size": len(c), "oid": hashlib.sha1(c).hexdigest()} for n, c in files
            ]
            content = json.dumps(tree).encode()
        elif path.startswith(f"/someone/tiny/resolve/{COMMIT}/"):
            content = FILES[path.removeprefix(f"/someone/tiny/resolve/{COMMIT}/")]
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        else:
            self.send_error(404)
            return b""
        self.send_response(200)
        for key, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(key, value)
        self.end_headers()
        return content


@pytest.mark.skipif(not importlib.util.find_spec("huggingface_hub"), reason="huggingface_hub is not installed")
def test_configurations_and_weights_come_and_nothing_else(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = (
        "import sys\nfrom adaptive_neon.data.downloads import Source, fetch\n"
        "for location in sys.argv[1:]: print(fetch([Source(location)], 'cache'))"
    )
    environment = os.environ | {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_DISABLE_XET": "1"}
    locations = ["hub:someone/tiny", "hub:someone/tiny", "hub:someone/absent@v1"]
    process = subprocess.run(
        [sys.executable, "-c", code, *locations], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    folder, again = process.stdout.split()
    assert folder == again
    found = {p.relative_to(tmp_path / folder).as_posix(): p for p in (tmp_path / folder).rglob("*") if p.is_file()}
    found = {name: path.read_bytes() for name, path in found.items() if not name.startswith(".")}
    assert found == {name: content for name, content in FILES.items() if not name.endswith(".py")}
    last = process.stderr.splitlines()[-1]
    assert "hub:someone/absent@v1" in last and "404" in last and "put it at cache/" in last
    server.shutdown()


def test_what_is_no_name_of_a_model_is_one_line(tmp_path, refuses):
    with refuses("hub:tiny: no name of a model", "hub:OWNER/NAME"):
        fetch([Source("hub:tiny")], tmp_path)
