"""DeepLabV3+ (arXiv:1802.02611) of segmentation-models-pytorch, whose decoder takes large images in bands of rows.

Its decoder fuses maps of 304 and 256 channels at stride 4, of which several exist at once: half a gigabyte per
megapixel. Only the logits are needed, so above `bands.LARGEST` pixels the fused maps exist for a band at a time. Logits
differ from those of one pass by float32's rounding, if at all.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp
import torch
from jaxtyping import Float
from torch import Tensor

from seedbed.networks import bands

STRIDE = 4
"""Of the map at which the decoder fuses."""
HALO = 1
"""Rows around a band that the decoder's 3 × 3 convolution looks at."""


class DeepLabV3Plus(smp.DeepLabV3Plus):  # type: ignore[misc]
    """The library's network: its parameters, and its bytes for images up to `bands.LARGEST` pixels."""

    def forward(self, x: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch outputs H W"]:
        """Logits of each pixel."""
        if self.training or torch.is_grad_enabled() or x.shape[-2] * x.shape[-1] <= bands.LARGEST:
            whole: Tensor = super().forward(x)
            return whole
        features = self.encoder(x)
        coarse, fine = self.decoder.aspp(features[-1]), features[2]
        del features
        logits = self._fused(coarse, fine)
        for module in list(self.segmentation_head)[1:]:
            logits = module(logits)
        return logits

    def _fused(
        self, coarse: Float[Tensor, "batch _ H_16 W_16"], fine: Float[Tensor, "batch _ H_4 W_4"]
    ) -> Float[Tensor, "batch outputs H_4 W_4"]:
        """Logits at the fine map's size."""
        height, width = fine.shape[-2:]
        rows = max(bands.BAND // (STRIDE**2 * width), 4 * HALO)
        ratio = (coarse.shape[-2] - 1) / (height - 1)
        found = []
        for first in range(0, height, rows):
            last = min(first + rows, height)
            start, stop = max(0, first - HALO), min(height, last + HALO)
            places = torch.arange(start, stop, device=fine.device) * ratio
            enlarged = bands.rows_at(coarse, places, width, align_corners=True)
            near = self.decoder.block1(fine[..., start:stop, :])
            fused = self.decoder.block2(torch.cat([enlarged, near], 1))
            found.append(self.segmentation_head[0](fused[..., first - start : last - start, :]))
        return torch.cat(found, -2)
