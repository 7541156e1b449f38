"""The regions axis as a parameter of a stage: one spelling, checked when a recipe is loaded."""

from typing import Annotated

from pydantic import BeforeValidator

from seedbed.cam.thresholds import Regions

DEFAULT_REGIONS = "bg0.10-fg0.40"
"""Puzzle-CAM's thresholds."""


def _canonical(value: object) -> str:
    return str(Regions.parse(str(value)))


RegionsLabel = Annotated[str, BeforeValidator(_canonical)]
"""`bg0.10-fg0.40` or `alpha4-24`, thresholds with two decimals."""
