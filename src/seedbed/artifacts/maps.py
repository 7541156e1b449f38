"""Float maps on disk: one `.safetensors` per shard, one float32 map per scale at its native resolution.

CAMs, refined CAMs and saliency have this form. The strided and the full-resolution stacks are linear in the stored maps
(`seedbed.cam.rebuild`), which take about 1/35 of the bytes. All facts are in one JSON string under one metadata key:
several keys would be written in random order.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float32, Int64
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.numpy import save

from seedbed.artifacts.manifest import NORMALISATION, classes_of, run_again, sha256_bytes
from seedbed.artifacts.safe_file import KEY, SafeFile
from seedbed.errors import SeedbedError, unknown_name
from seedbed.labels import MOST_PIXELS

MOST_MAPS = 256
Side = Annotated[int, Field(ge=1)]
CHANNELS = "channels"
"""Key in a manifest's facts: what the maps are of, where that is not the data set's classes."""
SHARES = "shares"
"""Key in a manifest's facts: whether a score is the class's share beside a background that walked, so 0.5 decides."""
SALIENCY = "saliency"
"""The one channel of saliency maps; every image has it."""


@dataclass(frozen=True)
class Maps:
    """The maps of one image.

    Attributes:
        class_ids: foreground classes, from 0, that the image-level labels name; C of them. Saliency: (0,).
        size: (height, width) of the photograph, in pixels.
        maps: one map per scale, Float32[C, h_s, w_s], at native resolution: ReLU(CAM) plus the mirrored ReLU(CAM) of
            the flipped image; or a single refined map.
        flips: with `keep_flips`, the mirrored half of each map on its own; otherwise empty.
    """

    class_ids: tuple[int, ...]
    size: tuple[int, int]
    maps: tuple[Float32[np.ndarray, "classes _ _"], ...]
    flips: tuple[Float32[np.ndarray, "classes _ _"], ...] = ()

    def tensors(self) -> dict[str, np.ndarray]:
        """Arrays by name: s0, s1, … and f0, f1, …."""
        arrays = {f"s{i}": array for i, array in enumerate(self.maps)}
        arrays |= {f"f{i}": array for i, array in enumerate(self.flips)}
        return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}

    def digest(self) -> str:
        """SHA-256 over classes, size, shapes and values."""
        head: list[Any] = [self.class_ids, self.size]
        body = b""
        for name, array in self.tensors().items():
            head.append([name, array.shape])
            body += array.tobytes()
        return sha256_bytes(json.dumps(head).encode() + b"\0" + body)


def encode_map(payload: Maps) -> tuple[str, Maps]:
    """Digest of an image's maps, and what `pack_maps` takes."""
    return payload.digest(), payload


def scores_of(
    maps: Maps, facts: Mapping[str, Any], grid: tuple[int, int] | None = None
) -> Float32[np.ndarray, "classes h w"]:
    """Scores in [0, 1] of the classes of an image, at its size or on a grid over it.

    Args:
        facts: of the manifest of the maps, which say how they are normalised.

    Raises:
        SeedbedError: they do not say so.
    """
    from seedbed.cam.normalisation import NORMALISATIONS, normalise
    from seedbed.cam.rebuild import full_resolution  # imports numba, which planning does without

    size = maps.size if grid is None else grid
    if not maps.class_ids:
        return np.zeros((0, *size), np.float32)
    form = facts.get(NORMALISATION)
    if not isinstance(form, str) or form not in NORMALISATIONS:
        if form is None:
            raise SeedbedError(
                f"the facts of the maps do not say how they are normalised; the stage that makes them must set "
                f"job.facts[{NORMALISATION!r}] before its first image"
            )
        told = unknown_name("normalisation", form, NORMALISATIONS)
        raise SeedbedError(f"the manifest of the maps names an {told} Run their stage again")
    return normalise(full_resolution(list(maps.maps), size), form)


def class_score_histogram(maps: Maps, facts: Mapping[str, Any]) -> Int64[np.ndarray, " bins"] | None:
    """Histogram of the largest score over the classes at each pixel; None for saliency, and without any class.

    Raises:
        SeedbedError: the scores are not finite, or the facts do not say how the maps are normalised.
    """
    from seedbed.cam.otsu import score_histogram

    if facts.get(CHANNELS) == [SALIENCY] or not maps.class_ids:
        return None
    if not all(np.isfinite(scale).all() for scale in maps.maps):
        raise SeedbedError("values that are not finite; the network has diverged: lower its lr")
    return score_histogram(scores_of(maps, facts).max(axis=0))


def pack_maps(maps: Mapping[str, Maps]) -> bytes:
    """One safetensors file with the maps of many images, by image id."""
    tensors: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    for image_id in sorted(maps):
        one = maps[image_id]
        if not one.class_ids:
            facts[image_id] = {"classes": [], "size": one.size, "maps": 0, "flips": 0}
            continue
        facts[image_id] = {
            "classes": one.class_ids,
            "size": one.size,
            "maps": len(one.maps),
            "flips": len(one.flips),
        }
        tensors |= {f"{image_id}/{name}": array for name, array in one.tensors().items()}
    return save(tensors, metadata={KEY: json.dumps(facts, sort_keys=True)})


class _Entry(BaseModel):
    """What a shard says about an image."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    classes: tuple[Annotated[int, Field(ge=0)], ...]
    size: tuple[Side, Side]
    maps: int = Field(ge=0, le=MOST_MAPS)
    flips: int = Field(ge=0, le=MOST_MAPS)


def _entry(path: Path, image_id: str, raw: Any, classes: int) -> _Entry:
    try:
        entry = _Entry.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "entry"
        raise SeedbedError(
            f"{path}: image {image_id!r}: {where}: {problem['msg']}; {run_again(path)}"
        ) from None
    if entry.size[0] * entry.size[1] > MOST_PIXELS:
        raise SeedbedError(f"{path}: image {image_id!r}: a size of {entry.size}; {run_again(path)}")
    if len({*entry.classes}) < len(entry.classes) or max(entry.classes, default=0) >= classes:
        raise SeedbedError(
            f"{path}: image {image_id!r}: classes {list(entry.classes)} of {classes}; {run_again(path)}"
        )
    if bool(entry.classes) != bool(entry.maps):
        raise SeedbedError(f"{path}: image {image_id!r}: {entry.maps} maps; {run_again(path)}")
    return entry


def _checked(file: SafeFile, name: str, classes: int) -> Float32[np.ndarray, "classes _ _"]:
    """A map that is finite and not negative, as ReLU leaves it."""
    array = file.tensor(name)
    if array.dtype != np.float32 or array.ndim != 3 or len(array) != classes or not array.size:
        raise SeedbedError(
            f"{file.path}: {name}: expected 32-bit numbers for {classes} classes, got {array.dtype} {array.shape}; "
            f"{run_again(file.path)}"
        )
    if not (np.isfinite(array).all() and array.min() >= 0):
        raise SeedbedError(f"{file.path}: {name}: expected finite values from 0; {run_again(file.path)}")
    return array


class MapStore:
    """Maps of one or more shards, read tensor by tensor.

    Args:
        shards: the `.safetensors` files of an artifact's shards.
        facts: of the artifact's manifest; `normalisation` says how scores are made from the maps.
    """

    def __init__(self, shards: Sequence[Path], facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._where: dict[str, tuple[SafeFile, _Entry]] = {}
        self.is_saliency = facts.get(CHANNELS) == [SALIENCY]
        for path in shards:
            file = SafeFile(path)
            classes = len(classes_of(facts, path.parent)) if "classes" in facts else 256
            classes = 1 if self.is_saliency else classes
            for image_id, raw in file.told(dict).items():
                self._where[image_id] = (file, _entry(path, image_id, raw, classes))

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._where

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._where))

    def __getitem__(self, image_id: str) -> Maps:
        """The maps of an image.

        Raises:
            SeedbedError: the shards have none for it.
        """
        try:
            file, entry = self._where[image_id]
        except KeyError:
            raise SeedbedError(
                f"no maps for image {image_id!r} among {len(self._where)}; run the stage that made them again"
            ) from None

        def arrays(letter: str, count: int) -> tuple[np.ndarray, ...]:
            names = [f"{image_id}/{letter}{i}" for i in range(count)]
            return tuple(_checked(file, name, len(entry.classes)) for name in names)

        return Maps(entry.classes, entry.size, arrays("s", entry.maps), arrays("f", entry.flips))

    def check_sizes(self, image_ids: Iterable[str], size: Callable[[str], tuple[int, int]]) -> None:
        """Refuse maps that are not of their image's size.

        Args:
            size: width and height of an image.

        Raises:
            SeedbedError: naming the file and the image.
        """
        for image_id in filter(self._where.__contains__, image_ids):
            file, entry = self._where[image_id]
            (height, width), wanted = entry.size, size(image_id)
            if (width, height) != wanted:
                raise SeedbedError(
                    f"{file.path}: image {image_id!r}: maps of an image of {width}x{height}, but it has "
                    f"{wanted[0]}x{wanted[1]}; {run_again(file.path)}"
                )

    def scores(
        self, image_id: str, grid: tuple[int, int] | None = None
    ) -> Float32[np.ndarray, "classes h w"]:
        """Scores in [0, 1] of the classes of an image, at its size or on a grid over it.

        Raises:
            SeedbedError: the shards have no maps for the image, or the manifest does not say how to normalise them.
        """
        return scores_of(self[image_id], self._facts, grid)

    def fields(self, image_id: str) -> dict[str, Float32[np.ndarray, "all_classes H W"]]:
        """What a training method reads for an image: scores of all classes at image size, 0 for absent ones."""
        stored = self[image_id]
        channels = 1 if self.is_saliency else len(self._facts["classes"])
        dense = np.zeros((channels, *stored.size), np.float32)
        dense[list(stored.class_ids)] = self.scores(image_id)
        return {"": dense}
