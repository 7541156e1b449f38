"""`seedbed predict`: masks for new photographs, which are in no data set, from a trained segmentation network."""

from __future__ import annotations

import csv
import errno
import io
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.atomic import write_bytes, writing
from seedbed.artifacts.label_maps import label_map_png, voc_palette
from seedbed.datasets.files import FORMULA, UNREADABLE, read_image
from seedbed.datasets.index import Index, read_index
from seedbed.datasets.shrunk import shrunk_size
from seedbed.errors import SeedbedError, is_out_of_memory, one_line
from seedbed.methods.table import other_meanings
from seedbed.refine.present_classes import possible_labels, probabilities_of_labels
from seedbed.report.overlays import jpeg, overlay_labels
from seedbed.runtime.gpu import gpu_slot
from seedbed.runtime.paths import INDEX
from seedbed.runtime.process import prepare_process
from seedbed.stages.classify import image_vectors
from seedbed.stages.predict import PredictParameters, image_probabilities
from seedbed.verbs.locate import Located
from seedbed.verbs.names import image_suffixes, names_of

if TYPE_CHECKING:
    from seedbed.methods.trained import TrainedNetwork

OVERLAYS, SHARES, CLASSES = "overlays", "shares.csv", "classes.csv"
DEVICES = ("auto", "cpu", "cuda")
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""Refusals of the disk that hold for every photograph."""
_NO_MEMORY = "out of memory; shrink what the network sees by --longest, or close other programs"
Progress = Callable[[Sequence["Photo"]], Iterable["Photo"]]


@dataclass(frozen=True)
class Photo:
    """A photograph and the name of its output, without suffix; the name may contain folders."""

    path: Path
    name: str


@dataclass(frozen=True)
class Predictor:
    """A segmentation network with everything needed to use it.

    Attributes:
        classes: background first.
        longest: long side in pixels, above which photographs are shrunk for the network: the longest of the data set,
            since objects of other sizes are not what it was trained on; None if that is not known.
        resampling: how they are shrunk; over areas if the data set's photographs are.
        classifier: of the same classes, which says which of them a photograph can have; None: all.
    """

    trained: TrainedNetwork
    classes: tuple[str, ...]
    parameters: PredictParameters
    longest: int | None
    device: str
    resampling: Image.Resampling = Image.Resampling.LANCZOS
    classifier: TrainedNetwork | None = None

    def label_map(self, photo: Image.Image) -> UInt8[np.ndarray, "H W"]:
        """The most probable class of each pixel, at the photograph's own size."""
        size = shrunk_size(photo.size, self.longest) if self.longest else photo.size
        seen = photo if size == photo.size else photo.resize(size, self.resampling)
        image = np.array(seen)
        parameters = self.parameters
        probabilities = image_probabilities(self.trained, image, parameters, self.device)
        labels = np.arange(len(probabilities))
        if self.classifier is not None:
            found = image_vectors(self.classifier, image, self.device)["probabilities"]
            labels = possible_labels(found > parameters.present_above, None, labels)
        refine = parameters.score_refiner(seen) if parameters.has_crf else None
        kept = probabilities_of_labels(probabilities, labels, refine)
        return np.asarray(labels.astype(np.uint8)[enlarged_argmax(kept, photo.size)])


def enlarged_argmax(
    probabilities: Float32[np.ndarray, "K h w"], size: tuple[int, int]
) -> UInt8[np.ndarray, "H W"]:
    """Most probable class after bilinear enlarging; one class at a time, so that large photographs fit in memory.

    Args:
        size: width and height.
    """
    labels = np.zeros(size[::-1], np.uint8)
    best = np.full(size[::-1], -1, np.float32)
    for k, probability in enumerate(probabilities):
        enlarged = np.asarray(Image.fromarray(probability).resize(size, Image.Resampling.BILINEAR))
        higher = enlarged > best
        labels[higher], best[higher] = k, enlarged[higher]
    return labels


def find_photos(given: Sequence[Path], out: Path) -> list[Photo]:
    """All photographs among files and folders; folders are searched except for `out`, where the masks go.

    Args:
        given: files, taken whatever their suffix, and folders, searched for image files.

    Raises:
        SeedbedError: a path does not exist, there is no photograph, two would be written under the same name, or a mask
            would be written among or over the photographs.
    """
    found: list[tuple[Path, str]] = []
    for path in given:
        if path.is_dir():
            if os.path.realpath(path) == os.path.realpath(out):
                raise SeedbedError(f"masks would be among the photographs of {path}; name another --out")
            found += [(file, file.relative_to(path).as_posix()) for file in _images(path, out)]
        elif os.path.lexists(path):
            found.append((path, path.name))
        else:
            raise SeedbedError(
                f"{path}: expected a photograph or a folder of photographs, but there is no such file"
            )
    if not found:
        raise SeedbedError(
            f"no photographs in {', '.join(map(str, given)) or 'nothing'}; name files, or folders of image files"
        )
    paths, names = zip(*found, strict=True)
    photos = [Photo(path, name) for path, name in zip(paths, names_of(names), strict=True)]
    name, count = Counter(photo.name for photo in photos).most_common(1)[0]
    if count > 1:
        raise SeedbedError(f"{count} photographs are called {name}; predict their folders in separate runs")
    taken = {os.path.realpath(photo.path) for photo in photos}
    for photo in photos:
        if os.path.realpath(mask := _mask(out, photo)) in taken:
            raise SeedbedError(f"the photograph {mask} would be overwritten by a mask; name another --out")
    return photos


def _images(folder: Path, out: Path) -> Iterator[Path]:
    """Files whose suffix is that of a picture, whether or not they can be read; links to folders are not followed."""
    own = Path(os.path.realpath(out))
    holds_own = own.is_relative_to(os.path.realpath(folder))
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        written = holds_own and (Path(os.path.realpath(path.parent)) / path.name).is_relative_to(own)
        is_picture = path.suffix.lower() in image_suffixes() | UNREADABLE
        if is_picture and not path.is_dir() and not hidden and not written:
            yield path


def _mask(out: Path, photo: Photo) -> Path:
    return out / f"{photo.name}.png"


def predict_photos(
    predictor: Predictor, photos: Sequence[Photo], out: Path, overlay: bool, progress: Progress = iter
) -> list[str]:
    """Write `NAME.png`, `classes.csv`, `shares.csv` and, if requested, `overlays/NAME.jpg`.

    Returns:
        One line for each photograph that cannot be read or whose mask cannot be written; the others are done.

    Raises:
        SeedbedError: the disk is full, or the folder cannot be written.
    """
    faults, rows = [], []
    for photo in progress(photos):
        try:
            image = read_photo(photo)
            labels = predictor.label_map(image)
            write_bytes(_mask(out, photo), label_map_png(labels))
            if overlay:
                picture = overlay_labels(np.asarray(image), labels)
                write_bytes(out / OVERLAYS / f"{photo.name}.jpg", jpeg(picture))
        except (SeedbedError, MemoryError, RuntimeError) as error:
            disk = isinstance(error.__cause__, OSError) and error.__cause__.errno in _DISK
            if disk or not (isinstance(error, SeedbedError) or is_out_of_memory(error)):
                raise
            said = _NO_MEMORY if is_out_of_memory(error) else one_line(error)
            where, told = printable(str(photo.path)), printable(said)
            faults.append(told if where in told else f"{where}: {told}")
            continue
        shares = np.bincount(labels.ravel(), minlength=len(predictor.classes)) / labels.size
        rows.append([as_text(photo.name), *map(str, image.size), *(f"{share:.6f}" for share in shares)])
    write_bytes(out / SHARES, _csv(["photo", "width", "height", *predictor.classes], rows))
    palette = voc_palette()
    colours = [[str(k), name, _hex(palette[3 * k : 3 * k + 3])] for k, name in enumerate(predictor.classes)]
    write_bytes(out / CLASSES, _csv(["index", "class", "colour"], colours))
    return faults


def read_photo(photo: Photo) -> Image.Image:
    """The photograph as RGB.

    Raises:
        SeedbedError: it cannot be read, or its name cannot be written.
    """
    if photo.path.suffix.lower() in UNREADABLE:
        raise SeedbedError(
            f"{photo.path.suffix} is a format that is not read here; save it as JPEG, PNG, WebP or TIFF"
        )
    return read_image(photo.path)


def printable(text: str) -> str:
    """A text in one line, for a terminal and for a CSV: control characters and undecodable bytes as `\\n`, `\\xe9`."""
    decoded = os.fsencode(text).decode(errors="backslashreplace")
    return "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" else c for c in decoded)


def as_text(name: str) -> str:
    """A cell that no spreadsheet runs: a name that begins as a formula does gets an apostrophe."""
    return f"'{printable(name)}" if name.startswith(FORMULA) else printable(name)


def predict_command(
    located: Located,
    given: Sequence[Path],
    out: Path,
    overlay: bool = False,
    device: str = "auto",
    longest: int | None = None,
    progress: Progress = iter,
) -> list[str]:
    """`seedbed predict`: find, predict, write.

    Args:
        located: a segmenter; or a `predict` node, which supplies its segmenter and its parameters.
        given: files and folders.
        device: `auto`, `cpu` or `cuda`.
        longest: long side in pixels above which photographs are shrunk; if None, the data set's longest if its
            index is beside the artifact; otherwise none are.

    Returns:
        One line for each photograph that cannot be read.

    Raises:
        SeedbedError: it is not a segmenter, there is nothing to predict or no such device, or the disk refuses.
    """
    if device not in DEVICES:
        raise SeedbedError(f"expected device {', '.join(DEVICES[:-1])} or {DEVICES[-1]}, got {device!r}")
    if longest is not None and longest < 1:
        raise SeedbedError(f"expected a long side of at least 1 pixel, got {longest}")
    artifact, epoch, parameters = _segmenter(located)
    classifier = _classifier(located, artifact)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    photos = find_photos(given, out)
    prepare_process()
    with gpu_slot(0 if device == "cpu" else 1, f"predict {out}"):
        predictor = _predictor(artifact, epoch, parameters, device, longest, _index(located), classifier)
        return predict_photos(predictor, photos, out, overlay, progress)


def _segmenter(located: Located) -> tuple[Artifact, int | None, PredictParameters]:
    task, artifact = located.task, located.artifact
    if task is not None and isinstance(task.parameters, PredictParameters):
        return Artifact(task.sources["segmenter"].folder), task.epochs.get("segmenter"), task.parameters
    if "segmenter" not in (artifact.meaning.name, *other_meanings(artifact.manifest.facts)):
        raise SeedbedError(f"{artifact.folder} was made by {artifact.manifest.stage}; expected a segmenter")
    return artifact, located.epoch, PredictParameters()


def _classifier(located: Located, segmenter: Artifact) -> tuple[Artifact, int | None] | None:
    """The classifier that says which classes a photograph can have, and its epoch, if the node asks one.

    Raises:
        SeedbedError: it knows other classes than the segmenter (`class_map`).
    """
    task = located.task
    if task is None or "classification" not in task.sources:
        return None
    classification = task.sources["classification"]
    classifier = Artifact(classification.sources["classifier"].folder)
    if classifier.classes != segmenter.classes:
        raise SeedbedError(
            f"{located.artifact.folder} leaves out classes that a classifier finds absent, but the classifier knows "
            f"{', '.join(classifier.classes)} and the segmenter {', '.join(segmenter.classes)}; name the segmenter "
            "instead, to predict with all classes"
        )
    return classifier, classification.epochs.get("classifier")


def _index(located: Located) -> Index | None:
    """The data set's index, if it is beside the artifact."""
    return read_index(Artifact(located.index).file(INDEX)) if located.index else None


def _predictor(
    artifact: Artifact,
    epoch: int | None,
    parameters: PredictParameters,
    device: str,
    longest: int | None,
    index: Index | None,
    classifier: tuple[Artifact, int | None] | None,
) -> Predictor:
    import torch

    from seedbed.methods.trained import load_network, load_segmenter

    if device == "cuda" and not torch.cuda.is_available():
        raise SeedbedError("torch sees no GPU here; use --device cpu or auto")
    used = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    torch.set_num_threads(parameters.torch_threads)
    trained = load_segmenter(artifact, epoch, used)
    classes = ("background", *artifact.classes)
    if index is not None and longest is None:
        longest = max(max(row.width, row.height) for row in index.rows)
    shrunk = index is not None and any(row.original for row in index.rows)
    resampling = Image.Resampling.BOX if shrunk else Image.Resampling.LANCZOS
    asked = load_network(*classifier, used) if classifier else None
    return Predictor(trained, classes, parameters, longest, used, resampling, asked)


def _hex(rgb: Sequence[int]) -> str:
    return "#" + "".join(f"{value:02x}" for value in rgb)


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue().encode(errors="backslashreplace")
