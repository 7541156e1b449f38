"""The judge of affinity labels on label maps made by hand, what the plan judges, and its tables."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from recipe_files import make_workflow
from report.conftest import Maker
from seedbed.errors import SeedbedError
from seedbed.report.section import all_sections
from seedbed.runtime.contract import Job
from seedbed.stages.affinity_quality import Grid, pair_counts, run

LABELS = np.array([[1, 1, 0, 255], [0, 2, 2, 0]], np.uint8)
TRUTH = np.array([[1, 0, 0, 0], [255, 2, 1, 0]], np.uint8)


def job(masks: bool = True, truth: np.ndarray = TRUTH, **grid: Any) -> Job:
    """One image of 4 x 2 pixels whose cells are pixels; only neighbours are pairs."""
    found = object.__new__(Job)
    values = {
        "slice": {
            **{"dataset": "toy", "node": "affinitynet", "stride": 1, "radius": 2, "pairs": "all"},
            **{"saliency": True, "masks": masks},
            **grid,
        },
        "dataset": SimpleNamespace(
            mask_classes=("cat", "dog"), image_ids=lambda split: ("a",), mask=lambda image_id: truth
        ),
        "contents": {},
        "inputs": {"target": SimpleNamespace(open=lambda split: {"a": LABELS}, folder=Path("regions"))},
        "split": "train",
        "ledger": [],
        "progress": lambda items, total, name: iter(items),
    }
    for name, value in values.items():
        setattr(found, name, value)
    return found


def slow_pairs(labels: np.ndarray, radius: int) -> dict[tuple[tuple[int, int], tuple[int, int]], str]:
    """The kind of every pair of pixels that are nearer than the radius and both labelled."""
    found = {}
    places = list(np.ndindex(labels.shape))
    for k, one in enumerate(places):
        for other in places[k + 1 :]:
            if (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 >= radius**2:
                continue
            a, b = labels[one], labels[other]
            if 255 not in (a, b):
                found[one, other] = "negative" if a != b else "foreground" if a else "background"
    return found


def test_by_hand() -> None:
    """Neighbours, diagonal ones too: 1-1 and 2-2 are of one class, and one pair of corners is background."""
    found = json.loads(run(job()))
    assert (found["kind"], found["images"], found["saliency"]) == ("affinity_labels", 1, True)
    scores = found["scores"]
    assert scores["pixels"] == {"background": 3 / 8, "foreground": 4 / 8, "neutral": 1 / 8}
    # Background at 2, 4 and 7, of which 4 has no truth; classes at 0, 1, 5 and 6: 0 and 5 are right.
    assert scores["pixels_right"] == {"background": 1.0, "foreground": 0.5}
    assert scores["per_class"] == {
        "background": {"pixels": 3, "share": 3 / 8, "right": 1.0},
        "cat": {"pixels": 2, "share": 2 / 8, "right": 0.5},
        "dog": {"pixels": 2, "share": 2 / 8, "right": 0.5},
    }
    kinds = slow_pairs(LABELS, 2)
    true = slow_pairs(TRUTH, 2)
    for kind, count in scores["pairs"].items():
        mine = [pair for pair, one in kinds.items() if one == kind]
        known = [pair for pair in mine if pair in true]
        right = [pair for pair in known if true[pair] == kind]
        assert count == len(mine)
        assert scores["pairs_right"][kind] == (pytest.approx(len(right) / len(known)) if known else None)
    assert scores["pairs"] == {"foreground": 2, "background": 1, "negative": 10}


def test_without_masks_nothing_is_right_or_wrong() -> None:
    found = json.loads(run(job(masks=False, truth=np.zeros((1, 1), np.uint8))))["scores"]
    with_masks = json.loads(run(job()))["scores"]
    assert found["pixels"] == with_masks["pixels"]
    assert found["pairs"] == with_masks["pairs"]
    assert {*found["pixels_right"].values(), *found["pairs_right"].values()} == {None}


def test_pairs_are_those_of_the_slow_loop_on_a_coarser_grid() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([0, 1, 2, 255], np.uint8), (11, 9))
    truth = rng.choice(np.array([0, 1, 2, 255], np.uint8), (11, 9))
    found = pair_counts(
        np.kron(labels, np.ones((4, 4), np.uint8)),
        np.kron(truth, np.ones((4, 4), np.uint8)),
        Grid(4, 5, "all"),
    )
    kinds, true = slow_pairs(labels, 5), slow_pairs(truth, 5)
    for k, kind in enumerate(("foreground", "background", "negative")):
        mine = [pair for pair, one in kinds.items() if one == kind]
        counts = (len(mine), sum(p in true for p in mine), sum(true.get(p) == kind for p in mine))
        assert tuple(found[name][k] for name in ("all", "known", "right")) == counts
        assert counts[0] > counts[1] > counts[2] > 0


def test_labels_of_another_size_are_refused() -> None:
    with pytest.raises(
        SeedbedError, match=r"regions: expected a label map of 'a' of its mask's size 3x2, but it is 4x2"
    ):
        run(job(truth=TRUTH[:, :3]))


NODES = {
    "network": {"stage": "train_saliency"},
    "saliency": {"stage": "dump_saliency", "from": {"saliency_network": "network"}},
    "regions": {"from": {"saliency": "saliency"}},
}


def test_the_plan_judges_both_kinds_of_regions_and_neither_alone(tmp_path: Path) -> None:
    mine = {"extends": "base", "nodes": NODES}
    plain = make_workflow(tmp_path / "plain", {"recipes": ["base"]})
    assert plain.reports["all"].judged_by("affinity_labels") == []
    both = make_workflow(tmp_path / "both", {"recipes": ["base", "mine"], "rngs": [0]}, mine=mine)
    found = {j.task.owner: j for j in both.reports["all"].judged_by("affinity_labels")}
    assert {owner: j.content["saliency"] for owner, j in found.items()} == {"base": False, "mine": True}
    for judgement in found.values():
        assert judgement.name == "affinitynet-train"
        assert judgement.sources["target"].name == "regions"
        assert (judgement.content["stride"], judgement.content["radius"]) == (8, 5)


def test_the_tables(tmp_path: Path) -> None:
    maker = Maker(tmp_path / "results")
    for owner, share, right in (("psa", 0.5, 0.8), ("mine", 0.6, None)):
        for seed in (0, 1):
            maker.node(
                f"rng{seed}", "affinitynet", "affinitynet", {"model.safetensors": b""}, {}, owner=owner
            )
            pixels = {"background": share, "foreground": 0.25, "neutral": 0.75 - share}
            maker.judged(
                f"rng{seed}",
                "affinitynet",
                "train",
                "affinity_labels",
                {
                    "pixels": pixels,
                    "pixels_right": {"background": right, "foreground": right},
                    "pairs": {"foreground": 100 + seed, "background": 200, "negative": 30},
                    "pairs_right": dict.fromkeys(("foreground", "background", "negative"), right),
                    "per_class": {"background": {"pixels": 5, "share": share, "right": right}},
                },
                owner=owner,
                images=8,
                saliency=owner == "mine",
                stride=4,
                radius=10,
                pairs="all",
            )
    section = all_sections()["affinity_labels"]
    frame = section.frame(maker.page())
    assert list(frame[frame["class"] == ""]["foreground_pairs"]) == [100, 101, 100, 101]
    total, by_class = section.blocks(maker.page(), frame)
    assert total.rows == (
        (
            *("psa", "", "no", "2", "0.500 ± 0.000 (0.800)", "0.250 ± 0.000 (0.800)", "0.250 ± 0.000"),
            *("100 ± 1 (0.800)", "200 ± 0 (0.800)", "30 ± 0 (0.800)", "10 cells of 4"),
        ),
        (
            *("mine", "", "yes", "2", "0.600 ± 0.000", "0.250 ± 0.000", "0.150 ± 0.000"),
            *("100 ± 1", "200 ± 0", "30 ± 0", "10 cells of 4"),
        ),
    )
    assert by_class.rows == (
        ("psa", "", "no", "0.500 ± 0.000 (0.800)", "", "", ""),
        ("mine", "", "yes", "0.600 ± 0.000", "", "", ""),
    )
