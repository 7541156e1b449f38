"""Merge the shards of an artifact into one manifest.

`python workflow_scripts/gather.py --help` lists the options.
"""

import sys

from seedbed.runtime.options import gather_main
from seedbed.stages.registry import STAGES

if __name__ == "__main__":
    sys.exit(gather_main(STAGES))
