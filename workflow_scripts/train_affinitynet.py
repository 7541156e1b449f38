"""Train an AffinityNet on confident regions.

`python workflow_scripts/train_affinitynet.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main

if __name__ == "__main__":
    sys.exit(main("train_affinitynet"))
