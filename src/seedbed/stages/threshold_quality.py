"""`threshold_quality`: NPR, PQS and TECM of pairs of thresholds, in two forms that are never mixed.

- `own`, the paper's: one pair, on the refined CAMs whose AffinityNet was trained at that pair.
- `shared`, cheap: all pairs of `thresholds` in params.yaml, counted in one pass over the refined CAMs of one reference,
  the recipe's own regions setting.

Initial and refined CAMs are cut at the same pair, without a CRF. NPR counts all pixels and needs no masks; PQS needs
them, and its mean IoU leaves out pixels whose truth is 255. What is measured on the initial CAMs is the same in both
forms. NPR and PQS of the refined CAMs, and TECM, differ, because the walk differs.

The plan adds both forms to the sweep, for each node of refined CAMs on each of its splits. The reference may be PSA's
powers of the background score; a judged pair may not. Threshold-quality paper, equations (1) to (4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seedbed.cam.thresholds import Regions
from seedbed.errors import SeedbedError, unknown_name
from seedbed.metrics.segmentation import join_predictions, mean_iou
from seedbed.metrics.threshold_quality import pqs, tecm
from seedbed.metrics.threshold_tables import ThresholdTable
from seedbed.metrics.transition_table import TransitionTable
from seedbed.runtime.contract import Input, Job, Parameters, Stage
from seedbed.runtime.judging import judgement_json
from seedbed.runtime.paths import OWN, SHARED

FORMS = (OWN, SHARED)


def run(job: Job) -> bytes:
    """The threshold file of one split.

    `own`: `scores` holds one pair, that of the refined CAMs' regions axis. `shared`: `scores` holds one row per pair of
    the slice, by label, all on the same refined CAMs; their AffinityNet was trained at the regions axis.

    Raises:
        SeedbedError: an unknown form, or a setting of PSA's powers of the background score, which is not a pair.
    """
    form = str(job.slice.get("form", OWN))
    if form not in FORMS:
        raise SeedbedError(unknown_name("form of threshold quality", form, FORMS))
    labels = [job.slice["regions"]] if form == OWN else job.slice["pairs"]
    rows = pair_scores(job, [_pair(str(label)) for label in labels])
    result = {
        "form": form,
        "regions": str(job.slice["regions"]),
        "scores": rows[0] if form == OWN else dict(zip(labels, rows, strict=True)),
    }
    return judgement_json(STAGE, job, "threshold_quality", result)


def _pair(label: str) -> tuple[float, float]:
    regions = Regions.parse(label)
    if regions.kind != "thresholds":
        raise SeedbedError(f"threshold quality is defined for pairs (bg0.10-fg0.40), got {regions}")
    return regions.low, regions.high


def pair_scores(job: Job, pairs: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """NPR, PQS and TECM of each pair, from one pass over the initial and the refined CAMs of the split."""
    thresholds = [threshold for pair in pairs for threshold in pair]
    classes = len(job.dataset.classes) + 1
    tables = {name: ThresholdTable.empty(thresholds, classes) for name in ("initial", "refined")}
    moves = TransitionTable.empty(thresholds)
    initial, refined = (job.maps(name) for name in ("cams", "refined"))
    image_ids = job.dataset.image_ids(job.split)
    for image_id in job.progress(image_ids, len(image_ids), "threshold_quality"):
        before, after = initial.scores(image_id), refined.scores(image_id)
        class_ids = np.array(initial[image_id].class_ids, dtype=np.int64)
        truth = job.true_mask(image_id) if job.slice["masks"] else None
        tables["initial"].add(before, class_ids, truth)
        tables["refined"].add(after, class_ids, truth)
        moves.add(before, after)
    transitions = moves.transitions(pairs)
    npr = {name: table.neutral_ratio(pairs).tolist() for name, table in tables.items()}
    to_background = transitions.neutral_to_background.tolist()
    to_foreground = transitions.neutral_to_foreground.tolist()
    rows = [_unmasked(*values) for values in zip(*npr.values(), to_background, to_foreground, strict=True)]
    if job.slice["masks"]:
        lookup = job.dataset.mask_lookup
        counts = {name: join_predictions(table.confusion(pairs), lookup) for name, table in tables.items()}
        for row, before, after in zip(rows, *counts.values(), strict=True):
            row |= _masked(row["npr_initial"], row["npr_refined"], before, after)
    return rows


def _unmasked(
    npr_initial: float, npr_refined: float, to_background: int, to_foreground: int
) -> dict[str, Any]:
    moved = (npr_initial, npr_refined, to_background, to_foreground)
    return {
        "npr_initial": npr_initial,
        "npr_refined": npr_refined,
        "neutral_to_background": to_background,
        "neutral_to_foreground": to_foreground,
        "tecm": tecm(*moved, variant="equation-4"),
        "tecm_printed": tecm(*moved, variant="printed"),
    }


def _masked(
    npr_initial: float, npr_refined: float, initial: np.ndarray, refined: np.ndarray
) -> dict[str, Any]:
    mean_ious = mean_iou(initial), mean_iou(refined)
    pqs_initial, pqs_pseudo = pqs(mean_ious[0], npr_initial), pqs(mean_ious[1], npr_refined)
    return {
        "mean_iou_initial": mean_ious[0],
        "mean_iou_refined": mean_ious[1],
        "pqs_initial": pqs_initial,
        "pqs_pseudo": pqs_pseudo,
        "pqs_mean": (pqs_initial + pqs_pseudo) / 2,
        "counts_initial": initial.tolist(),
        "counts_refined": refined.tolist(),
    }


STAGE = Stage(
    name="threshold_quality",
    version=1,
    summary="Judge pairs of thresholds: NPR, PQS and TECM from initial and refined CAMs.",
    parameters=lambda raw: Parameters,
    inputs={"cams": Input(("maps",)), "refined": Input(("maps",))},
    resources="counts",
    run=run,
    reads_masks=True,
    writes_file=True,
)
