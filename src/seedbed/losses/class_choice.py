"""Which class is erased, by what was erased before: the options of P-NOC's code beside the random choice.

The published code can also erase several classes per image; but it then has more masks than images, and fails.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

MOMENTUM = 0.9
GAMMA = 2.0


class ChoiceHistory(NamedTuple):
    """What the choice depends on."""

    times: Float[Tensor, "classes"]
    """1 + how often each class was erased."""
    hardness: Float[Tensor, "classes"]
    """Running mean of how far the judge is from the labels, which starts at 1."""

    @classmethod
    def empty(cls, classes: int) -> "ChoiceHistory":
        """Before the first choice."""
        return cls(torch.ones(classes), torch.ones(classes))

    def choose(
        self,
        labels: Float[Tensor, "batch classes"],
        uniform: Float[Tensor, "batch"],
        choice: Literal["balanced", "focal", "least_chosen"],
    ) -> tuple[Int64[Tensor, "batch"], "ChoiceHistory"]:
        """One present class per image, -1 where there is none, and the history afterwards.

        Images are served in order, and each counts for those after it. `balanced` draws a class with probability
        proportional to 1 / times, `focal` to its hardness; `least_chosen` takes the smallest of times, the first of
        equals.

        Args:
            labels: 0 or 1.
            uniform: random numbers in [0, 1), one per image.
            choice: how.
        """
        times = self.times.clone()
        chosen = torch.full((len(labels),), -1)
        for row, present in enumerate(labels > 0.5):
            classes = present.nonzero()[:, 0]
            if not len(classes):
                continue
            if choice == "least_chosen":
                place = int(times[classes].argmin())
            else:
                weights = (1 / times if choice == "balanced" else self.hardness)[classes].double()
                shares = weights.cumsum(0) / weights.sum()
                place = min(int((shares <= uniform[row]).sum()), len(classes) - 1)
            chosen[row] = classes[place]
            times[classes[place]] += 1
        return chosen, self._replace(times=times)

    def judged(
        self,
        labels: Float[Tensor, "batch classes"],
        left: Float[Tensor, "batch classes"],
        probabilities: Float[Tensor, "batch classes"],
    ) -> "ChoiceHistory":
        """Move the hardness of the batch's classes a tenth of the way to Σ |t − p|² / number of images with the class.

        The sum is over all images of the batch, as in the published code, also those without the class.

        Args:
            labels: y.
            left: t, the labels without the erased class.
            probabilities: p, the judge's for the images with the class erased.
        """
        labels, left, probabilities = (x.float().cpu() for x in (labels, left, probabilities))
        count = labels.sum(0)
        wrong = (1 - (left * probabilities + (1 - left) * (1 - probabilities))) ** GAMMA
        moved = MOMENTUM * self.hardness + (1 - MOMENTUM) * wrong.sum(0) / count.clamp(min=1)
        return self._replace(hardness=torch.where(count > 0, moved, self.hardness))
