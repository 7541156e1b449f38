"""Weakly supervised semantic segmentation: from image-level labels to pixel masks.

    from seedbed import confident_regions, crf_labels, normalise, otsu

The functions are those of `seedbed.library`, and of `seedbed.report.notebook` for tables of results; either module is
imported when one of its functions is first used.
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
    from seedbed.report.notebook import load_scores, load_thresholds

__all__ = [
    "confident_regions",
    "confusion",
    "crf_labels",
    "group_scores",
    "load_scores",
    "load_thresholds",
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
    if name in ("load_scores", "load_thresholds"):
        from seedbed.report import notebook

        return getattr(notebook, name)
    from seedbed import library

    return getattr(library, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
