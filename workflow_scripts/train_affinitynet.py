"""Train an AffinityNet on confident regions.

`python workflow_scripts/train_affinitynet.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.train import TRAIN_AFFINITYNET as STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
