"""Import others' pseudo masks from a folder.

`python workflow_scripts/import_pseudo_masks.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.import_maps import IMPORT_PSEUDO_MASKS as STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
