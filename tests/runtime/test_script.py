"""A script's process ends as `sys.exit(entry())` would, but for the modules that nobody frees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.runtime.script import FLUSH_FAILED

HEAD = "import atexit, sys\nfrom seedbed.runtime.script import run_script\n"
PLAIN = "run_script = lambda entry: sys.exit(entry())\n"


def ended(body: str, quick: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    text = HEAD + ("" if quick else PLAIN) + body
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize(
    "body",
    [
        "run_script(lambda: 0)",
        "run_script(lambda: 1)",
        "run_script(lambda: sys.exit())",
        "run_script(lambda: sys.exit(2))",
        "run_script(lambda: sys.exit('one line'))",
        "run_script(lambda: 1 // 0)",
        "run_script(lambda: print('no end of line', end='') or 0)",
        "run_script(lambda: (atexit.register(print, 'registered later'), 3)[1])",
        "import threading, time\n"
        "def late(): time.sleep(0.2); print('of a thread')\n"
        "run_script(lambda: threading.Thread(target=late).start() or 0)",
    ],
)
def test_as_sys_exit(body: str) -> None:
    quick, plain = ended(body), ended(body, quick=False)
    assert (quick.returncode, quick.stdout) == (plain.returncode, plain.stdout)
    assert quick.stderr.splitlines()[-1:] == plain.stderr.splitlines()[-1:]


def test_an_interrupt_is_130() -> None:
    assert ended("def stop(): raise KeyboardInterrupt\nrun_script(stop)").returncode == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_what_cannot_be_written_is_no_success() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", HEAD + "run_script(lambda: print('text') or 0)"]
        environment = os.environ | {"PYTHONUNBUFFERED": ""}
        done = subprocess.run(command, stdout=full, env=environment, check=False)
        assert done.returncode == FLUSH_FAILED


def test_modules_are_not_freed() -> None:
    """What a module's object would do when it is freed at the end does not happen."""
    body = "class Told:\n    def __del__(self): print('freed')\nkept = Told()\nrun_script(lambda: 0)"
    assert (ended(body).stdout, ended(body, quick=False).stdout) == ("", "freed\n")
