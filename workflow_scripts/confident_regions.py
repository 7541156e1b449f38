"""Find the confident regions of CAMs.

`python workflow_scripts/confident_regions.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.confident_regions import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
