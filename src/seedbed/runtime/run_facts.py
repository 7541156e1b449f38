"""`.runs/UNIT.json`: what varies between equal runs (command, commit, versions, device, time, peak memory)."""

import os
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.manifest import to_json
from seedbed.runtime.paths import RUNS


def cpu_seconds() -> float:
    """Processor time of this process so far, and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def write_run_facts(folder: Path, unit: str, device: str, seconds: float, cpu: float) -> None:
    """Write the facts of one run beside its output, of which they are not a part.

    Args:
        unit: shard, stage or file that was made.
        seconds: by the clock.
        cpu: seconds of processor time.
    """
    versions = {name: _version(name) for name in ("seedbed", "torch", "timm", "numpy", "pillow")}
    facts = {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "commit": _commit(),
        "cpu": platform.processor() or platform.machine(),
        "cpu_seconds": round(cpu, 3),
        "device": device,
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", "") if device == "cuda" else "",
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "python": platform.python_version(),
        "seconds": round(seconds, 3),
        "versions": versions,
    }
    write_bytes(folder / RUNS / f"{unit.removesuffix('.json')}.json", to_json(facts))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        shown = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return shown.stdout.strip() or None if shown.returncode == 0 else None
