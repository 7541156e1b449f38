"""Index a data set: ids, splits, sizes, checksums, image-level labels.

`python workflow_scripts/prepare_dataset.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main
from seedbed.stages.prepare_dataset import STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE))
