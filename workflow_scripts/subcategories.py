"""Sub-categories of each class, by k-means of pooled features.

`python workflow_scripts/subcategories.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.subcategories import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
