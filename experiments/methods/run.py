"""All methods for classifiers at one equal budget, scored by their CAMs: runs them with Snakemake.

`python experiments/methods/run.py FOLDER [--cores 2] [Snakemake's options]` copies the workflow to FOLDER, with the
parameters and the additional recipes of this folder, and makes the scores; a second call goes on where the first one
stopped. `table.py` prints them.
"""

import argparse
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

from seedbed.plan.commands import Workflow
from seedbed.plan.config import read_config
from seedbed.plan.judges import SCORES, Point, judgements_at
from seedbed.recipes import RecipeBook

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COPIED = ("Snakefile", "rules", "workflow_scripts", "recipes", "report", "envs")
FROZEN = ("cam-randaugment", "cam-randaugment-ls", "occse")
"""Recipes that also run with frozen batch norm, which the Puzzle family does not survive at this budget."""
REPEATED = ("psa", "cam-randaugment", "occse")
"""Recipes as published that run with every seed; the others with the first."""


def set_up(folder: Path) -> None:
    """Copy the workflow; results that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / name)
    shutil.copytree(HERE / "recipes", folder / "recipes", dirs_exist_ok=True)
    shutil.copy(HERE / "params.yaml", folder / "params.yaml")


def targets(folder: Path, dataset: str, points: Iterable[tuple[str, int]]) -> Iterator[Path]:
    """Scores of the classifiers, of their CAMs, and of ISIM's labels and decoder, of recipes with seeds."""
    workflow = Workflow(read_config(folder / "params.yaml"), RecipeBook(folder / "recipes"))
    graph = workflow.graph(dataset)
    for recipe, rng in points:
        for found in judgements_at(graph, Point(recipe, rng)):
            of_classifier = found.task.stage.makes in ("classification", "cams")
            if found.judge == SCORES and (
                of_classifier or found.task.name.startswith(("labels_", "decoder_"))
            ):
                yield found.path


def main() -> int:
    """Set up the folder and make the scores of both data sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--recipes", nargs="+", help="only these, with the first seed, as they are published")
    arguments, options = parser.parse_known_args()
    set_up(arguments.folder)
    config = read_config(arguments.folder / "params.yaml")
    first, *others = config.rngs
    published = [*product(config.recipes, [first]), *product(REPEATED, others)]
    runs = {config.dataset: published, f"{config.dataset}-frozen": [*product(FROZEN, [first])]}
    if arguments.recipes:
        runs = {config.dataset: [*product(arguments.recipes, [first])]}
    for dataset, points in runs.items():
        wanted = sorted({str(path) for path in targets(arguments.folder, dataset, points)})
        command = [
            "snakemake",
            "--cores",
            str(arguments.cores),
            "--quiet",
            "progress",
            "--keep-going",
            *options,
        ]
        command += ["--config", f"dataset={dataset}", "--", *wanted]
        done = subprocess.run(command, cwd=arguments.folder, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
