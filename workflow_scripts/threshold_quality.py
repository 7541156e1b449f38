"""Judge a pair of thresholds.

`python workflow_scripts/threshold_quality.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main

if __name__ == "__main__":
    sys.exit(main("threshold_quality"))
