"""A real Slurm cluster of one node on the loopback address, in a temporary folder."""

import os
import pwd
import re
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.engines import free_ports
from tests.support.programs import required_program
from tests.support.waiting import PATIENCE_S, eventually

_MUNGE_FILES = {
    "key-file": "key",
    "socket": "socket",
    "pid-file": "pid",
    "log-file": "log",
    "seed-file": "seed",
}
_CONFIGURATION = """\
ClusterName=registry
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=1000
EnforcePartLimits=ALL
PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=30-0
"""
"""`config_overrides`: the node has eight processors for Slurm, whatever the machine has."""


class Slurm:
    """A running cluster. Its programs need `variables` in their environment."""

    def __init__(self, folder: Path) -> None:
        """Describe the cluster whose configuration is in a folder."""
        self.variables = {"SLURM_CONF": str(folder / "slurm.conf")}

    def run(
        self, *command: str, cwd: Path | None = None, message: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program of Slurm, such as `sbatch`, with nothing of this environment except PATH."""
        environment = {"PATH": os.environ["PATH"], **self.variables}
        return subprocess.run(
            command,
            cwd=cwd,
            input=message,
            env=environment,
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def submit(self, *words: str, cwd: Path) -> int:
        """Submit a batch script and wait until it ended. Return its exit status, the largest of a job array.

        `sbatch --wait` asks every ten seconds only.
        """
        done = self.run("sbatch", "--parsable", *words, cwd=cwd)
        assert done.returncode == 0, done.stderr
        number = done.stdout.decode().strip()
        job = ""

        def has_ended() -> bool:
            nonlocal job
            job = self.run("scontrol", "show", "job", number).stdout.decode()
            states = set(re.findall(r"JobState=(\w+)", job))
            return bool(states) and states <= {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}

        eventually(has_ended, "the end of the job")
        return max(int(status) for status in re.findall(r"ExitCode=(\d+):", job))


@contextmanager
def slurm() -> Iterator[Slurm]:
    """A running cluster: the daemon of credentials, the controller, and one node."""
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as name, ExitStack() as processes:
        folder = Path(name)
        folder.chmod(0o755)  # munged refuses sockets that others cannot reach
        for part in ("state", "spool"):
            (folder / part).mkdir()
        controller_port, node_port = free_ports(2)
        (folder / "slurm.conf").write_text(
            _CONFIGURATION.format(
                folder=folder,
                host=socket.gethostname().partition(".")[0],
                user=pwd.getpwuid(os.geteuid()).pw_name,
                controller_port=controller_port,
                node_port=node_port,
            )
        )

        def start(*command: str) -> None:
            with (folder / "output.log").open("ab") as log:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            processes.callback(process.wait, PATIENCE_S)
            processes.callback(process.terminate)

        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o400)
        munge = [f"--{what}={folder}/munge.{end}" for what, end in _MUNGE_FILES.items()]
        start(required_program("munged"), "--foreground", "--force", *munge)
        eventually((folder / "munge.socket").exists, "the socket of munged")
        start(required_program("slurmctld"), "-D", "-i", "-f", f"{folder}/slurm.conf")
        start(required_program("slurmd"), "-D", "-f", f"{folder}/slurm.conf")
        cluster = Slurm(folder)

        def is_idle() -> bool:
            return cluster.run("sinfo", "--noheader", "--format=%T").stdout.strip() == b"idle"

        eventually(is_idle, "a node that waits for jobs")
        yield cluster
