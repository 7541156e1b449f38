"""The Makefile's list of packages that a machine without a GPU does without."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_packages_left_out_are_in_the_lock():
    """A package that was renamed would be installed again without a word."""
    (listed,) = re.findall(
        r"LEFT_OUT := \$\(if \$\(WITH_GPU\),,(.*?)\)\n", (ROOT / "Makefile").read_text(), re.DOTALL
    )
    left_out = listed.replace("\\", " ").split()
    locked = re.findall(r"^([\w-]+)==", (ROOT / "envs" / "requirements.lock").read_text(), re.MULTILINE)
    assert len(left_out) == 8
    assert set(left_out) <= set(locked)
