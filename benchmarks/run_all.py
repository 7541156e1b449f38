"""Run every benchmark, one after the other, and write benchmarks/results/<cpu or gpu>.md.

`make bench`, or `python benchmarks/run_all.py [NAME …]` for some of them.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """Benchmarks of this folder."""
    return sorted(p.stem for p in FOLDER.glob("*.py") if p.stem != "run_all" and not p.stem.startswith("_"))


def main(wanted: list[str]) -> int:
    """Run the wanted benchmarks (all where none is named); exit status 1 where one failed."""
    unknown = set(wanted) - set(names())
    if unknown:
        print(f"unknown benchmark {unknown.pop()!r}; known: {', '.join(names())}", file=sys.stderr)
        return 1
    parts, failed = [], []
    for name in wanted or names():
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, str(FOLDER / f"{name}.py")], stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout, flush=True)
        if done.returncode:
            failed.append(name)
        parts.append(f"## {name}\n\n`python benchmarks/{name}.py`\n\n{done.stdout.strip()}\n")
    if not wanted:
        target = FOLDER / "results" / f"{_device()}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text("# Benchmarks\n\n`make bench`\n\n" + "\n".join(parts))
        print(f"written to {target.relative_to(FOLDER.parent)}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _device() -> str:
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
