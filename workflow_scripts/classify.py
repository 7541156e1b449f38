"""Class probabilities and pooled features of each image.

`python workflow_scripts/classify.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.classify import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
