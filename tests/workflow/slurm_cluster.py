"""A real SLURM cluster on this machine for tests: slurmctld and two slurmd, each with two fake GPUs.

Needs root (device nodes, one configuration at /etc/slurm) and Debian's slurmctld, slurmd, slurm-client and munge; no
systemd, no cgroups. The configuration must be reachable as /etc/slurm/slurm.conf, because Snakemake's job step drops
SLURM_CONF from the environment. A configuration that is there already is not touched.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from machine import lacking

CONFIG = Path("/etc/slurm/slurm.conf")
PREFIX = "seedbed-slurm-"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")
NODES = {"node1": (0, 1), "node2": (2, 3)}

SLURM_CONF = """
ClusterName=seedbed
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
TaskProlog={folder}/task-prolog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=100000,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
KillWait=5
JobRequeue=0
GresTypes=gpu
DefMemPerCPU=256
{nodes}
PartitionName=gpu Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP OverSubscribe=NO
"""

# What a step really sees; the queue only tells what it was given.
TASK_PROLOG = """#!/bin/sh
echo "$SLURM_JOB_ID $SLURMD_NODENAME ${{CUDA_VISIBLE_DEVICES:--}}" >> {folder}/steps
"""


@dataclass(frozen=True)
class QueuedJob:
    """One job as the queue tells it.

    Attributes:
        rule: Snakemake's rule.
        wildcards: its wildcards, joined.
        state: PENDING, RUNNING, COMPLETED, FAILED, CANCELLED …
        start, end: seconds since the epoch; None before.
        node: node's name.
        devices: CUDA_VISIBLE_DEVICES of its steps; ids count from 0 on each node.
        memory: what was asked for, as the queue prints it (`3000M`).
    """

    number: int
    rule: str
    wildcards: str
    state: str
    start: float | None
    end: float | None
    node: str
    devices: tuple[str, ...]
    memory: str

    def overlaps(self, other: "QueuedJob") -> bool:
        """Whether both ran at the same time for some while (the queue tells whole seconds)."""
        times = (self.start, self.end, other.start, other.end)
        if None in times:
            return False
        start, end, other_start, other_end = (float(t or 0) for t in times)
        return start < other_end and other_start < end


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    folder: Path

    def jobs(self) -> list[QueuedJob]:
        """All jobs so far, also those that have ended."""
        shown = _output("squeue", "--noheader", "--states=all", "--sort=i", "--format=%i|%k|%T|%S|%e|%N|%m")
        devices = self._devices()
        jobs = []
        for line in shown.splitlines():
            number, comment, state, start, end, node, memory = line.split("|")
            rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
            jobs.append(
                QueuedJob(
                    number=int(number),
                    rule=rule,
                    wildcards=wildcards,
                    state=state,
                    start=_time(start),
                    end=_time(end),
                    node=node,
                    devices=devices.get(int(number), ()),
                    memory=memory,
                )
            )
        return jobs

    def active(self) -> list[QueuedJob]:
        """Jobs that wait or run."""
        return [
            job for job in self.jobs() if job.state in ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING")
        ]

    def _devices(self) -> dict[int, tuple[str, ...]]:
        path = self.folder / "steps"
        seen: dict[int, tuple[str, ...]] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            number, _, visible = line.split()
            seen[int(number)] = () if visible == "-" else tuple(visible.split(","))
        return seen


@pytest.fixture(scope="module")
def slurm_cluster() -> Iterator[Cluster]:
    """A cluster for the tests of a module."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_search_path()) is None]
    if missing:
        lacking(f"SLURM is not installed: no {', '.join(missing)}")
    if os.getuid() != 0:
        lacking("a SLURM cluster with fake GPUs needs root")
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_hold(folder))
        _write(folder)
        _link(folder / "slurm.conf")
        stack.callback(CONFIG.unlink, missing_ok=True)
        _start(folder, stack)
        yield Cluster(folder)


def _write(folder: Path) -> None:
    for name in ("munge", "state", "spool/node1", "spool/node2", "dev"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    gres = ["AutoDetect=off"]
    nodes = []
    host = socket.gethostname().partition(".")[0]
    for node, devices in NODES.items():
        nodes.append(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={_free_port()} CPUs=8 RealMemory=64000 "
            f"Gres=gpu:{len(devices)} State=UNKNOWN"
        )
        gres.append(f"NodeName={node} Name=gpu File={folder}/dev/nvidia[{devices[0]}-{devices[-1]}]")
        for device in devices:
            # A copy of /dev/null: SLURM sets CUDA_VISIBLE_DEVICES for character devices only.
            made = subprocess.run(
                ["mknod", str(folder / "dev" / f"nvidia{device}"), "c", "1", "3"], check=False
            )
            if made.returncode != 0:
                lacking("this machine lets even root make no device nodes")
    conf = SLURM_CONF.format(host=host, controller_port=_free_port(), folder=folder, nodes="\n".join(nodes))
    (folder / "slurm.conf").write_text(conf)
    (folder / "gres.conf").write_text("\n".join(gres) + "\n")
    prolog = folder / "task-prolog"
    prolog.write_text(TASK_PROLOG.format(folder=folder))
    prolog.chmod(0o755)


def _link(config: Path) -> None:
    """Point /etc/slurm/slurm.conf here; replaces only what a killed run of these tests left behind."""
    if CONFIG.is_symlink():
        target = CONFIG.readlink()
        if target.parent.name.startswith(PREFIX) and not _held(target.parent):
            CONFIG.unlink()
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    try:
        CONFIG.symlink_to(config)
    except FileExistsError:
        lacking(f"{CONFIG} belongs to another cluster, which is not touched")


@contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """Hold the folder's lock while the cluster is in use; the kernel frees it on any death."""
    with (folder / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _held(folder: Path) -> bool:
    try:
        with (folder / "lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _start(folder: Path, stack: ExitStack) -> None:
    munge = folder / "munge"
    config = str(folder / "slurm.conf")
    _daemon(
        stack,
        folder,
        "munged",
        "--foreground",
        *(
            "--key-file",
            str(munge / "key"),
            "--socket",
            str(munge / "socket"),
            "--pid-file",
            str(munge / "pid"),
        ),
        *("--log-file", str(munge / "log"), "--seed-file", str(munge / "seed")),
    )
    _until((munge / "socket").exists, folder, "munged opens its socket")
    _daemon(stack, folder, "slurmctld", "-D", "-f", config)
    for node in NODES:
        _daemon(stack, folder, "slurmd", "-D", "-N", node, "-f", config)
    stack.callback(_empty_queue)
    _until(
        lambda: _output("sinfo", "-h", "-N", "-o", "%t").split() == ["idle"] * len(NODES),
        folder,
        "both nodes idle",
    )


def _daemon(stack: ExitStack, folder: Path, program: str, *options: str) -> None:
    log = (folder / f"{program}.out").open("ab")
    stack.callback(log.close)
    command = [str(shutil.which(program, path=_search_path())), *options]
    process = subprocess.Popen(
        command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
    )

    def stop() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(stop)


def _empty_queue() -> None:
    subprocess.run(["scancel", "--user=root"], check=False)
    deadline = time.monotonic() + 15
    while _output("squeue", "--noheader").strip() and time.monotonic() < deadline:
        time.sleep(0.2)


def _until(reached, folder: Path, what: str, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not reached():
        if time.monotonic() > deadline:
            logs = "\n".join(
                f"{p.name}: {p.read_text()[-2000:]}" for p in (*folder.glob("*.log"), *folder.glob("*.out"))
            )
            raise AssertionError(f"waited {timeout_s:.0f} s for: {what}\n{logs}")
        time.sleep(0.1)


def _output(*command: str) -> str:
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    return shown.stdout


def _time(text: str) -> float | None:
    return None if text in ("N/A", "") else datetime.fromisoformat(text).timestamp()


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
