"""Import others' saliency maps from a folder.

`python workflow_scripts/import_saliency.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.import_maps import IMPORT_SALIENCY as STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
