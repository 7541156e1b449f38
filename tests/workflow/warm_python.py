"""A `python` for engines under test: every job is a fork of one process that has imported torch, which takes seconds.

`start` puts a program `python` into a folder that goes first on an engine's path. It hands its arguments, working
directory, environment and streams to the process, which runs the script in a fork of itself.
"""

import array
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from pkgutil import walk_packages
from typing import NoReturn

import seedbed

IMPORTED = (
    *("torch", "torch._dynamo", "timm", "segmentation_models_pytorch", "lightning_fabric", "numba"),
    *("scipy.optimize", "scipy.sparse.linalg", "scipy.ndimage", "skimage.segmentation", "skimage.filters"),
    *("pandas", "sklearn.manifold", "sklearn.cluster", "matplotlib.figure"),
)
"""What jobs import when they run, beside all of seedbed."""
SOCKET = "socket"
CLIENT = f"""\
#!{sys.executable} -ISs
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.path.join(os.path.dirname(os.path.abspath(__file__)), "{SOCKET}"))
    streams = array.array("i", [0, 1, 2]).tobytes()
    server.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    status = int(server.recv(16) or 1)
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""
"""The program `python`; an empty answer means that the process has ended."""


@contextmanager
def start(folder: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Start the process; yields the folder with the program `python`."""
    program = folder / "python"
    program.write_text(CLIENT)
    program.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, __file__, str(folder / SOCKET)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    try:
        yield folder
    finally:
        server.terminate()
        server.wait()


def serve(path: str) -> None:
    """Wait for calls; a fork of this process answers each of them, and a fork of that one runs the script."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            call, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(call)
            call.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass


def answer(call: socket.socket) -> NoReturn:
    """Run the script that a client asks for, and tell it the status."""
    _, ((_, _, sent), *_), *_ = call.recvmsg(1, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    streams = array.array("i", sent)
    words, folder, environment = json.loads(call.makefile("rb").read())
    job = os.fork()
    if job:
        _, status = os.waitpid(job, 0)
        call.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    call.close()
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    status = run(words)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # freeing torch's modules would take more than a second


def run(words: list[str]) -> int:
    """Run a script with its arguments as `python` would; returns the exit status."""
    sys.argv[:] = words
    sys.path[0] = str(Path(words[0]).resolve().parent)
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, str):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    for name in (*IMPORTED, *(found.name for found in walk_packages(seedbed.__path__, "seedbed."))):
        importlib.import_module(name)
    gc.freeze()
    serve(sys.argv[1])
