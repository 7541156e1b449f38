"""AffinityNet in PSA's feature form (Ahn & Kwak 2018, §3.2): near features, high affinity; the backbone learns too."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from seedbed.methods.pairs import Offsets, PairMethod
from seedbed.methods.table import AffinityParameters
from seedbed.networks.affinitynet import AffinityNet, feature_affinity
from seedbed.networks.backbones import Backbone, freeze_batch_norm
from seedbed.refine.affinity_labels import pair_mask, pair_offsets


class AffinityMethod(PairMethod):
    """The walk takes the pairs that were trained, unless another radius is asked for."""

    GRID_STRIDE = SMALLEST_REDUCTION = 8

    def build_network(self, backbone: Backbone, parameters: AffinityParameters) -> AffinityNet:
        """Features of the last three maps, mixed."""
        return AffinityNet(backbone, backbone.channels, parameters.mixing_gain)

    def train(self, mode: bool = True) -> AffinityMethod:
        """Switch training mode; frozen batch norm stays frozen."""
        super().train(mode)
        if self.frozen_norm:
            freeze_batch_norm(self.affinitynet)
        return self

    def affinity(
        self, output: Float[Tensor, "b channels h w"], offsets: Offsets
    ) -> Float[Tensor, "b offsets h w"]:
        """exp(−mean |f_i − f_j|) of the features."""
        return feature_affinity(output, offsets)

    def walk_pairs(
        self, output: Float[Tensor, "1 channels h w"], radius: int | None
    ) -> tuple[Float[Tensor, "offsets h w"], tuple[tuple[int, int], ...], None]:
        """Affinities of the pairs that `pairs` keeps."""
        offsets = self.offsets if radius is None else pair_offsets(radius)
        exists = pair_mask(offsets, (output.shape[2], output.shape[3]), self.pairs).to(output.device)
        return self.affinity(output, offsets)[0] * exists, offsets, None
