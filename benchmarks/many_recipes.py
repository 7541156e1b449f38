"""Planning with many recipes and pairs of thresholds, on VOC's layout with 16 shards.

`python benchmarks/many_recipes.py`
"""

import tempfile
from itertools import product
from pathlib import Path

from _harness import machine
from planning import DRY_RUN, ROOT, checkout, cpu_seconds

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
    with tempfile.TemporaryDirectory() as scratch:
        folders = {recipes: Path(scratch) / str(recipes) for recipes in (len(FOUR), 15, len(RECIPES))}
        for recipes, folder in folders.items():
            names = FOUR if recipes == len(FOUR) else RECIPES[:recipes]
            checkout(folder, 40, recipes=names, thresholds=PAIRS)
        four, fifteen, every = folders.values()
        print(f"{machine()}\n\n| command | CPU time | `dvc.yaml` | aim |\n|---|---|---|---|")
        sweep, all_of_them = f"4 recipes × {len(PAIRS)} pairs", f"{len(RECIPES)} recipes"
        row("`snakemake -n sweep`", sweep, four, "15 s", *DRY_RUN, "--", "sweep")
        row("`snakemake -n`", all_of_them, every, "6 s", *DRY_RUN)
        row("`seedbed dvc`", all_of_them, every, "300 kB", "seedbed", "dvc")
        row(
            "`seedbed dvc --sweep`",
            f"15 recipes × {len(PAIRS)} pairs",
            fifteen,
            "10 s",
            "seedbed",
            "dvc",
            "--sweep",
        )


def row(command: str, work: str, folder: Path, aim: str, *arguments: str) -> None:
    """Run a command, and print its row."""
    seconds, written = cpu_seconds(folder, *arguments), folder / "dvc.yaml"
    size = f"{written.stat().st_size / 1e3:,.0f} kB" if written.exists() else "–"
    print(f"| {command}, {work} | {seconds:.1f} s | {size} | at most {aim} |", flush=True)


if __name__ == "__main__":
    main()
