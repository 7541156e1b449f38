"""SC-CAM: a CAM classifier that also tells sub-categories of each class apart (Chang et al. 2020, §3.2, eq. 3).

    L = L_p(H_p(f), Y_p) + λ L_s(H_s(f), Y_s)

Both are multi-label soft margins, each a mean over its own outputs; those of an absent class, and those that a class
with few images leaves unused, have the label 0. Y_s comes from the stage `subcategories`. A round is a node of this
method; each starts from the initial weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from seedbed.errors import SeedbedError
from seedbed.methods.base import MethodEntry, Objective, Progress
from seedbed.methods.cam import CamMethod, ClassMeanParameters

if TYPE_CHECKING:
    from torch import Tensor, nn

    from seedbed.input.batch import Batch
    from seedbed.networks.backbones import Backbone
    from seedbed.networks.weights import InitialWeights

SUBCATEGORIES = "subcategories"
FIELD = f"{SUBCATEGORIES}.cluster"
CLUSTERS = "clusters"
"""Fact of the input's manifest: K."""


class SubcategoryParameters(ClassMeanParameters):
    """SC-CAM: classes and sub-categories, with one head each."""

    subcategory_weight: float = Field(5.0, ge=0)
    """λ, weight of the loss on sub-categories."""
    subcategories: int | None = Field(None, ge=1)
    """K, outputs of the second head per class; null: as many as the input `subcategories` was made with."""

    def with_clusters(self, facts: Mapping[str, Mapping[str, Any]]) -> SubcategoryParameters:
        """The same with K from the facts of the input.

        Raises:
            SeedbedError: the parameters ask for another K, or the input does not say how many it has.
        """
        clusters = facts[SUBCATEGORIES].get(CLUSTERS)
        if clusters is None:
            raise SeedbedError(
                f"expected the manifest of the input {SUBCATEGORIES} to say how many `{CLUSTERS}` a class has, but it "
                f"does not; give a node of stage {SUBCATEGORIES}"
            )
        if self.subcategories not in (None, clusters):
            raise SeedbedError(
                f"expected an input with {self.subcategories} {SUBCATEGORIES} per class, as the parameters say, but it "
                f"was made with {clusters}; leave the parameter `{SUBCATEGORIES}` out"
            )
        return self.model_copy(update={SUBCATEGORIES: clusters})


class SubcategoryMethod(CamMethod):
    """One player, `classifier`, a `SubcategoryNetwork`; with K unknown, one sub-category per class."""

    def __init__(
        self,
        parameters: SubcategoryParameters,
        *,
        classes: int,
        rng: int,
        weights: InitialWeights | None = None,
    ):
        self.subcategories = parameters.subcategories or 1
        self.weight = parameters.subcategory_weight
        super().__init__(parameters, classes=classes, rng=rng, weights=weights)

    def build_network(self, backbone: Backbone, classes: int, parameters: Any, **options: Any) -> nn.Module:
        """The classifier with its second head."""
        from seedbed.networks.subcategory_network import SubcategoryNetwork

        return SubcategoryNetwork(backbone, classes, subcategories=self.subcategories, **options)

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """The joint loss; `label_smoothing` is for the classes only.

        Raises:
            SeedbedError: the class maps have collapsed, or the table does not fit the image-level labels.
            ValueError: the batch has no sub-categories, or some beyond K.
        """
        from seedbed.losses.multilabel import multilabel_soft_margin, smooth_labels
        from seedbed.losses.subcategories import subcategory_labels
        from seedbed.methods.guards import check_cams_vary

        if FIELD not in batch.fields:
            raise ValueError(f"the batch has no {FIELD}; give the stage a table of {SUBCATEGORIES}")
        clusters = batch.fields[FIELD]
        _check_present(clusters, batch)
        output = self.classifier(batch.images)
        check_cams_vary(output.cam_logits, batch.labels, progress)
        labels = smooth_labels(batch.labels, self.label_smoothing)
        parts = {
            "classification": self.class_factor * multilabel_soft_margin(output.class_logits, labels),
            SUBCATEGORIES: self.class_factor
            * multilabel_soft_margin(
                output.subcategory_logits, subcategory_labels(clusters, self.subcategories)
            ),
        }
        yield Objective("classifier", parts["classification"] + self.weight * parts[SUBCATEGORIES], parts)


def _check_present(clusters: Tensor, batch: Batch) -> None:
    """A class has a sub-category exactly where it is present."""
    wrong = ((clusters >= 0) != (batch.labels > 0.5)).any(1)
    if bool(wrong.any()):
        image_id = batch.image_ids[int(wrong.nonzero()[0, 0])]
        raise SeedbedError(
            f"expected a sub-category for exactly the classes of image {image_id!r}, but the table has others; make "
            f"the {SUBCATEGORIES} from the split that is trained on"
        )


ENTRY = MethodEntry(
    SubcategoryParameters,
    SubcategoryMethod,
    "train_classifier",
    reads={SUBCATEGORIES: ("subcategories",)},
    derive=SubcategoryParameters.with_clusters,
)
