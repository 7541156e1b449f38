"""Score a node on a split.

`python workflow_scripts/evaluate.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main

if __name__ == "__main__":
    sys.exit(main("evaluate"))
