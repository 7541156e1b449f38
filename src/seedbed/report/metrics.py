"""The few numbers per scored node that `dvc metrics show` prints and compares."""

from __future__ import annotations

from typing import Any

from seedbed.artifacts.manifest import to_json
from seedbed.plan.judges import SCORES
from seedbed.report.results import Results

SHOWN = {
    "mean_iou": "mIoU",
    "neutral_ratio": "neutral",
    "mean_average_precision": "mAP",
    "f1_macro": "F1",
}
"""Heading of each score that is shown; scores chosen with masks (a best threshold) are not among them."""
DIGITS = 4


def metrics_json(results: Results) -> bytes:
    """{owner: {axes: {node: {split: {score: number}}}}}, rounded; what is undefined is left out."""
    found: dict[str, Any] = {}
    for judged in results.judged[SCORES]:
        place = found.setdefault(judged.place.owner, {}).setdefault(str(judged.place.axes), {})
        place.setdefault(judged.node, {})[judged.split] = {
            heading: round(judged.scores[name], DIGITS)
            for name, heading in SHOWN.items()
            if judged.scores.get(name) is not None
        }
    return to_json(found)
