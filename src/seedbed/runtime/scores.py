"""From stored CAMs to scores in [0, 1] at image size, and the true mask: the same way in every stage."""

import numpy as np
from jaxtyping import Float32, UInt8

from seedbed.artifacts.cams import Cams
from seedbed.cam.normalisation import Form, normalise
from seedbed.cam.rebuild import full_resolution
from seedbed.errors import SeedbedError
from seedbed.runtime.contract import Job

NORMALISATION: dict[str, Form] = {"dump_cams": "max", "random_walk": "global_max"}
"""By the stage that made the maps. CAMs are divided by the maximum of each class; what comes out of a random walk by
the maximum over all classes (IRN), since the walk has put the classes on one scale."""


def full_size_scores(stored: Cams, stage: str) -> Float32[np.ndarray, "classes height width"]:
    """Scores of the present classes at image size.

    Args:
        stored: CAMs of one image.
        stage: that made them.
    """
    return grid_scores(stored, stage, stored.size)


def grid_scores(stored: Cams, stage: str, grid: tuple[int, int]) -> Float32[np.ndarray, "classes h w"]:
    """Scores of the present classes on a grid over the image, for instance AffinityNet's."""
    if not stored.class_ids:
        return np.zeros((0, *grid), np.float32)
    return normalise(full_resolution(list(stored.maps), grid), NORMALISATION[stage])


def true_mask(job: Job, image_id: str) -> UInt8[np.ndarray, "height width"]:
    """The mask of an image, for evaluation.

    Raises:
        SeedbedError: the data set has none for it.
    """
    mask = job.dataset.mask(image_id)
    if mask is None:
        raise SeedbedError(
            f"image {image_id} of split {job.split} has no mask; declare `masks: false` for that split, or add the mask"
        )
    return mask
