"""AffinityNet in IRN's edge form (Ahn, Cho & Kwak 2019, §4), without displacement, as Puzzle-CAM and P-NOC train it.

The affinity of two pixels is 1 − the strongest edge on the straight line between them, so only edges are learnt,
from the frozen features of the initial weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from seedbed.methods.base import MethodEntry
from seedbed.methods.pairs import REGIONS, Offsets, PairMethod, PairParameters

if TYPE_CHECKING:
    from torch import Tensor

    from seedbed.networks.affinitynet import EdgeAffinityNet
    from seedbed.networks.backbones import Backbone

WALK_RADIUS = 5


class EdgeAffinityParameters(PairParameters):
    """AffinityNet in IRN's edge form; its grid has stride 4."""

    batch_norm: Literal["frozen"] = "frozen"
    """The backbone is not trained at all."""
    stem: Literal["as_is", "max_pooled"] = "as_is"
    """A ResNet's first map: before its max-pool (stride 2), or `max_pooled`, behind it (stride 4; IRN's code)."""
    radius: int = Field(10, ge=2)
    """Pairs nearer than this are trained on, in cells of the grid; the walk has its own radius."""


class EdgeAffinityMethod(PairMethod):
    """The walk takes all pairs nearer than 5 cells (IRN's code) unless another radius is asked for.

    Edges are set all around the image, so that no pair leaves it.
    """

    GRID_STRIDE = 4

    def reads_pooled_stem(self, parameters: EdgeAffinityParameters) -> bool:
        """As `stem` says."""
        return parameters.stem == "max_pooled"

    def build_network(self, backbone: Backbone, parameters: EdgeAffinityParameters) -> EdgeAffinityNet:
        """Edges from all maps of the frozen backbone."""
        from seedbed.networks.affinitynet import EdgeAffinityNet

        return EdgeAffinityNet(backbone, backbone.channels)

    def affinity(self, output: Tensor, offsets: Offsets) -> Tensor:
        """1 − the largest probability of an edge on each path (eq. 3)."""
        from seedbed.networks.affinitynet import edge_affinity, straight_path

        return edge_affinity(output.sigmoid(), [straight_path(offset) for offset in offsets])

    def walk_pairs(
        self, output: Tensor, radius: int | None
    ) -> tuple[Tensor, tuple[tuple[int, int], ...], Tensor]:
        """Affinities of all pairs, and the edges."""
        from seedbed.refine.affinity_labels import pair_offsets

        offsets = pair_offsets(WALK_RADIUS if radius is None else radius)
        return self.affinity(output, offsets)[0], offsets, output.sigmoid()[0]


ENTRY = MethodEntry(
    EdgeAffinityParameters,
    EdgeAffinityMethod,
    "train_affinitynet",
    reads={REGIONS: ("label_maps",)},
    offers=("edges",),
)
