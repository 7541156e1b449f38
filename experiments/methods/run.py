"""All methods for classifiers at one equal budget, scored by their CAMs: runs them with Snakemake.

`python experiments/methods/run.py FOLDER [--cores 2] [Snakemake's options]` copies the workflow to FOLDER, with the
parameters and the additional recipes of this folder, and makes the scores; a second call goes on where the first one
stopped. `--recipes psa occse` makes only those, `--rngs 0` those with this seed. `table.py` prints them.

`--experiment FOLDER` takes another folder with a params.yaml, and recipes/ if it has some, and runs its recipes at its
seeds: experiments/sccam, experiments/pixel_methods, experiments/puzzle_family. Further folders lend their recipes:
experiments/saliency needs those of experiments/puzzle_family, experiments/levers those of three more. `--dataset NAME`
takes another data set of that params.yaml, `--to pseudo_masks` also judges that node and all that it is made from.

`--sweep` runs the recipes at all thresholds of that params.yaml, or at those of `--thresholds`, as `snakemake sweep`
does, and makes the page: experiments/pairs, with the recipes of experiments/levers.

`--forks` runs the commands without Snakemake (`forks.py`), `--on-gpu` of them at once on one GPU, and no longer than
`--seconds`.
"""

import argparse
import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path

import forks

from seedbed.errors import SeedbedError, unknown_name
from seedbed.plan.commands import Workflow
from seedbed.plan.config import RunConfig
from seedbed.plan.judges import SCORES, Judgement, Point, judgements_at
from seedbed.plan.tasks import TaskGraph

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COPIED = ("Snakefile", "rules", "workflow_scripts", "recipes", "report", "envs")
FROZEN = ("cam-randaugment", "cam-randaugment-ls", "occse")
"""Recipes that also run with frozen batch norm, which the Puzzle family does not survive at this budget."""
REPEATED = ("psa", "cam-randaugment", "occse")
"""Recipes as published that run with every seed; the others with the first."""


def set_up(folder: Path, experiments: Sequence[Path]) -> None:
    """Copy the workflow and what the experiments add; results that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / name)
    for experiment in experiments:
        if (experiment / "recipes").is_dir():
            shutil.copytree(experiment / "recipes", folder / "recipes", dirs_exist_ok=True)
    shutil.copy(experiments[0] / "params.yaml", folder / "params.yaml")


def targets(graph: TaskGraph, points: Iterable[tuple[str, int]], last: str | None) -> Iterator[Judgement]:
    """Scores of the classifiers, of their CAMs, and of ISIM's labels and decoder, of recipes with seeds.

    Args:
        last: also what judges this node and those that it is made from.
    """
    for recipe, rng in points:
        above = {task.key for task in graph.task(recipe, last, rng).ancestors()} if last else set()
        for found in judgements_at(graph, Point(recipe, rng)):
            of_classifier = found.task.stage.makes in ("classification", "cams")
            named = of_classifier or found.task.name.startswith(("labels_", "decoder_"))
            if found.task.key in above or (found.judge == SCORES and named):
                yield found


def points(config: RunConfig) -> dict[str, list[tuple[str, int]]]:
    """What this folder's experiment runs: recipes with seeds, by data set."""
    first, *others = config.rngs
    published = [*product(config.recipes, [first]), *product(REPEATED, others)]
    return {config.dataset: published, f"{config.dataset}-frozen": [*product(FROZEN, [first])]}


def snakemake(cores: int) -> list[str]:
    """The command without its targets."""
    return ["snakemake", "--cores", str(cores), "--quiet", "progress", "--keep-going"]


def main() -> int:
    """Set up the folder and make the scores of each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--experiment", nargs="+", type=Path, default=[HERE], metavar="FOLDER")
    parser.add_argument("--recipes", nargs="+", metavar="NAME", help="only these of params.yaml")
    parser.add_argument("--rngs", nargs="+", type=int, metavar="N", help="only these of params.yaml")
    parser.add_argument("--dataset", metavar="NAME", help="another data set of params.yaml")
    parser.add_argument("--to", metavar="NODE", help="judge this node, too, and all that it is made from")
    parser.add_argument(
        "--sweep", action="store_true", help="everything at params.yaml's thresholds, and the page"
    )
    parser.add_argument("--thresholds", nargs="+", metavar="REGIONS", help="with --sweep: these instead")
    parser.add_argument("--forks", action="store_true", help="without Snakemake, --cores commands at once")
    parser.add_argument("--on-gpu", type=int, default=4, help="with --forks: commands at once on the GPU")
    parser.add_argument("--seconds", type=float, default=math.inf, help="with --forks: end what runs then")
    arguments, options = parser.parse_known_args()
    if arguments.sweep and (arguments.forks or arguments.to):
        parser.error("--sweep goes neither with --forks nor with --to")
    if arguments.thresholds and not arguments.sweep:
        parser.error("--thresholds needs --sweep")
    experiments = [folder.resolve() for folder in arguments.experiment]
    if not (experiments[0] / "params.yaml").exists():
        parser.error(f"there is no {experiments[0] / 'params.yaml'}")
    deadline = time.monotonic() + arguments.seconds
    set_up(arguments.folder, experiments)
    os.chdir(arguments.folder)
    workflow = Workflow.read()
    config = workflow.config
    selected = set(arguments.recipes or config.recipes)
    if unknown := sorted(selected - set(config.recipes)):
        parser.error(unknown_name("recipe", unknown[0], config.recipes))
    rngs = set(config.rngs if arguments.rngs is None else arguments.rngs)
    if missing := sorted(rngs - set(config.rngs)):
        parser.error(f"rng {missing[0]} is not among params.yaml's: {', '.join(map(str, config.rngs))}")
    name = arguments.dataset or config.dataset
    if name not in config.datasets:
        parser.error(unknown_name("data set", name, config.datasets))
    if arguments.sweep:
        chosen = {"dataset": name, "recipes": sorted(selected), "rngs": sorted(rngs)}
        chosen |= {"thresholds": arguments.thresholds} if arguments.thresholds else {}
        command = [*snakemake(arguments.cores), *options, "--config"]
        command += [f"{key}={value}".replace("'", "") for key, value in chosen.items()]
        return subprocess.run([*command, "--", "sweep"], check=False).returncode
    here = experiments == [HERE] and arguments.dataset is None
    every = points(config) if here else {name: [*product(config.recipes, config.rngs)]}
    for dataset, found in every.items():
        chosen = [(recipe, rng) for recipe, rng in found if recipe in selected and rng in rngs]
        chosen.sort(key=lambda point: point[1])
        judgements = targets(workflow.graph(dataset), chosen, arguments.to)
        wanted = {judgement.path: judgement for judgement in judgements}
        if not wanted:
            continue
        if arguments.forks:
            of_dataset = Workflow(config.model_copy(update={"dataset": dataset}), workflow.book)
            of_dataset.write_slices()
            commands = forks.commands_of(of_dataset.graph(), [*wanted.values()])
            missed = forks.run(commands, arguments.cores, arguments.on_gpu, deadline)
            print(f"{len(missed)} commands failed or were not run", *missed, sep="\n  ")
            if missed:
                return 1
            continue
        command = [*snakemake(arguments.cores), *options]
        command += ["--config", f"dataset={dataset}", "--", *sorted(map(str, wanted))]
        done = subprocess.run(command, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except SeedbedError as error:
        raise SystemExit(str(error)) from None
