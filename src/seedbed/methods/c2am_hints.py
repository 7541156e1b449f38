"""C²AM-H: C²AM, whose foreground is where CAMs are strong (David et al., P-NOC, §4, eq. 11).

    L = L_pos-f + L_pos-b + L_neg + λ_h BCE(p, 1) where the strongest class's map is at least δ_fg

The hints say which half is salient, so no polarity is looked for afterwards. A batch without a hint has no such term;
an epoch without any stops the training, because the halves would then be exchangeable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from seedbed.errors import SeedbedError
from seedbed.methods.base import POLARITY, EpochContext, MethodEntry, Objective, Progress
from seedbed.methods.c2am import C2amMethod, C2amParameters, joint

if TYPE_CHECKING:
    from torch import Tensor

    from seedbed.input.batch import Batch
    from seedbed.input.examples import Examples

HINTS = "hints"


class C2amHintsParameters(C2amParameters):
    """C²AM-H: C²AM with the strong regions of CAMs as hints."""

    hint_weight: float = Field(1.0, gt=0)
    """λ_h, weight of the cross-entropy on hints."""
    hint_threshold: float = Field(0.4, gt=0, le=1)
    """δ_fg: a cell is a hint where the strongest class's map, averaged over it, is at least this."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """a in a hint's target 1 - a/2; the code has 0.1, which the paper does not mention."""


class C2amHintsMethod(C2amMethod):
    """One player, `saliency_network`; it counts the hinted cells of an epoch."""

    def __init__(self, parameters: C2amHintsParameters, **options: Any):
        import torch

        super().__init__(parameters, **options)
        self.settings = parameters
        self.hinted = torch.zeros((), dtype=torch.int64)

    def state(self) -> dict[str, Tensor]:
        """Hinted cells of the epoch so far."""
        return {"hinted": self.hinted}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.hinted = state["hinted"].clone()

    def on_epoch_start(self, epoch: int, context: EpochContext) -> None:
        """Stop after an epoch without a hint."""
        import torch

        if epoch:
            self._check_hinted()
        self.hinted = torch.zeros((), dtype=torch.int64)

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """The three terms of C²AM, and the hints'.

        Raises:
            ValueError: a batch of one image, or without the input.
        """
        from torch.nn.functional import adaptive_avg_pool2d

        from seedbed.losses.disentangling import hint_loss

        if HINTS not in batch.fields:
            raise ValueError(f"the batch has no {HINTS}; give the stage CAMs as the input {HINTS}")
        output = self.saliency_network(batch.images, batch.valid)
        parts = self.contrast(output)
        strongest = batch.fields[HINTS].amax(1, keepdim=True)
        cells = (output.saliency_logits.shape[2], output.saliency_logits.shape[3])
        hints = adaptive_avg_pool2d(strongest, cells) >= self.settings.hint_threshold
        self.hinted = self.hinted + hints.sum().cpu()
        parts[HINTS] = hint_loss(output.saliency_logits, hints, self.settings.label_smoothing)
        yield Objective("saliency_network", joint(parts) + self.settings.hint_weight * parts[HINTS], parts)

    def facts(self, examples: Examples, device: str) -> Mapping[str, Any]:
        """High logits are salient: the hints say so."""
        self._check_hinted()
        return {POLARITY: {"inverted": False, "rule": HINTS}}

    def _check_hinted(self) -> None:
        if not int(self.hinted):
            raise SeedbedError(
                f"no cell of any image reaches hint_threshold {self.settings.hint_threshold:g} in the {HINTS}, so "
                "nothing says which half is salient; lower hint_threshold, or give other CAMs"
            )


ENTRY = MethodEntry(
    C2amHintsParameters, C2amHintsMethod, "train_saliency", reads={HINTS: ("cams", "refined_cams")}
)
