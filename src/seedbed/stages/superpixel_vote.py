"""`superpixel_vote`: label maps in which each superpixel of the photograph has one label, that of most of its pixels.

Superpixels are those of SLIC, by scikit-image. Pixels without label (255) cast no vote and stay as they are. It reads
pseudo masks, confident regions or predictions; self-training puts it between the predictions of one round and the
training of the next ("Pets without masks", §2.4).

The paper gives compactnesses of 0.01 and 0.001; it says nothing of the number of superpixels, the colour space or ties,
and calls smoothing optional. The defaults are scikit-image's. What a compactness means depends on the colour space.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from pydantic import Field, field_validator

from seedbed.errors import SeedbedError
from seedbed.refine.superpixels import ColourSpace, Ties, majority_vote, slic_superpixels, smooth_labels
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage


class SuperpixelVoteParameters(ShardedParameters):
    """Superpixels, and how a label is decided."""

    n_segments: int = Field(default=100, ge=1, le=100_000, description="superpixels that SLIC starts from")
    compactness: float = Field(
        default=10.0,
        gt=0,
        description="weight of distance in the image against distance in colour: the smaller, the closer superpixels "
        "follow colours",
    )
    sigma: float = Field(
        default=0.0, ge=0, description="of the Gaussian that smooths the image first, in pixels"
    )
    colour_space: ColourSpace = Field(default="lab", description="where colours are compared")
    iterations: int = Field(default=10, ge=1, le=1000, description="of SLIC, at most")
    connected: bool = Field(default=True, description="whether each superpixel is one connected region")
    ties: Ties = Field(
        default="lowest",
        description="of labels with equal votes the lowest wins (background first), or pixels keep theirs, or become "
        "neutral (255)",
    )
    smoothing: int = Field(
        default=1,
        ge=1,
        le=255,
        description="side of the square whose most frequent label each pixel takes after the vote, odd; 1: none",
    )

    @field_validator("smoothing")
    @classmethod
    def _odd(cls, side: int) -> int:
        if side % 2 == 0:
            raise ValueError(f"expected an odd side of the square, got {side}")
        return side


def run(job: Job) -> Iterator[tuple[str, UInt8[np.ndarray, "height width"]]]:
    """Yield the label map of each image after the vote.

    Raises:
        SeedbedError: a label map does not have the size of its photograph.
    """
    parameters: SuperpixelVoteParameters = job.parameters
    labels = job.artifact("labels")
    label_maps = labels.open(job.split, job.shard)
    for image_id in job.image_ids:
        image, label_map = np.array(job.dataset.image(image_id)), label_maps[image_id]
        if label_map.shape != image.shape[:2]:
            raise SeedbedError(
                f"{labels.folder}: expected a label map of {image_id!r} of its photograph's size "
                f"{image.shape[1]}x{image.shape[0]}, but it is {label_map.shape[1]}x{label_map.shape[0]}; run its "
                "stage again"
            )
        superpixels = slic_superpixels(
            image,
            parameters.n_segments,
            parameters.compactness,
            parameters.sigma,
            parameters.colour_space,
            parameters.iterations,
            parameters.connected,
        )
        voted = majority_vote(label_map, superpixels, parameters.ties)
        yield image_id, smooth_labels(voted, parameters.smoothing)


STAGE = Stage(
    name="superpixel_vote",
    version=1,
    summary="Give each superpixel of label maps the label of most of its pixels.",
    parameters=lambda raw: SuperpixelVoteParameters,
    inputs={"labels": Input(("label_maps",))},
    resources="pixels",
    run=run,
    makes="superpixel_masks",
)
