"""Scores and threshold tables, against values worked out by hand from the fixture `sweep`."""

import io
import json

import pandas as pd
import pytest

from report.conftest import network
from seedbed.errors import SeedbedError
from seedbed.report.blocks import Table
from seedbed.report.metrics import metrics_json
from seedbed.report.page import csv_bytes, run
from seedbed.report.results import NOTHING, Place, read_judged, read_results
from seedbed.report.sections import correlations, curves, histories, nodes, per_class, scores, thresholds
from seedbed.report.tables import figure, one_of, spread, with_notes
from seedbed.runtime.axes import Axes

PAIRS = ("bg0.10-fg0.40", "bg0.20-fg0.50")
INHERITED = "threshold: inherited: tuned on val (predict)"


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
    ("axes", "rng", "regions", "words"),
    [
        ("shared", "", "", "psa"),
        ("rng12", 12, "", "psa rng12"),
        ("bg0.10-fg0.40", "", "bg0.10-fg0.40", "psa bg0.10-fg0.40"),
        ("rng0/alpha4-24", 0, "alpha4-24", "psa rng0 alpha4-24"),
    ],
)
def test_places_as_columns_and_as_words(axes, rng, regions, words):
    place = Place("psa", Axes.parse(axes))
    assert place.columns() == {"owner": "psa", "rng": rng, "regions": regions}
    assert str(place) == words


def test_mask_table(sweep):
    table = scores.mask_table(scores.frame(sweep.page()))
    masks = row_of(table, node="pseudo_masks", regions="bg0.10-fg0.40")
    # 0.50 and 0.52: mean 0.51, sd sqrt(2 · 0.01²) = 0.0141
    assert (masks["mIoU"], masks["rngs"], masks["threshold"]) == ("0.510 ± 0.014", "2", "as decided")
    assert masks["mIoU, neutral = miss"] == "0.255 ± 0.007"
    assert masks["best mIoU"] == ""
    cams = row_of(table, node="cams")
    assert (cams["mIoU"], cams["threshold"]) == ("0.375 ± 0.000", "0.25")
    assert cams["best mIoU"] == "0.500 ± 0.000 at 0.10, chosen with masks"


def test_a_threshold_that_was_not_given_says_how_it_was_chosen(maker):
    given = {"best": {"threshold": 0.1, "mean_iou": 0.5, "chosen_with": "masks"}, "fixed_threshold": 0.456}
    maker.judged("rng0", "cams", "train", "cam", {"mean_iou": 0.375}, **given, fixed_by="otsu", curve=[])
    (row,) = [row for row in scores.frame(maker.page()).to_dict("records") if row["node"] == "cams"]
    assert row["decided_at"] == "0.46 (otsu)"
    (chart,) = curves.blocks(maker.page(), curves.frame(maker.page()))
    assert "● Otsu's threshold, ★" in chart.caption
    assert next(mark.meaning for mark in chart.panels[0].marks) == "Otsu's threshold"


def test_ledger_stands_beside_each_score(sweep):
    table = scores.mask_table(scores.frame(sweep.page()))
    assert row_of(table, node="predictions", regions="bg0.20-fg0.50")["ground truth used"] == INHERITED
    assert row_of(table, node="cams")["ground truth used"] == NOTHING
    ran = nodes.node_table(sweep.page(), nodes.frame(sweep.page()))
    assert {row[-1] for row in ran.rows if row[0] == "predictions"} == {"threshold [1]"}
    assert {row[-1] for row in ran.rows if row[0] != "predictions"} == {NOTHING}
    assert ran.notes == (INHERITED,)


def test_classifier_and_class_tables(sweep):
    page = sweep.page()
    classifier = row_of(scores.classifier_table(scores.frame(page)), node="classification")
    assert classifier["mAP"] == "0.625 ± 0.177"
    table = per_class.class_table(per_class.frame(page), ["background", "cat", "dog", "cow"])
    assert table.headings[5:] == ("background", "cat", "dog", "cow")
    masks = row_of(table, node="pseudo_masks", regions="bg0.20-fg0.50")
    assert (masks["background"], masks["cat"], masks["cow"]) == ("0.875 ± 0.000", "0.610 ± 0.014", "–")
    by_label = row_of(table, node="classification")
    assert (by_label["measure"], by_label["cat"], by_label["background"]) == ("AP", "0.750 ± 0.000", "")


def test_scores_csv_is_tidy(sweep):
    frame = scores.frame(sweep.page())
    read = pd.read_csv(io.BytesIO(csv_bytes(frame)))
    assert list(read.columns) == list(scores.COLUMNS)
    assert len(read) == 2 * (2 + 2 * 2)
    masks = read[(read["node"] == "pseudo_masks") & (read["rng"] == 1)].set_index("regions")["mean_iou"]
    assert masks.to_dict() == {"bg0.10-fg0.40": 0.52, "bg0.20-fg0.50": 0.62}
    assert set(read.loc[read["best_mean_iou"].notna(), "best_threshold_is"]) == {"chosen with masks"}


def test_curves_are_points(sweep):
    frame = curves.frame(sweep.page())
    first = frame[frame["rng"] == 0]
    assert list(first["threshold"]) == [0.0, 0.1, 0.25, 0.5]
    assert list(first["mean_iou"].fillna(-1)) == [-1, 0.5, 0.375, 0.125]
    assert set(frame["kind"]) == {"cam"}


def test_histories_are_means_of_epochs(sweep):
    """Losses 1, 1/2, 1/3 and 1/4, 1/5, 1/6: means 11/18 and 37/180; rates 0.10, 0.09, 0.08 and 0.07, 0.06, 0.05."""
    frame = histories.frame(sweep.page())
    assert set(frame["node"]) == {"classifier", "affinitynet", "segmenter"}
    one = frame[(frame["node"] == "segmenter") & (frame["rng"] == 1) & (frame["regions"] == "bg0.20-fg0.50")]
    assert list(zip(one["epoch"], one["logged"], strict=True)) == [
        (1, "loss"),
        (2, "loss"),
        (1, "lr"),
        (2, "lr"),
    ]
    assert list(one["mean"]) == pytest.approx([11 / 18, 37 / 180, 0.09, 0.06])


def test_new_labels_are_marked_and_not_plotted_as_a_loss(maker):
    """Two steps per epoch; labels after epoch 1 and after epoch 3, hence at steps 2 and 6."""
    stamps = ["", "", "1.0", "1.0", "1.0", "1.0", "3.0", "3.0"]
    lines = [f"{1 + i // 2},{i},0.1,{1 / (1 + i)},{stamp}" for i, stamp in enumerate(stamps)]
    content = "\n".join(["epoch,step,lr,player/loss,player/labelled_after", *lines, ""]).encode()
    maker.node("rng0", "classifier", "classifier", {"history.csv": content})
    (node,) = histories.trained(maker.page().results)
    history = histories.read_history(node)
    assert histories.labelled_at(history) == [2, 6]
    assert histories.labelled_at(history.drop(columns="player/labelled_after")) == []
    loss, rate, *spare = histories.history_figure.__wrapped__({"psa rng0": history}).axes
    assert (loss.get_title(), rate.get_title(), spare) == ("player/loss", "learning rate", [])
    dotted = [line for line in loss.lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == [2, 6]
    (picture,) = histories.blocks(maker.page(), histories.frame(maker.page()))
    assert picture.caption.endswith("; dotted: labels were made anew.")


def test_nodes_say_what_ran(sweep):
    frame = nodes.frame(sweep.page())
    assert len(frame) == 2 * (3 + 2 * 6)
    one = frame[(frame["node"] == "classifier") & (frame["rng"] == 0)].iloc[0]
    assert (one["stage"], one["meaning"], one["parameters"]) == (
        "train_classifier",
        "classifier",
        "tone=calm",
    )
    assert one["megabytes"] == pytest.approx((len(network()) + len(history_of(sweep))) / 1e6)


def history_of(maker):
    return (maker.root / "squares/psa/rng0/classifier/history.csv").read_bytes()


def test_metrics_hold_no_value_that_was_chosen_with_masks(sweep):
    """The CAMs' best mean IoU is 0.5, at the fixed threshold it is 0.375."""
    text = metrics_json(sweep.page().results).decode()
    found = json.loads(text)["psa"]
    assert found["rng1"]["cams"]["train"] == {"mIoU": 0.375, "neutral": 0.25}
    assert found["rng1"]["classification"]["val"] == {"mAP": 0.75, "F1": 0.5}
    assert set(found) == {"rng0", "rng1", *(f"rng{s}/{p}" for s in (0, 1) for p in PAIRS)}
    assert "best" not in text


def test_metrics_are_rounded_and_leave_out_what_is_undefined(maker):
    maker.judged("shared", "predictions", "val", "prediction", {"mean_iou": 2 / 3, "neutral_ratio": None})
    assert json.loads(metrics_json(maker.page().results)) == {
        "psa": {"shared": {"predictions": {"val": {"mIoU": 0.6667}}}}
    }


def test_downstream_scores_follow_the_parents(sweep):
    frame = thresholds.frame(sweep.page())
    assert list(frame["bg_threshold"]) == [0.1, 0.2, 0.1, 0.2]
    assert list(frame["mean_iou:pseudo_masks-train"]) == [0.5, 0.6, 0.52, 0.62]
    assert list(frame["mean_iou:predictions-val"]) == [0.25] * 4
    row = row_of(thresholds.threshold_table(frame), pair="bg0.10-fg0.40")
    assert (row["TECM (eq. 4)"], row["TECM (as printed)"]) == ("1.500 ± 0.000", "2.000 ± 0.000")
    assert row["mIoU pseudo_masks-train"] == "0.510 ± 0.014"


def test_correlations_are_over_pairs_with_seeds_averaged(maker):
    """TECM of 5 pairs falls along a line while the pseudo masks rise along one: r = −1, rho = −1, n = 5."""
    for p in range(5):
        pair = f"bg0.{p + 1}0-fg0.60"
        for rng in (0, 1):
            axes = f"rng{rng}/{pair}"
            refined = maker.node(axes, "refined_cams", "refined_cams", {"train-0.x": b"same"})
            maker.node(axes, "pseudo_masks", "pseudo_masks", {"train-0.y": b"same"}, {"cams": refined})
            scored = {"mean_iou": 0.5 + 0.1 * p + (0.01 if rng else -0.01), "per_class": {}}
            maker.judged(axes, "pseudo_masks", "train", "pseudo_mask", scored)
            maker.judged(axes, "refined_cams", "train", "threshold_quality", {"tecm": 1.5 - 0.25 * p})
    frame = correlations.frame(maker.page())
    (row,) = frame.to_dict("records")
    assert (row["measure"], row["downstream"], row["points"]) == ("tecm", "pseudo_masks-train", 5)
    assert row["pearson"] == pytest.approx(-1)
    assert row["spearman"] == pytest.approx(-1)
    assert row["ransac_inliers"].split() == [f"bg0.{p + 1}0-fg0.60" for p in range(5)]


def test_two_pairs_give_no_coefficient(sweep):
    frame = correlations.frame(sweep.page())
    assert set(frame["points"]) == {2}
    assert frame["pearson"].isna().all()
    assert {row[5] for row in correlations.correlation_table(frame).rows} == {"–"}


def test_another_recipes_segmenter_is_named(sweep):
    axes = "rng0/bg0.10-fg0.40"
    masks = {"labels": f"squares/psa/{axes}/pseudo_masks"}
    segmenter = sweep.node(axes, "segmenter", "segmenter", {"m": b"unet"}, masks, owner="psa-unet")
    sources = {"segmenter": segmenter}
    sweep.node(axes, "predictions", "predictions", {"p": b"unet"}, sources, owner="psa-unet")
    sweep.judged(
        axes, "predictions", "val", "prediction", {"mean_iou": 0.3, "per_class": {}}, owner="psa-unet"
    )
    frame = thresholds.frame(sweep.page())
    assert frame["mean_iou:psa-unet/predictions-val"].dropna().tolist() == [0.3]


def test_missing_scores_are_named(sweep):
    with pytest.raises(SeedbedError, match="expected a file of scores at"):
        read_judged(sweep.root, "squares/psa/rng0/scores/cams-val.json")
    (sweep.root / sweep.slice["judgements"]["scores"][0]).write_text("{}")
    with pytest.raises(SeedbedError, match=r"classification-val\.json was made by an older version"):
        read_results(sweep.slice, sweep.root)


def test_missing_node_is_named(sweep):
    (sweep.root / "squares/psa/rng0/cams/manifest.json").unlink()
    with pytest.raises(SeedbedError, match="expected a manifest at"):
        run(sweep.job())
