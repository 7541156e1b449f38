"""What every benchmark shares: peer and ours in turn in one process, medians, their ratio, one markdown
row."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np

Clock = Callable[[], float]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """One comparison: median seconds of each, over `rounds` alternating runs."""

    name: str
    peer: float
    ours: float
    agreement: str
    aim: str

    def markdown(self) -> str:
        ratio = self.peer / self.ours
        cells = (
            self.name,
            duration(self.peer),
            duration(self.ours),
            f"{ratio:,.3g}×",
            self.aim,
            self.agreement,
        )
        return f"| {' | '.join(cells)} |"


def compare(
    name: str,
    peer: Callable[[], Result],
    ours: Callable[[], Result],
    agreement: Callable[[Result, Result], str],
    *,
    aim: str = "",
    rounds: int = 5,
    clock: Clock = time.process_time,
) -> Row:
    """Run both once for warmth and agreement, then in turn.

    Args:
        name: what is compared, for the row.
        peer, ours: the same work on the same input; on a GPU each has to wait for its device.
        agreement: of the peer's result and ours, in words.
        aim: the ratio that was set, for instance "≥ 20×".
        rounds: timed runs of each.
        clock: process CPU time by default, which neighbours on the machine disturb least;
            `time.perf_counter` for a GPU.
    """
    agreed = agreement(peer(), ours())
    seconds: dict[str, list[float]] = {"peer": [], "ours": []}
    for _ in range(rounds):
        for side, work in (("peer", peer), ("ours", ours)):
            start = clock()
            work()
            seconds[side].append(clock() - start)
    return Row(name, statistics.median(seconds["peer"]), statistics.median(seconds["ours"]), agreed, aim)


def seconds_of_processes(
    sides: Sequence[str], rounds: int, arguments: Sequence[str] = ()
) -> dict[str, list[dict[str, float]]]:
    """Run this script as each side in turn, `rounds` times, in new processes with glibc's own settings of malloc.

    Args:
        sides: given to the script as `--as SIDE`; it ends with a line of JSON, which is returned.
        arguments: further ones of the script.
    """
    tuned = ("MALLOC_", "GLIBC_TUNABLES")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(tuned)}
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, runs in found.items():
            command = [sys.executable, sys.argv[0], *arguments, "--as", side]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    return found


def print_table(title: str, rows: Sequence[Row], packages: Sequence[str], notes: Sequence[str] = ()) -> None:
    """Print heading, machine, versions, table and notes as markdown."""
    print(f"## {title}\n")
    print(f"{machine()}; {', '.join(f'{package} {version(package)}' for package in packages)}.\n")
    print("| comparison | peer | ours | ratio | aim | agreement |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print(row.markdown())
    for note in notes:
        print(f"\n{note}")
    print()


def machine() -> str:
    """Processor, cores, threads allowed to numeric libraries, Python."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    return f"{model}, {os.cpu_count()} cores, OMP_NUM_THREADS {threads}, Python {platform.python_version()}"


def duration(seconds: float) -> str:
    """Seconds in a readable unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def equal_integers(peer: Sequence[np.ndarray], ours: Sequence[np.ndarray]) -> str:
    """Agreement of integer results; a difference stops the benchmark."""
    different = sum(int((p != o).sum()) for p, o in zip(peer, ours, strict=True))
    if different:
        raise AssertionError(f"{different} integers differ")
    return f"all {sum(p.size for p in peer):,} integers equal"


def photographs(size: tuple[int, int] = (375, 500)) -> list[np.ndarray]:
    """Four photographs that ship inside scikit-image, RGB uint8, resized to height × width."""
    from skimage import data
    from skimage.transform import resize

    return [
        np.asarray(resize(image, size, preserve_range=True, anti_aliasing=True), np.uint8)
        for image in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket())
    ]


def blob_cam(rng: np.random.Generator, classes: int, size: tuple[int, int] = (375, 500)) -> np.ndarray:
    """Synthetic CAM: smooth blobs, half of each map 0, maximum 1. float32 of classes × height × width."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.random((classes, *size)), (0, 30, 30))
    above = np.maximum(noise - np.median(noise, (1, 2), keepdims=True), 0)
    return (above / above.max((1, 2), keepdims=True)).astype(np.float32)
