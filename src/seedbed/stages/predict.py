"""`predict`: label maps from a segmentation network: probabilities over scales and mirror images, then argmax.

A dense CRF, if requested, sharpens the probabilities. No pixel is neutral. The label maps have the classes of
the masks, also where the network has those of the labels (`class_map` of the data set).

Classes can be left out of an image beforehand: those that a classifier finds absent (`classes: classified`), or, in
training images, those that the image-level labels do not name (`classes: labelled`). The probabilities of the others
are rescaled to sum to 1.

A segmenter that has learnt from label maps in which most pixels are background finds too little of the objects.
`background_offset` takes that preference from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from pydantic import Field

from seedbed.errors import SeedbedError
from seedbed.input.augmentation import Scale
from seedbed.labels import IGNORE
from seedbed.number_formats import Precision
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage
from seedbed.runtime.crf_options import CrfOptions

if TYPE_CHECKING:
    from seedbed.methods.trained import TrainedNetwork


class PredictParameters(CrfOptions, ShardedParameters):
    """How an image is segmented."""

    splits: tuple[str, ...] = Field(default=("val",), description="splits of the data set to process")
    scales: tuple[Scale, ...] = Field(
        default=(0.75, 1.0, 1.25), min_length=1, description="scales of the image"
    )
    flip: bool = Field(default=True, description="also take the mirrored prediction of the mirrored image")
    fusion: Literal["probabilities", "logits_sum", "logits_mean"] = Field(
        default="probabilities",
        description="the mean of all views' probabilities, or the softmax of the sum (Puzzle-CAM) or the mean (P-NOC) "
        "of their logits, for which the CRF presets of these were made",
    )
    precision: Precision = Field(
        default="32",
        description="number format of the network; bf16 is faster on processors with instructions for it, slower on "
        "others, and changes labels at the borders of objects",
    )
    background_offset: float = Field(
        default=0.0,
        ge=-20,
        le=20,
        description="taken from the logarithm of background's probability after the views are joined (of one view: its "
        "logit); log(b / (1 - b)), with b the share of background in the label maps that the segmenter learnt "
        "from, weighs foreground and background alike (logit adjustment, Menon et al. 2021)",
    )
    classes: Literal["all", "labelled", "classified"] = Field(
        default="all",
        description="the classes that an image can have: all; those of its image-level labels, on split train only; or "
        "those that input classification finds, and only background where it finds none",
    )
    present_above: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        description="with classes: classified, a class is present where its probability is larger",
    )

    def slice(self) -> dict[str, Any]:
        """A threshold that is not asked changes nothing, so a data set's setting of it makes nothing stale."""
        return {
            key: value
            for key, value in super().slice().items()
            if key != "present_above" or self.classes == "classified"
        }

    def needed_inputs(self) -> tuple[str, ...]:
        """Only a classification says which classes it finds."""
        return ("classification",) if self.classes == "classified" else ()

    def unused_inputs(self) -> tuple[str, ...]:
        """Otherwise no classification is asked."""
        return () if self.classes == "classified" else ("classification",)

    def faults(self) -> Iterator[str]:
        """Labels of the images that are scored would not be there for a new photograph."""
        if self.classes == "labelled" and set(self.splits) != {"train"}:
            yield (
                f"classes: labelled is for split train, got splits {', '.join(self.splits)}; take classes: classified "
                "with a classification of these splits"
            )


def image_probabilities(
    trained: TrainedNetwork, image: UInt8[np.ndarray, "H W 3"], parameters: PredictParameters, device: str
) -> Float32[np.ndarray, "K H W"]:
    """Probabilities of each class at each pixel, before a CRF."""
    from seedbed.networks.inference import multi_scale_probabilities

    probabilities = multi_scale_probabilities(
        trained.network,
        image,
        trained.mean,
        trained.std,
        parameters.scales,
        parameters.flip,
        device,
        parameters.fusion,
        parameters.precision,
    )
    if parameters.background_offset:
        probabilities[0] *= np.float32(math.exp(-parameters.background_offset))
        probabilities /= probabilities.sum(0)
    return probabilities


def _present_classes(job: Job) -> Callable[[str], Bool[np.ndarray, " classes"]] | None:
    """Which classes of the labels an image can have, by its id; None: all.

    Raises:
        SeedbedError: no classification is given where one is asked, or labels of another split than train.
    """
    parameters: PredictParameters = job.parameters
    if parameters.classes == "all":
        return None
    if parameters.classes == "labelled":
        for fault in parameters.faults():
            raise SeedbedError(fault)
        return job.dataset.labels
    classified = job.artifact("classification").open(job.split)
    return lambda image_id: classified[image_id]["probabilities"] > parameters.present_above


def run(job: Job) -> Iterator[tuple[str, UInt8[np.ndarray, "height width"]]]:
    """Yield the predicted label map of each image."""
    import torch

    from seedbed.input.ahead import read_ahead
    from seedbed.methods.trained import load_segmenter
    from seedbed.refine.present_classes import possible_labels, probabilities_of_labels

    parameters: PredictParameters = job.parameters
    torch.set_num_threads(parameters.torch_threads)
    trained = load_segmenter(job.artifact("segmenter"), job.epochs.get("segmenter"), job.device)
    of_masks = job.artifact("segmenter").meaning.of_masks
    present = _present_classes(job)
    empty = full = 0
    for image_id, photograph in read_ahead(job.image_ids, job.dataset.image):
        probabilities = image_probabilities(trained, np.array(photograph), parameters, job.device)
        labels = np.arange(len(probabilities))
        if present is not None:
            labels = possible_labels(present(image_id), job.dataset.mask_lookup if of_masks else None, labels)
        refine = parameters.score_refiner(photograph) if parameters.has_crf else None
        kept = probabilities_of_labels(probabilities, labels, refine)
        label_map = labels.astype(np.uint8)[kept.argmax(0)]
        label_map = label_map if of_masks else job.dataset.in_mask_classes(label_map)
        known = label_map[label_map != IGNORE]
        empty += bool(known.size) and not known.any()
        full += bool(known.size) and bool(known.all())
        yield image_id, label_map
    for count, what in ((empty, "are background only"), (full, "have no background")):
        if count:
            job.log(f"{count} of {len(job.image_ids)} label maps {what}")


STAGE = Stage(
    name="predict",
    version=2,
    summary="Segment images with a trained segmentation network.",
    parameters=lambda raw: PredictParameters,
    inputs={
        "segmenter": Input(("segmenter",)),
        "classification": Input(("classification",), required=False),
    },
    resources="inference",
    run=run,
    makes="predictions",
)
