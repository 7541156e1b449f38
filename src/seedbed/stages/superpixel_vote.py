"""`superpixel_vote`: refine label maps by the superpixels of their photographs, in which the majority decides.

Self-training on pets (Iterative Self-Training with Superpixels, §2.4 and §3.3) trains the next round on predictions
that are refined so. SLIC makes the superpixels; neutral pixels (255) have no vote and stay. The paper leaves open the
number of superpixels, ties and smoothing, so these are parameters; scikit-image's defaults stand for what it does not
say. `smoothing` is a majority filter after the vote.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from seedbed.errors import SeedbedError
from seedbed.refine.superpixels import Colours, Ties
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage


class SuperpixelVoteParameters(ShardedParameters):
    """Superpixels and vote."""

    n_segments: int = Field(default=100, ge=1, description="about how many superpixels a photograph has")
    compactness: float = Field(
        default=0.001,
        gt=0,
        description="weight of nearness against colour (the paper: 0.01 and 0.001)",
    )
    sigma: float = Field(
        default=0.0, ge=0, description="of the Gaussian that smooths the photograph first, pixels"
    )
    colours: Colours = Field(default="lab", description="space in which colours are compared")
    ties: Ties = Field(
        default="lowest",
        description="of equally frequent labels the lowest (background first) or the highest; or nothing changes",
    )
    smoothing: int = Field(
        default=0, ge=0, description="side of the square of a majority filter after the vote, odd; 0 for none"
    )

    def faults(self) -> Iterator[str]:
        """The square has a middle."""
        if self.smoothing and self.smoothing % 2 == 0:
            yield f"expected an odd `smoothing`, or 0, got {self.smoothing}"


def run(job: Job) -> Iterator[tuple[str, UInt8[np.ndarray, "height width"]]]:
    """Yield the refined label map of each image.

    Raises:
        SeedbedError: a label map of another size than its photograph.
    """
    from seedbed.refine.superpixels import majority_filter, majority_vote, superpixels

    p: SuperpixelVoteParameters = job.parameters
    label_maps = job.artifact("labels").open(job.split, job.shard)
    for image_id in job.image_ids:
        image, label_map = np.asarray(job.dataset.image(image_id)), label_maps[image_id]
        if label_map.shape != image.shape[:2]:
            (height, width), (found, across) = image.shape[:2], label_map.shape
            raise SeedbedError(
                f"{job.artifact('labels').folder}: expected a label map of {image_id!r} of its photograph's size "
                f"{width}x{height}, but it is {across}x{found}; run its stage again"
            )
        segments = superpixels(image, p.n_segments, p.compactness, p.sigma, p.colours)
        voted = majority_vote(label_map, segments, p.ties)
        yield image_id, majority_filter(voted, p.smoothing) if p.smoothing else voted


STAGE = Stage(
    name="superpixel_vote",
    version=1,
    summary="Refine label maps by a majority vote in superpixels (SLIC).",
    parameters=lambda raw: SuperpixelVoteParameters,
    inputs={"labels": Input(("label_maps",))},
    resources="pixels",
    run=run,
    makes="pseudo_masks",
)
