"""All nodes' scores with the ground-truth ledger beside each: tidy frames for CSV, and tables of the page.

Random seeds become mean ± sample standard deviation on the page; the CSV keeps each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seedbed.report.results import CHOSEN_WITH_MASKS, Judged
from seedbed.report.tables import Table, figure, groups, one_of, spread

if TYPE_CHECKING:
    import pandas as pd

SCORE_COLUMNS = (
    *("owner", "rng", "regions", "node", "split", "kind"),
    *("mean_iou", "decided_at", "best_mean_iou", "best_threshold", "best_threshold_is"),
    *(
        "neutral_ratio",
        "mean_iou_neutral_missed",
        "pixel_accuracy",
        "mean_average_precision",
        "f1_macro",
        "ground_truth",
    ),
)
CLASS_COLUMNS = (
    "owner",
    "rng",
    "regions",
    "node",
    "split",
    "kind",
    "class",
    "iou",
    "average_precision",
    "truth",
)
GROUP = ("owner", "regions", "node", "split", "kind")
AS_DECIDED = "as decided"


def score_frame(scores: Sequence[Judged]) -> pd.DataFrame:
    """One row a scores file; what a kind does not have is empty."""
    import pandas as pd

    return pd.DataFrame([_score_row(judged) for judged in scores], columns=list(SCORE_COLUMNS))


def _score_row(judged: Judged) -> dict[str, Any]:
    scores, best = judged.scores, judged.content.get("best", {})
    row = _head(judged) | {
        key: scores.get(key)
        for key in ("mean_iou", "neutral_ratio", "pixel_accuracy", "mean_average_precision", "f1_macro")
    }
    row["ground_truth"] = judged.ledger
    row["mean_iou_neutral_missed"] = scores.get("mean_iou_by_neutral", {}).get("missed")
    if "mean_iou" in scores:
        fixed = judged.content.get("fixed_threshold")
        row["decided_at"] = AS_DECIDED if fixed is None else f"{fixed:.2f}"
    if best:
        row |= {
            "best_mean_iou": best["mean_iou"],
            "best_threshold": best["threshold"],
            "best_threshold_is": CHOSEN_WITH_MASKS,
        }
    return row


def class_frame(scores: Sequence[Judged]) -> pd.DataFrame:
    """One row a scores file and class; `truth` counts pixels, for classifiers images."""
    import pandas as pd

    return pd.DataFrame(
        [row for judged in scores for row in _class_rows(judged)], columns=list(CLASS_COLUMNS)
    )


def _class_rows(judged: Judged) -> Iterator[dict[str, Any]]:
    for name, values in judged.scores["per_class"].items():
        yield _head(judged) | {
            "class": name,
            "iou": values.get("iou"),
            "average_precision": values.get("average_precision"),
            "truth": values.get("truth_pixels", values.get("images")),
        }


def _head(judged: Judged) -> dict[str, Any]:
    place = judged.place
    return {
        "owner": place.owner,
        "rng": "" if place.rng is None else place.rng,
        "regions": place.regions,
        "node": judged.node,
        "split": judged.split,
        "kind": judged.kind,
    }


def mask_table(frame: pd.DataFrame) -> Table:
    """Scores of everything that is judged against masks."""
    rows = []
    for key, group in groups(frame[frame["kind"] != "classification"], GROUP):
        best = spread(group["best_mean_iou"])
        threshold = one_of([figure(t, 2) for t in group["best_threshold"].dropna()])
        rows.append(
            (
                *key[:4],
                str(len(group)),
                spread(group["mean_iou"]),
                one_of(group["decided_at"]),
                f"{best} at {threshold}, {CHOSEN_WITH_MASKS}" if threshold else "",
                spread(group["neutral_ratio"]),
                spread(group["mean_iou_neutral_missed"]),
                spread(group["pixel_accuracy"]),
                one_of(group["ground_truth"]),
            )
        )
    return Table(
        headings=(
            *("recipe (owner)", "regions", "node", "split", "rngs", "mIoU", "threshold"),
            *("best mIoU", "neutral", "mIoU, neutral = miss", "pixel accuracy", "ground truth used"),
        ),
        figures=(False, False, False, False, True, True, True, True, True, True, True, False),
        rows=tuple(rows),
    )


def classifier_table(frame: pd.DataFrame) -> Table:
    """Scores of classifiers against image-level labels."""
    rows = [
        (
            *key[:4],
            str(len(group)),
            spread(group["mean_average_precision"]),
            spread(group["f1_macro"]),
            one_of(group["ground_truth"]),
        )
        for key, group in groups(frame[frame["kind"] == "classification"], GROUP)
    ]
    return Table(
        headings=(
            "recipe (owner)",
            "regions",
            "node",
            "split",
            "rngs",
            "mAP",
            "F1 (macro)",
            "ground truth used",
        ),
        figures=(False, False, False, False, True, True, True, False),
        rows=tuple(rows),
    )


def class_table(frame: pd.DataFrame, classes: Sequence[str]) -> Table:
    """IoU of each class (average precision for classifiers), one row a node, one column a class.

    Args:
        classes: columns, background first; classes beyond them (of a `class_map`) follow.
    """
    columns = list(dict.fromkeys([*classes, *frame["class"]]))
    rows = []
    for key, group in groups(frame, GROUP):
        column = "average_precision" if key[4] == "classification" else "iou"
        values = {name: spread(part[column]) for name, part in group.groupby("class", sort=False)}
        measure = "AP" if key[4] == "classification" else "IoU"
        rows.append((*key[:4], measure, *(values.get(name, "") for name in columns)))
    return Table(
        headings=("recipe (owner)", "regions", "node", "split", "measure", *columns),
        figures=(False, False, False, False, False, *(True for _ in columns)),
        rows=tuple(rows),
    )
