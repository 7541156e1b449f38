"""The table of stages. A new stage is one module and one line here, one rule, one script."""

from seedbed.runtime.contract import Stage
from seedbed.stages import (
    confident_regions,
    dump_cams,
    evaluate,
    predict,
    prepare_dataset,
    pseudo_masks,
    random_walk,
    report,
    threshold_quality,
    train_affinitynet,
    train_classifier,
    train_segmenter,
)

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        train_classifier.STAGE,
        dump_cams.STAGE,
        confident_regions.STAGE,
        train_affinitynet.STAGE,
        random_walk.STAGE,
        pseudo_masks.STAGE,
        train_segmenter.STAGE,
        predict.STAGE,
    )
}
"""Stages that recipes make nodes of."""

PREPARE_DATASET = prepare_dataset.STAGE
EVALUATE = evaluate.STAGE
THRESHOLD_QUALITY = threshold_quality.STAGE
REPORT = report.STAGE

COMMANDS: dict[str, Stage] = STAGES | {
    stage.name: stage for stage in (PREPARE_DATASET, EVALUATE, THRESHOLD_QUALITY, REPORT)
}
"""Every stage command: the nodes' and those that the plan places itself."""
