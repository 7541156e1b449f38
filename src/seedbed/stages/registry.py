"""The table of stages that recipes can use in nodes. A new one is one file, one line here, a rule and a script.

The plan adds the others itself: `prepare_dataset`, `report`, and the judges (`seedbed.plan.judges`).
"""

from seedbed.runtime.contract import Stage
from seedbed.stages import (
    classify,
    confident_regions,
    dump_cams,
    dump_saliency,
    import_maps,
    label_agreement,
    predict,
    pseudo_masks,
    random_walk,
    subcategories,
    superpixel_vote,
    train,
)

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        train.TRAIN_CLASSIFIER,
        classify.STAGE,
        subcategories.STAGE,
        dump_cams.STAGE,
        train.TRAIN_SALIENCY,
        dump_saliency.STAGE,
        confident_regions.STAGE,
        train.TRAIN_AFFINITYNET,
        random_walk.STAGE,
        pseudo_masks.STAGE,
        train.TRAIN_SEGMENTER,
        predict.STAGE,
        superpixel_vote.STAGE,
        label_agreement.STAGE,
        import_maps.IMPORT_CAMS,
        import_maps.IMPORT_SALIENCY,
        import_maps.IMPORT_PSEUDO_MASKS,
    )
}
