# seedbed runs in its checkout: the commands of the rules, results and logs are relative to it.
from pathlib import Path

from snakemake.exceptions import WorkflowError

if not Path.cwd().samefile(workflow.basedir):
    raise WorkflowError(
        f"expected to run in the checkout {workflow.basedir}, not in {Path.cwd()} (`-d`, or another folder); change to "
        "the checkout, or check it out there, for instance with `git worktree add`"
    )
