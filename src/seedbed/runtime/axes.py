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
"""Pattern of the axes part of a path, for rules and for searching folders."""

_AXES = re.compile(rf"(?:{NO_AXES}|(?:rng(?P<rng>\d+))?(?:(?:^|/)(?P<regions>{REGIONS}))?)\Z")


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
        match = _AXES.match(text)
        if match is None or not text:
            raise SeedbedError(f"expected axes like rng0, rng0/bg0.10-fg0.40 or {NO_AXES}, got {text!r}")
        return cls(None if match["rng"] is None else int(match["rng"]), match["regions"])

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
