"""The axes of a path, and their one grammar: `shared`, `rng0`, `bg0.10-fg0.40`, `rng0/bg0.10-fg0.40`."""

import re
from dataclasses import dataclass
from functools import cache

from seedbed.cam.thresholds import Regions
from seedbed.errors import SeedbedError

NO_AXES = "shared"
RNG = r"rng\d+"
REGIONS = r"(?:bg|alpha)[^/-]*-[^/]*"
PATTERN = rf"{NO_AXES}|{RNG}(?:/{REGIONS})?|{REGIONS}"
"""Pattern of the axes part of a path."""


def is_axes(text: str) -> bool:
    """Whether a text is the axes part of a path."""
    return re.fullmatch(PATTERN, text) is not None


@dataclass(frozen=True)
class Axes:
    """A point on the axes.

    Attributes:
        rng: random seed; None if nothing depends on it.
        regions: label of the confident-region setting; None if nothing depends on it.
    """

    rng: int | None = None
    regions: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Axes":
        """Read the axes part of a path.

        Raises:
            SeedbedError: it is not valid.
        """
        if not is_axes(text):
            raise SeedbedError(f"expected axes like rng0, rng0/bg0.10-fg0.40 or {NO_AXES}, got {text!r}")
        parts = [] if text == NO_AXES else text.split("/")
        rng = int(parts.pop(0).removeprefix("rng")) if parts and re.fullmatch(RNG, parts[0]) else None
        return cls(rng, parts[0] if parts else None)

    def __str__(self) -> str:
        parts = [] if self.rng is None else [f"rng{self.rng}"]
        parts += [] if self.regions is None else [self.regions]
        return "/".join(parts) or NO_AXES


@cache
def canonical_regions(label: str) -> str:
    """A label of the regions axis as it appears in paths.

    Raises:
        SeedbedError: it is not valid.
    """
    try:
        return str(Regions.parse(label))
    except ValueError as error:
        raise SeedbedError(str(error)) from None
