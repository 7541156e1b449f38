"""Decide pseudo masks.

`python workflow_scripts/pseudo_masks.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main
from seedbed.stages.pseudo_masks import STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE))
