"""Settings that fit a data set's sizes and counts and a machine, each with its reason.

The steps without a GPU are those of docs/results.md, where a few hundred steps on 300 photographs give most of what
this backbone gives; with a GPU there are more of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seedbed.runtime.machine import GB, Machine

Size = tuple[int, int]
"""Width and height."""
LARGE = 1.5e6
"""Pixels of a photograph above which `longest` is set."""
FEW, FEW_CLASSES = 100, 4
"""Fewer training photographs, or fewer classes, and the classifier's backbone stays as it was pretrained."""
FEW_REGIONS = "bg0.30-fg0.60"
"""Regions for the CAMs of such a classifier."""
FEWEST = 4
"""Training photographs without which a batch is too small for batch norm."""


class Budget(NamedTuple):
    """What a kind of machine can afford.

    Attributes:
        crop: largest one.
        longest: of large photographs.
        steps: of classifier, AffinityNet and segmenter that are aimed at.
        epochs: fewest and most of each.
    """

    crop: int
    longest: int
    steps: tuple[int, int, int]
    epochs: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


CPU = Budget(256, 512, (100, 150, 200), ((5, 20), (4, 20), (8, 30)))
GPU = Budget(512, 1024, (500, 500, 1500), ((5, 30), (4, 30), (8, 60)))
TRAININGS = ("train_classifier", "train_affinitynet", "train_segmenter")
SECONDS = (0.115, 0.112, 0.24)
"""Seconds of one core for one photograph in one epoch of each training at crop 192 (docs/results.md)."""
FROZEN = 0.5
"""Share of the classifier's seconds where only its head is trained."""
SECONDS_PER_MEGAPIXEL = 24.0
"""Seconds of one core for one photograph after the trainings: CAMs, regions, walk, predictions (docs/results.md)."""


@dataclass
class Fitted:
    """What was chosen.

    Attributes:
        shards: of the data set.
        longest: of the data set; None if its photographs are small enough.
        settings: by stage.
        reasons: what was chosen, and why.
        minutes: estimate for a run of `psa` on one core; None with a GPU.
    """

    shards: int
    longest: int | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    minutes: float | None = None

    def say(self, what: str, why: str) -> None:
        """Note a choice."""
        self.reasons.append((what, why))


def fit(sizes: Sequence[Size], trained: int, classes: int, machine: Machine) -> Fitted:
    """Settings for a data set.

    Args:
        sizes: of all its photographs.
        trained: photographs that are trained on, at least `FEWEST`.
        classes: without background.
        machine: where it is to run.
    """
    budget = GPU if machine.gpus else CPU
    shards = next((s for s, images in ((1, 200), (4, 2000), (16, 20000)) if len(sizes) < images), 64)
    fitted = Fitted(shards)
    if shards > 1:
        fitted.say(
            f"shards {shards}", f"{len(sizes)} photographs, so that jobs run side by side and can resume"
        )
    largest = max(sizes, key=lambda size: size[0] * size[1])
    if largest[0] * largest[1] > LARGE:
        fitted.longest = budget.longest
        megapixels = f"{largest[0] * largest[1] / 1e6:.1f} megapixels"
        fitted.say(
            f"longest {budget.longest}",
            f"the largest photograph has {megapixels}, and memory grows with them",
        )
    median = _shrunk(_median(sizes), fitted.longest)
    crop = _crop(fitted, median, budget)
    high = _long_side(crop)
    augmentation = {"resize_long": [crop, high], "crop": crop}
    batch = _batch(fitted, trained, crop, machine)
    epochs = _epochs(fitted, trained, batch, budget)
    for stage, count in zip(TRAININGS, epochs, strict=True):
        size = min(batch, 8) if stage == "train_affinitynet" else batch
        fitted.settings[stage] = {"epochs": count, "batch_size": size, "augmentation": dict(augmentation)}
    as_classifier = {"epochs": epochs[0], "batch_size": batch, "augmentation": dict(augmentation)}
    fitted.settings["train_saliency"] = as_classifier
    fitted.say(
        "train_saliency",
        "epochs, batch_size and augmentation of train_classifier, for recipes with saliency; psa has none",
    )
    _learning_rates(fitted, classes, epochs[0] * (trained // batch))
    if trained < FEW or classes < FEW_CLASSES:
        _keep_backbone(fitted)
    if not machine.gpus and machine.cores >= 4:
        threads = min(machine.cores, 8)
        fitted.say(
            f"torch_threads {threads}", f"no GPU, {machine.cores} cores, and one network is trained at a time"
        )
        for stage in (*TRAININGS, "train_saliency"):
            fitted.settings[stage]["torch_threads"] = threads
    factor = _scales(fitted, max(median), high)
    if not machine.gpus:
        seconds = [n * s for n, s in zip(epochs, SECONDS, strict=True)]
        seconds[0] *= FROZEN if "frozen_stages" in fitted.settings["train_classifier"] else 1
        passes = trained * sum(seconds) * (crop / 192) ** 2
        seen = median[0] * median[1] * factor**2 / 1e6
        fitted.minutes = (passes + len(sizes) * seen * SECONDS_PER_MEGAPIXEL) / 60
    return fitted


def _median(sizes: Sequence[Size]) -> Size:
    """The photograph whose longer side is the median one."""
    return sorted(sizes, key=lambda size: (max(size), size))[(len(sizes) - 1) // 2]


def _shrunk(size: Size, longest: int | None) -> Size:
    if longest is None or max(size) <= longest:
        return size
    return round(size[0] * longest / max(size)), round(size[1] * longest / max(size))


def _multiple(pixels: float) -> int:
    """The nearest multiple of 32 that is not above, at least 32."""
    return max(32, int(pixels) // 32 * 32)


def _long_side(crop: int) -> int:
    """The largest longer side in training: about 5/3 of the crop, as 192 and 320 for voc-animals."""
    return round(crop * 5 / 3 / 32) * 32


def _crop(fitted: Fitted, median: Size, budget: Budget) -> int:
    wanted = _multiple(0.8 * max(median))
    crop = min(wanted, budget.crop)
    shrunk = f", shrunk to {fitted.longest}" if fitted.longest else ""
    limit = "" if crop == wanted else f", and at most {crop} with{'' if budget is GPU else 'out'} a GPU"
    why = f"the median photograph is {median[0]} × {median[1]}{shrunk}{limit}"
    fitted.say(f"crop {crop}, resize_long {crop} to {_long_side(crop)}", why)
    return crop


def _batch(fitted: Fitted, trained: int, crop: int, machine: Machine) -> int:
    wanted = batch = next((b for b, images in ((16, 64), (8, 16)) if trained >= images), FEWEST)
    memory = (machine.gpu_memory or machine.memory) if machine.gpus else machine.memory
    while batch > FEWEST and training_memory(crop, batch) > memory / 2:
        batch //= 2
    why = f"{trained} photographs are trained on"
    if batch < wanted:
        why = f"{wanted} need about {training_memory(crop, wanted) / GB:.1f} GB, over half of {memory / GB:.1f} GB"
    fitted.say(f"batch_size {batch}", why if batch <= 8 else f"{why}; AffinityNet 8")
    return batch


def training_memory(crop: int, batch: int) -> float:
    """Estimated bytes of a training of EfficientNet-Lite0, from the peaks at two crops in docs/results.md."""
    return 0.6 * GB + 3400.0 * batch * crop**2


def _epochs(fitted: Fitted, trained: int, batch: int, budget: Budget) -> list[int]:
    epochs = []
    for stage, aim, (fewest, most) in zip(TRAININGS, budget.steps, budget.epochs, strict=True):
        size = min(batch, 8) if stage == "train_affinitynet" else batch
        epochs.append(min(most, max(fewest, round(aim / (trained // size)))))
    counts = ", ".join(map(str, epochs))
    taken = [n * (trained // min(batch, 8 if k == 1 else batch)) for k, n in enumerate(epochs)]
    machine = f"with{'' if budget is GPU else 'out'} a GPU"
    fitted.say(
        f"epochs {counts}",
        f"{taken[0]}, {taken[1]} and {taken[2]} steps of classifier, AffinityNet and segmenter, {machine}",
    )
    return epochs


def _learning_rates(fitted: Fitted, classes: int, steps: int) -> None:
    """Lower ones for small batches, and for few classes: the classification loss is a mean over them."""
    batch = fitted.settings["train_segmenter"]["batch_size"]
    classifier = 0.01 * batch / 16 * min(1.0, classes / 6)
    if classifier == 0.01:
        return
    values = {"train_classifier": float(f"{classifier:.2g}"), "train_segmenter": 0.01 * batch / 16}
    for stage, rate in values.items():
        if rate != 0.01:
            fitted.settings[stage]["lr"] = rate
    fitted.settings["train_classifier"]["warmup_steps"] = steps // 10
    count = f"{classes} class{'es' if classes > 1 else ''}"
    fitted.say(
        f"lr {values['train_classifier']:g}, {values['train_segmenter']:g}",
        f"classifier and segmenter: batches of {batch}, and {count} to average the classifier's loss over",
    )


def _keep_backbone(fitted: Fitted) -> None:
    """Train the classifier's head alone, and take thresholds that fit its broad CAMs (docs/results.md)."""
    fitted.settings["train_classifier"]["frozen_stages"] = 5
    fitted.say(
        "frozen_stages 5",
        f"fewer than {FEW} photographs or {FEW_CLASSES} classes: a backbone that is trained tells these apart by any "
        "part of a photograph, and CAMs spread over all of it",
    )
    note = "found on the masks of 40 photographs of voc-animals"
    fitted.settings["confident_regions"] = {"regions": FEW_REGIONS, "inherited": {"threshold": note}}
    fitted.say(f"regions {FEW_REGIONS}", "the CAMs of such a classifier are broad")


def _scales(fitted: Fitted, longer: int, trained_at: int) -> float:
    """Scales at which photographs that are much larger than those of training are seen, and their factor."""
    factor = trained_at / longer
    if factor >= 0.8:
        return 1.0
    whole = (0.5, 1.0, 1.5, 2.0)
    for stage, scales in (("dump_cams", whole), ("dump_saliency", whole), ("predict", (0.75, 1.0, 1.25))):
        fitted.settings[stage] = {"scales": [round(factor * scale, 2) for scale in scales]}
    fitted.say(
        f"scales times {factor:.2f}",
        f"CAMs, saliency and predictions see photographs of {longer} at about the {trained_at} of training",
    )
    return factor


def split_settings(
    settings: Mapping[str, Mapping[str, Any]], splits: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Settings by which every split is classified (and scored by its labels) and gets masks."""
    found = {stage: dict(values) for stage, values in settings.items()}
    found["classify"] = {"splits": list(splits)} | found.get("classify", {})
    found["predict"] = {"splits": list(splits)} | found.get("predict", {})
    return found
