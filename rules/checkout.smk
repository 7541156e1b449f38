# How a run stops early, and the first reason: the commands of the rules, results and logs are relative to the checkout.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import Quietness

# Snakemake ends without a word where `--quiet all` is given, but not in a dry run.
IS_SILENT = (
    Quietness.ALL in (workflow.output_settings.quiet or ())
    and not workflow.output_settings.dryrun
)


def stop(reason):
    """End with one line."""
    if IS_SILENT:
        print(reason, file=sys.stderr)
    raise WorkflowError(str(reason)) from None


if not Path.cwd().samefile(workflow.basedir):
    stop(
        f"expected to run in the checkout {workflow.basedir}, not in {Path.cwd()} (`-d`, or another folder); change to "
        "the checkout, or check it out there, for instance with `git worktree add`"
    )
