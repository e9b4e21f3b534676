"""A Slurm cluster of one node on this machine, in a folder of its own, for as long as a test session."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 Gres=gpu:2
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE
"""


class Cluster:
    """munged, slurmctld and slurmd; `environment` leads Slurm's commands to them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
        }
        self.daemons: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Write the configuration, start the daemons, wait until the node is idle."""
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        # The plugin calls srun without the variables of Slurm, SLURM_CONF among them.
        srun = self.folder / "bin/srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        ports = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                host=socket.gethostname().partition(".")[0],
                ports=ports,
                user=subprocess.check_output(["id", "-un"], text=True).strip(),
                cpus=max(os.cpu_count() or 1, 2),
            )
        )
        # Any two devices will do: nobody computes on them.
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n")
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        munge = [
            f"--{name}={self.folder}/munge.{name.partition('-')[0]}" for name in ("socket", "pid-file", "log-file")
        ]
        self._daemon("munged", "--foreground", "--force", f"--key-file={key}", *munge)
        self._daemon("slurmctld", "-D", "-i")
        self.start_slurmd()
        self.wait_until(lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T").stdout, 60)

    def start_slurmd(self) -> None:
        """Start the daemon of the node, or start it again."""
        self._daemon("slurmd", "-D")

    def stop_slurmd(self) -> None:
        """Stop it; its jobs run on."""
        self._end("slurmd")

    def stop(self) -> None:
        """End all jobs and daemons."""
        try:
            if "slurmd" in self.daemons:
                self.cancel_all()
        finally:
            for name in reversed(list(self.daemons)):
                self._end(name)

    def cancel_all(self) -> None:
        """End all jobs."""
        self.run("scancel", "--full", "--state=PENDING")
        self.run("scancel", "--full", "--state=RUNNING")
        self.wait_until(lambda: not self.jobs(), 30)

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """One of Slurm's commands."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)

    def jobs(self) -> dict[str, tuple[str, str]]:
        """The id of each job that is not over → its state, and its rule with its wildcards."""
        lines = self.run("squeue", "--noheader", "--format=%i|%T|%k").stdout.splitlines()
        return {job: (state, rule) for job, state, rule in (line.split("|") for line in lines)}

    def wait_until(self, condition, seconds: float) -> None:
        """Wait for a condition; daemons that end are an error."""
        deadline = time.monotonic() + seconds
        while not condition():
            ended = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            assert not ended, f"{ended} ended:\n" + self.logs()
            assert time.monotonic() < deadline, "waited in vain:\n" + self.logs()
            time.sleep(0.2)

    def logs(self) -> str:
        """The ends of the daemons' logs."""
        return "".join(f"== {log.name}\n{log.read_text()[-2000:]}\n" for log in self.folder.glob("*.log"))

    def _daemon(self, name: str, *flags: str) -> None:
        with open(self.folder / f"{name}.log", "a") as log:
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", name, *flags],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt from the terminal leaves time to end the jobs first
            )
        if name == "munged":
            self.wait_until((self.folder / "munge.socket").exists, 20)

    def _end(self, name: str) -> None:
        daemon = self.daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
