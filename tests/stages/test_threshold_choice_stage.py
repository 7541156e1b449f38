"""The judge of background scores on hand-made CAMs: every criterion, any number of shards, and what has no answer."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.maps import Maps, MapStore, class_score_histogram, pack_maps
from seedbed.artifacts.meanings import MEANINGS
from seedbed.cam.otsu import otsu_threshold
from seedbed.datasets.index import IndexedDataset
from seedbed.runtime.background_criteria import CRITERIA
from seedbed.runtime.contract import Job
from seedbed.stages.threshold_choice import STAGE, run

HISTOGRAM = ("otsu", "isodata", "li", "entropy", "expected_iou")
CAT = np.array([[[1.0, 0.8, 0.3, 0.1]]], np.float32)
IMAGES = {
    "a": Maps((0,), (1, 4), (CAT,)),
    "b": Maps((0, 1), (1, 4), (np.stack([CAT[0], CAT[0][:, ::-1] / 2]),)),
    "c": Maps((), (1, 4), ()),
}
REGIONS = {
    "a": np.array([[1, 1, 255, 0]], np.uint8),
    "b": np.array([[255, 1, 0, 255]], np.uint8),
    "c": np.array([[0, 0, 255, 255]], np.uint8),
}
"""What is certain is right where 0.3 <= background score < 0.8; b has no certain dog."""


class Photographs(IndexedDataset):
    def __init__(self, images: Mapping[str, Maps]) -> None:
        self.classes = self.mask_classes = ("cat", "dog")
        self.mask_lookup = np.arange(256, dtype=np.uint8)
        self.images = images

    def image_ids(self, split: str) -> tuple[str, ...]:
        return tuple(self.images)

    def size(self, image_id: str) -> tuple[int, int]:
        height, width = self.images[image_id].size
        return width, height


class Shards(Artifact):
    """CAMs in files of their own, with the histogram that `gather` would have added up."""

    def __init__(self, folder: Path, images: Mapping[str, Maps], count: int, **facts: Any) -> None:
        names = list(images)
        facts = {"normalisation": "global_max", "classes": ["cat", "dog"], "meaning": "refined_cams"} | facts
        self.files = []
        for k in range(count):
            self.files.append(folder / f"train-{k}-of-{count}.safetensors")
            self.files[-1].write_bytes(pack_maps({name: images[name] for name in names[k::count]}))
        found = [class_score_histogram(one, facts) for one in images.values()]
        counted = [histogram for histogram in found if histogram is not None]
        histograms = {"train": np.sum(counted, axis=0).tolist()} if counted else None
        self.manifest = SimpleNamespace(facts=facts, histograms=histograms)

    def open(self, split: str | None = None, shard: str | None = None) -> Any:
        return MapStore(self.files, self.manifest.facts)

    @property
    def meaning(self) -> Any:
        return MEANINGS["refined_cams"]


class Regions(Artifact):
    def __init__(self) -> None:
        self.manifest = SimpleNamespace()

    def open(self, split: str | None = None, shard: str | None = None) -> Any:
        return REGIONS


def judged(
    folder: Path, images: Mapping[str, Maps], count: int = 1, regions: bool = False, **facts: Any
) -> bytes:
    job = object.__new__(Job)
    values = {
        "parameters": STAGE.validate({}, "test"),
        "slice": {"dataset": "toy", "node": "refined", "split": "train"},
        "dataset": Photographs(images),
        "contents": {},
        "inputs": {"target": Shards(folder, images, count, **facts)}
        | ({"regions": Regions()} if regions else {}),
        "split": "train",
        "shard": "",
        "image_ids": (),
        "progress": lambda items, total, name: iter(items),
        "ledger": [],
    }
    for name, value in values.items():
        setattr(job, name, value)
    made = run(job)
    assert isinstance(made, bytes)
    return made


def choices(made: bytes) -> dict[str, float | None]:
    scores = json.loads(made)["scores"]
    assert set(scores) == set(CRITERIA)
    return {name: row["background_score"] for name, row in scores.items()}


def test_every_criterion_by_hand(tmp_path: Path) -> None:
    """Highest scores: a 1, 0.8, 0.3, 0.1; b 1, 0.8, 0.4, 0.5, the last two of the dog.

    The dog has no pixel from 0.50 on, the highest score below is 0.49. Certain regions agree best from 0.40 on, where
    b's third pixel has become background; before, it is a dog in truth's background.
    """
    made = judged(tmp_path, IMAGES, regions=True)
    found = choices(made)
    histogram = np.zeros(256, np.int64)
    for score in (1, 0.8, 0.3, 0.1, 1, 0.8, 0.4, 0.5):
        histogram[min(int(np.float32(score) * 256), 255)] += 1
    assert found["otsu"] == otsu_threshold(histogram)
    # Means up to 0.5 and above: 0.325 and 0.9, whose middle 0.61 lies above 0.5; ... up to the bin before 0.8.
    assert 0.6 < found["isodata"] < 0.63
    assert found["regions"] == 0.4
    assert found["presence"] == 0.49
    assert found["views"] is None
    assert [found[f"fixed_{n}"] for n in ("0.25", "0.27", "0.30", "0.50")] == [0.25, 0.27, 0.3, 0.5]
    rows = json.loads(made)["scores"]
    assert rows["fixed_0.50"] == {
        "background_score": 0.5,
        "labelled_without_pixel": 1 / 3,
        "area": 4 / 12,
        "areas": {"cat": 4 / 12, "dog": 0.0},
    }
    assert rows["fixed_0.25"]["areas"] == {"cat": 5 / 12, "dog": 2 / 12}


@pytest.mark.parametrize("regions", [False, True])
def test_any_number_of_shards_gives_the_same_bytes(tmp_path: Path, regions: bool) -> None:
    made = {judged(tmp_path, IMAGES, count, regions) for count in (1, 2, 3)}
    assert len(made) == 1


def test_without_regions_they_choose_nothing_and_the_rest_is_the_same(tmp_path: Path) -> None:
    without, beside = (choices(judged(tmp_path, IMAGES, regions=regions)) for regions in (False, True))
    assert without["regions"] is None
    assert without == beside | {"regions": None}


def test_scales_are_views_and_so_are_stored_halves(tmp_path: Path) -> None:
    """Scales 1, 0.2, 0 and 0.6, 1, 0; together 1, 0.75, 0. All agree below 0.2 alone, and then entirely.

    The images are nine pixels wide, so that the grid has three cells, as the scales do.
    """
    scales = (np.array([[[1.0, 0.2, 0.0]]], np.float32), np.array([[[0.6, 1.0, 0.0]]], np.float32))
    store = {"a": Maps((0,), (1, 9), scales)}

    halves = {"a": Maps((0,), (1, 9), (scales[0] + scales[1],), (scales[1],))}
    for views in (store, halves):
        assert choices(judged(tmp_path, views))["views"] == 0.0
        assert choices(judged(tmp_path, views, normalisation="none"))["views"] is None


def test_a_constant_map_leaves_only_what_needs_no_separation(tmp_path: Path) -> None:
    flat = {"a": Maps((0,), (1, 4), (np.ones((1, 1, 4), np.float32),))}
    found = choices(judged(tmp_path, flat, regions=True))
    assert [found[name] for name in (*HISTOGRAM, "regions", "views")] == [None] * 7
    assert found["presence"] == 0.99


def test_without_a_label_nothing_is_chosen(tmp_path: Path) -> None:
    found = choices(judged(tmp_path, {"c": IMAGES["c"]}, regions=True))
    assert {name for name, score in found.items() if score is not None} == {
        name for name in CRITERIA if name.startswith("fixed_")
    }
