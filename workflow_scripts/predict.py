"""Segment images.

`python workflow_scripts/predict.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main
from seedbed.stages.predict import STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE))
