"""Runs of Snakemake, and of the scripts of its jobs, forked from a process that has imported what they need.

A start of Python with Snakemake or torch costs seconds, and most tests are about what comes after it.
"""

import multiprocessing
import os
import pkgutil
import runpy
import subprocess
import sys
import tempfile
import threading
from contextlib import nullcontext
from multiprocessing.connection import wait

import adaptive_neon

os.environ.setdefault("OMP_NUM_THREADS", "1")  # which the jobs of the tiny study take; BLAS hears of it but once
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        *("snakemake.cli", "snakemake.benchmark", "snakemake.script", "snakemake.executors.local"),
        *(module.name for module in pkgutil.walk_packages(adaptive_neon.__path__, "adaptive_neon.")),
        *("torch._dynamo", "sklearn.datasets", "sklearn.neural_network"),  # imported when they are first used
        *("matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
    ]
)
CHILDREN = threading.Lock()  # whoever starts a process asks after all others, and only one may hear how one ended


def call(function, words: list, output: str, environment: dict, watched=lambda pid: nullcontext()) -> int:
    """The exit code of `function(words)` in a process of its own, whose output is added to a file."""
    process = SERVER.Process(target=_begin, args=(function, words, output, dict(environment), os.getcwd()))
    with CHILDREN:
        process.start()
    with watched(process.pid):
        wait([process.sentinel])
    with CHILDREN:
        return process.exitcode


def _begin(function, words, output, environment, folder):
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    tempfile.tempdir = None  # as if nobody had asked for it yet
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        os.dup2(file, descriptor)
        stream.reconfigure(line_buffering=True)
    sys.argv = list(map(str, words))
    function(sys.argv)


def script(words: list[str]) -> None:
    """`python words…`"""
    runpy.run_path(words[0], run_name="__main__")


def snakemake(words: list[str]) -> None:
    """`python -m words…`, whose scripts are forked as well."""
    from snakemake.benchmark import benchmarked
    from snakemake.cli import main
    from snakemake.script import PythonScript

    def execute_script(self, path, edit=False):
        output = f"/proc/{os.getpid()}/fd/1"
        code = call(script, [path], output, os.environ, lambda pid: benchmarked(pid, self.bench_record))
        if code:
            raise subprocess.CalledProcessError(code, path)

    PythonScript.execute_script = execute_script
    main(words[1:])
