"""Segment images.

`python workflow_scripts/predict.py --help` lists the options and parameters.
"""

import sys

from seedbed.stages.front import main

if __name__ == "__main__":
    sys.exit(main("predict"))
