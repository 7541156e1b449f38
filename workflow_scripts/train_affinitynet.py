"""Train an AffinityNet on confident regions.

`python workflow_scripts/train_affinitynet.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main
from seedbed.stages.train import TRAIN_AFFINITYNET as STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE))
