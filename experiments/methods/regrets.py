"""What background scores chosen without masks cost: one row per node of CAMs or refined CAMs and random seed.

`python experiments/methods/regrets.py FOLDER...` takes folders that `run.py` was given. A regret is the best mean IoU
of a node's curve less the one at the threshold next to the choice; the last rows are their median and the worst.
`--without RECIPE:RNG...` leaves out what the criteria were developed on.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from measured import print_rows, workflow_of

from seedbed.errors import SeedbedError
from seedbed.metrics.regret import nearest, regret
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import CHOICES, SCORES, Point, judgements_at
from seedbed.runtime.background_criteria import CRITERIA
from seedbed.runtime.judging import read_judgement


class Sweep(NamedTuple):
    """The curve of one node, and what each criterion's choice on it costs; None where it chose nothing."""

    recipe: str
    rng: int
    node: str
    best: float
    best_score: float
    regrets: dict[str, float | None]


def sweeps(workflow: Workflow) -> Iterator[Sweep]:
    """Every node of maps that has both its curve and its choices; nodes that recipes share appear once."""
    seen: set[tuple[str, str]] = set()
    for recipe in workflow.config.recipes:
        for rng in workflow.config.rngs:
            found = [j for j in judgements_at(workflow.graph(), Point(recipe, rng)) if j.path.exists()]
            curves = {(j.task.key, j.split): j for j in found if j.judge == SCORES}
            for judged in found:
                place = (judged.task.key, judged.split)
                if judged.judge != CHOICES or place in seen or place not in curves:
                    continue
                seen.add(place)
                scored = read_judgement(curves[place].path).content
                yield Sweep(
                    *(recipe, rng, judged.task.name),
                    *(scored["best"]["mean_iou"], scored["best"]["threshold"]),
                    regrets_of(scored["curve"], read_judgement(judged.path).content["scores"]),
                )


def regrets_of(
    curve: list[dict[str, float]], choices: dict[str, dict[str, float | None]]
) -> dict[str, float | None]:
    """The regret of each criterion."""
    values = np.array([point["mean_iou"] for point in curve], np.float64)
    thresholds = [point["threshold"] for point in curve]
    chosen = {name: choices[name]["background_score"] for name in CRITERIA}
    return {
        name: None if score is None else regret(values, nearest(thresholds, score))
        for name, score in chosen.items()
    }


def table(found: list[Sweep]) -> Iterator[tuple[str, ...]]:
    """One row per sweep, then median and worst of each criterion."""
    for one in found:
        yield (
            *(f"`{one.recipe}`", str(one.rng), one.node, f"{one.best:.3f} at {one.best_score:.2f}"),
            *("" if value is None else f"{value:.3f}" for value in one.regrets.values()),
        )
    columns = [[one.regrets[name] for one in found] for name in CRITERIA]
    numbers = [[value for value in column if value is not None] for column in columns]
    for title, summary in (("median", statistics.median), ("worst", max)):
        yield (title, "", "", "", *(f"{summary(column):.3f}" if column else "" for column in numbers))


def main() -> int:
    """Print the table; exit status 1 if there is nothing to print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--without", nargs="+", default=[], metavar="RECIPE:RNG", help="for instance psa:0")
    options = parser.parse_args()
    try:
        every = [one for folder in options.folders for one in sweeps(workflow_of(folder))]
    except SeedbedError as error:
        print(f"{error}; run experiments/methods/run.py first", file=sys.stderr)
        return 1
    found = [one for one in every if f"{one.recipe}:{one.rng}" not in options.without]
    if not found:
        print(
            "no node has both scores and choices yet; go on with experiments/methods/run.py", file=sys.stderr
        )
        return 1
    print_rows(
        ("recipe", "rng", "node", "best", *(criterion.title for criterion in CRITERIA.values())), table(found)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
