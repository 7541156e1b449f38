"""Segment images.

`python workflow_scripts/predict.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.predict import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
