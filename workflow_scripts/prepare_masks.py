"""Index the true masks of a data set: their checksums.

`python workflow_scripts/prepare_masks.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.prepare_masks import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
