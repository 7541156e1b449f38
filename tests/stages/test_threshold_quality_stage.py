"""Both forms of the threshold_quality stage on hand-made CAMs; the formulas are tested in tests/metrics."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.artifacts.maps import Maps
from seedbed.datasets.index import IndexedDataset
from seedbed.errors import SeedbedError
from seedbed.runtime.contract import Job
from seedbed.stages.threshold_quality import STAGE, run
from stages_in_process import StoredMaps

INITIAL = np.array([[[1.0, 0.5, 0.35, 0.2, 0.05, 0.0]]], np.float32)
REFINED = np.array([[[1.0, 0.7, 0.35, 0.05, 0.05, 0.0]]], np.float32)
OTHER = np.array([[[1.0, 1.0, 1.0, 1.0, 0.0, 0.0]]], np.float32)
TRUTH = np.array([[1, 1, 0, 0, 255, 0]], np.uint8)
PAIRS = ["bg0.10-fg0.40", "bg0.25-fg0.60"]


class Photograph(IndexedDataset):
    def __init__(self) -> None:
        self.classes = self.mask_classes = ("cat",)
        self.mask_lookup = np.arange(256, dtype=np.uint8)

    def image_ids(self, split: str) -> tuple[str, ...]:
        return ("a",)

    def mask(self, image_id: str) -> np.ndarray:
        return TRUTH


def judged(refined: np.ndarray = REFINED, masks: bool = True, **content: Any) -> dict[str, Any]:
    job = Job(
        parameters=STAGE.validate({}, "test"),
        slice={"dataset": "toy", "node": "refined", "masks": masks, "regions": PAIRS[0], **content},
        dataset=Photograph(),
        contents={},
        inputs={
            "cams": StoredMaps("max", a=Maps((0,), (1, 6), (INITIAL,))),
            "refined": StoredMaps("global_max", a=Maps((0,), (1, 6), (refined,))),
        },
        epochs={},
        rng=0,
        split="train",
        shard="",
        image_ids=(),
        work=Path(),
        key="",
        device="cpu",
        progress=lambda items, total, name: iter(items),
        log=print,
        ledger=[],
        facts={},
        classes=("cat",),
    )
    found: dict[str, Any] = json.loads(run(job))
    return found


def test_both_forms_agree_where_the_affinitynet_is_the_same() -> None:
    shared = judged(form="shared", pairs=PAIRS)
    own = {pair: judged(regions=pair) for pair in PAIRS}
    assert shared["scores"] == {pair: one["scores"] for pair, one in own.items()}
    assert (shared["form"], shared["regions"]) == ("shared", PAIRS[0])
    assert {one["form"] for one in own.values()} == {"own"}


def test_a_pair_by_hand() -> None:
    """bg 0.25, fg 0.60. Initial F N N B B B, refined F F N B B B; the pixel of truth 255 counts in NPR alone.

    Initial mean IoU without its neutral pixels: 1. Refined: cat 2 of 2, background 2 of 2, third pixel neutral: 1.
    """
    row = judged(form="shared", pairs=PAIRS)["scores"]["bg0.25-fg0.60"]
    assert (row["npr_initial"], row["npr_refined"]) == (2 / 6, 1 / 6)
    assert (row["neutral_to_background"], row["neutral_to_foreground"]) == (0, 1)
    assert row["tecm"] == row["tecm_printed"] == 0
    assert row["counts_initial"] == [[2, 0, 1], [0, 1, 1]]
    assert row["counts_refined"] == [[2, 0, 1], [0, 2, 0]]
    assert row["pqs_initial"] == pytest.approx(4 / 6)
    assert row["pqs_pseudo"] == pytest.approx(5 / 6)
    assert row["pqs_mean"] == pytest.approx(4.5 / 6)


def test_tecm_of_a_pair_by_hand() -> None:
    """bg 0.10, fg 0.40: initial F F N N B B, refined F F N B B B: NPR 2/6 to 1/6, one to the background, none to the
    foreground. bg 0.10, fg 0.30: F F F N B B to F F F B B B. Equal thresholds: nothing neutral, TECM 1.
    """
    rows = judged(form="shared", pairs=["bg0.10-fg0.30", "bg0.10-fg0.40", "bg0.30-fg0.30"])["scores"]
    assert [row["npr_initial"] for row in rows.values()] == [1 / 6, 2 / 6, 0]
    assert [row["npr_refined"] for row in rows.values()] == [0, 1 / 6, 0]
    assert [row["neutral_to_background"] for row in rows.values()] == [1, 1, 0]
    assert [row["tecm"] for row in rows.values()] == [0, 0, 1]


def test_other_refined_cams_change_only_what_is_refined() -> None:
    here, there = (judged(maps, form="shared", pairs=PAIRS)["scores"] for maps in (REFINED, OTHER))
    for pair in PAIRS:
        equal = {key for key in here[pair] if here[pair][key] == there[pair][key]}
        assert {"npr_initial", "pqs_initial", "mean_iou_initial", "counts_initial"} <= equal
        assert not equal & {"npr_refined", "pqs_pseudo", "counts_refined"}


def test_without_masks_there_is_no_pqs() -> None:
    row = judged(masks=False, form="shared", pairs=PAIRS)["scores"][PAIRS[0]]
    assert set(row) == {
        *(
            "npr_initial",
            "npr_refined",
            "neutral_to_background",
            "neutral_to_foreground",
            "tecm",
            "tecm_printed",
        )
    }


def test_a_mask_that_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Photograph, "mask", lambda self, image_id: None)
    told = "image a of split train has no mask; declare `masks: false` for that split, or add the mask"
    with pytest.raises(SeedbedError, match=told):
        judged(form="shared", pairs=PAIRS)


def test_the_reference_of_the_shared_form_may_be_alphas() -> None:
    shared = judged(form="shared", regions="alpha4-24", pairs=PAIRS)
    assert set(shared["scores"]) == set(PAIRS)


@pytest.mark.parametrize("content", [{"regions": "alpha4-24"}, {"form": "shared", "pairs": ["alpha4-24"]}])
def test_alphas_are_no_pair(content: dict[str, Any]) -> None:
    with pytest.raises(SeedbedError, match=r"defined for pairs \(bg0.10-fg0.40\), got alpha4-24"):
        judged(**content)


def test_an_unknown_form_is_named() -> None:
    with pytest.raises(SeedbedError, match="unknown form of threshold quality 'share'; did you mean shared"):
        judged(form="share", pairs=PAIRS)
