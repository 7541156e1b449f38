"""The pixel correlation module (PCM) of SEAM (Wang et al. 2020, arXiv:2004.04581, §3.3).

Each pixel's class scores become an average of all pixels' scores, weighted by how similar the pixels look. What looks
similar is learnt from the image itself and from two maps of the backbone. No gradient goes from here into the backbone
or the class maps: the published code detaches both.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from seedbed.networks.affinitynet import projection_width

EPSILON = 1e-5
MOST_WEIGHTS = 2**24
"""Weights of pairs of cells that are held at once where nothing is learnt (64 MB); small maps are worked on whole."""


def competing_cams(cam_logits: Float[Tensor, "batch classes h w"]) -> Float[Tensor, "batch outputs h w"]:
    """What the module spreads, detached: background first, then each pixel's strongest class alone.

    ψ = ReLU(ReLU(A) − ε) / (max ReLU(A) + ε), each map by its own maximum; background is 1 − max ψ, and every class
    but the strongest becomes 0. As in the published code, all classes compete, also those that the image-level labels
    do not name.

    Args:
        cam_logits: A, class maps before ReLU.
    """
    positive = cam_logits.detach().relu()
    psi = (positive - EPSILON).relu() / (positive.amax((2, 3), keepdim=True) + EPSILON)
    strongest = psi.amax(1, keepdim=True)
    return torch.cat([1 - strongest, psi.where(psi == strongest, psi.new_zeros(()))], dim=1)


def correlate(
    cams: Float[Tensor, "batch outputs h w"], features: Float[Tensor, "batch channels h w"]
) -> Float[Tensor, "batch outputs h w"]:
    """Each pixel's scores as the average over all pixels, weighted by ReLU(cosine similarity).

    The weights of a pixel are divided by their sum plus ε, so that they sum to slightly less than 1.

    Args:
        cams: scores that are spread.
        features: compared by their direction.
    """
    rows = features.flatten(2)
    unit = rows / (rows.norm(dim=1, keepdim=True) + EPSILON)
    flat, cells = cams.flatten(2), rows.shape[2]
    at_once = cells if torch.is_grad_enabled() else max(1, MOST_WEIGHTS // cells)
    refined = [_spread(flat, unit, unit[..., start : start + at_once]) for start in range(0, cells, at_once)]
    return torch.cat(refined, dim=2).reshape(cams.shape)


def _spread(
    flat: Float[Tensor, "batch outputs cells"],
    unit: Float[Tensor, "batch channels cells"],
    some: Float[Tensor, "batch channels part"],
) -> Float[Tensor, "batch outputs part"]:
    """The scores of some of the cells."""
    affinity = (unit.transpose(1, 2) @ some).relu()
    refined: Tensor = flat @ (affinity / (affinity.sum(1, keepdim=True) + EPSILON))
    return refined


class PixelCorrelation(nn.Module):
    """Refines class maps by the appearance of pixels.

    Args:
        channels: of the backbone's maps that are compared; each is projected to about an eighth
            (`projection_width`: 512 → 64 and 1024 → 128, as published for Wide-ResNet-38).
        generator: draws the initial weights: Kaiming for the projections, Xavier with gain 4 for the mixing.
    """

    def __init__(self, channels: Sequence[int], generator: torch.Generator | None = None):
        super().__init__()
        widths = [projection_width(count) for count in channels]
        self.projections = nn.ModuleList(
            nn.Conv2d(count, width, 1, bias=False) for count, width in zip(channels, widths, strict=True)
        )
        self.mixing = nn.Conv2d(3 + sum(widths), sum(widths), 1, bias=False)
        for projection in self.projections:
            assert isinstance(projection, nn.Conv2d)
            nn.init.kaiming_normal_(projection.weight, generator=generator)
        nn.init.xavier_uniform_(self.mixing.weight, gain=4, generator=generator)

    def forward(
        self,
        images: Float[Tensor, "batch 3 H W"],
        maps: Sequence[Float[Tensor, "batch _ _ _"]],
        cam_logits: Float[Tensor, "batch classes h w"],
    ) -> Float[Tensor, "batch outputs h w"]:
        """Refined maps of background and classes, on the grid of the class maps, to which the rest is resized.

        Args:
            images: normalised.
            maps: of the backbone, with the channels that the module was built for.
            cam_logits: class maps before ReLU.
        """
        projected = [project(x.detach()).relu() for project, x in zip(self.projections, maps, strict=True)]
        size = (cam_logits.shape[2], cam_logits.shape[3])
        aligned = [interpolate(x, size, mode="bilinear", align_corners=True) for x in (images, *projected)]
        return correlate(competing_cams(cam_logits), self.mixing(torch.cat(aligned, dim=1)))
