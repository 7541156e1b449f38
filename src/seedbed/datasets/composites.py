"""The embedded data set: cut-out photographs of objects, pasted on photographs without any.

It shows in seconds, and without a download, that the whole chain works where no data is at hand. It is not a
benchmark: each class has one or two source photographs, which training and validation images share; only
position, scale, rotation, light, neighbours and background are drawn anew. A mask shows what is visible (alpha
over one half).

An image depends only on (seed, size, split, index).
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image
from pydantic import Field, PositiveInt

from seedbed.datasets import declaration
from seedbed.datasets.cutouts import BACKGROUNDS, CUTOUTS, Cutout, cut, photograph
from seedbed.datasets.declaration import SplitDeclaration
from seedbed.errors import SeedbedError, unknown_name

CLASSES = tuple(sorted({c.name for c in CUTOUTS}))
VISIBLE = 0.35
"""A scene is drawn again if less than this share of an object is visible."""
ATTEMPTS = 50


class CompositesOptions(declaration.Options):
    """Options of kind `composites`."""

    size: int = Field(default=128, ge=32, le=1024)
    """Longer side of an image in pixels; the shorter side is 0.7 to 1 times that."""
    images: dict[str, PositiveInt] = Field(default_factory=lambda: {"train": 120, "val": 48})
    """Number of images, by split."""
    seed: int = Field(default=0, ge=0)


class Composite(NamedTuple):
    """One image with its truth."""

    image: UInt8[np.ndarray, "height width 3"]
    mask: UInt8[np.ndarray, "height width"]


class CompositesDataset:
    """Composites of `CUTOUTS` on `BACKGROUNDS`."""

    Options: ClassVar = CompositesOptions
    needs_root: ClassVar = False

    def __init__(
        self, name: str, root: Path | None, options: CompositesOptions, splits: Mapping[str, SplitDeclaration]
    ) -> None:
        """Open it; draws nothing yet.

        Raises:
            SeedbedError: a split whose number of images is not given.
        """
        self.name = name
        self.classes = CLASSES
        self.options = options
        self.splits = dict(splits)
        for split in splits:
            if split not in options.images:
                raise SeedbedError(
                    f"datasets.{name}.with.images: {unknown_name('split', split, options.images)}"
                )

    def image_ids(self, split: str) -> Sequence[str]:
        """Ids of a split.

        Raises:
            SeedbedError: the split is not declared.
        """
        if split not in self.splits:
            raise SeedbedError(f"data set {self.name!r}: {unknown_name('split', split, self.splits)}")
        return [f"{split}-{k:05d}" for k in range(self.options.images[split])]

    def image(self, image_id: str) -> Image.Image:
        """The composite, RGB."""
        return Image.fromarray(self._composite(image_id).image)

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Which classes are visible."""
        return np.isin(np.arange(1, len(CLASSES) + 1), self._composite(image_id).mask)

    def mask(self, image_id: str) -> UInt8[np.ndarray, "height width"] | None:
        """Pixel truth; None if the split is declared without masks."""
        split = image_id.rpartition("-")[0]
        composite = self._composite(image_id)
        return composite.mask.copy() if self.splits[split].masks else None

    def source(self, image_id: str) -> None:
        """None: images are generated."""
        self._composite(image_id)

    def faults(self) -> list[str]:
        """One line for each photograph that the installed packages lack."""
        faults = []
        for package, file in dict.fromkeys(
            [(c.package, c.file) for c in CUTOUTS] + [(package, file) for package, file, _ in BACKGROUNDS]
        ):
            try:
                photograph(package, file)
            except SeedbedError as error:
                faults.append(str(error))
        return faults

    def _composite(self, image_id: str) -> Composite:
        split, _, number = image_id.rpartition("-")
        if split not in self.splits or not number.isdecimal() or int(number) >= self.options.images[split]:
            raise SeedbedError(
                f"data set {self.name!r}: there is no image {image_id!r}; ids look like 'train-00000'"
            )
        return compose(self.options.seed, self.options.size, split, int(number))


@lru_cache(maxsize=256)
def compose(seed: int, size: int, split: str, index: int) -> Composite:
    """Draw one composite of 1 to 3 classes.

    Args:
        seed: of the data set.
        size: longer side in pixels.
        split: name of the split; another name gives another draw.
        index: of the image in its split.
    """
    digest = hashlib.sha256(f"composites/{seed}/{split}/{index}".encode()).digest()
    rng = np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest, "big")))
    for _ in range(ATTEMPTS):
        composite, visible = _scene(rng, size)
        if visible.min() >= VISIBLE:
            break
    return composite


def _scene(rng: np.random.Generator, size: int) -> tuple[Composite, Float32[np.ndarray, "objects"]]:
    """A scene, and the visible share of each of its objects."""
    sides = [size, round(size * rng.uniform(0.7, 1.0))]
    width, height = sides if rng.random() < 0.65 else sides[::-1]
    canvas = _background(rng, width, height)
    names = rng.choice(CLASSES, size=rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]), replace=False)
    shares = {1: (0.55, 1.0), 2: (0.4, 0.75), 3: (0.35, 0.6)}[len(names)]
    cutouts = []
    for name in names:
        sources = [c for c in CUTOUTS if c.name == name]
        cutouts.append(sources[rng.integers(len(sources))])
    owner = np.full((height, width), -1)
    areas = []
    # Objects that stand on the lower edge are nearest.
    for k, cutout in enumerate(sorted(cutouts, key=lambda c: c.cut_below)):
        colours, alpha, area = _place(rng, cutout, width, height, rng.uniform(*shares) * min(width, height))
        canvas += alpha[..., None] * (colours - canvas)
        owner[alpha > 0.5] = k
        areas.append(area)
    if rng.random() < 0.3:
        alpha = _occluder(rng, width, height)
        canvas += alpha[..., None] * (_background(rng, width, height) - canvas)
        owner[alpha > 0.5] = -1
    canvas = _light(rng, canvas)
    indices = [0] + [CLASSES.index(c.name) + 1 for c in sorted(cutouts, key=lambda c: c.cut_below)]
    mask = np.array(indices, dtype=np.uint8)[owner + 1]
    visible = np.array([(owner == k).sum() / a for k, a in enumerate(areas)], dtype=np.float32)
    return Composite(np.clip(canvas + 0.5, 0, 255).astype(np.uint8), mask), visible


def _background(rng: np.random.Generator, width: int, height: int) -> Float32[np.ndarray, "height width 3"]:
    """A crop of a photograph, mirrored or not, with its own light."""
    package, file, (left, upper, right, lower) = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    largest = min((right - left) / width, (lower - upper) / height)
    scale = largest * rng.uniform(0.55, 1.0)
    x = left + rng.uniform(0, right - left - scale * width)
    y = upper + rng.uniform(0, lower - upper - scale * height)
    box = (x, y, x + scale * width, y + scale * height)
    crop = photograph(package, file).resize((width, height), Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(crop, dtype=np.float32)
    pixels = pixels[:, ::-1] if rng.random() < 0.5 else pixels
    lit: Float32[np.ndarray, "height width 3"] = pixels * rng.uniform(0.75, 1.15, size=3).astype(np.float32)
    return lit


def _place(
    rng: np.random.Generator, cutout: Cutout, width: int, height: int, longest: float
) -> tuple[Float32[np.ndarray, "height width 3"], Float32[np.ndarray, "height width"], float]:
    """An object on an empty canvas: its colours, its alpha, and the area in pixels that it would have if all of it were
    inside.
    """
    piece = cut(cutout)
    scale = longest / max(piece.size)
    # Slim objects are made longer, so that none shrinks to a line.
    scale *= min(1.6, (max(piece.size) / min(piece.size)) ** 0.35)
    piece = piece.resize(
        (max(2, round(piece.width * scale)), max(2, round(piece.height * scale))), Image.Resampling.LANCZOS
    )
    if rng.random() < 0.5:
        piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turn = rng.normal(0, 4 if cutout.cut_below else 15)
    piece = piece.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    x = round(rng.uniform(-0.15, 1.15) * (width - piece.width))
    if cutout.cut_below:
        y = height - round(piece.height * rng.uniform(0.85, 0.94))
    else:
        y = round(rng.uniform(-0.1, 1.1) * (height - piece.height))
    area = float((np.asarray(piece.getchannel("A")) > 127).sum())
    canvas = Image.new("RGBA", (width, height))
    canvas.paste(piece, (x, y))
    pixels = np.asarray(canvas, dtype=np.float32)
    gain = rng.uniform(0.75, 1.2) * rng.uniform(0.92, 1.08, size=3)
    return pixels[..., :3] * gain.astype(np.float32), pixels[..., 3] / 255, area


def _occluder(rng: np.random.Generator, width: int, height: int) -> Float32[np.ndarray, "height width"]:
    """Alpha of a bar of background, at any angle, in front of everything."""
    angle = rng.uniform(0, np.pi)
    normal = np.cos(angle), np.sin(angle)
    rows, columns = np.mgrid[:height, :width]
    distance = (columns - rng.uniform(0.2, 0.8) * width) * normal[0]
    distance += (rows - rng.uniform(0.2, 0.8) * height) * normal[1]
    half = rng.uniform(0.03, 0.08) * max(width, height)
    return np.asarray(np.clip(half + 0.5 - np.abs(distance), 0, 1), dtype=np.float32)


def _light(
    rng: np.random.Generator, canvas: Float32[np.ndarray, "height width 3"]
) -> Float32[np.ndarray, "height width 3"]:
    """A gradient of light across the whole image, then a little noise like a sensor's."""
    height, width = canvas.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:height, :width]
    slope = np.cos(angle) * (columns / width - 0.5) + np.sin(angle) * (rows / height - 0.5)
    light = rng.uniform(0.8, 1.15) * (1 + rng.uniform(0, 0.5) * slope)
    noise = rng.normal(0, rng.uniform(1, 4), size=canvas.shape)
    return np.asarray(canvas * light[..., None] + noise, dtype=np.float32)
