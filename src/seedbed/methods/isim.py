"""ISIM (Bircanoglu & Arica, "Iterative Self-Improved Model for Weakly Supervised Segmentation"), §3.2 and algorithm 1.

One encoder learns classes, through a classification branch whose maps are the CAMs, and pixels, through a decoder:

    L = ℓ(p, y) + λ ModifiedCrossEntropy(s, m)

The label maps m are made by the network itself at the start of some epochs: CAMs at several scales, threshold, dense
CRF. Before that, only the classification loss is used. Masks are never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from seedbed.errors import SeedbedError, memory_for_image
from seedbed.methods.base import EpochContext, MethodEntry, Objective, Progress
from seedbed.methods.cam import CamMethod, ClassMeanParameters
from seedbed.methods.regeneration import LABELLED_AFTER, Convergence, Every, Schedule, fixed_epochs
from seedbed.refine.crf.parameters import NO_CRF, known_preset

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from seedbed.input.batch import Batch
    from seedbed.methods.cam_labels import CamLabels, ImageCams
    from seedbed.networks.backbones import Backbone
    from seedbed.networks.weights import InitialWeights

LABELS = "isim_labels"
"""Name of the written field."""


class IsimParameters(ClassMeanParameters):
    """A CAM classifier with a decoder that learns from label maps made of its own CAMs."""

    decoder: Literal["deeplabv3plus", "unet", "unet_transposed"] = "deeplabv3plus"
    """What decodes the encoder's maps; `unet` enlarges bilinearly, `unet_transposed` by transposed convolutions."""
    decoder_lr_factor: float = Field(1.0, gt=0)
    """Factor on `lr` for the decoder: 1 in ISIM's code, 0.1 in its paper."""
    segmentation_weight: float = Field(1.0, gt=0)
    """λ of the modified cross-entropy."""
    cross_entropy: Literal["zeroed", "dropped"] = "zeroed"
    """Images that are all background count in the mean as log K (`zeroed`: eq. 2, code), or not at all (text)."""
    padding: Literal["ignored", "background"] = "ignored"
    """What is taught on the padding of a crop: nothing, or `background` (code)."""
    first_labels: int = Field(5, ge=1)
    """Epochs on the classification loss alone, before labels are made for the first time."""
    regenerate: Schedule = Every(every=10)
    """When labels are made anew: `{every: n}`, on `convergence` of the loss, or after each epoch of a list."""
    converged_within: float = Field(0.01, ge=0, lt=1)
    """For `convergence`: share of the loss by which an epoch must be lower than those before it."""
    converged_after: int = Field(1, ge=1)
    """For `convergence`: epochs in a row that are not lower."""
    label_scales: tuple[float, ...] = Field((0.5, 1.0, 1.5, 2.0), min_length=1)
    """Scales of the image for the labels' CAMs, each with its mirror image."""
    label_threshold: float = Field(0.3, ge=0, le=1)
    """Score of background in the labels."""
    label_crf: Annotated[str, AfterValidator(known_preset)] = "irn"
    """Preset of the labels' dense CRF, or none."""
    label_crf_engine: str = "permutohedral"
    """Engine of the dense CRF."""

    @model_validator(mode="after")
    def _schedule_fits(self) -> IsimParameters:
        if isinstance(self.regenerate, tuple):
            if not self.regenerate or list(self.regenerate) != sorted(set(self.regenerate)):
                raise ValueError("regenerate: expected rising epochs, for instance [5, 15, 25]")
            default = type(self).model_fields["first_labels"].default
            if self.first_labels not in (default, self.regenerate[0]):
                raise ValueError(
                    f"first_labels {self.first_labels} is not the first of regenerate's epochs; leave it out"
                )
        epochs = getattr(self, "epochs", None)  # of the stage, whose model this one is joined with
        last = self.regenerate[-1] if isinstance(self.regenerate, tuple) else self.first_labels
        if epochs is not None and last >= epochs:
            raise ValueError(
                f"labels that are made after epoch {last} of {epochs} would not be used; raise epochs, or lower "
                f"{'regenerate' if isinstance(self.regenerate, tuple) else 'first_labels'}"
            )
        if self.decoder == "deeplabv3plus" and self.output_stride == 32:
            raise ValueError("deeplabv3plus decodes maps at output stride 8 or 16; lower output_stride")
        if self.decoder == "deeplabv3plus" and getattr(self, "batch_size", 2) < 2:
            raise ValueError("deeplabv3plus needs a batch_size of at least 2, for batch norm on a pooled map")
        return self


class IsimMethod(CamMethod):
    """One player, `classifier`, a `CamSegmenter`."""

    def __init__(
        self, parameters: IsimParameters, *, classes: int, rng: int, weights: InitialWeights | None = None
    ):
        from seedbed.networks.bands import work_in_bands

        self.settings, self.rng = parameters, rng
        super().__init__(parameters, classes=classes, rng=rng, weights=weights)
        backbone: Any = self.classifier.backbone
        work_in_bands(self.classifier, backbone)  # labels are made of whole photographs
        self.labelled_after = 0
        """The epoch, from 1, after which the labels in use were made; 0 before the first ones."""
        self.convergence = Convergence(parameters.converged_within, parameters.converged_after)

    def build_network(self, backbone: Backbone, classes: int, parameters: Any, **options: Any) -> nn.Module:
        """The classifier with its decoder."""
        from seedbed.networks.cam_segmenter import CamSegmenter

        return CamSegmenter(
            backbone,
            classes,
            decoder=parameters.decoder,
            decoder_lr_factor=parameters.decoder_lr_factor,
            rng=self.rng,
            **options,
        )

    def pixel_network(self) -> nn.Module:
        """The decoder's side of the network."""
        from seedbed.networks.cam_segmenter import CamSegmenter, PixelLogits

        assert isinstance(self.classifier, CamSegmenter)
        return PixelLogits(self.classifier)

    def state(self) -> dict[str, Tensor]:
        """When the labels were made, and what `convergence` goes by."""
        import torch

        return {LABELLED_AFTER: torch.tensor(self.labelled_after), "convergence": self.convergence.state()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        self.labelled_after = int(state[LABELLED_AFTER])
        self.convergence.load(state["convergence"])

    def on_epoch_start(self, epoch: int, context: EpochContext) -> None:
        """Make the labels anew, if it is time (line 8 of algorithm 1).

        Raises:
            ImageMemoryError: there is no memory for the labels of an image, which is worked on whole.
            SeedbedError: all labels are background.
            ValueError: before anything is trained, an engine of the CRF that is unknown or does not import here.
        """
        if epoch == 0:
            self._label_maker().check()
        if not self._is_time(epoch):
            return
        self.eval()
        context.fields.write(LABELS, epoch, self._labels(epoch, context))
        self.labelled_after = epoch
        self.convergence.restart()

    def _is_time(self, epochs_done: int) -> bool:
        p = self.settings
        if p.regenerate == "convergence":
            return self.convergence.end_epoch() if self.labelled_after else epochs_done == p.first_labels
        return epochs_done in fixed_epochs(p.regenerate, p.first_labels, epochs_done + 1)

    def _labels(self, epoch: int, context: EpochContext) -> Iterator[tuple[str, np.ndarray]]:
        from seedbed.methods.cam_labels import in_order

        make = self._label_maker()
        assert context.examples is not None
        foreground = pixels = named = blank = 0
        for image_id, label_map in in_order(make, self._cams(context), context.workers):
            if context.examples.labels(image_id).any():
                named, blank = named + 1, blank + (not label_map.any())
            foreground, pixels = foreground + int((label_map > 0).sum()), pixels + label_map.size
            yield image_id, label_map
        if blank == named:
            raise SeedbedError(
                f"after epoch {epoch} the labels of all {named} images with a class are background; most likely the "
                "CAMs have collapsed, or label_threshold is too high: look at the loss, lower lr or label_threshold. "
                "The last good checkpoint is kept"
            )
        context.log(
            f"labels after epoch {epoch}: {foreground / pixels:.1%} foreground; {blank} of {named} images with a class "
            "are all background"
        )

    def _label_maker(self) -> CamLabels:
        from seedbed.methods.cam_labels import CamLabels

        p = self.settings
        return CamLabels(
            p.label_threshold, None if p.label_crf == NO_CRF else p.label_crf, p.label_crf_engine
        )

    def _cams(self, context: EpochContext) -> Iterator[ImageCams]:
        """Every training image with its CAMs, which are the work of this process."""
        import numpy as np

        from seedbed.cam.inference import multi_scale_cams
        from seedbed.methods.cam_labels import ImageCams

        examples = context.examples
        assert examples is not None
        for image_id in examples.ids:
            image = np.array(examples.image(image_id))
            present = tuple(int(c) for c in np.flatnonzero(examples.labels(image_id)))
            maps: tuple[np.ndarray, ...] = ()
            if present:
                with memory_for_image(image_id):
                    maps = multi_scale_cams(
                        self.classifier,
                        image,
                        present,
                        mean=self.mean,
                        std=self.std,
                        scales=self.settings.label_scales,
                        device=context.device,
                    ).maps
            yield ImageCams(image_id, image, present, maps)

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """Classification loss and, once there are labels, the decoder's.

        Raises:
            SeedbedError: the class maps have collapsed.
        """
        from seedbed.losses.modified_cross_entropy import has_foreground, modified_cross_entropy
        from seedbed.losses.multilabel import multilabel_soft_margin, smooth_labels
        from seedbed.methods.guards import check_cams_vary

        p = self.settings
        label_maps = batch.fields.get(LABELS)
        output = self.classifier(batch.images, segment=label_maps is not None)
        check_cams_vary(output.cam_logits, batch.labels, progress)
        labels = smooth_labels(batch.labels, p.label_smoothing)
        loss = self.class_factor * multilabel_soft_margin(output.class_logits, labels)
        parts = {"classification": loss}
        if label_maps is not None:
            if p.padding == "background":
                label_maps = label_maps.masked_fill(~batch.valid, 0)
            parts["segmentation"] = modified_cross_entropy(output.pixel_logits, label_maps, p.cross_entropy)
            parts["without_foreground"] = 1 - has_foreground(label_maps).float().mean()
            parts[LABELLED_AFTER] = loss.new_tensor(float(self.labelled_after))
            loss = loss + p.segmentation_weight * parts["segmentation"]
            self.convergence.add(float(loss.detach()))
        yield Objective("classifier", loss, parts)


ENTRY = MethodEntry(IsimParameters, IsimMethod, "train_classifier", also=("segmenter",))
