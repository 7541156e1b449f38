"""Train a saliency network.

`python workflow_scripts/train_saliency.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.train import TRAIN_SALIENCY as STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
