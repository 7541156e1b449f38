"""Weakly supervised semantic segmentation: from image-level labels to pixel masks.

    from seedbed import confident_regions, crf_labels, normalise, otsu

The names of `__all__` are the functions of `seedbed.library`, which is imported when one of them is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedbed.library import (
        confident_regions,
        confusion,
        crf_labels,
        group_scores,
        normalise,
        npr,
        otsu,
        pqs,
        random_walk,
        tecm,
    )

__all__ = [
    "confident_regions",
    "confusion",
    "crf_labels",
    "group_scores",
    "normalise",
    "npr",
    "otsu",
    "pqs",
    "random_walk",
    "tecm",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'seedbed' has no attribute {name!r}")
    from seedbed import library

    return getattr(library, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
