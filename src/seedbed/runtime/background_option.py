"""The background score as a parameter of stages: a number, or Otsu's threshold of the scores, which needs no mask.

Otsu's threshold is that of one histogram: the largest scores over the classes, at every pixel of every image of split
`train` that has a label; of all splits where the CAMs have no `train`. The stages that make CAMs count it and their
manifests hold it, so it is one number for the CAMs, whatever the number of shards.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.maps import SHARES
from seedbed.errors import SeedbedError

OTSU: Literal["otsu"] = "otsu"
ARGMAX_OF_SHARES = 0.5
"""A class's share exceeds it exactly where the class's score exceeds the background's."""
POOLED = "train"
"""Split whose images are pooled."""


def _checked(value: object) -> object:
    if value == OTSU:
        return value
    try:
        number = float(value) if isinstance(value, int | float | str) and value is not True else -1.0
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"expected a number from 0 to 1, or {OTSU}, got {value!r}")
    return number


BackgroundScore = Annotated[Annotated[float, Field(ge=0, le=1)] | Literal["otsu"], BeforeValidator(_checked)]


def background_score(choice: BackgroundScore, cams: Artifact) -> float:
    """The number that a choice stands for.

    Args:
        choice: the number itself, or `otsu`, which is 0.5 for shares (`background_alpha` of `random_walk`).
        cams: CAMs or refined CAMs, to which the score will be applied.

    Raises:
        SeedbedError: `otsu`, and no image has a label, or all scores are in one bin.
    """
    if choice != OTSU:
        return float(choice)
    return ARGMAX_OF_SHARES if cams.manifest.facts.get(SHARES) else pooled_threshold(cams)


def pooled_threshold(cams: Artifact) -> float:
    """Otsu's threshold of all labelled images of `train`, or of all splits if there are no CAMs of `train`.

    Raises:
        SeedbedError: no image has a label, or all scores are in one bin.
    """
    from seedbed.cam.otsu import otsu_threshold

    images, histograms = cams.manifest.images, cams.manifest.histograms or {}
    splits = [POOLED] if POOLED in images else sorted(images)
    counted = [histograms[split] for split in splits if split in histograms]
    if not counted:
        raise SeedbedError(
            f"{cams.folder}: background_score: otsu, the default, needs images with a label, but split "
            f"{' and '.join(splits)} has none; set a number"
        )
    try:
        return otsu_threshold(np.sum(counted, axis=0))
    except ValueError as error:
        raise SeedbedError(f"{cams.folder}: background_score: otsu: {error}") from None
