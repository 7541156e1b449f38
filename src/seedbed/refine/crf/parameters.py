"""Settings of the dense CRF: Krähenbühl & Koltun 2011, eq. (3), and the values that published code uses.

Two kernels weigh how strongly two pixels prefer the same label: a spatial Gaussian, and a bilateral one over
position and colour. Another package adds a preset with an entry point in the group `seedbed.crf_presets` that names
`CrfParameters`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from seedbed.errors import SeedbedError, unknown_name
from seedbed.installed import with_installed

GROUP = "seedbed.crf_presets"
NO_CRF = "none"


@dataclass(frozen=True)
class CrfParameters:
    """One setting of the dense CRF.

    Attributes:
        gaussian_sxy: standard deviation of the spatial kernel, pixels (θγ of the paper).
        gaussian_compat: its Potts weight (w⁽²⁾).
        bilateral_sxy: standard deviation of the bilateral kernel in position, pixels (θα).
        bilateral_srgb: its standard deviation in colour, grey levels of 0…255 (θβ).
        bilateral_compat: its Potts weight (w⁽¹⁾).
        iterations: mean-field updates; 0 leaves the softmax of the negated unary.
        label_confidence: probability given to a pixel's label where the unary is made from hard labels
            (`gt_prob`); has no effect on score unaries.

    Raises:
        ValueError: a value that makes no sense in the model.
    """

    gaussian_sxy: float = 3.0
    gaussian_compat: float = 3.0
    bilateral_sxy: float = 50.0
    bilateral_srgb: float = 5.0
    bilateral_compat: float = 10.0
    iterations: int = 10
    label_confidence: float = 0.7

    def __post_init__(self) -> None:
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(
                    f"expected {name} to be a finite width above 0, got {value}; 3 to 80 is usual"
                )
        for name in ("gaussian_compat", "bilateral_compat"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(
                    f"expected {name} to be finite and at least 0, got {value}; 0 drops the kernel"
                )
        if self.iterations < 0:
            raise ValueError(
                f"expected iterations to be at least 0, got {self.iterations}; the field uses 1 or 10"
            )
        if not 0 < self.label_confidence < 1:
            raise ValueError(
                f"expected label_confidence between 0 and 1, both excluded, got {self.label_confidence}; "
                "the field uses 0.7 or 0.9"
            )


CRF_PRESETS: dict[str, CrfParameters] = {
    # psa, seam, sccam `crf_inference`: score unary of [(1 − max)^α, cams], not normalised.
    "psa": CrfParameters(bilateral_sxy=80.0, bilateral_srgb=13.0),
    # irn, puzzle, pnoc, isim, wseg `crf_inference_label`: label unary, 0.7.
    "irn": CrfParameters(),
    # wseg `aff_prepare`: label unary over all 21 classes, 0.7.
    "wseg-affinity": CrfParameters(bilateral_sxy=80.0, bilateral_srgb=13.0),
    # puzzle `make_pseudo_labels`, label unary, called as in its README (`--crf_iteration 1`; the default is 10).
    "puzzle-pseudo": CrfParameters(iterations=1),
    # pnoc `make_pseudo_labels`: label unary, 0.9, one iteration.
    "pnoc-pseudo": CrfParameters(iterations=1, label_confidence=0.9),
    # pnoc's CRF of C2AM saliency: label unary over 2 labels.
    "pnoc-c2am": CrfParameters(),
    # puzzle, test of the segmentation network: softmax unary.
    "puzzle-segmentation": CrfParameters(bilateral_sxy=80.0, bilateral_srgb=13.0),
    # pnoc, test of the segmentation network: softmax unary, the setting of DeepLabV2.
    "pnoc-segmentation": CrfParameters(
        gaussian_sxy=1.0, bilateral_sxy=67.0, bilateral_srgb=3.0, bilateral_compat=4.0
    ),
    # DeepLabV2 (deeplab-pytorch): softmax unary.
    "deeplab-v2": CrfParameters(
        gaussian_sxy=1.0, bilateral_sxy=67.0, bilateral_srgb=3.0, bilateral_compat=4.0
    ),
    # wseg, segmentation: softmax unary, one iteration.
    "wseg-segmentation": CrfParameters(bilateral_sxy=32.0, bilateral_srgb=13.0, iterations=1),
    # afa (rulixiang/afa, issue 6): softmax unary.
    "afa": CrfParameters(bilateral_sxy=64.0, bilateral_srgb=5.0, bilateral_compat=4.0),
}


@cache
def all_presets() -> Mapping[str, CrfParameters]:
    """`CRF_PRESETS` and those of installed packages.

    Raises:
        SeedbedError: an entry point cannot be imported, is not `CrfParameters`, or takes one of our names.
    """
    return with_installed(
        CRF_PRESETS, GROUP, "CRF preset", "CrfParameters", lambda entry: isinstance(entry, CrfParameters)
    )


def crf_preset(name: str) -> CrfParameters:
    """The setting of a preset.

    Raises:
        SeedbedError: there is none of that name.
    """
    if name not in all_presets():
        raise SeedbedError(unknown_name("CRF preset", name, all_presets()))
    return all_presets()[name]


def known_preset(name: str) -> str:
    """The name of a preset, or `none`.

    Raises:
        ValueError: an unknown name; similar ones are suggested.
    """
    if name != NO_CRF and name not in all_presets():
        raise ValueError(unknown_name("CRF preset", name, [NO_CRF, *all_presets()]))
    return name
