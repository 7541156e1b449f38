"""`seedbed compare` on judges' files written by hand: shared cells, differences, what is missing, old or damaged."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipe_files import CONFIG
from result_files import change, judgement_bytes, masks_bytes
from seedbed.artifacts.manifest import sha256_bytes
from seedbed.engines.restored import masks_key
from seedbed.errors import SeedbedError
from seedbed.metrics.image_counts import ImageCounts
from seedbed.metrics.segmentation import scores as scores_of
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import Judgement
from seedbed.stages.evaluate import STAGE as EVALUATE
from seedbed.verbs.compare import compare_text, write_csv, write_page
from seedbed.verbs.compared import compared

IMAGES = 12
NO_MASKS = CONFIG["datasets"] | {
    "toy": {"kind": "folder", "root": "nowhere", "splits": {"train": {}, "val": {"masks": False}}}
}


def counts_of(right: int) -> list[np.ndarray]:
    """Of each image 100 pixels of background, all right, and 100 of cat, of which about `right` are."""
    found = []
    for place in range(IMAGES):
        hit = right + place % 3
        found.append(np.array([[100, 0, 0], [100 - hit, hit, 0]]))
    return found


def write(tree: Any, judgement: Judgement, right: int, version: int = EVALUATE.version) -> Path:
    """The file of a judge, all of whose images are as `counts_of` says."""
    workflow_inputs = {name: [sha256_bytes(task.key.encode())] for name, task in judgement.sources.items()}
    inputs = {"index": [sha256_bytes(b"index")]} | workflow_inputs
    parameters = judgement.slice() | {"stage_version": version}
    told: dict[str, Any] = {"stage_version": version, "parameters": parameters}
    kind = judgement.task.stage.meaning.score
    if judgement.judge == "areas":
        shares = ("neutral_ratio", "foreground_area", "labelled_without_pixel", "images_without_foreground")
        scores: dict[str, Any] = dict.fromkeys(shares, right / 100) | {
            "per_class": {"cat": {"area": right / 100}}
        }
        told["stage"] = "label_areas"
    elif kind == "classification":
        scores = {
            "mean_average_precision": right / 100,
            "per_class": {"cat": {"average_precision": right / 100}},
        }
    else:
        counts, packed = counts_of(right), ImageCounts()
        for one in counts:
            packed.add(one)
        total = np.sum(counts, axis=0)
        scores = scores_of(total, ["cat"])
        told |= {"counts": total.tolist(), "classes": ["background", "cat"]}
        if version != 1:
            told["image_counts"] = {"images": IMAGES, "packed": packed.packed()}
    if judgement.stage.reads_masks:
        inputs["masks"] = [sha256_bytes(tree.masks)]
    content = judgement_bytes(judgement.task.name, judgement.split, kind, scores, **{"inputs": inputs} | told)
    judgement.path.parent.mkdir(parents=True, exist_ok=True)
    judgement.path.write_bytes(content)
    return judgement.path


@pytest.fixture
def judged(tree: Any) -> Any:
    """Recipe base at 50 + 10 · rng, and of unet, whose segmenter differs, 20 more."""

    def make(**config: Any) -> Workflow:
        workflow = tree.workflow(thresholds=[], **config)
        tree.make(workflow)
        tree.masks = masks_bytes(made_with=masks_key(workflow.graph(), sha256_bytes(b"index")))
        for judgement in workflow.judgements.values():
            more = 20 if judgement.task.owner == "unet" else 0
            write(tree, judgement, 50 + 10 * (judgement.task.rng or 0) + more, judgement.stage.version)
        return workflow

    return make


def lines_with(text: str, *words: str) -> list[str]:
    return [line for line in text.splitlines() if all(word in line for word in words)]


def test_shared_cells_and_differences_by_hand(judged: Any) -> None:
    """Of rng r, with h = 51 + 10 · r hits per image on average: IoU of background 100 / (200 - h), of cat h / 100."""
    comparison = compared(judged(), ["base", "unet"])
    column = next(one for one in comparison.columns if one.kind == "prediction")
    means = [np.mean([(100 / (200 - h) + h / 100) / 2 for h in (51 + more, 61 + more)]) for more in (0, 20)]
    difference = comparison.difference(comparison.rows[1], column)
    assert difference.value == pytest.approx(means[1] - means[0])
    assert difference.interval.low < difference.value < difference.interval.high
    assert 0 < difference.interval.high - difference.interval.low < 0.01
    assert difference.rngs == 2
    text = compare_text(comparison)
    base, unet = text.splitlines()[1:3]
    assert base.split()[:6] == ["1", "base", "bg0.10-fg0.40", "0", "1", "0.550"]
    assert f"{means[0]:.3f} ± 0.0" in base
    assert unet.count("= 1") == len(comparison.columns) - 1
    sd = abs((100 / 129 + 0.71) / 2 - (100 / 119 + 0.81) / 2) / 2**0.5
    assert unet.endswith(f"{means[1]:.3f} ± {sd:.3f}")
    (line,) = lines_with(text, "2 - 1", "prediction, ")
    low, high = difference.interval
    assert line.split("mIoU")[1].split() == [
        f"{difference.value:+.3f}",
        f"[{low:+.3f},",
        f"{high:+.3f}]",
        "2",
    ]


def test_a_shared_cell_whose_owner_is_not_compared_says_whose_it_is(judged: Any) -> None:
    comparison = compared(judged(), ["unet"])
    row = comparison.rows[0]
    shared = {column.kind: comparison.shared_with(row, column) for column in comparison.columns}
    assert shared.pop("prediction") == ""
    assert set(shared.values()) == {"base"}


def test_the_baseline_may_be_another_one(judged: Any) -> None:
    comparison = compared(judged(), ["base", "unet"], baseline="unet")
    column = next(one for one in comparison.columns if one.kind == "prediction")
    assert comparison.difference(comparison.rows[0], column).value < -0.1
    assert comparison.difference(comparison.rows[1], column) is None


def test_half_finished_results_are_compared_at_the_seeds_that_both_have(judged: Any, tree: Any) -> None:
    workflow = judged()
    (path,) = [p for p in workflow.judgements if "unet/rng0" in str(p)]
    path.unlink()
    comparison = compared(workflow, ["base", "unet"])
    column = next(one for one in comparison.columns if one.kind == "prediction")
    difference = comparison.difference(comparison.rows[1], column)
    one_seed = [(100 / (200 - h) + h / 100) / 2 for h in (61, 81)]
    assert difference.rngs == 1
    assert difference.value == pytest.approx(one_seed[1] - one_seed[0])
    text = compare_text(comparison)
    assert lines_with(text, "(1 of 2)")
    assert lines_with(
        text, f"not there: 2 unet bg0.10-fg0.40: predictions on {column.split} (rng 0): missing"
    )
    for other in workflow.judgements:
        other.unlink(missing_ok=True)
    comparison = compared(workflow, ["base", "unet"])
    nothing = compare_text(comparison)
    assert "–" in nothing.splitlines()[1]
    first, second = lines_with(nothing, "not there: ")
    assert first.startswith("not there: 1 base bg0.10-fg0.40: ")
    assert "cams on train, " in first
    assert first.endswith(" (rng 0, 1): missing")
    assert first.count("missing") == 1
    assert second == f"not there: 2 unet bg0.10-fg0.40: predictions on {column.split} (rng 0, 1): missing"
    assert not comparison.frame()["without"].str.contains("None").any()


def test_rows_without_a_common_seed_say_so(judged: Any) -> None:
    """Everything here depends on the seed, so no difference is given."""
    text = compare_text(compared(judged(), ["base@rng0", "unet@rng1"]))
    assert lines_with(text, "2 unet bg0.10-fg0.40: no random seed in common with row 1 (1 against 0)")
    assert not lines_with(text, "2 - 1")
    assert "in common" not in compare_text(compared(judged(), ["base", "unet@rng1"]))


def test_a_result_is_not_compared_with_itself(judged: Any) -> None:
    """The classifier of unet at one seed is that of base, which is there at two."""
    comparison = compared(judged(), ["base", "unet@rng0"])
    differences = {
        column.kind: comparison.difference(comparison.rows[1], column) for column in comparison.columns
    }
    assert differences.pop("prediction") is not None
    assert set(differences.values()) == {None}
    assert lines_with(compare_text(comparison), "2 - 1") == lines_with(
        compare_text(comparison), "2 - 1", "prediction, "
    )


def test_old_stale_and_damaged_files(judged: Any, tree: Any) -> None:
    workflow = judged()
    predictions = [j for j in workflow.judgements.values() if j.task.name == "predictions"]
    for judgement in predictions:
        write(tree, judgement, 60, version=1)
    text = compare_text(compared(workflow, ["base", "unet"]))
    assert lines_with(
        text, f"{len(predictions)} files of scores are of an older version, without counts per image"
    )
    assert lines_with(text, "2 - 1", "+0.000", "scored before counts per image were kept")
    stale, damaged = [j for j in predictions if j.task.owner == "unet"]
    content = judgement_bytes(
        "predictions", stale.split, "prediction", {"mean_iou": 0.5}, parameters={"old": 1}
    )
    stale.path.write_bytes(content)
    damaged.path.write_bytes(write(tree, damaged, 60).read_bytes().replace(b'"images": 12', b'"images": 13'))
    comparison = compared(workflow, ["base", "unet"])
    text = compare_text(comparison)
    assert lines_with(text, "not there: 2 unet", "(rng 0): stale (dataset default -> toy")
    assert lines_with(text, "not there: 2 unet", "(rng 1): ", "was changed: its own digest does not match")
    assert not lines_with(text, "2 - 1")


def test_without_masks_areas_and_labels_are_compared(judged: Any) -> None:
    text = compare_text(compared(judged(datasets=NO_MASKS), ["base", "unet"], split="val"), per_class=True)
    assert lines_with(text, "toy has no masks on val, so there is no mIoU")
    heading = text.splitlines()[0]
    assert "mIoU" not in heading
    for told in ("classification, val: mAP", "prediction, val: neutral", "prediction, val: area of classes"):
        assert told in heading
    assert lines_with(text, "2 - 1", "prediction, val: area of classes", "+0.200", "not a function of counts")


def test_csv_and_page(judged: Any, tmp_path: Path) -> None:
    comparison = compared(judged(), ["base", "unet"])
    write_csv(comparison, tmp_path / "new/all.csv")
    with (tmp_path / "new/all.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    (mean,) = [r for r in rows if (r["recipe"], r["kind"], r["class"]) == ("unet", "prediction", "")]
    (cat,) = [r for r in rows if (r["recipe"], r["kind"], r["class"]) == ("unet", "prediction", "cat")]
    assert (mean["rngs"], mean["baseline"], mean["shared_with"]) == ("0 1", "base bg0.10-fg0.40", "")
    assert float(cat["mean"]) == pytest.approx(0.76)
    assert float(cat["difference"]) == pytest.approx(0.2)
    assert float(cat["low"]) == pytest.approx(0.2)
    write_page(comparison, tmp_path / "new/page.html")
    page = (tmp_path / "new/page.html").read_text()
    assert all(f"<h2>{title}</h2>" in page for title in ("Scores", "Differences", "By class"))
    assert "= 1: the same result as row 1" in page
    assert "95 % interval over images (paired bootstrap, 1,000 draws" in page
    write_page(compared(judged(), ["base"]), tmp_path / "new/page.html")
    assert "the same result as" not in (tmp_path / "new/page.html").read_text()


def test_background_only_is_said(judged: Any, tree: Any) -> None:
    workflow = judged()
    (judgement, *_) = [j for j in workflow.judgements.values() if j.task.owner == "unet"]
    assert not lines_with(compare_text(compared(workflow, ["unet"])), "background only")
    packed, counts = ImageCounts(), np.array([[100, 0, 0], [100, 0, 0]])
    packed.add(counts)
    content = write(tree, judgement, 50)
    told = {"counts": counts.tolist(), "classes": ["background", "cat"]}
    change(
        content,
        scores=scores_of(counts, ["cat"]),
        image_counts={"images": 1, "packed": packed.packed()},
        **told,
    )
    text = compare_text(compared(workflow, ["unet"]))
    assert lines_with(
        text, "1 unet bg0.10-fg0.40, prediction, ", f"(rng {judgement.task.rng}): background only"
    )


@pytest.mark.parametrize(
    ("words", "options", "told"),
    [
        (["nothing"], {}, r"unknown recipe 'nothing'"),
        (["base", "base@bg0.10-fg0.40"], {}, r"base bg0.10-fg0.40 is named twice"),
        (["sea/base"], {}, r"unknown data set 'sea'"),
        (["base@@"], {}, r"expected .*, got ''"),
        (["a b"], {}, r"expected \[dataset/\]recipe"),
        (["base@sweep"], {}, r"names no `thresholds` for @sweep"),
        (["base"], {"baseline": "unet"}, r"unknown baseline 'unet'"),
        (["base"], {"baseline": "unet@bg0.10-fg0.40"}, r"base@bg0.10-fg0.40"),
        (["base"], {"split": "test"}, r"unknown split 'test'; known: train, val"),
    ],
)
def test_wrong_words(tree: Any, words: list[str], options: dict[str, str], told: str) -> None:
    with pytest.raises(SeedbedError, match=told):
        compared(tree.workflow(thresholds=[]), words, **options)


def test_a_sweep_has_a_row_per_pair(tree: Any) -> None:
    comparison = compared(tree.workflow(), ["base@sweep@rng1"])
    assert [row.regions for row in comparison.rows] == ["bg0.05-fg0.30", "bg0.10-fg0.40", "bg0.15-fg0.50"]
    assert {row.rngs for row in comparison.rows} == {(1,)}
    cams = next(column for column in comparison.columns if column.kind == "cam")
    assert [comparison.shared_with(row, cams) for row in comparison.rows] == ["", "1", "1"]
