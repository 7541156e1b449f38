"""AffinityNet in PSA's feature form (Ahn & Kwak 2018, §3.2), trained on the pairs of confident regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from seedbed.cam.inference import network_input
from seedbed.losses.affinity import affinity_loss
from seedbed.methods.base import Batch, Method, Objective, Progress
from seedbed.methods.table import AffinityParameters
from seedbed.networks.affinitynet import AffinityNet, feature_affinity
from seedbed.networks.backbones import build_backbone, freeze_batch_norm, seeded
from seedbed.networks.weights import InitialWeights
from seedbed.refine.affinity_labels import affinity_labels, pair_mask, pair_offsets

GRID_STRIDE = 8


class AffinityMethod(Method):
    """One player, `affinitynet`."""

    def __init__(
        self,
        parameters: AffinityParameters,
        *,
        classes: int,
        rng: int,
        weights: InitialWeights | None = None,
    ):
        super().__init__()
        backbone = build_backbone(
            parameters.backbone,
            parameters.output_stride,
            weights or parameters.weights,
            rng=rng,
            smallest_reduction=GRID_STRIDE,
            allow_mask_trained=parameters.allow_mask_trained,
        )
        self.mean, self.std, self.provenance = backbone.mean, backbone.std, backbone.provenance
        self.offsets = pair_offsets(parameters.radius)
        self.pairs = parameters.pairs
        self._frozen_norm = parameters.batch_norm == "frozen"
        with seeded(rng):
            self.affinitynet: nn.Module = AffinityNet(backbone, backbone.channels)
        self.train()

    def networks(self) -> dict[str, nn.Module]:
        """The AffinityNet."""
        return {"affinitynet": self.affinitynet}

    def train(self, mode: bool = True) -> AffinityMethod:
        """Switch training mode; frozen batch norm stays frozen."""
        super().train(mode)
        if self._frozen_norm:
            freeze_batch_norm(self.affinitynet)
        return self

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """bg/4 + fg/4 + neg/2 over the pairs of the confident regions (eq. 3).

        Raises:
            ValueError: the batch has no label maps.
        """
        if batch.label_maps is None:
            raise ValueError("AffinityNet is trained on confident regions, but the batch has no label maps")
        features = self.affinitynet(batch.images)
        regions = nearest_labels(batch.label_maps, (features.shape[2], features.shape[3]))
        labels = affinity_labels(regions, self.offsets, self.pairs)
        loss = affinity_loss(feature_affinity(features, self.offsets), *labels)
        parts = {"background": loss.background, "foreground": loss.foreground, "negative": loss.negative}
        yield Objective("affinitynet", loss.total, parts)


@torch.no_grad()
def image_affinity(
    network: nn.Module,
    image: UInt8[np.ndarray, "H W 3"],
    parameters: AffinityParameters,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    scale: float = 1.0,
    device: str | torch.device = "cpu",
) -> Float32[np.ndarray, "offsets h w"]:
    """Affinities of an image's grid points, for the walk; the offsets are `pair_offsets(parameters.radius)`.

    Args:
        network: a trained `AffinityNet` in evaluation mode, on `device`.
        image: RGB.
        parameters: those that it was trained with.
        mean, std: input normalisation on [0, 1] RGB.
        scale: the image is resized by this factor first; the grid has 1/8 of its size then, rounded up.
        device: where to compute.
    """
    features = network(network_input(image, scale, mean, std).to(device))
    affinity = feature_affinity(features, pair_offsets(parameters.radius))[0].float().cpu()
    exists = pair_mask(pair_offsets(parameters.radius), tuple(features.shape[2:]), parameters.pairs)
    return (affinity * exists).numpy()


def nearest_labels(
    label_maps: Int64[Tensor, "batch H W"], size: tuple[int, int]
) -> Int64[Tensor, "batch h w"]:
    """Label maps on a coarser grid, of (h, w) cells: each takes the label nearest to its centre."""
    small = functional.interpolate(label_maps[:, None].float(), size, mode="nearest-exact")
    return small[:, 0].long()
