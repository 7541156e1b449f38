"""What `seedbed doctor` says about a data set: its classes, its own faults, and what the selected recipes ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from seedbed.datasets import Dataset
from seedbed.datasets.grouped import grouped
from seedbed.datasets.mapped import mask_classes
from seedbed.errors import SeedbedError
from seedbed.plan.task import Task
from seedbed.training.parameters import TrainingParameters
from seedbed.verbs.doctor_memory import Photograph, largest_photograph

WITHOUT_LABEL = "rows of zeros in a CSV, or a sub-folder `background`"
"""How an image without any class is labelled, by kind of labels."""


@dataclass
class DataReport:
    """A data set that was read once.

    Attributes:
        mask_classes: classes of the masks.
        ids: of each split that can be read.
        counts: images of each class, by split; a split of which any label is not understood is not counted.
        faults: one line each.
        notes: lines that are worth knowing and are not faults.
        largest: photograph; None if images are generated.
    """

    name: str
    classes: Sequence[str] = ()
    mask_classes: Sequence[str] = ()
    ids: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    largest: Photograph | None = None

    @classmethod
    def of(cls, data: Dataset, splits: Iterable[str], every: bool = False) -> DataReport:
        """Read a data set: its faults, in one line per cause or in one each, then the labels of its splits."""
        faults = list(data.faults())
        report = cls(data.name, data.classes, mask_classes(data), faults=faults if every else grouped(faults))
        for split in splits:
            try:
                report.ids[split] = list(data.image_ids(split))
                labels = [data.labels(image_id) for image_id in report.ids[split]]
                report.counts[split] = np.sum(labels, axis=0)
            except SeedbedError:
                continue  # the data set's own faults tell why
        report.largest = largest_photograph(
            data, dict.fromkeys(i for ids in report.ids.values() for i in ids)
        )
        report.notes = report._classes() + list(getattr(data, "notes", list)())
        return report

    def _classes(self) -> list[str]:
        if not self.counts:
            return []
        images = ", ".join(f"{split} {len(self.ids[split])}" for split in self.counts)
        classes = "class" if len(self.classes) == 1 else "classes"
        return [
            f"data set {self.name!r}: {len(self.classes)} {classes}; images: {images}",
            *(
                f"class {name!r}: {', '.join(f'{s} {count[c]}' for s, count in self.counts.items())}"
                for c, name in enumerate(self.classes)
            ),
            *self._in_every_image(),
            *([f"classes of masks and label maps: {', '.join(self.mask_classes)}"] if self._differs else []),
        ]

    def _in_every_image(self) -> list[str]:
        """Classes that every image has, which may be columns that are no classes; not where all labels are the same."""
        total = sum(len(self.ids[split]) for split in self.counts)
        counts = np.sum(list(self.counts.values()), axis=0)
        if total < 2 or set(counts.tolist()) <= {0, total}:
            return []
        return [
            f"every image has the class {name!r}; if it is not one, as a column `reviewed` is not, leave it out of "
            "`classes`"
            for name, count in zip(self.classes, counts, strict=True)
            if count == total
        ]

    @property
    def _differs(self) -> bool:
        return self.mask_classes != self.classes

    def training_faults(self, tasks: Mapping[str, Task]) -> list[str]:
        """What trainings cannot do with this data set.

        Args:
            tasks: by the recipe and node that name them in messages.
        """
        trainings = {
            where: task for where, task in tasks.items() if isinstance(task.parameters, TrainingParameters)
        }
        faults = [fault for where, task in trainings.items() for fault in self._too_few(where, task)]
        trained: dict[str, str] = {}
        for where, task in trainings.items():
            trained.setdefault(_split(task), where)
        for split, where in trained.items():
            faults += self._without_image(split, where)
        classified: dict[str, str] = {}
        for where, task in trainings.items():
            if task.stage.name == "train_classifier":
                classified.setdefault(_split(task), where)
        for split, where in classified.items():
            faults += self._constant(split, where)
        processed = dict.fromkeys(s for task in tasks.values() for s in task.splits if s not in trained)
        for split in processed:
            for other, where in trained.items():
                faults += self._parts(split, other, where)
        return faults

    def _too_few(self, where: str, task: Task) -> list[str]:
        parameters, split = task.parameters, _split(task)
        assert isinstance(parameters, TrainingParameters)
        needed = parameters.batch_size * parameters.accumulate
        images = len(self.ids.get(split, ()))
        if not images or images >= needed:
            return []
        factors = f"batch_size {parameters.batch_size} x accumulate {parameters.accumulate}"
        told = f"{where}: expected at least {needed} images in split {split!r} for one step ({factors}), got {images}"
        return [f"{told}; lower batch_size or accumulate, or add images"]

    def _without_image(self, split: str, where: str) -> list[str]:
        counts = self.counts.get(split)
        absent = [] if counts is None else [c for c, n in zip(self.classes, counts, strict=True) if not n]
        return [
            f"data set {self.name!r}: class {name!r} has no image in split {split!r}, on which {where} trains;"
            " add images, or leave it out of `classes`"
            for name in absent
        ]

    def _constant(self, split: str, where: str) -> list[str]:
        """Labels that are the same for every image, from which a classifier learns nothing."""
        counts, images = self.counts.get(split), len(self.ids.get(split, ()))
        if counts is None or not counts.any() or images < 2 or not set(counts.tolist()) <= {0, images}:
            return []
        names = " and ".join(repr(c) for c, n in zip(self.classes, counts, strict=True) if n)
        return [
            f"data set {self.name!r}: all {images} images of split {split!r} have the label {names}, from which {where}"
            f" learns nothing; add about as many images without it ({WITHOUT_LABEL})"
        ]

    def _parts(self, split: str, trained: str, where: str) -> list[str]:
        """Of two splits one that is a part of the other; other overlaps are faults of the data set."""
        ids, others = (set(self.ids.get(s, ())) for s in (split, trained))
        shared = ids & others
        if not shared or len(shared) not in (len(ids), len(others)):
            return []
        first = next(i for i in self.ids[split] if i in shared)
        return [
            f"data set {self.name!r}: splits {split!r} and {trained!r} share {len(shared)} images (first {first!r}),"
            f" but {where} trains on {trained!r}; take them off one"
        ]


def _split(task: Task) -> str:
    return str(getattr(task.parameters, "split", "train"))
