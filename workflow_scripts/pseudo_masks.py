"""Decide pseudo masks.

`python workflow_scripts/pseudo_masks.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.pseudo_masks import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
