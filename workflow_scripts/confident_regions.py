"""Find the confident regions of CAMs.

`python workflow_scripts/confident_regions.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main
from seedbed.stages.confident_regions import STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE))
