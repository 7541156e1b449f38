"""Decide pseudo masks.

`python workflow_scripts/pseudo_masks.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main

if __name__ == "__main__":
    sys.exit(main("pseudo_masks"))
