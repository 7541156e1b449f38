"""Label maps from CAMs while a network is trained: threshold, then dense CRF, in worker processes.

They are what `dump_cams` and `pseudo_masks` (with `crf_labels: present`) make of the same weights, bit for bit at the
same `precision`, and the same for any number of processes.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float32, UInt8

from seedbed.errors import SeedbedError, memory_for_image

WAITING = 4
"""Items per process that are handed over before their turn, so that a data set is never in memory at once."""

T = TypeVar("T")
R = TypeVar("R")


class ImageCams(NamedTuple):
    """An image with the class maps that a network gives it."""

    image_id: str
    image: UInt8[np.ndarray, "H W 3"]
    class_ids: tuple[int, ...]
    """Foreground classes, from 0, that the image-level labels name."""
    maps: tuple[Float32[np.ndarray, "classes h w"], ...]
    """One array per scale, as `multi_scale_cams` returns them."""


@dataclass(frozen=True)
class CamLabels:
    """From an image's CAMs to its label map: 0 background, c + 1 class c.

    Attributes:
        threshold: score of background; the class of the largest score wins where that is above it.
        crf: name of a preset, or None for no CRF.
        engine: of the CRF.
    """

    threshold: float
    crf: str | None
    engine: str = "permutohedral"

    def check(self) -> None:
        """Try the CRF on an image of one pixel.

        Raises:
            ValueError: an unknown engine, or one that is not installed.
        """
        from seedbed.refine.crf.dense_crf import DenseCrf
        from seedbed.refine.crf.parameters import crf_preset

        if self.crf is not None:
            DenseCrf(np.zeros((1, 1, 3), np.uint8), crf_preset(self.crf), self.engine)

    def __call__(self, cams: ImageCams) -> tuple[str, UInt8[np.ndarray, "H W"]]:
        """The image's id and label map.

        Raises:
            ImageMemoryError: there is no memory for them.
        """
        with memory_for_image(cams.image_id):
            return cams.image_id, self._label_map(cams)

    def _label_map(self, cams: ImageCams) -> UInt8[np.ndarray, "H W"]:
        from seedbed.cam.normalisation import normalise
        from seedbed.cam.rebuild import full_resolution
        from seedbed.refine.confident_regions import decide_argmax
        from seedbed.refine.crf.parameters import crf_preset
        from seedbed.refine.crf.refiners import label_refiner, sharpen_label_map

        size = (cams.image.shape[0], cams.image.shape[1])
        if not cams.class_ids:
            return np.zeros(size, np.uint8)
        scores = normalise(full_resolution(cams.maps, size))
        label_map = decide_argmax(scores, cams.class_ids, self.threshold)
        if self.crf is not None:
            refine = label_refiner(cams.image, crf_preset(self.crf), self.engine)
            label_map = sharpen_label_map(label_map, refine, cams.class_ids)
        return label_map


def in_order(work: Callable[[T], R], items: Iterable[T], processes: int) -> Iterator[R]:
    """The results of `work` in the order of the items, made by worker processes.

    Args:
        work: can be pickled, as can items and results.
        items: drawn as they are needed, in this process.
        processes: of workers; 0 or 1 works in this process.

    Raises:
        SeedbedError: a worker was killed, as Linux does when memory runs out.
    """
    if processes <= 1:
        yield from map(work, items)
        return
    # Spawned: a fork of a process with CUDA or threads may hang.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _end_with_parent)
    try:
        with pool:
            pending: deque[Future[R]] = deque()
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= WAITING * processes:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise SeedbedError(
            f"one of {processes} worker processes was killed, most likely because memory ran out; shrink the "
            "photographs: set `longest` of the data set in params.yaml"
        ) from error


def _end_with_parent() -> None:
    """Let a worker end when its parent was killed; otherwise it would wait for work forever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
