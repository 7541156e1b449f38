"""The options that all stage commands share, and their entry point.

`python workflow_scripts/dump_cams.py --params FILE --index FILE --classifier FILE --output DIR --shard train-0`

torch is imported by the stage's function, after this module has prepared the process.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from seedbed.runtime.contract import Job, Stage
from seedbed.runtime.gather import gather
from seedbed.runtime.log import count_call, guarded
from seedbed.runtime.process import prepare_process


def main(
    stage: Stage,
    arguments: Sequence[str] | None = None,
    run: Callable[[Job], Any] | None = None,
    command: str = "",
) -> int:
    """Run a stage's command.

    Args:
        arguments: of the command line; those of this process if None.
        run: does the work, if the stage has no function (`Stage.run`).
        command: words of the command line before the options, for the help; the stage's own script if empty.

    Returns:
        Exit status: 0, or 1 after one line on stderr.
    """
    prepare_process()
    from seedbed.runtime.run import run_stage

    options = parser(stage, command).parse_args(arguments)
    count_call(stage.name, options.output, getattr(options, "shard", None))
    work = run or stage.run
    assert work is not None, stage.name
    return guarded(stage.name, options.log, lambda log: run_stage(stage, work, options, log))


def gather_main(stages: Mapping[str, Stage], arguments: Sequence[str] | None = None) -> int:
    """Run the gather command.

    Args:
        stages: by name; the slice names one of them.

    Returns:
        Exit status, as `main`.
    """
    result = argparse.ArgumentParser(
        prog="python workflow_scripts/gather.py",
        description="Merge the shards of an artifact into one manifest.",
        allow_abbrev=False,
    )
    result.add_argument("--params", type=Path, required=True, metavar="FILE", help="the stage's slice (JSON)")
    result.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the shards")
    result.add_argument("--log", type=Path, metavar="FILE", help="file for tracebacks; default stderr")
    options = result.parse_args(arguments)
    count_call("gather", options.output)
    return guarded("gather", options.log, lambda log: gather(stages, options.params, options.output))


def parser(stage: Stage, command: str = "") -> argparse.ArgumentParser:
    """Options of a stage's command; the parameters of its model are listed below them in the help."""
    fields = stage.parameters({}).model_fields
    listing = "\n".join(
        f"  {field.alias or name} = {_default(field)}: {field.description or ''}"
        for name, field in fields.items()
    )
    result = argparse.ArgumentParser(
        prog=command or f"python workflow_scripts/{stage.name}.py",
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
            metavar="FILE",
            help=f"manifest of the {' or '.join(spec.takes)}" + ("" if spec.required else " (optional)"),
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
            "--shard",
            metavar="SPLIT-K",
            help="one shard, for instance train-0; without it all shards, and the manifest that gathers them",
        )
    result.add_argument("--data-root", type=Path, metavar="DIR", help="root of the data set on this machine")
    result.add_argument(
        "--log", type=Path, metavar="FILE", help="file for progress and tracebacks; default stderr"
    )
    if stage.gpu:
        result.add_argument(
            "--gpus", type=int, default=1, metavar="N", help="GPUs to take (default 1; 0: CPU)"
        )
    return result


def _default(field: FieldInfo) -> str:
    return "(required)" if field.is_required() else repr(field.get_default(call_default_factory=True))
