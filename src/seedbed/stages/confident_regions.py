"""`confident_regions`: where a thresholded CAM (the field's "seed") can be trusted; 255 where it cannot.

With thresholds (`bg0.10-fg0.40`; IRN, Ahn et al. 2019) two maps are made from the largest score: one whose foreground
is sure (score ≥ fg) and one whose background is sure (score ≤ bg), each sharpened by a dense CRF. A pixel takes the
first map's class where there is one, 0 where both say background, and 255 otherwise.

With powers (`alpha4-24`; PSA, Ahn & Kwak 2018) the background score is (1 - max)^α, with the low α for the foreground
and the high one for the background, each followed by a dense CRF on the scores.

With `saliency`, background is decided by it instead (salient affinity labels; David et al., P-NOC, §5): salient where
saliency > bg, a class where the largest score of CAMs ≥ fg within that, each sharpened by the CRF; 255 where a pixel is
salient without a class. An image without classes is then neutral throughout. Only thresholds go with it.

`regions` is the axis of that name: `snakemake all` uses the recipe's value, `snakemake sweep` each of `thresholds` in
params.yaml. Without saliency, an image without classes is all background. Decisions fall among the
classes of the CAMs; the label maps have those of the masks (`class_map` of the data set).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from seedbed.cam.thresholds import Regions
from seedbed.errors import SeedbedError
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
        description="with powers: side of the blocks whose mean scores decide for all their pixels (PSA 8); "
        "no effect with thresholds",
    )
    crf: CrfChoice = Field(default="irn", description="preset of the dense CRF after each threshold, or none")

    def unused_inputs(self) -> tuple[str, ...]:
        """PSA's powers know no saliency."""
        return () if Regions.parse(self.regions).kind == "thresholds" else ("saliency",)


def run(job: Job) -> Iterator[tuple[str, UInt8[np.ndarray, "height width"]]]:
    """Yield the label map of each image: 0 background, c + 1 class c, 255 neutral.

    Raises:
        SeedbedError: saliency with PSA's powers, or of another size than the CAMs.
    """
    from seedbed.refine.confident_regions import alpha_regions, salient_regions, threshold_regions

    parameters: ConfidentRegionsParameters = job.parameters
    regions = Regions.parse(parameters.regions)
    cams = job.maps("cams")
    saliency = job.artifact("saliency").open(shard=job.shard) if "saliency" in job.inputs else None
    if saliency is not None and regions.kind != "thresholds":
        raise SeedbedError(
            f"saliency goes with thresholds (bg0.10-fg0.40), not with {regions}; leave the input out, or change regions"
        )
    for image_id in job.image_ids:
        class_ids, scores = cams[image_id].class_ids, cams.scores(image_id)
        image = job.dataset.image(image_id) if parameters.has_crf and class_ids else None
        if saliency is not None:
            by_label = parameters.label_refiner(image) if image else None
            salient = saliency.scores(image_id)[0]
            try:
                label_map = salient_regions(scores, class_ids, salient, regions.low, regions.high, by_label)
            except ValueError as error:
                raise SeedbedError(f"image {image_id!r}: {error}") from None
        elif regions.kind == "thresholds":
            by_label = parameters.label_refiner(image) if image else None
            label_map = threshold_regions(scores, class_ids, regions.low, regions.high, by_label)
        else:
            by_score = parameters.score_refiner(image) if image else None
            label_map = alpha_regions(
                scores, class_ids, regions.low, regions.high, by_score, parameters.pooling
            )
        yield image_id, job.dataset.in_mask_classes(label_map)


STAGE = Stage(
    name="confident_regions",
    version=1,
    summary="Find the confident regions of CAMs: thresholds, then dense CRF.",
    parameters=lambda raw: ConfidentRegionsParameters,
    inputs={"cams": Input(("cams", "refined_cams")), "saliency": Input(("saliency",), required=False)},
    resources="pixels",
    run=run,
    makes="regions",
)
