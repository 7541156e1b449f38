"""docs/ holds scripts, no package: its modules, and `file_blocks` beside this file, are found by path."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "docs"), str(Path(__file__).parent)]
