"""Dump the multi-scale saliency maps of a saliency network.

`python workflow_scripts/dump_saliency.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.dump_saliency import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
