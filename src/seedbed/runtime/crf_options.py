"""The dense CRF as an option of several stages: presets are checked when a recipe is loaded."""

from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import AfterValidator, Field

from seedbed.refine.confident_regions import RefineLabels, RefineScores
from seedbed.refine.crf.parameters import NO_CRF, crf_preset, known_preset
from seedbed.runtime.contract import Parameters

CrfChoice = Annotated[str, AfterValidator(known_preset)]
"""Name of a preset, or `none`."""


class CrfOptions(Parameters):
    """Parameters of a stage that can end with a dense CRF."""

    crf: CrfChoice = Field(default=NO_CRF, description="preset of a dense CRF on the result, or none")
    crf_engine: str = Field(default="permutohedral", description="engine of the dense CRF")

    @property
    def has_crf(self) -> bool:
        """Whether a dense CRF is requested."""
        return self.crf != NO_CRF

    def label_refiner(self, image: Image.Image) -> RefineLabels:
        """The CRF for a photograph on hard labels."""
        from seedbed.refine.crf.refiners import label_refiner

        return label_refiner(np.array(image), crf_preset(self.crf), self.crf_engine)

    def score_refiner(self, image: Image.Image) -> RefineScores:
        """The CRF for a photograph on scores."""
        from seedbed.refine.crf.refiners import score_refiner

        return score_refiner(np.array(image), crf_preset(self.crf), self.crf_engine)
