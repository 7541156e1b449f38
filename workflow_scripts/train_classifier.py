"""Train a classifier on image-level labels.

`python workflow_scripts/train_classifier.py --help` lists the options and parameters.
"""

import sys

from seedbed.runtime.options import main

if __name__ == "__main__":
    sys.exit(main("train_classifier"))
