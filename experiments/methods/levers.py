"""What each lever gains, from the results of `run.py` with experiments/levers.

`python experiments/methods/levers.py FOLDER` prints a row per recipe: mean IoU at each step of the chain, at Otsu's
thresholds, and the CPU seconds of the nodes that `psa` does not have.
"""

import sys
from collections.abc import Iterator
from typing import Any

from measured import costs_of, otsu_score, print_table, scores_of

from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task

BASELINE = "psa"
HEADINGS = (
    *("recipe", "CAM, Otsu", "refined CAM, Otsu", "best (chosen with masks)", "pseudo masks, train"),
    *("segmentation, val", "gain over psa: pseudo masks", "segmentation", "CPU s beside psa's", "peak, GB"),
)


def rows(workflow: Workflow) -> Iterator[tuple[str, ...]]:
    """One row per recipe of which something has been made that `psa` does not have."""
    graph, rng = workflow.graph(), workflow.config.rngs[0]
    baseline = graph.recipe_tasks(BASELINE, rng)
    for recipe in workflow.config.recipes:
        tasks = graph.recipe_tasks(recipe, rng)
        cam, refined = (_scores(tasks, name, "train") for name in ("cams", "refined_cams"))
        masks, predictions = _mean_iou(tasks, "pseudo_masks", "train"), _mean_iou(tasks, "predictions", "val")
        known = {task.key for task in baseline.values()} if recipe != BASELINE else set()
        own = [task for task in tasks.values() if task.key not in known and task.manifest.exists()]
        if not own:
            continue
        costs = [costs_of(task) for task in own] if recipe != BASELINE else []
        yield (
            f"`{recipe}`",
            _figure(otsu_score(tasks["cams"], cam["curve"])[1] if cam else None),
            _figure(otsu_score(tasks["refined_cams"], refined["curve"])[1] if refined else None),
            _figure(refined["best"]["mean_iou"] if refined else None),
            *(_figure(value) for value in (masks, predictions)),
            _gain(masks, _mean_iou(baseline, "pseudo_masks", "train")),
            _gain(predictions, _mean_iou(baseline, "predictions", "val")),
            f"{sum(cost['seconds'] for cost in costs):.0f}" if costs else "",
            f"{max(cost['memory'] for cost in costs) / 1000:.1f}" if costs else "",
        )


def _scores(tasks: dict[str, Task], name: str, split: str) -> dict[str, Any] | None:
    return scores_of(tasks[name], split) if name in tasks else None


def _mean_iou(tasks: dict[str, Task], name: str, split: str) -> float | None:
    found = _scores(tasks, name, split)
    return found["scores"]["mean_iou"] if found else None


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _gain(value: float | None, baseline: float | None) -> str:
    return "" if value is None or baseline is None else f"{value - baseline:+.3f}"


if __name__ == "__main__":
    sys.exit(print_table(HEADINGS, rows))
