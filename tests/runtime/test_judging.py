"""Files of judges: a changed one is refused, and so is one that no judge could have written."""

from pathlib import Path
from typing import Any

import pytest

from result_files import change, judgement_bytes
from seedbed.errors import SeedbedError
from seedbed.runtime.judging import read_judgement

SCORES = {"mean_iou": 0.5, "mean_iou_by_neutral": {"dropped": 0.5, "missed": None}, "absent": []}
CURVE = [{"threshold": 0.1, "mean_iou": 0.25}, {"threshold": 0.2, "mean_iou": None}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "cams-val.json"
    best = {"threshold": 0.1, "mean_iou": 0.25}
    file.write_bytes(judgement_bytes("cams", "val", "cam", SCORES, curve=CURVE, best=best))
    return file


def test_everything_is_read(path: Path) -> None:
    found = read_judgement(path)
    assert (found.node, found.split, found.kind, found.scores) == ("cams", "val", "cam", SCORES)
    assert found.content["curve"] == CURVE
    assert "digest" not in found.content


def test_a_flipped_bit_at_any_place_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(SeedbedError, match=r"cams-val\.json .*; run its stage again") as caught:
            read_judgement(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [b"0.9", b"NaN", b"99", b"null", b"5e-1", b"0.50", b"Infinity"])
def test_another_mean_iou_is_refused(path: Path, value: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(b'"mean_iou": 0.5', b'"mean_iou": ' + value))
    with pytest.raises(SeedbedError, match=r"cams-val\.json .*; run its stage again"):
        read_judgement(path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"node": "../x"}, "node: "),
        ({"node": "<b>"}, "node: "),
        ({"split": "a/b"}, "split: "),
        ({"kind": "<script>"}, "kind: "),
        ({"scores": {"mean_iou": 99}}, r"expected mean_iou in \[0, 1\], .*; got 99"),
        ({"scores": {"mean_iou": "0.5"}}, "expected mean_iou in"),
        ({"scores": {"bg0.10-fg0.40": {"mean_iou_initial": -0.1}}}, "expected mean_iou_initial in"),
        ({"scores": {"mean_iou_by_neutral": {"missed": 1.5}}}, "expected mean_iou_by_neutral in"),
        ({"scores": {"mean_average_precision": 1.5}}, "expected mean_average_precision in"),
        ({"curve": [{"threshold": 0, "mean_iou": 2}]}, "expected mean_iou in"),
        ({"best": {"mean_iou": 2}}, "expected mean_iou in"),
        ({"scores": []}, "scores: "),
        ({"scores": {"mean_iou": [0.5]}}, "expected one number mean_iou"),
        ({"scores": {"mean_iou": 0.5, "per_class": 3}}, "per_class: "),
        ({"ledger": [{"use": "nothing"}]}, "ledger.0"),
    ],
)
def test_what_no_judge_writes_is_refused(path: Path, changes: dict[str, Any], problem: str) -> None:
    change(path, **changes)
    with pytest.raises(
        SeedbedError, match=rf"cams-val\.json is not a file of scores that this version reads .*{problem}"
    ):
        read_judgement(path)


@pytest.mark.parametrize("changes", [{"node": "cam"}, {"node": "refined"}, {"split": "train"}])
def test_scores_of_another_node_or_split_are_refused(path: Path, changes: dict[str, Any]) -> None:
    change(path, **changes)
    with pytest.raises(SeedbedError, match="which does not match its file name; run its stage again"):
        read_judgement(path)


def test_a_suffix_of_the_judge_may_follow_the_split(path: Path) -> None:
    shared = path.rename(path.with_name("cams-val-shared.json"))
    assert read_judgement(shared).split == "val"


def test_missing_and_older_files_are_one_line(path: Path) -> None:
    path.write_text('{"scores": {"mean_iou": 0.5}}')
    with pytest.raises(
        SeedbedError, match=r"cams-val\.json was made by an older version; run its stage again"
    ):
        read_judgement(path)
    path.unlink()
    with pytest.raises(SeedbedError, match=r"expected a file of scores at .*cams-val\.json, found none"):
        read_judgement(path)
