"""Saliency, and regions and pseudo masks with and without it, from the results of `run.py`.

`python experiments/methods/saliency.py FOLDER [DATASET]` prints one table of saliency against the masks and one of what
follows from it, and draws some images through each step to FOLDER/saliency.jpg and, of the rows of P-NOC's Table 7,
FOLDER/saliency-rows.jpg.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measured import costs_of, otsu_score, print_rows, scores_of, workflow_of
from pictures import nodes_sheet

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import AFFINITY_LABELS, SALIENCY_SCORES, Point, judgements_at
from seedbed.plan.task import Task
from seedbed.runtime.judging import read_judgement

SALIENCY = (
    *("recipe", "saliency", "precision", "recall", "F1", "F, β² = 0.3", "F1, everything"),
    *(
        "mIoU, CAMs and 1 - saliency",
        "mIoU, CAMs cut by it",
        "mIoU, true classes",
        "training, CPU s",
        "maps, CPU s",
    ),
)
LABELS = (
    *("recipe", "background", "foreground", "neutral", "right: background", "foreground"),
    *("pairs per image: foreground", "background", "negative"),
    *("right: foreground pairs", "background pairs", "negative pairs"),
    *(
        "CAM, Otsu",
        "refined CAM, Otsu",
        "best (chosen with masks)",
        "pseudo masks, mIoU",
        "precision",
        "recall",
    ),
)
SHEETS = {
    "saliency.jpg": {
        "walk": ("cams", "confident_regions", "pseudo_masks"),
        "walk-c2am": ("saliency_priors", "confident_regions", "pseudo_masks"),
        "walk-c2am-h": ("saliency_priors", "confident_regions", "pseudo_masks"),
        "walk-c2am-h-poolnet": ("saliency", "confident_regions", "pseudo_masks"),
    },
    "saliency-rows.jpg": {
        "row-p": ("cams", "pseudo_masks"),
        "row-poc-ls": ("cams", "pseudo_masks"),
        "row-poc-ls-c2am-h": ("saliency", "confident_regions", "pseudo_masks"),
        "row-pnoc-ls": ("cams", "pseudo_masks"),
        "row-pnoc-ls-c2am-h": ("saliency", "confident_regions", "pseudo_masks"),
    },
}
"""What the pictures show, by recipe."""
IMAGES, HEIGHT = 8, 110


def found_by(workflow: Workflow, dataset: str, recipe: str, judge: str) -> dict[str, dict[str, Any]]:
    """What a judge wrote of a recipe, by node; what is missing is left out."""
    judgements = judgements_at(workflow.graph(dataset), Point(recipe, workflow.config.rngs[0]))
    return {
        j.task.key: read_judgement(j.path).content for j in judgements if j.judge == judge and j.path.exists()
    }


def saliency_rows(workflow: Workflow, dataset: str) -> Iterator[tuple[str, ...]]:
    """One row per node of saliency, with the CAMs of the first recipe that has it."""
    shown: set[str] = set()
    for recipe in workflow.config.recipes:
        tasks = workflow.graph(dataset).recipe_tasks(recipe, workflow.config.rngs[0])
        found = found_by(workflow, dataset, recipe, SALIENCY_SCORES)
        for name, task in tasks.items():
            if task.key not in found or task.key in shown:
                continue
            shown.add(task.key)
            content, joined = found[task.key], found[task.key]["mean_iou_joined"]
            network = task.sources["saliency_network"]
            yield (
                *(f"`{recipe}`", name),
                *(
                    _figure(content["scores"][k])
                    for k in ("precision", "recall", "f1", "f_beta", "f1_all_salient")
                ),
                *(_figure(joined.get(k)) for k in ("inverse", "cut", "true_classes")),
                *(f"{costs_of(one)['seconds']:.0f}" for one in (network, task)),
            )


def label_rows(workflow: Workflow, dataset: str) -> Iterator[tuple[str, ...]]:
    """One row per recipe whose regions are judged."""
    for recipe in workflow.config.recipes:
        tasks = workflow.graph(dataset).recipe_tasks(recipe, workflow.config.rngs[0])
        labels = found_by(workflow, dataset, recipe, AFFINITY_LABELS).get(tasks["affinitynet"].key)
        if labels is None:
            continue
        scores = labels["scores"]
        cams, refined, masks = (
            scores_of(tasks[n], "train") for n in ("cams", "refined_cams", "pseudo_masks")
        )
        best = f"{refined['best']['mean_iou']:.3f} at {refined['best']['threshold']:.2f}" if refined else ""
        made = [masks["scores"][k] for k in ("mean_iou", "mean_precision", "mean_recall")] if masks else []
        yield (
            f"`{recipe}`",
            *(_figure(scores["pixels"][k]) for k in ("background", "foreground", "neutral")),
            *(_figure(scores["pixels_right"][k]) for k in ("background", "foreground")),
            *(f"{scores['pairs'][k]:.0f}" for k in ("foreground", "background", "negative")),
            *(_figure(scores["pairs_right"][k]) for k in ("foreground", "background", "negative")),
            *(_at_otsu(tasks["cams"], cams), _at_otsu(tasks["refined_cams"], refined), best),
            *([_figure(value) for value in made] or [""] * 3),
        )


def _at_otsu(cams: Task, scored: dict[str, Any] | None) -> str:
    if scored is None:
        return ""
    threshold, mean_iou = otsu_score(cams, scored["curve"])
    return f"{mean_iou:.3f} at {threshold:.2f}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def main(folder: Path, name: str | None) -> int:
    """Print and draw; exit status 1 where `run.py` has not been there."""
    try:
        workflow = workflow_of(folder)
        config = workflow.config
        dataset = name or config.dataset
        tables = {
            headings: list(find(workflow, dataset))
            for headings, find in ((SALIENCY, saliency_rows), (LABELS, label_rows))
        }
    except SeedbedError as error:
        print(f"{error}; run experiments/methods/run.py first", file=sys.stderr)
        return 1
    if not any(tables.values()):
        print(f"{folder} holds no scores yet; go on with experiments/methods/run.py", file=sys.stderr)
        return 1
    for headings, rows in tables.items():
        print()
        print_rows(headings, rows)
    for file, sheet in SHEETS.items():
        drawn = {recipe: nodes for recipe, nodes in sheet.items() if recipe in config.recipes}
        nodes_sheet(workflow, dataset, drawn, IMAGES, HEIGHT).save(folder / file, quality=85)
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(
            f"expected the folder that run.py was given, and perhaps a data set: python {sys.argv[0]} FOLDER"
        )
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else None))
