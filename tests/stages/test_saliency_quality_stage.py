"""The judge of saliency on hand-made maps, what the plan judges, and its table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipe_files import BASE, make_workflow
from report.conftest import Maker
from seedbed.artifacts.maps import Maps
from seedbed.datasets.index import IndexedDataset
from seedbed.errors import SeedbedError
from seedbed.report.section import all_sections
from seedbed.runtime.contract import Job
from seedbed.stages import evaluate
from seedbed.stages.saliency_quality import STAGE, run
from stages_in_process import StoredMaps, StoredSaliency

TRUTH = np.array([[1, 1, 0, 0, 255, 0]], np.uint8)
SALIENCY = np.array([[[0.9, 0.5, 0.8, 0.05, 1.0, 0.2]]], np.float32)
CAM = np.array([[[1.0, 0.6, 0.1, 0.5, 0.0, 0.9]]], np.float32)


class Photograph(IndexedDataset):
    def __init__(self) -> None:
        self.classes = self.mask_classes = ("cat",)
        self.mask_lookup = np.arange(256, dtype=np.uint8)

    def image_ids(self, split: str) -> tuple[str, ...]:
        return ("a",)

    def mask(self, image_id: str) -> np.ndarray:
        return TRUTH


def job(saliency: np.ndarray = SALIENCY, cam: np.ndarray | None = CAM, **parameters: Any) -> Job:
    size = (saliency.shape[1], saliency.shape[2])
    inputs: dict[str, StoredMaps] = {"target": StoredSaliency("none", a=Maps((0,), size, (saliency,)))}
    inputs["target"].folder = Path("saliency")
    if cam is not None:
        inputs["cams"] = StoredMaps("none", a=Maps((0,), (1, 6), (cam,)))
    found = object.__new__(Job)
    values = {
        "parameters": STAGE.validate(parameters, "test"),
        "slice": {"dataset": "toy", "node": "saliency", "prior": "puzzle"},
        "dataset": Photograph(),
        "contents": {},
        "inputs": inputs,
        "split": "train",
        "ledger": [],
        "progress": lambda items, total, name: iter(items),
    }
    for name, value in values.items():
        setattr(found, name, value)
    return found


def test_by_hand() -> None:
    """Above 0.5: pixels 0 and 2 (and one without truth), of which 0 is right; 1 is missed."""
    found = json.loads(run(job()))
    assert found["kind"] == "saliency"
    assert found["salient_counts"] == [[2, 1, 0], [1, 1, 0]]
    assert [found["scores"][name] for name in ("precision", "recall", "f1")] == [0.5, 0.5, 0.5]
    # Just below 0.5 pixel 1 is found, too: P 2/3, R 1.
    assert found["best_f1"]["threshold"] == 0.2
    assert found["best_f1"] | {"threshold": 0} == {
        "threshold": 0, "f1": pytest.approx(0.8), "chosen_with": "masks"
    }  # fmt: skip
    # 1 - saliency: .1 .5 .2 .95 0 .8 against 1 .6 .1 .5 0 .9: cat at 0, 1 and 5.
    assert found["mean_iou_joined"]["inverse"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    # Cut at 0.5: cat at 0 and 2.
    assert found["mean_iou_joined"]["cut"] == pytest.approx((1 / 3 + 2 / 4) / 2)
    # The true class where salient: cat at 0; background at 3 and 5, and 2 is its miss; 1 is predicted as background.
    assert found["mean_iou_joined"]["true_classes"] == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_without_cams_and_at_another_threshold() -> None:
    found = json.loads(run(job(cam=None, threshold=0.1)))
    assert set(found["mean_iou_joined"]) == {"true_classes"}
    assert found["salient_counts"] == [[1, 2, 0], [0, 2, 0]]
    assert found["fixed_threshold"] == 0.1


def test_maps_of_another_size_are_refused() -> None:
    with pytest.raises(
        SeedbedError, match=r"saliency: expected maps of 'a' of its mask's size 6x1, but they are 3x1"
    ):
        run(job(SALIENCY[..., :3]))


def test_saliency_is_not_scored_as_a_class() -> None:
    wrong = job()
    target = wrong.inputs["target"]
    target.manifest.facts["meaning"] = "saliency"
    with pytest.raises(
        SeedbedError, match="saliency is saliency, which has no scores by class; choose another node"
    ):
        evaluate.run(wrong)


def test_the_plan_judges_saliency_with_the_recipes_cams(tmp_path: Path) -> None:
    nodes = {
        "network": {"stage": "train_saliency"},
        "saliency": {"stage": "dump_saliency", "from": {"saliency_network": "network"}},
    }
    workflow = make_workflow(tmp_path, {"recipes": ["mine"]}, mine={"extends": "base", "nodes": nodes})
    paths = {
        judgement.key: sorted(judgement.sources)
        for judgement in workflow.reports["all"].judged_by("saliency_scores")
    }
    assert all(key.endswith("/saliency-train-base") for key in paths)
    assert list(paths.values()) == [["cams", "target"]] * len(paths)
    assert paths
    assert "saliency" not in BASE["nodes"]


def test_the_table(tmp_path: Path) -> None:
    maker = Maker(tmp_path / "results")
    shard = {"train-0.safetensors": b"maps"}
    for seed in (0, 1):
        maker.node(f"rng{seed}", "saliency", "saliency", shard, {}, ("train",))
        scores = {"precision": 0.5, "recall": 0.75, "f1": 0.6, "f_beta": 0.55, "f1_all_salient": 0.4}
        maker.judged(
            f"rng{seed}",
            "saliency",
            "train",
            "saliency",
            scores | {"f1": 0.6 + 0.1 * seed},
            best_f1={"threshold": 0.4, "f1": 0.8, "chosen_with": "masks"},
            fixed_threshold=0.5,
            mean_iou_joined={"inverse": 0.5, "cut": 0.45, "true_classes": 0.7},
            prior="puzzle",
        )
    section = all_sections()["saliency"]
    frame = section.frame(maker.page())
    assert list(frame["f1"]) == [0.6, 0.7]
    (table,) = section.blocks(maker.page(), frame)
    assert table.rows == (
        (
            *("psa", "saliency", "puzzle", "train", "2", "0.500 ± 0.000", "0.750 ± 0.000", "0.650 ± 0.071"),
            *("0.550 ± 0.000", "0.400 ± 0.000", "0.50", "0.800 ± 0.000 at 0.40, chosen with masks"),
            *("0.500 ± 0.000", "0.450 ± 0.000", "0.700 ± 0.000", "nothing"),
        ),
    )
