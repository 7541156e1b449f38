"""Class probabilities and pooled features of each image.

`python workflow_scripts/classify.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main
from seedbed.stages.classify import STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE))
