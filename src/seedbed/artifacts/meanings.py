"""What artifacts mean: one row per meaning, with its form, how it is scored, and its heading on the report page.

A stage makes one meaning (`Stage.makes`); an input lists the meanings, or whole forms, that it takes (`Input.takes`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from seedbed.artifacts.forms import FORMS, Form
from seedbed.artifacts.models import MODEL

TRUE_MASKS = "masks"
"""Stands for the data set's own masks, in a recipe's `from:` and in `Input.takes`; no artifact has this meaning."""


@dataclass(frozen=True)
class Meaning:
    """One row.

    Attributes:
        heading: on the report page, and for a column of sample pictures.
        score: kind of its scores; empty if it is not scored.
        truth: what it is scored against: the true masks, or the image-level labels.
        keeps_epochs: whether `node@epoch30` can be asked for.
        shown: files that the report page reads besides those of the form.
    """

    name: str
    form: Form
    heading: str
    score: str = ""
    truth: Literal["masks", "labels"] = "masks"
    keeps_epochs: bool = False
    shown: tuple[str, ...] = ()

    @property
    def of_masks(self) -> bool:
        """Whether its classes are those of the masks, which a `class_map` may tell from those of the labels."""
        return self.form is FORMS["label_maps"] or self.name == "segmenter"


MEANINGS: dict[str, Meaning] = {
    meaning.name: meaning
    for meaning in (
        Meaning("classifier", FORMS["networks"], "classifier", keeps_epochs=True, shown=(MODEL,)),
        Meaning("classification", FORMS["vectors"], "classification", score="classification", truth="labels"),
        Meaning("subcategories", FORMS["table"], "sub-categories"),
        Meaning("cams", FORMS["maps"], "CAM", score="cam"),
        Meaning("saliency_network", FORMS["networks"], "saliency network", keeps_epochs=True),
        Meaning("saliency", FORMS["maps"], "saliency"),
        Meaning("regions", FORMS["label_maps"], "confident regions", score="regions"),
        Meaning("affinitynet", FORMS["networks"], "AffinityNet", keeps_epochs=True),
        Meaning("refined_cams", FORMS["maps"], "refined CAM", score="refined_cam"),
        Meaning("pseudo_masks", FORMS["label_maps"], "pseudo mask", score="pseudo_mask"),
        Meaning("superpixel_masks", FORMS["label_maps"], "superpixel vote", score="superpixel_mask"),
        Meaning("agreed_masks", FORMS["label_maps"], "agreed mask", score="agreed_mask"),
        Meaning("segmenter", FORMS["networks"], "segmenter", keeps_epochs=True),
        Meaning("predictions", FORMS["label_maps"], "prediction", score="prediction"),
    )
}
"""In the order in which the page shows them."""


def takes(names: Iterable[str], meaning: Meaning) -> bool:
    """Whether an input that names these meanings or forms takes an artifact of this meaning."""
    return bool({meaning.name, meaning.form.name} & set(names))
