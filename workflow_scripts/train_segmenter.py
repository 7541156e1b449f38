"""Train a segmentation network on label maps.

`python workflow_scripts/train_segmenter.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.train import TRAIN_SEGMENTER as STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
