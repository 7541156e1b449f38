"""ISIM's labels over its training, from the results of `run.py`.

`python experiments/methods/labels.py FOLDER` prints, for each recipe that scores the CAMs and labels of kept epochs,
one row per epoch: mean IoU on the training images of the CAM at Otsu's, the fixed and the best threshold (chosen with
masks) and of the labels that it gives; and a row of what the decoder predicts on val at the end.
"""

import sys
from collections.abc import Iterator

from measured import otsu_score, print_table, scores_of

from seedbed.plan.commands import Workflow

HEADINGS = ("recipe", "after epoch", "CAM, Otsu", "CAM, fixed", "CAM, best (chosen with masks)", "labels")


def rows(workflow: Workflow) -> Iterator[tuple[str, ...]]:
    """What was scored of each recipe with an ISIM decoder, with the first seed."""
    for recipe in workflow.config.recipes:
        tasks = workflow.graph().recipe_tasks(recipe, workflow.config.rngs[0])
        if "decoder_predictions" not in tasks or not (
            decoder := scores_of(tasks["decoder_predictions"], "val")
        ):
            continue
        for name in (*(n for n in tasks if n.startswith("cams_epoch")), "cams"):
            cams = scores_of(tasks[name], "train")
            if cams is None:
                continue
            labels = tasks.get(name.replace("cams", "labels"))
            made = scores_of(labels, "train") if labels else None
            threshold, at_otsu = otsu_score(tasks[name], cams["curve"])
            yield (
                *(f"`{recipe}`", name.removeprefix("cams_epoch").replace("cams", "the last")),
                f"{at_otsu:.3f} at {threshold:.2f}",
                f"{cams['scores']['mean_iou']:.3f}",
                f"{cams['best']['mean_iou']:.3f} at {cams['best']['threshold']:.2f}",
                f"{made['scores']['mean_iou']:.3f}" if made else "",
            )
        yield (
            f"`{recipe}`",
            "decoder's predictions, val",
            "",
            "",
            "",
            f"{decoder['scores']['mean_iou']:.3f}",
        )


if __name__ == "__main__":
    sys.exit(print_table(HEADINGS, rows))
