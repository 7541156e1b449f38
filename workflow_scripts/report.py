"""Tables, figures and one page.

`python workflow_scripts/report.py --help` lists the options and parameters.
"""

from seedbed.report.page import run
from seedbed.runtime.options import main
from seedbed.runtime.script import run_script
from seedbed.stages.report import STAGE

if __name__ == "__main__":
    run_script(main, STAGE, run=run)
