"""`seedbed.report.notebook`: scores files written by hand, and the rows that they must become."""

import doctest
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from result_files import change, judgement_bytes
from seedbed.errors import SeedbedError
from seedbed.report import notebook as results

LEDGER = [{"use": "threshold", "stage": "predict", "note": "tuned on val"}]


def write(folder: Path, path: str, kind: str, scores: dict[str, Any], **more: Any) -> None:
    node, _, split = Path(path).stem.rpartition("-")
    told = {"node": node, "split": split, "kind": kind, "scores": scores, "dataset": path.partition("/")[0]}
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(judgement_bytes(**(told | more)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pseudo masks of two pairs and two seeds: 0.5 + 0.1 pair + 0.02 seed; a supervised baseline without axes."""
    where = tmp_path / "results"
    for s in (0, 1):
        for p, pair in enumerate(("bg0.10-fg0.40", "bg0.20-fg0.50")):
            scores = {
                "mean_iou": 0.5 + 0.1 * p + 0.02 * s,
                "neutral": "dropped",
                "absent": ["cow"],
                "labelled_pixels": 110,
                "mean_iou_by_neutral": {"missed": 0.25},
                "per_class": {
                    "cat": {"iou": 0.75, "truth_pixels": 10},
                    "cow": {"iou": None, "truth_pixels": 0},
                },
            }
            write(where, f"squares/psa/rng{s}/{pair}/scores/pseudo_masks-train.json", "pseudo_mask", scores)
            quality = {"npr_initial": 0.5, "tecm": 1.5 - p}
            where_ = f"squares/psa/rng{s}/{pair}/thresholds/refined_cams-train.json"
            write(where, where_, "threshold_quality", quality)
    best = {"threshold": 0.1, "mean_iou": 0.5, "chosen_with": "masks"}
    write(
        where,
        "pets/upper/shared/scores/predictions-val.json",
        "prediction",
        {"mean_iou": 0.875},
        ledger=LEDGER,
    )
    write(where, "pets/upper/rng3/scores/cams-val.json", "cam", {"mean_iou": 0.25}, best=best)
    (where / ".params/pets/upper/rng3/scores").mkdir(parents=True)
    (where / ".params/pets/upper/rng3/scores/cams-val.json").write_text("{}")
    (where / "pets/upper/rng3/scores/.runs").mkdir()
    (where / "pets/upper/rng3/scores/.runs/cams-val.json").write_text("{}")
    return where


def test_every_number_is_a_row(folder: Path) -> None:
    table = results.load_scores(folder)
    assert tuple(table.columns) == results.COLUMNS
    one = table[(table["rng"] == 1) & (table["regions"] == "bg0.20-fg0.50")]
    assert {
        (m, c): v for m, c, v in zip(one["metric"], one["class"], one["value"], strict=True) if v == v
    } == {
        ("mean_iou", ""): pytest.approx(0.62),
        ("labelled_pixels", ""): 110,
        ("mean_iou_by_neutral.missed", ""): 0.25,
        ("iou", "cat"): 0.75,
        ("truth_pixels", "cat"): 10,
        ("truth_pixels", "cow"): 0,
    }
    undefined = one[one["value"].isna()]
    assert list(zip(undefined["metric"], undefined["class"], strict=True)) == [("iou", "cow")]
    assert set(
        one["dataset"] + " " + one["owner"] + " " + one["node"] + " " + one["split"] + " " + one["kind"]
    ) == {"squares psa pseudo_masks train pseudo_mask"}


def test_axes_that_a_node_does_not_have_are_empty_and_the_ledger_is_words(folder: Path) -> None:
    table = results.load_scores(folder)
    (upper,) = table[table["node"] == "predictions"].to_dict("records")
    assert pd.isna(upper["rng"])
    assert (upper["regions"], upper["value"]) == ("", 0.875)
    assert upper["ledger"] == "threshold: tuned on val (predict)"
    assert set(table[table["owner"] == "psa"]["ledger"]) == {"nothing"}


def test_the_best_threshold_stands_apart(folder: Path) -> None:
    table = results.load_scores(folder)
    cams = table[table["node"] == "cams"]
    assert dict(zip(cams["metric"], cams["value"], strict=True)) == {
        "mean_iou": 0.25,
        "best.threshold": 0.1,
        "best.mean_iou": 0.5,
    }


def test_thresholds_are_one_row_per_pair(folder: Path) -> None:
    table = results.load_thresholds(folder)
    assert len(table) == 4
    row = table[(table["rng"] == 0) & (table["regions"] == "bg0.20-fg0.50")].iloc[0]
    assert (row["bg_threshold"], row["fg_threshold"], row["npr_initial"], row["tecm"]) == (0.2, 0.5, 0.5, 0.5)
    assert (row["dataset"], row["node"], row["kind"]) == ("squares", "refined_cams", "threshold_quality")


def test_the_shared_form_is_a_table_of_its_own(folder: Path) -> None:
    rows = {"bg0.10-fg0.40": {"tecm": 0.25}, "bg0.20-fg0.50": {"tecm": 0.75}}
    path = "squares/psa/rng0/bg0.20-fg0.50/thresholds/refined_cams-train-shared.json"
    write(folder, path, "threshold_quality", rows, node="refined_cams", split="train", form="shared")
    table = results.load_thresholds(folder, form="shared")
    assert list(table["regions"]) == ["bg0.10-fg0.40", "bg0.20-fg0.50"]
    assert list(table["tecm"]) == [0.25, 0.75]
    assert set(table["reference"]) == {"bg0.20-fg0.50"}
    assert len(results.load_thresholds(folder)) == 4
    with pytest.raises(SeedbedError, match="unknown form 'shard'; did you mean shared"):
        results.load_thresholds(folder, form="shard")


def test_an_empty_folder_gives_empty_tables_with_columns(tmp_path: Path) -> None:
    assert tuple(results.load_scores(tmp_path).columns) == results.COLUMNS
    assert len(results.load_scores(tmp_path)) == 0
    assert "bg_threshold" in results.load_thresholds(tmp_path).columns


def test_the_example_of_the_docstring(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    (example,) = [
        t for t in doctest.DocTestFinder().find(results.load_scores, "load_scores", globs={}) if t.examples
    ]
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
        example
    ) == doctest.TestResults(failed=0, attempted=4)


def test_no_folder_and_a_broken_file_are_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SeedbedError, match=r"^no folder .*gone; name the folder"):
        results.load_scores(tmp_path / "gone")
    (folder / "pets/upper/rng3/scores/cams-val.json").write_text("{")
    with pytest.raises(SeedbedError, match=r"cams-val.json is not a file of scores that this version reads"):
        results.load_scores(folder)


def test_changed_scores_are_one_line(folder: Path) -> None:
    path = folder / "pets/upper/rng3/scores/cams-val.json"
    path.write_bytes(path.read_bytes().replace(b'"mean_iou": 0.25', b'"mean_iou": 0.95'))
    with pytest.raises(SeedbedError, match=r"cams-val.json was changed: .*; run its stage again"):
        results.load_scores(folder)


def test_scores_of_another_data_set_are_refused(folder: Path) -> None:
    change(folder / "pets/upper/rng3/scores/cams-val.json", dataset="squares")
    with pytest.raises(SeedbedError, match=r"cams-val.json is of data set squares; run its stage again"):
        results.load_scores(folder)


def test_values_are_floats(folder: Path) -> None:
    assert all(isinstance(value, float) for value in results.load_scores(folder)["value"])
    assert not math.isnan(results.load_scores(folder)["value"].iloc[0])
