"""Rows of sample pictures: image | CAM | confident regions | refined CAM | pseudo mask | prediction | truth.

The images come from the first shard of each split, spread evenly over it; in each stretch one with classes
that were not shown yet, then with many classes, is preferred. One line a chain of nodes: what an earlier line
shows is not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedbed.report import overlays
from seedbed.report.results import Node, Results

if TYPE_CHECKING:
    from seedbed.datasets.base import Dataset

COLUMNS: Mapping[str, str] = {
    "cam": "CAM",
    "regions": "confident regions",
    "refined_cam": "refined CAM",
    "pseudo_mask": "pseudo mask",
    "prediction": "prediction",
}
"""Kinds of nodes that are shown, in this order."""
HEAT = ("cam", "refined_cam")


@dataclass(frozen=True)
class Cell:
    """One picture with its caption; without a picture where an earlier line shows the same."""

    picture: bytes
    caption: str
    repeated: bool = False


@dataclass(frozen=True)
class Sample:
    """One image: the photograph, a line of cells for each chain, and the truth where the split has it."""

    image_id: str
    photo: Cell
    lines: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    truth: Cell | None


@dataclass(frozen=True)
class Gallery:
    """The samples of one split."""

    split: str
    columns: tuple[str, ...]
    samples: tuple[Sample, ...]

    @property
    def has_truth(self) -> bool:
        return any(sample.truth is not None for sample in self.samples)


def choose_images(
    image_ids: Sequence[str], labels: Callable[[str], Sequence[bool] | np.ndarray], number: int
) -> list[str]:
    """One image of each of `number` equal stretches: new classes first, then many classes, then the earliest.

    Args:
        image_ids: candidates, in the data set's order.
        labels: image-level labels of an image.
        number: how many; all where there are fewer.
    """
    number = min(number, len(image_ids))
    shown: set[int] = set()
    chosen = []
    for place in range(number):
        stretch = image_ids[len(image_ids) * place // number : len(image_ids) * (place + 1) // number]
        classes = {i: set(np.flatnonzero(labels(i)).tolist()) for i in stretch}
        best = max(stretch, key=lambda i: (len(classes[i] - shown), len(classes[i])))
        shown |= classes[best]
        chosen.append(best)
    return chosen


def chains(results: Results) -> list[tuple[str, list[Node]]]:
    """Ways from CAMs to the last label maps: name and shown nodes of each; of several rngs the lowest."""
    shown = {key: node for key, node in results.nodes.items() if node.score in COLUMNS and node.splits}
    lowest = min((n.place.rng for n in shown.values() if n.place.rng is not None), default=None)
    inner = {above for key in shown for above in results.ancestors[key] if above != key}
    found = []
    for key, node in shown.items():
        if key not in inner and node.place.rng in (None, lowest):
            found.append((str(node.place), [shown[k] for k in results.ancestors[key] if k in shown]))
    return found


def gallery(
    results: Results, dataset: Dataset, split: str, samples: int, most_rows: int, longest: int
) -> Gallery | None:
    """The samples of a split; None where no node has it.

    Args:
        samples: images to show.
        most_rows: most lines over all images; with many chains there are fewer images.
        longest: long side of a picture, pixels.
    """
    lines = [(name, [n for n in nodes if split in n.splits]) for name, nodes in chains(results)]
    lines = [(name, nodes) for name, nodes in lines if nodes][:most_rows]
    if not lines or samples == 0:
        return None
    columns = _columns(nodes for _, nodes in lines)
    stored = {node.key: _Pictures(node, split, dataset.classes) for _, nodes in lines for node in nodes}
    first = stored[lines[0][1][0].key]
    candidates = [i for i in dataset.image_ids(split) if i in first]
    chosen = choose_images(candidates, dataset.labels, max(1, min(samples, most_rows // len(lines))))
    return Gallery(
        split=split,
        columns=tuple(columns.values()),
        samples=tuple(
            _sample(image_id, dataset, lines, list(columns), stored, longest) for image_id in chosen
        ),
    )


def _columns(lines: Iterator[list[Node]]) -> dict[str, str]:
    """Heading of each column by node name: by kind, then by place in the chain."""
    nodes = {node.name: node for line in lines for node in line}
    order = list(COLUMNS)
    by_kind = sorted(nodes.values(), key=lambda node: order.index(str(node.score)))
    kinds = [node.score for node in by_kind]
    return {
        node.name: COLUMNS[str(node.score)] + (f" ({node.name})" if kinds.count(node.score) > 1 else "")
        for node in by_kind
    }


class _Pictures:
    """Pictures of one node's first shard of a split."""

    def __init__(self, node: Node, split: str, classes: Sequence[str]) -> None:
        self.node = node
        self.classes = classes
        self.heat = node.score in HEAT
        shard = f"{split}-0"
        self._cams = node.artifact.cams(shard=shard) if self.heat else None
        self._maps = None if self.heat else node.artifact.label_maps(shard=shard)

    def __contains__(self, image_id: str) -> bool:
        return image_id in (self._maps if self._cams is None else self._cams)  # type: ignore[operator]

    def strongest(self, image_id: str) -> int | None:
        """Class (from 0) with the highest peaks, summed over the scales; None where there is no class."""
        if self._cams is None or not self._cams[image_id].class_ids:
            return None
        cams = self._cams[image_id]
        peaks = sum(scale.max(axis=(1, 2)) for scale in cams.maps)
        return cams.class_ids[int(np.argmax(peaks))]

    def cell(self, image_id: str, photo: overlays.Picture, class_id: int | None) -> Cell:
        """The picture; heat maps show class `class_id`."""
        size = (photo.shape[0], photo.shape[1])
        if self._maps is not None:
            label_map = self._maps[image_id]
            shown = overlays.overlay_labels(photo, overlays.shrink_labels(label_map, size))
            return Cell(overlays.jpeg(shown), class_names(label_map, self.classes))
        assert self._cams is not None
        class_ids = self._cams[image_id].class_ids
        if class_id not in class_ids:
            return Cell(overlays.jpeg(overlays.overlay_heat(photo, np.zeros(size, np.float32))), "no class")
        score = self._scores(image_id)[class_ids.index(class_id)]
        shown = overlays.overlay_heat(photo, overlays.shrink_scores(score, size))
        return Cell(overlays.jpeg(shown), self.classes[class_id])

    def _scores(self, image_id: str) -> np.ndarray:
        from seedbed.runtime.scores import full_size_scores

        assert self._cams is not None
        return full_size_scores(self._cams[image_id], self.node.stage)


def class_names(label_map: np.ndarray, classes: Sequence[str]) -> str:
    """Names of the classes in a label map, the largest first."""
    values, pixels = np.unique(label_map, return_counts=True)
    found = sorted((-int(n), int(v)) for v, n in zip(values, pixels, strict=True) if 0 < v <= len(classes))
    return ", ".join(classes[value - 1] for _, value in found) or "background only"


def _sample(
    image_id: str,
    dataset: Dataset,
    lines: Sequence[tuple[str, list[Node]]],
    columns: Sequence[str],
    stored: Mapping[str, _Pictures],
    longest: int,
) -> Sample:
    image = dataset.image(image_id)
    photo = overlays.shrink_photo(image, overlays.thumbnail_size((image.height, image.width), longest))
    labels = ", ".join(
        name for name, there in zip(dataset.classes, dataset.labels(image_id), strict=True) if there
    )
    seen: set[str] = set()
    shown = []
    for name, nodes in lines:
        by_name = {node.name: stored[node.key] for node in nodes}
        strongest = next((p.strongest(image_id) for p in by_name.values() if p.heat), None)
        cells: list[Cell | None] = []
        for column in columns:
            pictures = by_name.get(column)
            if pictures is None or image_id not in pictures:
                cells.append(None)
            elif pictures.node.key in seen:
                cells.append(Cell(b"", "as above", repeated=True))
            else:
                seen.add(pictures.node.key)
                cells.append(pictures.cell(image_id, photo, strongest))
        shown.append((name, tuple(cells)))
    mask = dataset.mask(image_id)
    truth = None
    if mask is not None:
        small = overlays.shrink_labels(mask, (photo.shape[0], photo.shape[1]))
        truth = Cell(overlays.jpeg(overlays.overlay_labels(photo, small)), class_names(mask, dataset.classes))
    return Sample(image_id, Cell(overlays.jpeg(photo), labels or "no class"), tuple(shown), truth)
