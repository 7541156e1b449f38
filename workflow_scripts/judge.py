"""Judge a node on a split: `python workflow_scripts/judge.py evaluate --params FILE --target FILE --output FILE`.

`python workflow_scripts/judge.py evaluate --help` lists the options and parameters of a judge.
"""

import sys

from seedbed.plan.commands import judge_main

if __name__ == "__main__":
    sys.exit(judge_main())
