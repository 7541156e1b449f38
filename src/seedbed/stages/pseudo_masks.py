"""`pseudo_masks`: decide a label for each pixel from refined CAMs (or plain ones).

`decide: argmax` takes the class of the largest score, or background where no score is above `background_score`: a
number, or `otsu`, the default, Otsu's threshold of the largest scores in all images of split `train` that have a label.
No mask is used for it; the manifest's facts hold the number.
`decide: same_pair` uses the pair of the regions axis, as the threshold-quality paper does: what lies between the two
thresholds stays 255. Only then does the node itself depend on that axis. A dense CRF, if requested, sharpens the
labels. Decisions fall among the classes of the CAMs; the label maps have those of the masks (`class_map` of the data
set).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from seedbed.cam.thresholds import Regions
from seedbed.runtime.background_option import OTSU, BackgroundScore, background_score
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage
from seedbed.runtime.crf_options import CrfOptions
from seedbed.runtime.regions_option import DEFAULT_REGIONS, RegionsLabel


class PseudoMasksParameters(CrfOptions, ShardedParameters):
    """How a pixel is decided."""

    decide: Literal["argmax", "same_pair"] = Field(
        default="argmax",
        description="argmax of one background score and the classes; or the pair of the regions axis, else neutral",
    )
    background_score: BackgroundScore = Field(
        default=OTSU, description="score of background, for argmax; otsu chooses it without masks"
    )
    crf_labels: Literal["found", "present"] = Field(
        default="found",
        description="the CRF's labels: those that have a pixel, or all that the image-level labels name (IRN, ISIM)",
    )
    crf_unary: Literal["labels", "scores"] = Field(
        default="labels",
        description="the CRF starts from the decided labels (IRN); or, with argmax, from the scores and the background "
        "score (PSA), divided by their sum",
    )
    regions: RegionsLabel = Field(default=DEFAULT_REGIONS, description="the regions axis, for same_pair")

    def uses_regions(self) -> bool:
        """Only `same_pair` reads the pair."""
        return self.decide == "same_pair"

    def finds_threshold(self) -> bool:
        """Otsu's threshold follows from the CAMs."""
        return self.decide == "argmax" and self.background_score == OTSU

    def faults(self) -> Iterator[str]:
        """A CRF on scores needs a CRF and the background's score."""
        if self.crf_unary == "scores" and (not self.has_crf or self.decide != "argmax"):
            yield (
                f"crf_unary: scores goes with a CRF and decide: argmax, got crf: {self.crf} and decide: {self.decide}; "
                "set both, or leave crf_unary out"
            )
        if self.crf_unary == "scores" and self.crf_labels == "present":
            yield "crf_labels: present has no effect with crf_unary: scores, which always has all classes; leave it out"


def run(job: Job) -> Iterator[tuple[str, UInt8[np.ndarray, "height width"]]]:
    """Yield the pseudo mask of each image: 0 background, c + 1 class c, 255 neutral."""
    from seedbed.refine.confident_regions import decide_argmax, decide_refined, decide_same_pair
    from seedbed.refine.crf.refiners import sharpen_label_map

    parameters: PseudoMasksParameters = job.parameters
    score = 0.0
    if parameters.decide == "argmax":
        score = background_score(parameters.background_score, job.artifact("cams"))
    if parameters.finds_threshold():
        job.facts["background_score"] = score
    cams = job.maps("cams")
    for image_id in job.image_ids:
        class_ids, scores = cams[image_id].class_ids, cams.scores(image_id)
        if parameters.crf_unary == "scores":
            refine_scores = parameters.score_refiner(job.dataset.image(image_id))
            label_map = decide_refined(scores, class_ids, score, refine_scores)
        elif parameters.decide == "argmax":
            label_map = decide_argmax(scores, class_ids, score)
        else:
            regions = Regions.parse(parameters.regions)
            label_map = decide_same_pair(scores, class_ids, regions.bg_threshold, regions.fg_threshold)
        if parameters.has_crf and parameters.crf_unary == "labels":
            refine = parameters.label_refiner(job.dataset.image(image_id))
            named = class_ids if parameters.crf_labels == "present" else None
            label_map = sharpen_label_map(label_map, refine, named)
        yield image_id, job.dataset.in_mask_classes(label_map)


STAGE = Stage(
    name="pseudo_masks",
    version=3,
    summary="Decide pseudo masks from refined CAMs or CAMs.",
    parameters=lambda raw: PseudoMasksParameters,
    inputs={"cams": Input(("refined_cams", "cams"))},
    resources="pixels",
    run=run,
    makes="pseudo_masks",
)
