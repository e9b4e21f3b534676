"""A running cluster, for those who ask for one: `make test-slurm`. Elsewhere these tests are skipped."""

import importlib.util
import os
import signal

import pytest

from .cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    if "TEST_SLURM" not in os.environ:
        pytest.skip("Slurm: make test-slurm, which may install it")
    assert importlib.util.find_spec("snakemake_executor_plugin_slurm"), "install requirements-slurm.txt"
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # so that the daemons are stopped
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
