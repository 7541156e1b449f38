"""How a script of `workflow_scripts/` ends.

When Python ends as usual it frees every module: after torch, timm and what they import that takes a second of CPU time,
in each of a run's jobs, and gives the system nothing that it would not take back anyway.
"""

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

FLUSH_FAILED = 120
"""Python's own status where a stream cannot be flushed at the end."""


def run_script(entry: Callable[..., int], *arguments: Any, **options: Any) -> NoReturn:
    """Call `entry(*arguments, **options)`, and end the process with the status that it returns.

    As `sys.exit(entry(…))`, but modules are not freed. Threads are joined, and what is registered with `atexit` from
    here on is called first; so this comes before torch is imported.
    """
    status = 1

    def end() -> None:
        failed = False
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                failed = True
        os._exit(FLUSH_FAILED if failed and not status else status)

    atexit.register(end)
    try:
        status = entry(*arguments, **options)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
    except KeyboardInterrupt:
        status = 130
        raise
    sys.exit(status)
