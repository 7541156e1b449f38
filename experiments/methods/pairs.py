"""What pairs of thresholds chosen without masks cost: one row per sweep, from the results of `run.py --sweep`.

`python experiments/methods/pairs.py FOLDER [DATASET...]` reads the sweeps of each recipe and random seed, as far as
their pairs are scored. A regret is the best mean IoU of the pseudo masks among the pairs of the sweep less the one at
the chosen pair; the last rows are their median and the worst. `--without OWNER:RNG...` leaves sweeps out.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pandas as pd
from measured import figures, print_rows, score_path, summary, workflow_of

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import Point
from seedbed.plan.reports import Report
from seedbed.report.choices import ALL_PAIRS, pair_frame
from seedbed.report.results import read_results

SCORED = "pseudo_masks-train"


def sweeps(workflow: Workflow, dataset: str) -> Iterator[pd.DataFrame]:
    """Choices and regrets of each recipe and random seed of which two pairs or more are scored."""
    config, graph = workflow.config, workflow.graph(dataset)
    for recipe, rng in product(config.recipes, config.rngs):
        tasks = {pair: graph.recipe_tasks(recipe, rng, pair)["pseudo_masks"] for pair in config.thresholds}
        points = [
            Point(recipe, rng, pair, "pair")
            for pair, task in tasks.items()
            if score_path(task, "train").exists()
        ]
        if len(points) > 1:
            report = Report(graph, "sweep", tuple(points))
            frame = pair_frame(read_results(report.slice(), workflow.results))
            wanted = (frame["scored"] == SCORED) & (frame["among"] == ALL_PAIRS)
            yield frame[wanted].assign(dataset=dataset)


def table(found: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """One row per sweep, then median and worst of each criterion."""
    head = ["dataset", "owner", "rng", "pairs", "best_mean_iou", "best_pair"]
    criteria = found["criterion"].unique()
    regrets = found.pivot(index=head, columns="criterion", values="regret")[criteria].astype(float)
    for (dataset, owner, rng, pairs, best, pair), values in regrets.iterrows():
        yield (dataset, f"`{owner}`", str(rng), str(pairs), f"{best:.3f} at {pair}", *figures(values))
    yield from summary(regrets, 5)


def main() -> int:
    """Print the table; exit status 1 if there is nothing to print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("datasets", nargs="*", metavar="DATASET", help="params.yaml's by default")
    parser.add_argument("--without", nargs="+", default=[], metavar="OWNER:RNG", help="for instance psa:0")
    options = parser.parse_args()
    try:
        workflow = workflow_of(options.folder)
        names = options.datasets or [workflow.config.dataset]
        parts = [part for name in names for part in sweeps(workflow, name)]
    except SeedbedError as error:
        print(error, file=sys.stderr)
        return 1
    if not parts:
        print(
            "no sweep has two scored pairs yet; go on with experiments/methods/run.py --sweep",
            file=sys.stderr,
        )
        return 1
    found = pd.concat(parts)
    found = found[~(found["owner"] + ":" + found["rng"].astype(str)).isin(options.without)]
    print_rows(("data set", "owner", "rng", "pairs", "best", *found["criterion"].unique()), table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
