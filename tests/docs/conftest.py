"""docs/ holds scripts, no package: its modules are found by path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
