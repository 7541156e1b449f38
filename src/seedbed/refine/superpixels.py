"""Label maps refined by superpixels: SLIC (Achanta et al. 2012), then a majority vote in each of them.

SLIC is scikit-image's. It rescales the image to [0, 1] before it converts colours, so its compactness depends on the
colour space: distances in CIELAB are about a hundred times those in RGB.
"""

from typing import Literal

import numpy as np
from jaxtyping import Int64, UInt8

from seedbed.labels import IGNORE

Colours = Literal["lab", "rgb"]
Ties = Literal["lowest", "highest", "unchanged"]


def superpixels(
    image: UInt8[np.ndarray, "H W 3"], n_segments: int, compactness: float, sigma: float, colours: Colours
) -> Int64[np.ndarray, "H W"]:
    """Superpixels of a photograph, numbered from 0; each is connected.

    Args:
        image: RGB.
        n_segments: about how many; not more than there are pixels.
        compactness: weight of nearness against colour.
        sigma: of the Gaussian that smooths the image first, in pixels.
        colours: space in which colours are compared.
    """
    from skimage.segmentation import slic

    found = slic(
        image,
        n_segments=min(n_segments, image.shape[0] * image.shape[1]),
        compactness=compactness,
        sigma=sigma,
        convert2lab=colours == "lab",
        enforce_connectivity=True,
        start_label=0,
        channel_axis=-1,
    )
    return np.asarray(found, dtype=np.int64)


def majority_vote(
    label_map: UInt8[np.ndarray, "H W"], segments: Int64[np.ndarray, "H W"], ties: Ties
) -> UInt8[np.ndarray, "H W"]:
    """Each superpixel takes the label that most of its pixels have; 255 has no vote and stays.

    Args:
        label_map: 0 background, c + 1 class c, 255 neutral.
        segments: superpixels, from 0.
        ties: of the labels with most votes the lowest (background first) or the highest; or the superpixel is left
            unchanged.
    """
    voting = label_map != IGNORE
    if not voting.any():
        return label_map.copy()
    labels = int(label_map[voting].max()) + 1
    cells = segments[voting] * labels + label_map[voting]
    votes = np.bincount(cells, minlength=(int(segments.max()) + 1) * labels).reshape(-1, labels)
    most = votes.max(1)
    first = votes.argmax(1)
    last = labels - 1 - votes[:, ::-1].argmax(1)
    chosen = (last if ties == "highest" else first).astype(np.uint8)[segments]
    kept = (first != last)[segments] if ties == "unchanged" else np.zeros_like(voting)
    return np.where(voting & (most > 0)[segments] & ~kept, chosen, label_map)


def majority_filter(label_map: UInt8[np.ndarray, "H W"], side: int) -> UInt8[np.ndarray, "H W"]:
    """Each pixel takes the label that is most frequent in the square around it; 255 has no vote and stays.

    Where several are, the pixel's own label if it is one of them, else the lowest. There are no votes beyond the border.

    Args:
        side: of the square, pixels; odd.

    Raises:
        ValueError: an even side.
    """
    if side < 1 or side % 2 == 0:
        raise ValueError(f"expected an odd side of the square, got {side}")
    voting = label_map != IGNORE
    result, best = label_map.copy(), np.zeros(label_map.shape, np.int64)
    for label in np.unique(label_map[voting]):
        votes = _box_sums(label_map == label, side)
        better = voting & ((votes > best) | ((votes == best) & (label_map == label)))
        result[better], best[better] = label, votes[better]
    return result


def _box_sums(pixels: np.ndarray, side: int) -> Int64[np.ndarray, "H W"]:
    """How many pixels are set in the square around each."""
    around = side // 2
    padded = np.pad(pixels.astype(np.int64), ((around + 1, around), (around + 1, around)))
    sums = padded.cumsum(0).cumsum(1)
    total: Int64[np.ndarray, "H W"] = (
        sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    )
    return total
