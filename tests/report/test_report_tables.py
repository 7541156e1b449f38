"""Scores and threshold tables, against values worked out by hand from the fixture `sweep`."""

import io
import json
import re

import pandas as pd
import pytest

from seedbed.errors import SeedbedError
from seedbed.report import scores, thresholds
from seedbed.report.page import csv_bytes, node_table, run
from seedbed.report.results import NOTHING, Place, read_judged, read_results
from seedbed.report.tables import Table, figure, one_of, spread, with_notes

INHERITED = "threshold: inherited: tuned on val (predict)"


def results_of(maker):
    return read_results(maker.slice, maker.root)


def row_of(table: Table, **wanted: str) -> dict[str, str]:
    """The only row with these values, by heading."""
    rows = [dict(zip(table.headings, row, strict=True)) for row in table.rows]
    (found,) = [row for row in rows if all(row[k] == v for k, v in wanted.items())]
    return found


def test_spread():
    # of 0.5 and 0.6: mean 0.55, sample variance 2 · 0.05² / 1 = 0.005, sd 0.0707
    assert spread([0.5, 0.6]) == "0.550 ± 0.071"
    assert spread([0.5, None, float("nan")]) == "0.500"
    assert spread([]) == spread([None]) == figure(None) == "–"
    assert one_of(["a", "", "b", "a"]) == "a, b"


def test_long_texts_become_numbered_notes():
    walk, regions = "threshold: beta (random_walk)", "threshold: 0.10 (confident_regions)"
    training = "training: true masks (train_segmenter)"
    cells = [NOTHING, walk, f"{regions} | {training} | {walk}"]
    table = Table(("node", "used"), (False, False), tuple(("cams", cell) for cell in cells))
    noted = with_notes(table, " | ")
    assert [row[-1] for row in noted.rows] == [NOTHING, "threshold [1]", "threshold [1, 2]; training [3]"]
    assert noted.notes == (walk, regions, training)


@pytest.mark.parametrize(
    ("axes", "place"),
    [
        ("shared", Place("psa", None, "")),
        ("rng12", Place("psa", 12, "")),
        ("bg0.10-fg0.40", Place("psa", None, "bg0.10-fg0.40")),
        ("rng0/alpha4-24", Place("psa", 0, "alpha4-24")),
    ],
)
def test_axes_are_read(axes, place):
    assert Place.parse("psa", axes) == place


def test_mask_table(sweep):
    table = scores.mask_table(scores.score_frame(results_of(sweep).scores))
    masks = row_of(table, node="pseudo_masks", regions="bg0.10-fg0.40")
    # 0.50 and 0.52: mean 0.51, sd sqrt(2 · 0.01²) = 0.0141
    assert (masks["mIoU"], masks["rngs"], masks["threshold"]) == ("0.510 ± 0.014", "2", "as decided")
    assert masks["mIoU, neutral = miss"] == "0.255 ± 0.007"
    assert masks["best mIoU"] == ""
    cams = row_of(table, node="cams")
    assert (cams["mIoU"], cams["threshold"]) == ("0.375 ± 0.000", "0.25")
    assert cams["best mIoU"] == "0.500 ± 0.000 at 0.10, chosen with masks"


def test_ledger_stands_beside_each_score(sweep):
    table = scores.mask_table(scores.score_frame(results_of(sweep).scores))
    assert row_of(table, node="predictions", regions="bg0.20-fg0.50")["ground truth used"] == INHERITED
    assert row_of(table, node="cams")["ground truth used"] == NOTHING
    nodes = node_table(results_of(sweep))
    assert {row[-1] for row in nodes.rows if row[0] == "predictions"} == {INHERITED}
    assert {row[-1] for row in nodes.rows if row[0] != "predictions"} == {NOTHING}


def test_classifier_and_class_tables(sweep):
    results = results_of(sweep)
    classifier = row_of(scores.classifier_table(scores.score_frame(results.scores)), node="classifier")
    assert classifier["mAP"] == "0.625 ± 0.177"
    table = scores.class_table(scores.class_frame(results.scores), ["background", "cat", "dog", "cow"])
    assert table.headings[5:] == ("background", "cat", "dog", "cow")
    masks = row_of(table, node="pseudo_masks", regions="bg0.20-fg0.50")
    assert (masks["background"], masks["cat"], masks["cow"]) == ("0.875 ± 0.000", "0.610 ± 0.014", "–")
    by_label = row_of(table, node="classifier")
    assert (by_label["measure"], by_label["cat"], by_label["background"]) == ("AP", "0.750 ± 0.000", "")


def test_scores_csv_is_tidy(sweep):
    frame = scores.score_frame(results_of(sweep).scores)
    read = pd.read_csv(io.BytesIO(csv_bytes(frame)))
    assert list(read.columns) == list(scores.SCORE_COLUMNS)
    assert len(read) == 2 * (2 + 2 * 2)
    masks = read[(read["node"] == "pseudo_masks") & (read["rng"] == 1)].set_index("regions")["mean_iou"]
    assert masks.to_dict() == {"bg0.10-fg0.40": 0.52, "bg0.20-fg0.50": 0.62}
    assert set(read.loc[read["best_mean_iou"].notna(), "best_threshold_is"]) == {"chosen with masks"}


def test_downstream_scores_follow_the_manifests(sweep):
    frame = thresholds.threshold_frame(results_of(sweep))
    assert list(frame["bg_threshold"]) == [0.1, 0.2, 0.1, 0.2]
    assert list(frame["mean_iou:pseudo_masks-train"]) == [0.5, 0.6, 0.52, 0.62]
    assert list(frame["mean_iou:predictions-val"]) == [0.25] * 4
    row = row_of(thresholds.threshold_table(frame), pair="bg0.10-fg0.40")
    assert (row["TECM (eq. 4)"], row["TECM (as printed)"]) == ("1.500 ± 0.000", "2.000 ± 0.000")
    assert row["mIoU pseudo_masks-train"] == "0.510 ± 0.014"


def test_correlations_are_over_pairs_with_seeds_averaged(maker):
    """TECM of 4 pairs falls along a line while the pseudo masks rise along one: r = −1, rho = −1, n = 4."""
    for p in range(4):
        pair = f"bg0.{p + 1}0-fg0.50"
        for rng in (0, 1):
            axes = f"rng{rng}/{pair}"
            refined = maker.node(
                axes, "refined_cams", "random_walk", {"train-0.x": axes.encode()}, score="refined_cam"
            )
            maker.node(axes, "pseudo_masks", "pseudo_masks", {"train-0.y": axes.encode()}, {"cams": refined})
            scored = {"mean_iou": 0.5 + 0.1 * p + (0.01 if rng else -0.01), "per_class": {}}
            maker.judged(axes, "pseudo_masks", "train", "pseudo_mask", scored)
            maker.judged(axes, "refined_cams", "train", "threshold_quality", {"tecm": 1.5 - 0.25 * p})
    frame = thresholds.correlation_frame(thresholds.threshold_frame(results_of(maker)))
    (row,) = frame.to_dict("records")
    assert (row["measure"], row["downstream"], row["points"]) == ("tecm", "pseudo_masks-train", 4)
    assert row["pearson"] == pytest.approx(-1)
    assert row["spearman"] == pytest.approx(-1)
    assert row["ransac_inliers"].split() == [f"bg0.{p + 1}0-fg0.50" for p in range(4)]


def test_two_pairs_give_no_coefficient(sweep):
    frame = thresholds.correlation_frame(thresholds.threshold_frame(results_of(sweep)))
    assert set(frame["points"]) == {2}
    assert frame["pearson"].isna().all()
    assert {row[5] for row in thresholds.correlation_table(frame).rows} == {"–"}


def test_another_recipes_segmenter_is_named(sweep):
    axes = "rng0/bg0.10-fg0.40"
    masks = json.loads((sweep.root / f"squares/psa/{axes}/pseudo_masks/manifest.json").read_text())["content"]
    segmenter = sweep.node(
        axes, "segmenter", "train_segmenter", {"m": b"unet"}, {"labels": masks}, owner="psa-unet"
    )
    sweep.node(
        axes,
        "predictions",
        "predict",
        {"p": b"unet"},
        {"segmenter": segmenter},
        "prediction",
        owner="psa-unet",
    )
    sweep.judged(
        axes, "predictions", "val", "prediction", {"mean_iou": 0.3, "per_class": {}}, owner="psa-unet"
    )
    frame = thresholds.threshold_frame(results_of(sweep))
    assert frame["mean_iou:psa-unet/predictions-val"].dropna().tolist() == [0.3]


def test_missing_scores_are_named(sweep):
    with pytest.raises(SeedbedError, match=re.escape("expected scores at")):
        read_judged(sweep.root, "squares/psa/rng0/scores/cams-val.json")
    (sweep.root / sweep.slice["scores"][0]).write_text("{}")
    with pytest.raises(SeedbedError, match=r"classifier-val\.json is no readable file of scores"):
        results_of(sweep)


def test_missing_node_is_named(sweep):
    (sweep.root / "squares/psa/rng0/cams/manifest.json").unlink()
    with pytest.raises(SeedbedError, match="expected a manifest at"):
        run(sweep.job())
