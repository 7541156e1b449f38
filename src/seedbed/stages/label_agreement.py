"""`label_agreement`: label maps that keep the pixels on which two sources agree; the others become neutral (255).

Sources are pseudo masks, confident regions, predictions, or what was made from these. A network that learns from what
is left hears of no pixel that the sources dispute, such as the borders of pseudo masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from seedbed.errors import SeedbedError
from seedbed.refine.agreement import agreeing_labels
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage


class LabelAgreementParameters(ShardedParameters):
    """What becomes of a pixel that only one source labels."""

    one_neutral: Literal["neutral", "other"] = Field(
        default="neutral",
        description="where one source is neutral (255): neutral, or the other source's label",
    )


def run(job: Job) -> Iterator[tuple[str, UInt8[np.ndarray, "height width"]]]:
    """Yield the label map of each image.

    Raises:
        SeedbedError: the sources' label maps of an image differ in size.
    """
    parameters: LabelAgreementParameters = job.parameters
    sources = [job.artifact(name) for name in ("labels", "others")]
    labels, others = (source.open(job.split, job.shard) for source in sources)
    for image_id in job.image_ids:
        first, second = labels[image_id], others[image_id]
        if first.shape != second.shape:
            sizes = " and ".join(f"{width}x{height}" for height, width in (first.shape, second.shape))
            raise SeedbedError(
                f"{sources[0].folder} and {sources[1].folder}: expected label maps of {image_id!r} of one size, got "
                f"{sizes}; run their stages again"
            )
        yield image_id, agreeing_labels(first, second, one_neutral=parameters.one_neutral)


STAGE = Stage(
    name="label_agreement",
    version=1,
    summary="Keep the pixels of label maps on which two sources agree.",
    parameters=lambda raw: LabelAgreementParameters,
    inputs={"labels": Input(("label_maps",)), "others": Input(("label_maps",))},
    resources="pixels",
    run=run,
    makes="agreed_masks",
)
