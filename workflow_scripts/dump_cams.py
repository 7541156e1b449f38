"""Dump the multi-scale CAMs of a classifier.

`python workflow_scripts/dump_cams.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main

if __name__ == "__main__":
    sys.exit(main("dump_cams"))
