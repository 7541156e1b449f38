"""Train a saliency network.

`python workflow_scripts/train_saliency.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main
from seedbed.stages.train import TRAIN_SALIENCY as STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE))
