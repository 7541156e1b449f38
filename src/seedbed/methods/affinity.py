"""AffinityNet in PSA's feature form (Ahn & Kwak 2018, §3.2): similar features, high affinity; trains the backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from seedbed.methods.base import MethodEntry
from seedbed.methods.pairs import REGIONS, Offsets, PairMethod, PairParameters

if TYPE_CHECKING:
    from torch import Tensor

    from seedbed.networks.affinitynet import AffinityNet
    from seedbed.networks.backbones import Backbone


class AffinityParameters(PairParameters):
    """AffinityNet in PSA's feature form; its grid has stride 8."""

    mixing_gain: float = Field(4.0, gt=0)
    """Gain of the last layer's initialisation; 4 is published, for maps behind batch norm and ReLU (Wide-ResNet-38).
    EfficientNet's maps spread ten times as far, which 0.4 makes up for."""
    frozen_stages: int = Field(0, ge=0)
    """First stages of the backbone that are not trained; of Wide-ResNet-38, PSA's code does not train the first one."""


class AffinityMethod(PairMethod):
    """The walk uses the pairs of training, unless another radius is asked for."""

    GRID_STRIDE = SMALLEST_REDUCTION = 8

    def build_network(self, backbone: Backbone, parameters: AffinityParameters) -> AffinityNet:
        """Features of the last three maps, mixed."""
        from seedbed.networks.affinitynet import AffinityNet
        from seedbed.networks.backbones import freeze_stages

        self._frozen = freeze_stages(backbone, parameters.frozen_stages)
        return AffinityNet(backbone, backbone.channels, parameters.mixing_gain)

    def train(self, mode: bool = True) -> AffinityMethod:
        """Switch training mode; frozen batch norm stays frozen."""
        from seedbed.networks.backbones import hold_batch_norm

        super().train(mode)
        hold_batch_norm(self.affinitynet, self.batch_norm)
        for module in self._frozen:
            module.training = False
        return self

    def affinity(self, output: Tensor, offsets: Offsets) -> Tensor:
        """exp(−mean |f_i − f_j|) of the features."""
        from seedbed.networks.affinitynet import feature_affinity

        return feature_affinity(output, offsets)

    def walk_pairs(
        self, output: Tensor, radius: int | None
    ) -> tuple[Tensor, tuple[tuple[int, int], ...], None]:
        """Affinities of the pairs that `pairs` keeps."""
        from seedbed.refine.affinity_labels import pair_mask, pair_offsets

        offsets = self.offsets if radius is None else pair_offsets(radius)
        exists = pair_mask(offsets, (output.shape[2], output.shape[3]), self.pairs).to(output.device)
        return self.affinity(output, offsets)[0] * exists, offsets, None


ENTRY = MethodEntry(AffinityParameters, AffinityMethod, "train_affinitynet", reads={REGIONS: ("label_maps",)})
