"""The front that all stage commands share: options, log, progress, locks, devices and one-line errors.

`python workflow_scripts/dump_cams.py --params FILE --index FILE --classifier FILE --output DIR --shard train-0`

torch is imported by the stage's function, after this module has set passive waiting: two busy-waiting processes on two
cores train 13 times slower.

The environment variable SEEDBED_CALLS names a file to which every stage command appends one line: what an engine ran.
"""

import argparse
import fcntl
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pydantic.fields import FieldInfo

from seedbed.artifacts.atomic import writing
from seedbed.errors import SeedbedError
from seedbed.runtime.contract import Stage
from seedbed.runtime.paths import WORK

CALLS = "SEEDBED_CALLS"


class Log:
    """Lines for a file (or stderr) and a one-line error for the person at the terminal.

    Args:
        path: file that takes the lines and the tracebacks; stderr where None.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._stream: IO[str] = sys.stderr
        if path is not None:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = path.open("w", buffering=1)

    def line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def progress(self, items: Any, total: int, label: str) -> Iterator[Any]:
        """Iterate with a bar in a terminal, and about ten lines in a log."""
        if self._stream is sys.stderr and sys.stderr.isatty():
            from tqdm import tqdm

            yield from tqdm(items, total=total, desc=label, leave=False)
            return
        step = max(1, total // 10)
        for done, item in enumerate(items, start=1):
            yield item
            if done % step == 0 or done == total:
                self.line(f"{label}: {done}/{total}")


@contextmanager
def output_lock(folder: Path, unit: str) -> Iterator[None]:
    """One writer an output.

    Raises:
        SeedbedError: another run holds it.
    """
    path = folder / WORK / f"{unit}.lock"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise SeedbedError(
                f"{folder} ({unit}) is being written by another run ({stream.read().strip() or 'unknown'}); "
                "wait for it, or stop it"
            ) from None
        except OSError as error:
            raise SeedbedError(
                f"{path} cannot be locked ({error.strerror}); put results/ on a file system with flock"
            ) from None
        stream.truncate(0)
        stream.write(f"pid {os.getpid()}")
        stream.flush()
        yield


def count_call(name: str, output: Path, shard: str | None = None) -> None:
    """Append one line to the file that the environment variable SEEDBED_CALLS names: which stage commands ran."""
    if path := os.environ.get(CALLS):
        with open(path, "a") as stream:
            stream.write(f"{name} {output}{f' {shard}' if shard else ''}\n")


def parser(stage: Stage) -> argparse.ArgumentParser:
    """Options of a stage's command; the parameters of its model stand below them in the help."""
    fields = stage.parameters({}).model_fields
    listing = "\n".join(
        f"  {field.alias or name} = {_default(field)}: {field.description or ''}"
        for name, field in fields.items()
    )
    result = argparse.ArgumentParser(
        prog=f"python workflow_scripts/{stage.name}.py",
        description=stage.summary,
        epilog=f"parameters (of the slice given by --params, with their defaults):\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    result.add_argument("--params", type=Path, required=True, metavar="FILE", help="the stage's slice (JSON)")
    if stage.reads_index:
        result.add_argument(
            "--index", type=Path, required=True, metavar="FILE", help="manifest of the data set's index"
        )
    for name, spec in stage.inputs.items():
        result.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            type=Path,
            required=spec.required,
            nargs=None if spec.required else "?",
            metavar="FILE",
            help=f"manifest of the {' or '.join(spec.kinds)}" + ("" if spec.required else " (optional)"),
        )
    result.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE" if stage.writes_file else "DIR",
        help="what to write",
    )
    if stage.sharded:
        result.add_argument(
            "--shard", required=True, metavar="SPLIT-K", help="shard to make, for instance train-0"
        )
    result.add_argument("--data-root", type=Path, metavar="DIR", help="root of the data set on this machine")
    result.add_argument(
        "--log", type=Path, metavar="FILE", help="file for progress and tracebacks; default stderr"
    )
    if stage.unit == "gpu":
        result.add_argument(
            "--gpus", type=int, default=1, metavar="N", help="GPUs to take (default 1; 0: CPU)"
        )
    return result


def _default(field: FieldInfo) -> str:
    return "(required)" if field.is_required() else repr(field.get_default(call_default_factory=True))


def main(name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a stage's command.

    Returns:
        exit status: 0, or 1 after one line on stderr.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from seedbed.runtime.run import run_stage
    from seedbed.stages.registry import COMMANDS

    stage = COMMANDS[name]
    options = parser(stage).parse_args(arguments)
    count_call(name, options.output, getattr(options, "shard", None))
    return guarded(name, options.log, lambda log: run_stage(stage, options, log))


def guarded(name: str, log_path: Path | None, work: Any) -> int:
    """Call `work(log)`; turn any failure into one line for people and a traceback for the log."""
    log: Log | None = None
    try:
        log = Log(log_path)
        work(log)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        expected = isinstance(error, (SeedbedError, ValueError))
        message = " ".join(str(error).split())
        kind = "" if expected and message else type(error).__name__
        text = ": ".join(part for part in (kind, message) if part)
        where = f" (traceback in {log_path})" if log_path and not expected else ""
        if log is not None and log_path is not None:
            log.line(traceback.format_exc())
        elif not expected:
            traceback.print_exc()
        print(f"{name}: error: {text}{where}", file=sys.stderr)
        return 1
    return 0


def gather_main(arguments: Sequence[str] | None = None) -> int:
    """Run the gather command.

    Returns:
        exit status, as `main`.
    """
    from seedbed.runtime.gather import gather

    result = argparse.ArgumentParser(
        prog="python workflow_scripts/gather.py",
        description="Merge the shards of an artifact into one manifest.",
        allow_abbrev=False,
    )
    result.add_argument("--params", type=Path, required=True, metavar="FILE", help="the stage's slice (JSON)")
    result.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the shards lie")
    result.add_argument("--log", type=Path, metavar="FILE", help="file for tracebacks; default stderr")
    options = result.parse_args(arguments)
    count_call("gather", options.output)
    return guarded("gather", options.log, lambda log: gather(options.params, options.output))
