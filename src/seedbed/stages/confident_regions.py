"""`confident_regions`: where a thresholded CAM (the field's "seed") can be trusted; 255 where it cannot.

With thresholds (`bg0.10-fg0.40`; IRN, Ahn et al. 2019) two maps are made from the largest score: one whose foreground
is sure (score ≥ fg) and one whose background is sure (score ≤ bg), each sharpened by a dense CRF. A pixel takes the
first map's class where there is one, 0 where both say background, and 255 otherwise.

With powers (`alpha4-24`; PSA, Ahn & Kwak 2018) the background score is (1 - max)^α, with the low α for the foreground
and the high one for the background, each followed by a dense CRF on the scores.

`regions` is the axis of that name: `snakemake all` uses the recipe's value, `snakemake sweep` each of `thresholds` in
params.yaml. An image without classes is all background.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from pydantic import Field, model_validator

from seedbed.cam.thresholds import Regions
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage
from seedbed.runtime.crf_options import CrfChoice, CrfOptions
from seedbed.runtime.regions_option import DEFAULT_REGIONS, RegionsLabel


class ConfidentRegionsParameters(CrfOptions, ShardedParameters):
    """Thresholds and CRF."""

    REGIONS = True

    regions: RegionsLabel = Field(
        default=DEFAULT_REGIONS,
        description="background where score <= bg, foreground where score >= fg; or alpha4-24",
    )
    pooling: int = Field(
        default=1,
        ge=1,
        le=512,
        description="with powers: side of the blocks whose mean scores decide for all their pixels (PSA 8)",
    )
    crf: CrfChoice = Field(default="irn", description="preset of the dense CRF after each threshold, or none")

    @model_validator(mode="after")
    def _scores_are_pooled(self) -> ConfidentRegionsParameters:
        if self.pooling > 1 and Regions.parse(self.regions).kind == "thresholds":
            raise ValueError(
                "pooling is of scores, which thresholds do not decide by after the CRF; set pooling: 1"
            )
        return self


def run(job: Job) -> Iterator[tuple[str, UInt8[np.ndarray, "height width"]]]:
    """Yield the label map of each image: 0 background, c + 1 class c, 255 neutral."""
    from seedbed.refine.confident_regions import alpha_regions, threshold_regions

    parameters: ConfidentRegionsParameters = job.parameters
    regions = Regions.parse(parameters.regions)
    cams = job.maps("cams")
    for image_id in job.image_ids:
        class_ids, scores = cams[image_id].class_ids, cams.scores(image_id)
        image = job.dataset.image(image_id) if parameters.has_crf and class_ids else None
        if regions.kind == "thresholds":
            by_label = parameters.label_refiner(image) if image else None
            label_map = threshold_regions(scores, class_ids, regions.low, regions.high, by_label)
        else:
            by_score = parameters.score_refiner(image) if image else None
            label_map = alpha_regions(
                scores, class_ids, regions.low, regions.high, by_score, parameters.pooling
            )
        yield image_id, label_map


STAGE = Stage(
    name="confident_regions",
    version=1,
    summary="Find the confident regions of CAMs: thresholds, then dense CRF.",
    parameters=lambda raw: ConfidentRegionsParameters,
    inputs={"cams": Input(("cams", "refined_cams"))},
    resources="pixels",
    run=run,
    makes="regions",
)
