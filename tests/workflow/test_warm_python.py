"""The tests' quick `python` is to its caller as the real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FACTS = """\
import os, sys
import beside
print(sys.argv, os.getcwd(), os.environ["GIVEN"], __name__, sys.stdin.read())
print("said", file=sys.stderr)
"""


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit()",
        "sys.exit(0)",
        "sys.exit(3)",
        "sys.exit('no')",
        "raise ValueError",
        "os.kill(os.getpid(), 9)",
    ],
)
def test_it_tells_what_the_real_one_tells(end: str, tmp_path: Path, warm_python: Path) -> None:
    (tmp_path / "beside.py").touch()
    (tmp_path / "script.py").write_text(f"{FACTS}sys.stdout.flush()\n{end}\n")
    told = []
    for python in (sys.executable, str(warm_python / "python")):
        done = subprocess.run(
            [python, "script.py", "a b", "--c"],
            cwd=tmp_path,
            env=os.environ | {"GIVEN": "é"},
            input="typed",
            capture_output=True,
            text=True,
            check=False,
        )
        last = done.stderr.splitlines()[-1]
        told.append((done.returncode, done.stdout, last))
    assert told[0] == told[1]
    assert "__main__ typed" in told[0][1]
