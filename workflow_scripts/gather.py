"""Merge the shards of an artifact into one manifest.

`python workflow_scripts/gather.py --help` lists the options.
"""

from seedbed.runtime.options import gather_main
from seedbed.runtime.script import run_script
from seedbed.stages.registry import STAGES

if __name__ == "__main__":
    run_script(gather_main, STAGES)
