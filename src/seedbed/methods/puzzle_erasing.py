"""Puzzle-CAM, OC-CSE, P-OC and P-NOC: one equation with different weights (P-NOC paper, eq. 3, 6, 8–10).

    L_classifier = ℓ(p, y) + ℓ(p_re, y) + λ_re ‖A − A_re‖₁ + λ_cse ℓ(p_oc, y ∖ {r})
    L_adversary  = λ_noc ℓ(p_noc, y)

Puzzle-CAM (Jo & Yu 2021) has the first three terms, OC-CSE (Kweon et al. 2021) the first and the fourth, P-OC
all four, P-NOC also has the adversary, which is the ordinary classifier trained further.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from seedbed.methods.base import GivenNetwork, MethodEntry, Objective, Progress
from seedbed.methods.cam import CamMethod, ClassMeanParameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from seedbed.input.batch import Batch
    from seedbed.networks.weights import InitialWeights


ClassChoice = Literal["random", "balanced", "focal", "least_chosen"]


class PuzzleErasingParameters(ClassMeanParameters):
    """Puzzle-CAM, OC-CSE, P-OC and P-NOC: one equation, in which a null weight drops a term.

    A weight is [start, end] and rises linearly.
    """

    reconstruction_weight: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """λ_re of Puzzle-CAM's L1 between class maps of the image and of its tiles; the tiles are also classified."""
    reconstruction_until: float = Field(0.5, gt=0, le=1)
    """Share of training after which λ_re stays at its end."""
    reconstruction_mean: Literal["all", "present", "per_image"] = "all"
    """Mean of the L1 over `all` maps, with absent classes as 0 (published code), over the `present` ones, or over those
    of each image, then over images (the published code's option `selection`)."""
    tiles: int = Field(2, ge=2)
    """Tiles along each side of the image."""
    erasing_weight: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """λ_cse of class-specific erasing, judged by the input `ordinary_classifier`."""
    erasing_ramp: Literal["step", "epoch"] = "step"
    """λ_cse rises every `step` (P-OC, P-NOC) or every `epoch`, reaching its end in the last one (OC-CSE)."""
    erasing_norm: Literal["batch", "image"] = "batch"
    """Maximum that scales the soft mask: of the `batch` (published code) or of each `image` (papers)."""
    class_choice: ClassChoice = "random"
    """Which present class of an image is erased: each with equal probability (published runs); or, as P-NOC's code
    offers, in inverse proportion to how often it was erased (`balanced`), in proportion to how hard it is for the judge
    (`focal`), or the one that was erased least (`least_chosen`)."""
    mask_order: Literal["relu_first", "resize_first"] = "relu_first"
    """Order of ReLU and the resizing of the erased class's map to image size: P-NOC's code, or `resize_first`, OC-CSE's
    code."""
    smoothed: tuple[Literal["classification", "tiles", "erasing", "adversary"], ...] = (
        "classification",
        "tiles",
        "erasing",
        "adversary",
    )
    """Terms whose labels `label_smoothing` applies to."""
    adversary_weight: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """λ_noc of P-NOC: the ordinary classifier is trained further, as the adversary."""
    adversary_every: int = Field(1, ge=1)
    """k_noc, optimiser steps of the classifier per step of the adversary; the code has 1, the paper does not say."""
    adversary_phase: Literal["first", "last"] = "first"
    """Which of every k_noc steps the adversary takes, too; the code has the last one."""
    adversary_threshold: float = Field(0.2, gt=0, lt=1)
    """δ_noc: the adversary sees images with everything above it erased (code; the paper's formula is ambiguous)."""
    adversary_gradient: Literal["own", "published"] = "own"
    """What the adversary steps along: the gradient of its `own` loss (algorithm 1, eq. 10), or that plus λ_cse times
    the gradient of the erasing loss, which the `published` code does not clear."""

    @model_validator(mode="after")
    def _adversary_fits(self) -> PuzzleErasingParameters:
        if self.adversary_weight is not None and self.erasing_weight is None:
            raise ValueError("adversary_weight needs erasing_weight; set both, for instance [0.3, 1.0]")
        if self.adversary_gradient == "published" and self.adversary_weight is None:
            raise ValueError("adversary_gradient has no effect without an adversary; set adversary_weight")
        if self.adversary_gradient == "published" and self.adversary_every > 1:
            raise ValueError(
                "adversary_gradient: published would gather the gradients of several steps, which no checkpoint holds; "
                "set adversary_every: 1"
            )
        if self.class_choice != "random" and self.erasing_weight is None:
            raise ValueError("class_choice has no effect where nothing is erased; set erasing_weight")
        return self

    def faults(self) -> Iterator[str]:
        """Also a crop whose tiles do not have their cells on those of the whole."""
        yield from super().faults()
        augmentation = getattr(self, "augmentation", None)
        whole = self.tiles * self.output_stride
        if self.reconstruction_weight is not None and augmentation is not None and augmentation.crop % whole:
            below = augmentation.crop // whole * whole
            yield (
                f"expected a crop that is a multiple of {self.tiles} x {self.output_stride} = {whole} pixels (tiles x "
                f"output_stride), so that the tiles' cells lie on those of the whole crop, got {augmentation.crop}; "
                f"choose {f'{below} or ' if below else ''}{below + whole}"
            )

    def needed_networks(self) -> tuple[str, ...]:
        """The ordinary classifier, if something is erased."""
        return () if self.erasing_weight is None else ("ordinary_classifier",)


class PuzzleErasingMethod(CamMethod):
    """Players: `classifier`, the generator of class maps; with `adversary_weight` also `adversary`.

    Args:
        parameters: which terms there are, and how they are weighted.
        classes: number of foreground classes, C.
        rng: keys the initialisation of what is trained from scratch.
        weights: see `seedbed.methods.table.build_method`.
        ordinary_classifier: judges what erasing leaves. It is frozen; with `adversary_weight` it is trained further,
            except for its batch norm. May be missing if nothing is trained.
    """

    def __init__(
        self,
        parameters: PuzzleErasingParameters,
        *,
        classes: int,
        rng: int,
        weights: InitialWeights | None = None,
        ordinary_classifier: GivenNetwork | None = None,
    ):
        from seedbed.losses.class_choice import ChoiceHistory
        from seedbed.networks.backbones import hold_batch_norm

        super().__init__(parameters, classes=classes, rng=rng, weights=weights)
        self.settings = parameters
        self.history = ChoiceHistory.empty(classes)
        self.ordinary_classifier: nn.Module | None = None
        self.adversary: nn.Module | None = None
        if ordinary_classifier is None:
            return
        self._judges_norm = ordinary_classifier.mean, ordinary_classifier.std
        if parameters.adversary_weight is None:
            self.ordinary_classifier = ordinary_classifier.network.requires_grad_(False)
        else:
            self.adversary = ordinary_classifier.network
            hold_batch_norm(self.adversary, "frozen")
        self.train()

    def networks(self) -> dict[str, nn.Module]:
        """The classifier and, if there is one, the adversary."""
        players = {"classifier": self.classifier}
        if self.adversary is not None:
            players["adversary"] = self.adversary
        return players

    def judges(self) -> dict[str, nn.Module]:
        """The ordinary classifier, if it is frozen."""
        return {} if self.ordinary_classifier is None else {"ordinary_classifier": self.ordinary_classifier}

    def state(self) -> dict[str, Tensor]:
        """How often each class was erased, and how hard each is, if the choice depends on it."""
        return {} if self.settings.class_choice == "random" else self.history._asdict()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        if state:
            self.history = self.history._replace(**state)

    def train(self, mode: bool = True) -> PuzzleErasingMethod:
        """Switch training mode; the adversary judges in evaluation mode, except in its own step."""
        super().train(mode)
        if self.adversary is not None:
            self.adversary.eval()
        return self

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """Algorithm 1 of the P-NOC paper: the classifier's step, then every k-th time the adversary's.

        Raises:
            SeedbedError: the class maps have collapsed.
            ValueError: there is no ordinary classifier though erasing needs one, or the cells of the
                tiles' maps do not lie on those of the whole crop's.
        """
        import torch

        from seedbed.cam.tiles import merge, tile
        from seedbed.losses import erasing
        from seedbed.losses.puzzle import reconstruction_loss
        from seedbed.methods.guards import check_cams_vary
        from seedbed.networks.backbones import hold_batch_norm
        from seedbed.training.schedules import linear_ramp

        p, images, labels = self.settings, batch.images, batch.labels
        uniform = torch.rand(len(labels))  # line 2: keyed by the loop, so that no network's dropout shifts it
        output = self.classifier(images)  # line 4
        check_cams_vary(output.cam_logits, labels, progress)
        parts = {"classification": self._classify(output.class_logits, labels, "classification")}
        loss = parts["classification"]
        if p.reconstruction_weight is not None:
            merged = merge(self.classifier(tile(images, p.tiles)).cam_logits, p.tiles)
            _check_sizes(output.cam_logits, merged, images, p.tiles)
            parts["tiles"] = self._classify(merged.mean((2, 3)), labels, "tiles")
            factor = self.class_factor if p.reconstruction_mean == "all" else 1.0
            parts["reconstruction"] = factor * reconstruction_loss(
                output.cam_logits, merged, labels, p.reconstruction_mean
            )
            weight = linear_ramp(progress.fraction, *p.reconstruction_weight, until=p.reconstruction_until)
            loss = loss + parts["tiles"] + weight * parts["reconstruction"]
        if p.erasing_weight is None:
            yield Objective("classifier", loss, parts)
            return
        chosen = self._choose(labels, uniform)
        maps = erasing.class_maps(output.cam_logits, chosen, (images.shape[2], images.shape[3]), p.mask_order)
        erased = erasing.erase_softly(images, erasing.normalise_maps(maps, p.erasing_norm))  # eq. 5
        left = erasing.labels_without(labels, chosen)
        judged = self._judge(erased)
        parts["erasing"] = self._classify(judged, left, "erasing")
        if p.class_choice == "focal":
            self.history = self.history.judged(labels, left, judged.detach().sigmoid())
        loss = loss + self._erasing_weight(progress) * parts["erasing"]  # eq. 8
        yield Objective(
            "classifier", loss, parts, ("adversary",) if p.adversary_gradient == "published" else ()
        )
        turn = 0 if p.adversary_phase == "first" else p.adversary_every - 1
        if self.adversary is None or progress.step % p.adversary_every != turn:
            return
        assert p.adversary_weight is not None
        kept = erasing.kept_pixels(erasing.normalise_maps(maps.detach(), "image"), p.adversary_threshold)
        self.adversary.train()
        hold_batch_norm(self.adversary, "frozen")
        loss = self._classify(self._judge(images * kept), labels, "adversary")  # lines 9 and 10
        yield Objective("adversary", linear_ramp(progress.fraction, *p.adversary_weight) * loss, {})
        self.adversary.eval()

    def _classify(self, class_logits: Tensor, labels: Tensor, term: str) -> Tensor:
        from seedbed.losses.multilabel import multilabel_soft_margin, smooth_labels

        smoothing = self.label_smoothing if term in self.settings.smoothed else 0.0
        return self.class_factor * multilabel_soft_margin(class_logits, smooth_labels(labels, smoothing))

    def _choose(self, labels: Tensor, uniform: Tensor) -> Tensor:
        """r of each image; -1 where no class is present."""
        from seedbed.losses.erasing import pick_present_class

        if self.settings.class_choice == "random":
            return pick_present_class(labels, uniform)
        chosen, self.history = self.history.choose(labels.cpu(), uniform, self.settings.class_choice)
        return chosen.to(labels.device)

    def _erasing_weight(self, progress: Progress) -> float:
        from seedbed.training.schedules import linear_ramp

        assert self.settings.erasing_weight is not None
        if self.settings.erasing_ramp == "step":
            return linear_ramp(progress.fraction, *self.settings.erasing_weight)
        share = progress.epoch / max(progress.epochs - 1, 1)
        return linear_ramp(share, *self.settings.erasing_weight)

    def _judge(self, images: Tensor) -> Tensor:
        """Class logits [batch classes] from the judging network, for images normalised as the classifier expects."""
        judge = self.ordinary_classifier if self.adversary is None else self.adversary
        if judge is None:
            raise ValueError(
                "erasing_weight needs an ordinary classifier; give the node `ordinary_classifier`"
            )
        if self._judges_norm != (self.mean, self.std):
            (mean, std), own_mean, own_std = self._judges_norm, self.mean, self.std
            scale = [a / b for a, b in zip(own_std, std, strict=True)]
            shift = [(a - b) / s for a, b, s in zip(own_mean, mean, std, strict=True)]
            images = images * images.new_tensor(scale)[:, None, None]
            images = images + images.new_tensor(shift)[:, None, None]
        logits: Tensor = judge(images).class_logits
        return logits


def _check_sizes(whole: Tensor, merged: Tensor, images: Tensor, side: int) -> None:
    height, width = images.shape[2:]
    if whole.shape != merged.shape or height % whole.shape[2] or width % whole.shape[3]:
        aside = " that lie elsewhere" if whole.shape == merged.shape else ""
        raise ValueError(
            f"class maps of {side} x {side} tiles merge to {tuple(merged.shape[2:])} cells, but those of the whole "
            f"{height} x {width} crop have {tuple(whole.shape[2:])}{aside}; choose a crop that is a multiple of {side} "
            "x output_stride"
        )


ENTRY = MethodEntry(
    PuzzleErasingParameters,
    PuzzleErasingMethod,
    "train_classifier",
    networks={"ordinary_classifier": "classifier"},
    needs=PuzzleErasingParameters.needed_networks,
)
