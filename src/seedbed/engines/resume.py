"""Going on after a run was killed: wait for the jobs that it left behind, unlock, run what is incomplete.

Snakemake that is killed outright (SIGKILL, a closed login session, a crash) leaves its jobs running, in SLURM's queue
or on this machine, its lock in place and half-made outputs marked. Running again before those jobs have ended would
write the same files twice.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seedbed.errors import SeedbedError

JOB_PREFIX = "seedbed"
"""Job names of a run on SLURM begin so: `slurm-jobname-prefix` of profiles/slurm."""


@dataclass(frozen=True)
class LeftJob:
    """A job of an earlier run that has not ended.

    Attributes:
        number: SLURM's job id, or the process id.
        state: PENDING, RUNNING, … ; `local` for a process of this machine.
        what: rule and wildcards, or the command.
    """

    number: int
    state: str
    what: str

    def __str__(self) -> str:
        return f"{self.number} {self.state} {self.what}"


def queued_jobs(folder: Path, prefix: str = JOB_PREFIX) -> list[LeftJob]:
    """This user's jobs in SLURM's queue that were submitted from `folder` under the prefix; none without SLURM.

    Raises:
        SeedbedError: the queue does not answer.
    """
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%j|%T|%Z|%k"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    if shown.returncode != 0:
        raise SeedbedError(
            f"squeue did not list the running jobs ({' '.join(shown.stderr.split())}); try again when it answers, "
            "or pass --no-queue if the killed run was not on SLURM"
        )
    jobs = []
    for line in shown.stdout.splitlines():
        number, name, state, where, comment = line.split("|", 4)
        ours = name.startswith(prefix) and Path(where).resolve() == folder.resolve()
        if ours and number != os.environ.get("SLURM_JOB_ID"):
            jobs.append(
                LeftJob(int(number), state, comment.removeprefix("rule_").replace("_wildcards_", " "))
            )
    return jobs


def local_processes(folder: Path, is_meant: Callable[[Path], bool]) -> list[LeftJob]:
    """Processes of this machine, outside SLURM, in which Python runs a program in `folder`.

    Reads /proc; finds none on a system without it. This process and its parents are left out.

    Args:
        is_meant: tells by a program's path, or the name of its module, whether it counts.
    """
    own = _ancestors(os.getpid())
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            here = (entry / "cwd").resolve(strict=True) == folder.resolve()
            on_slurm = b"\0SLURM_JOB_ID=" in b"\0" + (entry / "environ").read_bytes()
        except OSError:
            continue
        if here and not on_slurm and int(entry.name) not in own and is_meant(_python_program(words)):
            found.append(LeftJob(int(entry.name), "local", " ".join(words[1:]).strip()))
    return sorted(found, key=lambda job: job.number)


def is_snakemake(program: Path) -> bool:
    """Whether a program of Python is Snakemake: its module, its command, or its main file."""
    return program.name == "snakemake" or program.parts[-2:] == ("snakemake", "__main__.py")


def is_stage_command(program: Path) -> bool:
    """Whether a program of Python is a script of workflow_scripts/."""
    return program.parent.name == "workflow_scripts"


def _python_program(words: Sequence[str]) -> Path:
    """Script or module that a command line has Python run; an empty path where it is another program's."""
    if not Path(words[0]).name.startswith("python"):
        return Path()
    rest = iter(words[1:])
    for word in rest:
        if word == "-m":
            return Path(next(rest, ""))
        if word == "-c":
            break
        if word in ("-W", "-X"):
            next(rest, "")
        elif not word.startswith("-"):
            return Path(word)
    return Path()


def _ancestors(pid: int) -> set[int]:
    found = set()
    while pid > 1 and pid not in found:
        found.add(pid)
        try:
            pid = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return found


def cancel(jobs: Sequence[LeftJob]) -> None:
    """Take the queue's jobs out of it; processes of this machine are asked to end."""
    queued = [str(job.number) for job in jobs if job.state != "local"]
    if queued:
        subprocess.run(["scancel", *queued], check=False)
    for job in jobs:
        if job.state == "local":
            try:
                os.kill(job.number, 15)
            except ProcessLookupError:
                continue


def wait_for(left: Callable[[], list[LeftJob]], poll_s: float, say: Callable[[str], None]) -> int:
    """Wait until no job is left, and say which ones are whenever that changes.

    Returns:
        how many were left at first.
    """
    first: int | None = None
    shown: list[LeftJob] = []
    while True:
        jobs = left()
        first = len(jobs) if first is None else first
        if not jobs:
            return first
        if jobs != shown:
            say(
                f"{len(jobs)} jobs of the killed run have not ended; waiting (Ctrl-C stops waiting, not the jobs)"
            )
            for job in jobs:
                say(f"  {job}")
            shown = jobs
        time.sleep(poll_s)


def resume(
    arguments: Sequence[str],
    cancel_jobs: bool = False,
    queue: bool = True,
    poll_s: float = 5.0,
    folder: Path | None = None,
) -> int:
    """Go on with a run that was killed.

    Args:
        arguments: those that Snakemake was called with.
        cancel_jobs: cancel the jobs that are left instead of waiting for them.
        queue: look into SLURM's queue.
        poll_s: seconds between looks.
        folder: the checkout; the working directory where None.

    Returns:
        Snakemake's exit status.

    Raises:
        SeedbedError: no Snakefile here, Snakemake still runs here, or the queue does not answer.
    """
    where = folder or Path.cwd()
    if not (where / "Snakefile").exists():
        raise SeedbedError(
            f"no Snakefile in {where}; call `seedbed resume` in the folder in which snakemake ran"
        )
    running = [job for job in local_processes(where, is_snakemake) if "--mode" not in job.what.split()]
    if running:
        raise SeedbedError(
            f"snakemake still runs in {where} (process {running[0].number}); wait for it, or stop it with Ctrl-C"
        )

    def left() -> list[LeftJob]:
        return (queued_jobs(where) if queue else []) + local_processes(where, is_stage_command)

    def say(text: str) -> None:
        print(f"resume: {text}", file=sys.stderr, flush=True)

    if cancel_jobs:
        cancel(left())
    waited_for = wait_for(left, poll_s, say)
    say("no job of the killed run is left" if waited_for else "the killed run left no job behind")
    snakemake = [sys.executable, "-m", "snakemake", *arguments]
    say("snakemake --unlock")
    unlocked = subprocess.run([*snakemake, "--unlock"], cwd=where, check=False)
    if unlocked.returncode != 0:
        return unlocked.returncode
    say("snakemake --rerun-incomplete")
    os.chdir(where)
    os.execv(sys.executable, [*snakemake, "--rerun-incomplete"])
