"""Label maps made even within superpixels ("Pets without masks", §2.4): SLIC, a majority vote, smoothing.

Pixels without label (255) take no part: they cast no vote and stay as they are.
"""

from typing import Literal

import numpy as np
from jaxtyping import Int64, UInt8

from seedbed.labels import IGNORE

ColourSpace = Literal["lab", "rgb"]
Ties = Literal["lowest", "keep", "neutral"]


def slic_superpixels(
    image: UInt8[np.ndarray, "H W 3"],
    n_segments: int = 100,
    compactness: float = 10.0,
    sigma: float = 0.0,
    colour_space: ColourSpace = "lab",
    iterations: int = 10,
    connected: bool = True,
) -> Int64[np.ndarray, "H W"]:
    """Superpixels by SLIC (Achanta et al. 2012), numbered from 0, as scikit-image computes them.

    Args:
        image: RGB; its values are stretched to [0, 1] first, so that `compactness` does not depend on contrast.
        n_segments: superpixels to start from; how many there are in the end depends on the image.
        compactness: weight of distance in the image against distance in colour. In `lab`, differences of colour reach
            about 100, in `rgb` 1, so that the same number means another thing.
        sigma: of the Gaussian that the image is smoothed with, in pixels.
        iterations: of k-means, at most.
        connected: whether each superpixel becomes one connected region.
    """
    from skimage.segmentation import slic

    found = slic(
        image,
        n_segments=n_segments,
        compactness=compactness,
        sigma=sigma,
        convert2lab=colour_space == "lab",
        max_num_iter=iterations,
        enforce_connectivity=connected,
        start_label=0,
        channel_axis=-1,
    )
    return np.asarray(found, dtype=np.int64)


def majority_vote(
    label_map: UInt8[np.ndarray, "H W"], superpixels: Int64[np.ndarray, "H W"], ties: Ties = "lowest"
) -> UInt8[np.ndarray, "H W"]:
    """Each superpixel takes the label that most of its labelled pixels have.

    Args:
        label_map: 0 background, c + 1 class c, 255 no label, which stays.
        superpixels: numbers from 0.
        ties: of labels with equal votes, the `lowest` wins, which is background if it is among them; or the pixels of
            the superpixel `keep` their labels; or they become 255, `neutral`.
    """
    labelled = label_map != IGNORE
    if not labelled.any():
        return label_map.copy()
    labels = int(label_map[labelled].max()) + 1
    number = int(superpixels.max()) + 1
    cast = superpixels[labelled] * labels + label_map[labelled]
    votes = np.bincount(cast, minlength=number * labels).reshape(number, labels)
    winners = votes.argmax(1).astype(np.uint8)
    voted = winners[superpixels]
    if ties != "lowest":
        tied = ((votes == votes.max(1, keepdims=True)).sum(1) > 1)[superpixels]
        voted = np.where(tied, label_map if ties == "keep" else np.uint8(IGNORE), voted)
    return np.where(labelled, voted, label_map)


def smooth_labels(label_map: UInt8[np.ndarray, "H W"], side: int) -> UInt8[np.ndarray, "H W"]:
    """Each pixel takes the most frequent label of the square around it.

    Of labels that are equally frequent a pixel keeps its own, else the lowest wins. At the border the square is cut
    off. Pixels without label (255) do not count and stay.

    Args:
        label_map: 0 background, c + 1 class c, 255 no label.
        side: of the square, odd; 1 changes nothing.

    Raises:
        ValueError: an even side.
    """
    if side % 2 == 0:
        raise ValueError(f"expected an odd side of the square, got {side}")
    most = np.full(label_map.shape, -1, np.int64)
    own = np.zeros(label_map.shape, np.int64)
    smoothed = label_map.copy()
    for label in np.unique(label_map[label_map != IGNORE]):
        here = label_map == label
        counts = _counts_around(here, side // 2)
        own[here] = counts[here]
        smoothed[counts > most] = label
        most = np.maximum(most, counts)
    stays = (label_map == IGNORE) | (own == most)
    return np.where(stays, label_map, smoothed)


def _counts_around(here: np.ndarray, reach: int) -> Int64[np.ndarray, "H W"]:
    """How many pixels of a mask lie in the square of 2 reach + 1 pixels around each pixel, from an integral image."""
    height, width = here.shape
    integral = np.zeros((height + 1, width + 1), np.int64)
    integral[1:, 1:] = here.cumsum(0).cumsum(1)
    top, bottom = _bounds(height, reach)
    left, right = _bounds(width, reach)
    return np.asarray(
        integral[np.ix_(bottom, right)]
        - integral[np.ix_(top, right)]
        - integral[np.ix_(bottom, left)]
        + integral[np.ix_(top, left)]
    )


def _bounds(length: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    places = np.arange(length)
    return np.maximum(places - reach, 0), np.minimum(places + reach + 1, length)
