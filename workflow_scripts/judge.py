"""Judge a node on a split: `python workflow_scripts/judge.py evaluate --params FILE --target FILE --output FILE`.

`python workflow_scripts/judge.py evaluate --help` lists the options and parameters of a judge.
"""

from seedbed.plan.commands import judge_main
from seedbed.runtime.script import run_script

if __name__ == "__main__":
    run_script(judge_main)
