"""Tables, figures and one page.

`python workflow_scripts/report.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main

if __name__ == "__main__":
    sys.exit(main("report"))
