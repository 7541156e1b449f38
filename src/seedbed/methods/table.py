"""The table of methods: parameters without torch, and where the class is that torch is needed for.

A package outside of this one adds a method by an entry point of the group `seedbed.methods` that names a
`MethodEntry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, model_validator

from seedbed.errors import SeedbedError, unknown_name

if TYPE_CHECKING:
    from seedbed.methods.base import GivenNetwork, Method

GROUP = "seedbed.methods"


class MethodParameters(BaseModel):
    """What every method on a backbone has."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    backbone: str = "tf_efficientnet_lite0"
    """timm's name of the architecture, without tag."""
    weights: str = "embedded"
    """Initial weights: `none`, `embedded` (EfficientNet-Lite0 only), `timm:<tag>`, `file:<path>`."""
    allow_mask_trained: bool = False
    """Accept initial weights that saw pixel masks; the ledger records it."""
    batch_norm: Literal["trained", "frozen"] = "trained"
    """The backbone's batch norm: `frozen` keeps running statistics, scale and shift."""


class CamParameters(MethodParameters):
    """A classifier whose last feature map is scored cell by cell."""

    output_stride: Literal[8, 16, 32] = 16
    """Input pixels to one cell of the class maps."""
    dilated: bool = True
    """Dilate what follows a stride that the output stride leaves out; false is IRN's and Puzzle-CAM's ResNet."""
    conv_head: bool | None = None
    """Score behind the 1x1 convolution with which EfficientNets end; null for where the family has one."""
    frozen_stages: int = Field(0, ge=0)
    """First stages of the backbone that are not trained."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability of dropping a channel of the last feature map."""
    head_init: Literal["kaiming", "xavier", "torch"] = "kaiming"
    """Initialisation of the class scores' convolution."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """a in (1 - a) y + a/2."""


class PuzzleErasingParameters(CamParameters):
    """Puzzle-CAM, OC-CSE, P-OC and P-NOC: one equation, in which a weight of null leaves a term out.

    A weight is [start, end] and rises linearly.
    """

    reconstruction_weight: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """λ_re of Puzzle-CAM's L1 between class maps of the image and of its tiles; the tiles are classified, too."""
    reconstruction_until: float = Field(0.5, gt=0, le=1)
    """Share of training after which λ_re stays at its end."""
    reconstruction_mean: Literal["all", "present"] = "all"
    """Mean of the L1 over `all` maps, absent classes counting 0 (published code), or over the `present` ones."""
    tiles: int = Field(2, ge=2)
    """Tiles along each side of the image."""
    erasing_weight: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """λ_cse of class-specific erasing, judged by the input `ordinary_classifier`."""
    erasing_ramp: Literal["step", "epoch"] = "step"
    """λ_cse rises each `step` (P-OC, P-NOC) or each `epoch`, to its end in the last one (OC-CSE)."""
    erasing_norm: Literal["batch", "image"] = "batch"
    """Maximum that makes the soft mask: of the `batch` (published code) or of each `image` (papers)."""
    smoothed: tuple[Literal["classification", "tiles", "erasing", "adversary"], ...] = (
        "classification",
        "tiles",
        "erasing",
        "adversary",
    )
    """Terms whose labels `label_smoothing` applies to."""
    adversary_weight: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """λ_noc of P-NOC: the ordinary classifier is trained on as the adversary."""
    adversary_every: int = Field(1, ge=1)
    """k_noc, optimiser steps of the classifier to one of the adversary; the code has 1, the paper is silent."""
    adversary_threshold: float = Field(0.2, gt=0, lt=1)
    """δ_noc: the adversary sees images without what lies above it (code; the paper's formula is ambiguous)."""

    @model_validator(mode="after")
    def _adversary_erases(self) -> PuzzleErasingParameters:
        if self.adversary_weight is not None and self.erasing_weight is None:
            raise ValueError("adversary_weight needs erasing_weight; set both, for instance [0.3, 1.0]")
        return self

    def given(self) -> tuple[str, ...]:
        """Inputs of the stage that these parameters need."""
        return () if self.erasing_weight is None else ("ordinary_classifier",)


class AffinityParameters(MethodParameters):
    """AffinityNet in PSA's feature form."""

    output_stride: Literal[8, 16, 32] = 16
    """Input pixels to one cell of the backbone's last map; the affinity's own grid has stride 8."""
    radius: int = Field(5, ge=2)
    """Pairs are nearer than this, in cells of the grid."""
    pairs: Literal["all", "published"] = "all"
    """`published` leaves out the pairs near the border that PSA's code leaves out."""
    mixing_gain: float = Field(4.0, gt=0)
    """Gain of the last layer's initialisation; 4 is published, for maps behind batch norm and ReLU (Wide-ResNet-38).
    EfficientNet's maps spread ten times as far, which 0.4 makes up for."""


class EdgeAffinityParameters(MethodParameters):
    """AffinityNet in IRN's edge form; its grid has stride 4."""

    batch_norm: Literal["frozen"] = "frozen"
    """The backbone is not trained at all."""
    output_stride: Literal[8, 16, 32] = 16
    """Input pixels to one cell of the backbone's last map."""
    radius: int = Field(10, ge=2)
    """Pairs nearer than this are trained on, in cells of the grid; the walk has its own radius."""
    pairs: Literal["all", "published"] = "all"
    """`published` leaves out the pairs near the border that IRN's code leaves out of training."""


class SegmentationParameters(MethodParameters):
    """A segmentation network on label maps."""

    architecture: str = "deeplabv3plus"
    """A key of `seedbed.networks.segmenters.SEGMENTERS`."""
    output_stride: Literal[8, 16, 32] | None = None
    """Of the encoder; null for the architecture's usual one."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """a in (1 - a) y + a/K."""


@dataclass(frozen=True)
class MethodEntry:
    """One row of the table."""

    parameters: type[BaseModel]
    target: str
    """`module:class`, imported when it is built; the class takes (parameters, classes=, rng=, weights=)."""
    stage: Literal["train_classifier", "train_affinitynet", "train_segmenter"]
    needs: Callable[[Any], tuple[str, ...]] = lambda parameters: ()
    """Trained networks that a method with these parameters is built with: optional inputs of the stage, each also a
    keyword of the class, which takes a `GivenNetwork` (or None, where it is built for inference)."""


METHODS: dict[str, MethodEntry] = {
    "cam": MethodEntry(CamParameters, "seedbed.methods.cam:CamMethod", "train_classifier"),
    "puzzle_erasing": MethodEntry(
        PuzzleErasingParameters,
        "seedbed.methods.puzzle_erasing:PuzzleErasingMethod",
        "train_classifier",
        needs=PuzzleErasingParameters.given,
    ),
    "affinity": MethodEntry(
        AffinityParameters, "seedbed.methods.affinity:AffinityMethod", "train_affinitynet"
    ),
    "edge_affinity": MethodEntry(
        EdgeAffinityParameters, "seedbed.methods.edge_affinity:EdgeAffinityMethod", "train_affinitynet"
    ),
    "segmentation": MethodEntry(
        SegmentationParameters, "seedbed.methods.segmentation:SegmentationMethod", "train_segmenter"
    ),
}


@cache
def all_methods() -> Mapping[str, MethodEntry]:
    """`METHODS` and the entries that installed packages add.

    Raises:
        SeedbedError: an entry point that cannot be imported, is no `MethodEntry`, or takes a name of ours.
    """
    found = dict(METHODS)
    for point in entry_points(group=GROUP):
        try:
            entry = point.load()
        except Exception as error:
            raise SeedbedError(
                f"method {point.name!r} of {point.value} cannot be imported: {error}"
            ) from error
        if not isinstance(entry, MethodEntry):
            raise SeedbedError(
                f"method {point.name!r}: {point.value} must be a MethodEntry, not {type(entry).__name__}"
            )
        if point.name in found:
            raise SeedbedError(f"method {point.name!r} of {point.value} exists already; give it another name")
        found[point.name] = entry
    return found


def method_entry(name: str, stage: str | None = None) -> MethodEntry:
    """The row of a method.

    Args:
        name: key of the table.
        stage: only methods of this stage count.

    Raises:
        SeedbedError: no method has this name; near names are offered.
    """
    known = {key: entry for key, entry in all_methods().items() if stage in (None, entry.stage)}
    if name not in known:
        raise SeedbedError(unknown_name(f"method of {stage}" if stage else "method", name, known))
    return known[name]


def build_method(
    name: str,
    parameters: BaseModel,
    *,
    classes: int,
    rng: int,
    weights: Any = None,
    given: Mapping[str, GivenNetwork] | None = None,
) -> Method:
    """Build a method; this imports torch.

    Args:
        name: key of the table.
        parameters: an instance of the entry's model.
        classes: number of foreground classes, C.
        rng: keys the initialisation of what is trained from scratch.
        weights: `seedbed.networks.weights.InitialWeights` in place of those that `parameters` name, for a
            network whose trained state is loaded afterwards.
        given: trained networks by name, of those that `MethodEntry.needs` names; needed for training only.

    Raises:
        SeedbedError: no such method.
        ValueError: what the networks refuse.
    """
    module, _, attribute = method_entry(name).target.partition(":")
    method: Method = getattr(import_module(module), attribute)(
        parameters, classes=classes, rng=rng, weights=weights, **(given or {})
    )
    return method
