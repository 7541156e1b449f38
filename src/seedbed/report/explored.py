"""CAMs that travel with the page, and what thresholds make of them.

Scores are quantised to 8 bits on a small grid over the image. The page decides them as `threshold_regions` and
`decide_argmax` do with these same arrays, so its figures are those of this module; they are of the small grid, and
without a CRF.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from seedbed.cam.otsu import otsu_threshold
from seedbed.labels import IGNORE
from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.segmentation import mean_iou
from seedbed.refine.confident_regions import decide_argmax, threshold_regions

HIGHEST = 255
"""Code of a score of 1."""
MIDDLE = 0.5
"""Where the background score starts if the scores have no Otsu threshold."""

Codes = UInt8[np.ndarray, "C h w"]
Labels = UInt8[np.ndarray, "h w"]


def coded(scores: Float32[np.ndarray, "C h w"]) -> Codes:
    """Scores in [0, 1] as the nearest of 256 levels."""
    levels: Codes = np.rint(np.clip(scores, 0, 1) * np.float32(HIGHEST)).astype(np.uint8)
    return levels


def scores_of(codes: Codes) -> Float32[np.ndarray, "C h w"]:
    """The scores that codes stand for: code / 255."""
    return codes.astype(np.float32) / np.float32(HIGHEST)


def packed(array: UInt8[np.ndarray, "... h w"]) -> str:
    """Base64 of a zlib stream of the differences (modulo 256) of neighbours in each row; the first one's is to 0."""
    differences = np.diff(array, axis=-1, prepend=np.uint8(0))
    return base64.b64encode(zlib.compress(differences.tobytes(), 9)).decode()


def background_score_of(codes: Sequence[UInt8[np.ndarray, "_ _ _"]]) -> float:
    """Otsu's threshold of the largest scores of some images, with two decimals; one half if it is not defined."""
    histogram = np.zeros(HIGHEST + 1, np.int64)
    for one in codes:
        if len(one):
            histogram += np.bincount(one.max(axis=0).ravel(), minlength=HIGHEST + 1)
    try:
        return round(otsu_threshold(histogram), 2)
    except ValueError:
        return MIDDLE


@dataclass(frozen=True)
class Explored:
    """One image with the scores of one node.

    Attributes:
        class_ids: of the codes, from 0.
        lookup: label among the masks' classes of each label among the image-level labels' classes.
        truth: in the masks' classes, on the same grid; None if there is no mask.
        mask_classes: number of the masks' classes, without background.
    """

    class_ids: tuple[int, ...]
    codes: Codes
    lookup: UInt8[np.ndarray, " labels"]
    truth: Labels | None
    mask_classes: int

    def regions(self, bg_threshold: float, fg_threshold: float) -> Labels:
        """Confident regions, in the masks' classes."""
        decided = threshold_regions(scores_of(self.codes), self.class_ids, bg_threshold, fg_threshold)
        found: Labels = self.lookup[decided]
        return found

    def mask(self, background_score: float) -> Labels:
        """Pseudo mask by one background score, in the masks' classes."""
        found: Labels = self.lookup[decide_argmax(scores_of(self.codes), self.class_ids, background_score)]
        return found

    def values(self, label_map: Labels) -> dict[str, Any]:
        """Pixels of each label, by label; and the mean IoU against the truth, None where it is not defined."""
        labels, pixels = np.unique(label_map, return_counts=True)
        found: dict[str, Any] = {
            "pixels": {int(k): int(n) for k, n in zip(labels, pixels, strict=True)},
            "mean_iou": None,
        }
        if self.truth is not None:
            score = mean_iou(confusion_counts(self.truth, label_map, self.mask_classes + 1))
            found["mean_iou"] = None if np.isnan(score) else score
        return found

    def shares(self, label_map: Labels) -> dict[str, Any]:
        """Shares of foreground, background and neutral pixels, and the mean IoU."""
        values = self.values(label_map)
        background, neutral = (values["pixels"].get(label, 0) for label in (0, IGNORE))
        return {
            "foreground": (label_map.size - background - neutral) / label_map.size,
            "background": background / label_map.size,
            "neutral": neutral / label_map.size,
            "mean_iou": values["mean_iou"],
        }
