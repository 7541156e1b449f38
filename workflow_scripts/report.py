"""Tables, figures and one page.

`python workflow_scripts/report.py --help` lists the options and parameters.
"""

import sys

from seedbed.report.page import run
from seedbed.runtime.options import main
from seedbed.stages.report import STAGE

if __name__ == "__main__":
    sys.exit(main(STAGE, run=run))
