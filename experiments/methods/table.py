"""Tables, figure and pictures of `run.py`'s results.

`python experiments/methods/table.py FOLDER` prints one table per data set, and draws the mean IoU of the CAMs at
every epoch to docs/figures/epochs.png, and the CAMs of some images by every method to FOLDER/methods.jpg.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from measured import costs_of, otsu_score, print_rows, scores_of, workflow_of
from pictures import nodes_sheet

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.report.figures import new_figure, styled
from seedbed.report.tables import spread

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
EPOCHS = {"cam-epochs": "cam-randaugment", "puzzle-epochs": "puzzle", "pnoc-epochs": "pnoc"}
"""Recipes that score every epoch, and the recipes whose classifiers they score."""
HEADINGS = (
    *("recipe", "seeds", "CAM, Otsu", "CAM, fixed 0.25", "CAM, best (chosen with masks)", "mAP, val"),
    *("training, CPU s", "CAMs, CPU s", "peak, GB"),
)
IMAGES, HEIGHT = 6, 120


def rows(workflow: Workflow, dataset: str) -> Iterator[list[str]]:
    """One markdown row per recipe, over its seeds; what it takes from another recipe is not counted again."""
    for recipe in workflow.config.recipes:
        found = list(runs_of(workflow, dataset, recipe)) if recipe not in EPOCHS else []
        if not found:
            continue
        cells = [f"`{recipe}`", str(len(found))]
        cells += [
            spread([run[key] for run in found]) for key in ("otsu", "fixed", "best", "mean_average_precision")
        ]
        cells += [f"{fmean(run[key] for run in found):.0f}" for key in ("training", "dumping")]
        yield [*cells, f"{max(run['memory'] for run in found) / 1000:.1f}"]


def runs_of(workflow: Workflow, dataset: str, recipe: str) -> Iterator[dict[str, float]]:
    """What was measured with each seed that has run."""
    for rng in workflow.config.rngs:
        tasks = workflow.graph(dataset).recipe_tasks(recipe, rng)
        classifier, cams = scores_of(tasks["classification"], "val"), scores_of(tasks["cams"], "train")
        if classifier is None or cams is None:
            continue
        training, dumping = costs_of(tasks["classifier"]), costs_of(tasks["cams"])
        yield {
            "otsu": otsu_score(tasks["cams"], cams["curve"])[1],
            "fixed": cams["scores"]["mean_iou"],
            "best": cams["best"]["mean_iou"],
            "mean_average_precision": classifier["scores"]["mean_average_precision"],
            "training": training["seconds"],
            "dumping": dumping["seconds"],
            "memory": training["memory"],
        }


def epoch_curves(workflow: Workflow, dataset: str) -> dict[str, list[tuple[float, float]]]:
    """(at the fixed threshold, at the best one) of every epoch, by recipe."""
    curves = {}
    for recipe in filter(EPOCHS.__contains__, workflow.config.recipes):
        tasks = workflow.graph(dataset).recipe_tasks(recipe, workflow.config.rngs[0])
        found = [scores_of(tasks[name], "train") for name in workflow.book[recipe].scores]
        if all(s is not None for s in found):
            curves[EPOCHS[recipe]] = [(s["scores"]["mean_iou"], s["best"]["mean_iou"]) for s in found if s]
    return curves


@styled
def epochs_figure(curves: dict[str, list[tuple[float, float]]]) -> Any:
    """Mean IoU over epochs: at the fixed threshold, dashed at the one that was chosen with masks."""
    figure, (axes,) = new_figure(1, 1, 6.4, 3.4, below=0.7)
    for place, (recipe, values) in enumerate(curves.items()):
        epochs = range(1, len(values) + 1)
        fixed, best = zip(*values, strict=True)
        axes.plot(epochs, fixed, "o-", color=f"C{place}", label=f"{recipe}, threshold 0.25")
        axes.plot(
            epochs, best, ".--", color=f"C{place}", label=f"{recipe}, best threshold (chosen with masks)"
        )
    axes.set(xlabel="epoch", ylabel="mean IoU of CAMs, train", xticks=list(epochs))
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def main(folder: Path) -> int:
    """Print and draw; exit status 1 where `run.py` has not been there."""
    try:
        workflow = workflow_of(folder)
        config = workflow.config
    except SeedbedError as error:
        print(f"{error}; run experiments/methods/run.py first", file=sys.stderr)
        return 1
    tables = {dataset: list(rows(workflow, dataset)) for dataset in config.datasets}
    if not any(tables.values()):
        print(f"{folder} holds no scores yet; go on with experiments/methods/run.py", file=sys.stderr)
        return 1
    for dataset, lines in tables.items():
        if not lines:
            continue
        print(f"\n{dataset}\n")
        print_rows(HEADINGS, lines)
    if curves := epoch_curves(workflow, config.dataset):
        print("\nmean IoU at every epoch, scale 1.0: fixed / best threshold\n")
        for recipe, values in curves.items():
            print(
                f"| `{recipe}` | " + " | ".join(f"{fixed:.3f} / {best:.3f}" for fixed, best in values) + " |"
            )
        (FIGURES / "epochs.png").write_bytes(epochs_figure(curves))
    drawn = {recipe: ("cams",) for recipe in config.recipes if recipe not in EPOCHS}
    nodes_sheet(workflow, config.dataset, drawn, IMAGES, HEIGHT).save(folder / "methods.jpg", quality=80)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected the folder that run.py was given: python experiments/methods/table.py FOLDER")
    sys.exit(main(Path(sys.argv[1])))
