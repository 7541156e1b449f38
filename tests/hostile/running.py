"""Commands run in forked children: as a user runs them, without their start-up, and within limits."""

import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_CPU_S, MOST_MB = 5.0, 1000
_GIVEN_UP_S, _GIVEN_UP_CPU_S = 120, 12
_IDLE_S = 4
"""A command that used no CPU time for so long waits for something."""
_EXCEPTION = re.compile(r"\b[A-Z][A-Za-z]*(Error|Exception|Interrupt|Exit)\b")
LONGEST_LINE = 1000


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: exit status; -1 where it was killed as hanging, and minus the signal's number where one ended it.
        cpu_s: of the command, without the imports, which the parent has done.
        memory_mb: beyond what it inherits from the parent, with the pages of libraries that it reads.
    """

    status: int
    out: str
    err: str
    cpu_s: float
    memory_mb: float

    @property
    def told(self) -> str:
        return self.out + self.err

    def fault(self) -> str:
        """What no command may do, whatever its input: `traceback`, `internal`, `hang`, `slow`, `memory`; or nothing."""
        if self.status < 0:
            return "hang" if self.status in (-1, -signal.SIGXCPU) else "crash"
        if "Traceback (most recent call last)" in self.told:
            return "traceback"
        errors = [line for line in self.told.splitlines() if "error: " in line]
        if any(_EXCEPTION.search(line) or len(line) > LONGEST_LINE for line in errors):
            return "internal"
        if self.status and not self.told.strip():
            return "internal"
        if self.memory_mb > MOST_MB:
            return "memory"
        return "slow" if self.cpu_s > MOST_CPU_S else ""


def preload() -> None:
    """Import what commands import, so that forked children need not."""
    import torch

    import seedbed.cli
    import seedbed.datasets.composites
    import seedbed.datasets.folder
    import seedbed.datasets.voc
    import seedbed.engines.dvc_yaml
    import seedbed.engines.resolve
    import seedbed.methods.table
    import seedbed.metrics.threshold_tables
    import seedbed.refine.crf.refiners
    import seedbed.report.page
    import seedbed.runtime.fit
    import seedbed.runtime.run
    import seedbed.verbs.doctor
    import seedbed.verbs.export
    import seedbed.verbs.gc
    import seedbed.verbs.predict
    import seedbed.verbs.scores
    import seedbed.verbs.show  # noqa: F401

    torch.set_num_threads(1)


def run_words(words: Sequence[str]) -> int:
    """Run a command in this process: `seedbed …`, or a script of workflow_scripts/ with its options."""
    from seedbed.plan.commands import ALL_STAGES, judge_main
    from seedbed.report.page import run as make_page
    from seedbed.runtime.options import gather_main, main
    from seedbed.stages.registry import STAGES

    first, *rest = words
    name = Path(first).stem
    sys.argv = list(words)
    if first == "seedbed":
        from seedbed import cli

        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0
    if name == "resolve":
        from seedbed.engines.resolve import main as resolve_main

        return resolve_main()
    if name == "gather":
        return gather_main(STAGES, rest)
    if name == "judge":
        return judge_main(rest)
    return main(ALL_STAGES[name], rest, run=make_page if name == "report" else None)


def run_forked(words: Sequence[str], folder: Path) -> Ended:
    """Run a command in `folder` in a child, which is killed where it hangs, and gets no memory beyond the limit."""
    before = _inherited_kb()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _child(words, folder, out.fileno(), err.fileno())
        status, used = _wait(child)
        out.seek(0)
        err.seek(0)
        told, wrong = (stream.read().decode(errors="replace") for stream in (out, err))
    cpu = used.ru_utime + used.ru_stime
    return Ended(status, told, wrong, cpu, max(0, used.ru_maxrss - before) / 1024)


def _child(words: Sequence[str], folder: Path, out: int, err: int) -> None:
    status = 97
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (_GIVEN_UP_CPU_S, _GIVEN_UP_CPU_S))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        room = size + 3 * MOST_MB * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        status = run_words(words)
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 98
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _wait(child: int) -> tuple[int, resource.struct_rusage]:
    deadline = time.monotonic() + _GIVEN_UP_S
    pause, ticks, since = 0.002, -1, time.monotonic()
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), used
        state, now_ticks = _state(child)
        if now_ticks != ticks or state not in "S":
            ticks, since = now_ticks, time.monotonic()
        if time.monotonic() > min(deadline, since + _IDLE_S):
            os.killpg(child, signal.SIGKILL)
            _, _, used = os.wait4(child, 0)
            return -1, used
        time.sleep(pause)
        pause = min(0.05, pause * 1.5)


def _state(child: int) -> tuple[str, int]:
    """State and clock ticks of a process."""
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[11]) + int(fields[12])


def _inherited_kb() -> int:
    """Resident memory that a fork inherits: not what is mapped from files, which it maps when it reads it."""
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    return (resident - shared) * resource.getpagesize() // 1024
