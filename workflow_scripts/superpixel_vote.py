"""Give each superpixel of label maps the label of most of its pixels.

`python workflow_scripts/superpixel_vote.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.superpixel_vote import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
