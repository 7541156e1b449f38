"""Refine CAMs by a random walk.

`python workflow_scripts/random_walk.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main
from seedbed.stages.random_walk import STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE))
