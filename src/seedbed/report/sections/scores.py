"""Scores of all nodes, with the ground-truth ledger beside each.

Several random seeds become mean ± sample standard deviation on the page; the CSV keeps each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Table
from seedbed.report.ceilings import ceiling_of, ceilings_of
from seedbed.report.results import CHOSEN_WITH_MASKS, Judged
from seedbed.report.scored import NODE_HEADINGS, scored_nodes
from seedbed.report.section import Page, Section
from seedbed.report.tables import figure, filled, one_of, spread, with_notes

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("owner", "rng", "regions", "node", "split", "kind"),
    *("mean_iou", "decided_at", "best_mean_iou", "best_threshold", "best_threshold_is"),
    *("neutral_ratio", "mean_iou_neutral_missed", "pixel_accuracy", "ceiling", "ceiling_recipe"),
    *("mean_average_precision", "f1_macro", "ground_truth"),
)
AS_WRITTEN = ("mean_iou", "neutral_ratio", "pixel_accuracy", "mean_average_precision", "f1_macro")
AS_DECIDED = "as decided"
NOTE = (
    "Fractions. Over several random seeds: mean ± sample standard deviation, their number under <i>rngs</i>. "
    "A node is listed under the recipe that owns it.\n"
    "<i>Threshold</i> is where CAMs were cut; label maps are scored as decided, neutral pixels (255) left out; "
    "<i>neutral = miss</i> counts them as errors.\n"
    "<i>Best mIoU</i> is at a threshold chosen with the masks, so it is not a result of weak supervision.\n"
    "<i>Ceiling</i> is the mIoU that a segmenter reaches on the same split when it is trained on the true masks: of "
    "the supervised recipes on this page those with the same network, else all; of several the highest, which is then "
    "chosen with the masks.\n"
    "<i>Ground truth used</i> is every use of masks on the way to the node, before this judgement."
)


def frame(page: Page) -> pd.DataFrame:
    """One row per scores file; scores that a kind does not have are empty."""
    import pandas as pd

    ceilings = ceilings_of(page.results)
    rows = []
    for judged in page.results.judged[SCORES]:
        ceiling = ceiling_of(page.results, ceilings, judged)
        above = {"ceiling": ceiling.mean_iou, "ceiling_recipe": ceiling.recipe} if ceiling else {}
        rows.append(_row(judged) | above)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(judged: Judged) -> dict[str, Any]:
    scores, best = judged.scores, judged.content.get("best")
    row = judged.columns() | {key: scores.get(key) for key in AS_WRITTEN}
    row["ground_truth"] = judged.ledger
    row["mean_iou_neutral_missed"] = scores.get("mean_iou_by_neutral", {}).get("missed")
    if "mean_iou" in scores:
        fixed = judged.content.get("fixed_threshold")
        chosen = judged.content.get("fixed_by")
        row["decided_at"] = (
            AS_DECIDED if fixed is None else f"{fixed:.2f}" + (f" ({chosen})" if chosen else "")
        )
    if best:
        row |= {
            "best_mean_iou": best["mean_iou"],
            "best_threshold": best["threshold"],
            "best_threshold_is": CHOSEN_WITH_MASKS,
        }
    return row


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """What is judged against labels, and what against masks."""
    return [with_notes(table) for table in filled(classifier_table(frame), mask_table(frame))]


def classifier_table(frame: pd.DataFrame) -> Table:
    """Scores of classifiers against image-level labels."""
    rows = [
        (
            *node,
            str(len(group)),
            spread(group["mean_average_precision"]),
            spread(group["f1_macro"]),
            one_of(group["ground_truth"]),
        )
        for node, group in scored_nodes(frame, "labels")
    ]
    return Table(
        headings=(*NODE_HEADINGS, "rngs", "mAP", "F1 (macro)", "ground truth used"),
        figures=(False, False, False, False, True, True, True, False),
        rows=tuple(rows),
        title="Classifiers, against image-level labels",
    )


def mask_table(frame: pd.DataFrame) -> Table:
    """Scores of everything that is judged against masks; with a column of ceilings if there are any."""
    has_ceilings = frame["ceiling"].notna().any()
    rows = [
        (
            *node,
            str(len(group)),
            spread(group["mean_iou"]),
            one_of(group["decided_at"]),
            _best(group),
            spread(group["neutral_ratio"]),
            spread(group["mean_iou_neutral_missed"]),
            spread(group["pixel_accuracy"]),
            *((_ceiling(group),) if has_ceilings else ()),
            one_of(group["ground_truth"]),
        )
        for node, group in scored_nodes(frame, "masks")
    ]
    return Table(
        headings=(
            *(*NODE_HEADINGS, "rngs", "mIoU", "threshold"),
            *("best mIoU", "neutral", "mIoU, neutral = miss", "pixel accuracy"),
            *(("ceiling",) if has_ceilings else ()),
            "ground truth used",
        ),
        figures=(*(False,) * 4, *(True,) * (8 if has_ceilings else 7), False),
        rows=tuple(rows),
        title="CAMs and masks, against true masks",
    )


def _ceiling(group: pd.DataFrame) -> str:
    recipe = one_of(group["ceiling_recipe"].dropna())
    return f"{figure(group['ceiling'].max())} ({recipe})" if recipe else ""


def _best(group: pd.DataFrame) -> str:
    threshold = one_of([figure(t, 2) for t in group["best_threshold"].dropna()])
    return f"{spread(group['best_mean_iou'])} at {threshold}, {CHOSEN_WITH_MASKS}" if threshold else ""


SECTION = Section("Scores", 20, frame, blocks, NOTE)
