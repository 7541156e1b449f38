"""Dump the multi-scale CAMs of a classifier.

`python workflow_scripts/dump_cams.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.dump_cams import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
