"""Segment images.

`python workflow_scripts/predict.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main

if __name__ == "__main__":
    sys.exit(main("predict"))
