"""Planning with many recipes and pairs of thresholds, on VOC's layout.

`python benchmarks/many_recipes.py`
"""

import tempfile
from itertools import product
from pathlib import Path

from _harness import machine
from planning import DATASET, DRY_RUN, ROOT, checkout, cpu_seconds

RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
FOUR = ["psa", "irn", "pnoc", "gradcampp"]
PAIRS = [
    f"bg{background:.2f}-fg{foreground:.2f}"
    for background, foreground in product(
        (0.05, 0.10, 0.15, 0.20), (0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65)
    )
]


def main() -> None:
    """Plan, and print a row per command."""
    print(f"{machine()}\n\n| command | work | CPU time | `dvc.yaml` | aim |\n|---|---|---|---|---|")
    sweep, everything = f"4 recipes × {len(PAIRS)} pairs", f"{len(RECIPES)} recipes"
    for shards in (2, 16):
        with tempfile.TemporaryDirectory() as scratch:
            four, fifteen, every = (Path(scratch) / name for name in ("four", "fifteen", "every"))
            voc = {"voc": DATASET | {"shards": shards}}
            checkout(four, 40, datasets=voc, recipes=FOUR, thresholds=PAIRS)
            checkout(fifteen, 40, datasets=voc, recipes=RECIPES[:15], thresholds=PAIRS)
            checkout(every, 40, datasets=voc, recipes=RECIPES)
            row(shards, sweep, four, "15 s", *DRY_RUN, "--", "sweep")
            row(shards, everything, every, "6 s", *DRY_RUN)
            row(shards, everything, every, "300 kB", "seedbed", "dvc")
            row(shards, f"15 recipes × {len(PAIRS)} pairs", fifteen, "10 s", "seedbed", "dvc", "--sweep")


def row(shards: int, work: str, folder: Path, aim: str, *command: str) -> None:
    """Run a command, and print its row."""
    seconds, written = cpu_seconds(folder, *command), folder / "dvc.yaml"
    size = f"{written.stat().st_size / 1e3:,.0f} kB" if written.exists() else "–"
    shown = " ".join(word for word in command if word not in ("--quiet", "all", "--"))
    print(f"| `{shown}` | {work}, {shards} shards | {seconds:.1f} s | {size} | at most {aim} |", flush=True)


if __name__ == "__main__":
    main()
