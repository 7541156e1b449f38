"""The setting of the confident regions: one label names it in paths, parameters and reports.

There are two published forms. `bg0.10-fg0.40`: background where the score is at most bg, foreground where it is at
least fg (IRN, Puzzle-CAM, P-NOC). `alpha4-24`: background scores (1 − max)^α with a low α for the foreground
and a high one for the background (PSA, SEAM). Thresholds have two decimals, so that 0.3 and 0.30 are one
path.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

NUMBER = r"-?[0-9]*\.?[0-9]+"
THRESHOLDS = re.compile(rf"bg({NUMBER})-fg({NUMBER})")
ALPHAS = re.compile(r"alpha([0-9]+)-([0-9]+)")


def format_threshold(value: str | float) -> str:
    """A threshold as written in labels: "0.30" for 0.3, "0.3" and "0.30".

    Raises:
        ValueError: not a number, outside [0, 1], or with more than two decimals.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number <= 1:
        raise ValueError(f"expected a threshold from 0 to 1, got {value!r}; write it like 0.30")
    if number != round(number, 2):
        raise ValueError(f"expected a threshold with at most two decimals, got {value!r}; write it like 0.30")
    return f"{number:.2f}"


@dataclass(frozen=True)
class Regions:
    """Setting of the confident regions.

    Attributes:
        kind: "thresholds" or "alphas".
        low: background threshold, or the low α, which decides the foreground.
        high: foreground threshold, or the high α, which decides the background.

    Raises:
        ValueError: low above high, a threshold outside [0, 1] or finer than 0.01, or an α that is not a whole number
            of at least 1.
    """

    kind: Literal["thresholds", "alphas"]
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.kind == "thresholds":
            object.__setattr__(self, "low", float(format_threshold(self.low)))
            object.__setattr__(self, "high", float(format_threshold(self.high)))
            if self.low > self.high:
                raise ValueError(
                    f"expected a background threshold of at most the foreground's, got {self.label!r}; "
                    f"did you mean bg{self.high:.2f}-fg{self.low:.2f}?"
                )
            return
        if self.low != int(self.low) or self.high != int(self.high) or min(self.low, self.high) < 1:
            raise ValueError(
                f"expected whole alphas of at least 1, got {self.low:g} and {self.high:g}; PSA's are 4 and 24"
            )
        if self.low > self.high:
            raise ValueError(
                f"expected the low alpha before the high one, got {self.label!r}; "
                f"did you mean alpha{self.high:g}-{self.low:g}?"
            )

    @classmethod
    def parse(cls, label: str) -> "Regions":
        """The setting that a label names.

        Raises:
            ValueError: a label in neither form, or values that the class refuses.
        """
        text = label.strip()
        if found := THRESHOLDS.fullmatch(text):
            return cls("thresholds", *(float(format_threshold(part)) for part in found.groups()))
        if found := ALPHAS.fullmatch(text):
            return cls("alphas", *(float(part) for part in found.groups()))
        raise ValueError(
            f"expected regions like 'bg0.10-fg0.40' or 'alpha4-24', got {label!r}; "
            "write both values, the background's (or the lower alpha) first"
        )

    @property
    def label(self) -> str:
        """The only spelling of this setting, for instance "bg0.10-fg0.40"."""
        if self.kind == "thresholds":
            return f"bg{self.low:.2f}-fg{self.high:.2f}"
        return f"alpha{self.low:g}-{self.high:g}"

    @property
    def bg_threshold(self) -> float:
        """Background where the score is at most this.

        Raises:
            ValueError: the setting consists of two alphas.
        """
        return self._thresholds()[0]

    @property
    def fg_threshold(self) -> float:
        """Foreground where the score is at least this.

        Raises:
            ValueError: the setting consists of two alphas.
        """
        return self._thresholds()[1]

    def _thresholds(self) -> tuple[float, float]:
        if self.kind != "thresholds":
            raise ValueError(
                f"expected regions given by two thresholds, got {self.label!r}; choose regions like 'bg0.10-fg0.40'"
            )
        return self.low, self.high

    def __str__(self) -> str:
        return self.label


SWEEPS: dict[str, tuple[str, ...]] = {
    "threshold-quality": tuple(
        Regions("thresholds", bg / 100, (bg + width) / 100).label
        for bg in range(5, 45, 5)
        for width in (0, 10, 25, 40)
    )
}
"""Settings that go by one name. `threshold-quality`: the 32 pairs of Tezcan and Cinbis, Table 1, eight background
thresholds, each with four foreground thresholds."""
