"""`threshold_quality`: NPR, PQS and TECM of one pair of thresholds, with the AffinityNet trained at that pair.

The initial CAMs and the refined CAMs are cut at the same pair; NPR needs no masks, PQS and TECM's context do.
Threshold-quality paper, equations (1) to (4).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seedbed.artifacts.manifest import to_json
from seedbed.cam.thresholds import Regions
from seedbed.errors import SeedbedError
from seedbed.metrics.segmentation import mean_iou
from seedbed.metrics.threshold_quality import pqs, tecm
from seedbed.metrics.threshold_tables import ThresholdTable
from seedbed.metrics.transition_table import TransitionTable
from seedbed.stages.contract import Input, Job, Parameters, Stage
from seedbed.stages.scores import full_size_scores, true_mask

STAGE = Stage(
    name="threshold_quality",
    version=1,
    summary="Judge a pair of thresholds: NPR, PQS and TECM from initial and refined CAMs.",
    kind="label_maps",
    parameters=lambda raw: Parameters,
    inputs={"cams": Input(("cams",)), "refined": Input(("cams",))},
    function="seedbed.stages.threshold_quality:run",
    node=False,
    reads_masks=True,
    writes_file=True,
)


def run(job: Job) -> bytes:
    """The threshold file of one pair on one split.

    Raises:
        SeedbedError: the regions setting is PSA's powers of the background score, which is no pair of thresholds.
    """
    regions = Regions.parse(str(job.slice["regions"]))
    if regions.kind != "thresholds":
        raise SeedbedError(f"threshold quality is defined for pairs (bg0.10-fg0.40), got {regions}")
    pair = (regions.low, regions.high)
    initial, refined = job.inputs["cams"], job.inputs["refined"]
    assert initial is not None
    assert refined is not None
    classes = len(job.dataset.classes) + 1
    tables = {name: ThresholdTable.empty(pair, classes) for name in ("initial", "refined")}
    moves = TransitionTable.empty(pair)
    initial_cams, refined_cams = initial.cams(job.split), refined.cams(job.split)
    image_ids = job.dataset.image_ids(job.split)
    for image_id in job.progress(image_ids, len(image_ids), "threshold_quality"):
        before = full_size_scores(initial_cams[image_id], initial.manifest.stage)
        after = full_size_scores(refined_cams[image_id], refined.manifest.stage)
        class_ids = np.array(initial_cams[image_id].class_ids, dtype=np.int64)
        truth = true_mask(job, image_id) if job.slice["masks"] else None
        tables["initial"].add(before, class_ids, truth)
        tables["refined"].add(after, class_ids, truth)
        moves.add(before, after)
    transitions = moves.transitions([pair])
    n2b, n2f = int(transitions.neutral_to_background[0]), int(transitions.neutral_to_foreground[0])
    npr = {name: float(table.neutral_ratio([pair])[0]) for name, table in tables.items()}
    result: dict[str, Any] = {
        "npr_initial": npr["initial"],
        "npr_refined": npr["refined"],
        "neutral_to_background": n2b,
        "neutral_to_foreground": n2f,
        "tecm": tecm(npr["initial"], npr["refined"], n2b, n2f, variant="equation-4"),
        "tecm_printed": tecm(npr["initial"], npr["refined"], n2b, n2f, variant="printed"),
    }
    if job.slice["masks"]:
        counts = {name: table.confusion([pair])[0] for name, table in tables.items()}
        miou = {name: mean_iou(c) for name, c in counts.items()}
        quality = {name: pqs(miou[name], npr[name]) for name in tables}
        result |= {
            "mean_iou_initial": miou["initial"],
            "mean_iou_refined": miou["refined"],
            "pqs_initial": quality["initial"],
            "pqs_pseudo": quality["refined"],
            "pqs_mean": (quality["initial"] + quality["refined"]) / 2,
            "counts_initial": counts["initial"].tolist(),
            "counts_refined": counts["refined"].tolist(),
        }
    head = {
        "stage": STAGE.name,
        "stage_version": STAGE.version,
        "dataset": job.slice["dataset"],
        "node": job.slice["node"],
        "split": job.split,
        "kind": "threshold_quality",
        "form": "own",
        "regions": str(regions),
        "parameters": dict(job.slice),
        "inputs": dict(job.contents),
        "ledger": [entry.model_dump() for entry in job.ledger],
    }
    return to_json(head | {"scores": result})
