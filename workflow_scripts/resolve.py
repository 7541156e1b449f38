"""Write the parameter slices that changed: the first stage of `dvc repro`.

`dvc repro` runs it; it takes no options.
"""

import sys

from seedbed.engines.resolve import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
