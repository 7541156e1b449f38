"""AffinityNet in IRN's edge form (Ahn, Cho & Kwak 2019, §4), without displacement, as Puzzle-CAM and P-NOC train it.

The affinity of two pixels is 1 − the strongest edge on the straight way between them, so that only edges are learnt,
from the frozen features of the initial weights.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from seedbed.methods.pairs import Offsets, PairMethod
from seedbed.methods.table import EdgeAffinityParameters
from seedbed.networks.affinitynet import EDGE_STRIDE, EdgeAffinityNet, edge_affinity, straight_path
from seedbed.networks.backbones import Backbone
from seedbed.refine.affinity_labels import pair_offsets

WALK_RADIUS = 5


class EdgeAffinityMethod(PairMethod):
    """The walk takes all pairs nearer than 5 cells (IRN's code) unless another radius is asked for.

    A wall of edges stands around the image, which is to say that no pair leaves it.
    """

    GRID_STRIDE = EDGE_STRIDE

    def build_network(self, backbone: Backbone, parameters: EdgeAffinityParameters) -> EdgeAffinityNet:
        """Edges from all maps of the frozen backbone."""
        return EdgeAffinityNet(backbone, backbone.channels)

    def affinity(self, output: Float[Tensor, "b h w"], offsets: Offsets) -> Float[Tensor, "b offsets h w"]:
        """1 − the largest probability of an edge on each path (eq. 3)."""
        return edge_affinity(output.sigmoid(), [straight_path(offset) for offset in offsets])

    def walk_pairs(
        self, output: Float[Tensor, "1 h w"], radius: int | None
    ) -> tuple[Float[Tensor, "offsets h w"], tuple[tuple[int, int], ...], Float[Tensor, "h w"]]:
        """Affinities of all pairs, and the edges."""
        offsets = pair_offsets(WALK_RADIUS if radius is None else radius)
        return self.affinity(output, offsets)[0], offsets, output.sigmoid()[0]
