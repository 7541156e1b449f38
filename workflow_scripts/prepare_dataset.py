"""Index a data set: ids, splits, sizes, checksums, image-level labels.

`python workflow_scripts/prepare_dataset.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.prepare_dataset import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
