"""Keep the pixels of label maps on which two sources agree.

`python workflow_scripts/label_agreement.py --help` lists the options and parameters.
"""

from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.label_agreement import STAGE

if __name__ == "__main__":
    run_script(main, STAGE)
