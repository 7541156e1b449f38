"""Refine CAMs by a random walk.

`python workflow_scripts/random_walk.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.random_walk import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
