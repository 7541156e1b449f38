"""`threshold_choice`: the background scores that criteria without masks choose for CAMs and refined CAMs.

Criteria of the histogram of scores that the manifest holds: Otsu's, isodata, Li's, Kapur's, and the expected IoU if
scores were probabilities. Criteria over a grid of background scores, 0 to 0.99: the best mean IoU with the confident
regions from which the AffinityNet learnt (refined CAMs only), the best agreement of single scales with all together
(CAMs of several scales; with `keep_flips` also of the mirrored halves), and the highest one at which the labelled
classes keep a pixel. Beside them stand the numbers that published methods fixed.

For each choice the file holds what else needs no mask: the share of labelled classes that have no pixel in their image,
and the share of the pixels that each class has. The page compares the mean IoU at the choices with the best one, where
there are masks (`evaluate`'s curve); this stage reads none. No image is read either.

The plan adds this stage for each node of CAMs in a recipe's `scores`, on split `train`, or on all of its splits if it
has no `train`: those from which Otsu's threshold is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.artifacts.manifest import NORMALISATION
from seedbed.artifacts.maps import Maps, scores_of
from seedbed.metrics.label_presence import LabelPresence
from seedbed.metrics.regret import nearest
from seedbed.metrics.segmentation import join_predictions, mean_ious
from seedbed.runtime.background_criteria import CRITERIA, Evidence
from seedbed.runtime.contract import Input, Job, Parameters, Stage
from seedbed.runtime.judging import judgement_json

if TYPE_CHECKING:
    from seedbed.metrics.threshold_tables import ThresholdTable

GRID = np.round(np.arange(0, 1, 0.01), 2).tolist()
"""The background scores of `evaluate`'s curve at its default step."""
STRIDE = 4
"""Of the grid on which views are compared; their cells are coarser, and every pixel would take most of the time."""


def run(job: Job) -> bytes:
    """The choices on one split: one row per criterion; `background_score` is null where it has nothing to choose by."""
    evidence, areas, labels = gather_evidence(job)
    rows = {
        name: _row(job, evidence, criterion.choose(evidence), areas, labels)
        for name, criterion in CRITERIA.items()
    }
    return judgement_json(STAGE, job, job.artifact("target").meaning.score, {"scores": rows})


def gather_evidence(job: Job) -> tuple[Evidence, np.ndarray, int]:
    """One pass over the CAMs: the evidence, the share of each class at each score, and the number of labels."""
    from seedbed.metrics.threshold_tables import ThresholdTable
    from seedbed.metrics.view_agreement import ViewAgreement

    target, cams = job.artifact("target"), job.maps("target")
    regions = job.artifact("regions").open(job.split) if "regions" in job.inputs else None
    facts, classes = target.manifest.facts, len(job.dataset.classes) + 1
    table, presence = ThresholdTable.empty(GRID, classes), LabelPresence.empty(GRID)
    agreement, several = ViewAgreement.empty(GRID, classes), False
    image_ids = job.dataset.image_ids(job.split)
    for image_id in job.progress(image_ids, len(image_ids), "threshold_choice"):
        stored = cams[image_id]
        scores = scores_of(stored, facts)
        class_ids = np.array(stored.class_ids, dtype=np.int64)
        table.add(scores, class_ids, None if regions is None else regions[image_id])
        presence.add(scores)
        if views := list(_views(stored, facts[NORMALISATION])):
            height, width = ((side - 1) // STRIDE + 1 for side in stored.size)
            whole, several = scores_of(stored, facts, (height, width)), True
            for view in views:
                agreement.add(whole, scores_of(view, facts, (height, width)), class_ids)
    histogram = (target.manifest.histograms or {}).get(job.split)
    evidence = Evidence(
        grid=np.array(GRID),
        histogram=None if histogram is None else np.array(histogram, np.int64),
        lacking=presence.lacking,
        region_agreement=None if regions is None else _agreement(job, table),
        view_agreement=agreement.curve() if several else None,
    )
    return evidence, table.areas(), presence.labels


def _agreement(job: Job, table: ThresholdTable) -> np.ndarray:
    """Mean IoU with what the table was made with, at each background score; label maps are in the masks' classes."""
    return mean_ious(join_predictions(table.curve(), job.dataset.mask_lookup))


def _views(stored: Maps, normalisation: str) -> Iterator[Maps]:
    """Each scale on its own, its mirrored half apart if that is stored; none if that is all there is.

    Maps that are scores as they are (`none`) have no views, since a part of a sum is no score.
    """
    halves = zip(stored.maps, stored.flips, strict=True) if stored.flips else ()
    parts = [part for both, flip in halves for part in (np.maximum(both - flip, 0), flip)] or stored.maps
    if len(parts) > 1 and normalisation != "none":
        for part in parts:
            yield Maps(stored.class_ids, stored.size, (part,))


def _row(
    job: Job, evidence: Evidence, choice: float | None, areas: np.ndarray, labels: int
) -> dict[str, Any]:
    if choice is None:
        return {"background_score": None, "labelled_without_pixel": None, "area": None, "areas": {}}
    place = nearest(evidence.grid.tolist(), choice)
    return {
        "background_score": choice,
        "labelled_without_pixel": int(evidence.lacking[place]) / labels if labels else None,
        "area": float(areas[place].sum()),
        "areas": dict(zip(job.dataset.classes, areas[place].tolist(), strict=True)),
    }


STAGE = Stage(
    name="threshold_choice",
    version=1,
    summary="Choose background scores of CAMs by criteria that need no masks.",
    parameters=lambda raw: Parameters,
    inputs={"target": Input(("cams", "refined_cams")), "regions": Input(("regions",), required=False)},
    resources="counts",
    run=run,
    writes_file=True,
)
