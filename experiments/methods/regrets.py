"""What background scores chosen without masks cost: one row per node of CAMs or refined CAMs and random seed.

`python experiments/methods/regrets.py FOLDER...` takes folders that `run.py` was given. A regret is the best mean IoU
of a node's curve less the one at the threshold next to the choice; the last rows are their median and the worst.
`--without OWNER:RNG...` leaves out what the criteria were developed on; `--scores` prints mean IoUs instead of regrets.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from measured import figures, print_rows, summary, workflow_of

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import CHOICES, SCORES, Point, judgements_at
from seedbed.report.choices import score_frame
from seedbed.report.results import Results, read_judged

SWEEP = ["owner", "rng", "node", "best_mean_iou", "best_score"]


def choices(workflow: Workflow) -> pd.DataFrame:
    """The report page's rows of every choice with a regret, of what the folder holds so far."""
    config, graph = workflow.config, workflow.graph()
    points = [Point(recipe, rng) for recipe in config.recipes for rng in config.rngs]
    paths = {j.path: j.judge for point in points for j in judgements_at(graph, point) if j.path.exists()}
    judged = {
        judge: tuple(
            read_judged(workflow.results, str(path.relative_to(workflow.results)))
            for path, found in paths.items()
            if found == judge
        )
        for judge in (SCORES, CHOICES)
    }
    rows = score_frame(Results(config.dataset, "", {}, {}, judged))
    return rows[rows["best_mean_iou"].notna()]


def table(found: pd.DataFrame, value: str) -> Iterator[tuple[str, ...]]:
    """One row per sweep; of regrets then median and worst of each criterion."""
    found = found.drop_duplicates([*SWEEP, "criterion"])  # folders may share results
    regrets = found.pivot(index=SWEEP, columns="criterion", values=value)[found["criterion"].unique()]
    for (owner, rng, node, best, score), values in regrets.astype(float).iterrows():
        yield (f"`{owner}`", str(rng), node, f"{best:.3f} at {score:.2f}", *figures(values))
    if value == "regret":
        yield from summary(regrets.astype(float), 4)


def main() -> int:
    """Print the table; exit status 1 if there is nothing to print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--without", nargs="+", default=[], metavar="OWNER:RNG", help="for instance psa:0")
    parser.add_argument("--scores", dest="value", action="store_const", const="mean_iou", default="regret")
    options = parser.parse_args()
    try:
        found = pd.concat([choices(workflow_of(folder)) for folder in options.folders])
    except SeedbedError as error:
        print(f"{error}; run experiments/methods/run.py first", file=sys.stderr)
        return 1
    found = found[~(found["owner"] + ":" + found["rng"].astype(str)).isin(options.without)]
    if found.empty:
        print("no node has scores and choices yet; go on with experiments/methods/run.py", file=sys.stderr)
        return 1
    print_rows(("owner", "rng", "node", "best", *found["criterion"].unique()), table(found, options.value))
    return 0


if __name__ == "__main__":
    sys.exit(main())
