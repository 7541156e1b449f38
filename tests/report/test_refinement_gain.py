"""Segmentation networks on initial and on pseudo masks of each pair, on the page: differences by hand, who is compared
with whom, coefficients, and pictures."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from scipy.stats import kendalltau, pearsonr

from report.conftest import Maker, cams_of, maps_of
from seedbed.report.blocks import Gallery, Picture
from seedbed.report.refinement_gain import gain_frame
from seedbed.report.section import Page
from seedbed.report.sections import correlations, pairs_in_pictures, refinement_gain
from seedbed.report.threshold_pairs import own_frame

LABELS = ("bg0.10-fg0.10", *(f"bg0.10-fg0.{n}0" for n in range(2, 8)))
"""The first has equal thresholds."""
PQS = ((0.5, 0.6), (0.5, 0.5), (0.4, 0.5), (0.4, 0.6), (0.3, 0.6), (0.2, 0.6), (0.1, 0.6))
"""Initial and pseudo."""
MIOU = ((0.5, 0.48), (0.5, 0.51), (0.5, 0.55), (0.4, 0.5), (0.4, 0.55), (0.3, 0.5), (0.2, 0.45))
"""Of the networks trained on either masks; a seed more adds 0.02 to the second."""
VALUES = [0.9, 1.1, 0.8, 1.3, 1.0, 1.4]
"""TECM of the pairs but the first."""


def make(maker: Maker, rngs: tuple[int, ...] = (0, 1), **changes: Any) -> Maker:
    """A sweep with both branches; `changes` are parameters of the initial branch's segmenter."""
    for rng in rngs:
        cams = maker.node(f"rng{rng}", "cams", "cams", cams_of(["train"]), {}, ("train",))
        for p, label in enumerate(LABELS):
            axes = f"rng{rng}/{label}"
            refined = maker.node(
                axes, "refined_cams", "refined_cams", cams_of(["train"]), {"cams": cams}, ("train",)
            )
            scores = dict(zip(("pqs_initial", "pqs_pseudo"), PQS[p], strict=True))
            tecm = 1.0 if p == 0 else VALUES[p - 1]
            scores |= {"pqs_mean": sum(PQS[p]) / 2, "tecm": tecm, "tecm_printed": tecm}
            maker.judged(axes, "refined_cams", "train", "threshold_quality", scores)
            for place, (prefix, source) in enumerate((("initial_", cams), ("", refined))):
                miou = MIOU[p][place] + 0.02 * rng * place
                branch(maker, axes, prefix, source, miou, **(changes if prefix else {}))
    return maker


def branch(maker: Maker, axes: str, prefix: str, source: str, miou: float, **parameters: Any) -> None:
    """Masks, segmenter and scored predictions from CAMs."""
    name = f"{prefix}masks" if prefix else "pseudo_masks"
    masks = maker.node(
        axes, name, "pseudo_masks", {"x": b"x"}, {"cams": source}, (), parameters={"parameters": {}}
    )
    told = {"parameters": parameters}
    net = maker.node(axes, f"{prefix}segmenter", "segmenter", {"m": b"m"}, {"labels": masks}, parameters=told)
    shown = f"{prefix}predictions"
    maker.node(axes, shown, "predictions", maps_of(["val"]), {"segmenter": net}, ("val",))
    maker.judged(axes, shown, "val", "prediction", {"mean_iou": miou, "per_class": {}})


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Two random seeds; tests leave it as it is."""
    return make(Maker(tmp_path_factory.mktemp("swept")))


@pytest.fixture(scope="module")
def page(swept: Maker) -> Page:
    return swept.page(samples=1)


@pytest.fixture
def without(swept: Maker, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[str], bool]], Page]:
    """The page without some files of a judge."""

    def made(judge: str, gone: Callable[[str], bool]) -> Page:
        judged = dict(swept.slice["judgements"])
        judged[judge] = [path for path in judged[judge] if not gone(path)]
        monkeypatch.setitem(swept.slice, "judgements", judged)
        return swept.page()

    return made


def test_differences_by_hand(page: Page) -> None:
    frame = gain_frame(page.results)
    assert len(frame) == 2 * len(LABELS)
    assert set(zip(frame["on_initial"], frame["on_pseudo"], strict=True)) == {
        ("initial_predictions-val", "predictions-val")
    }
    first = frame[frame["rng"] == 0]
    assert list(first["pqs_difference"]) == pytest.approx([0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert list(first["mean_iou_difference"]) == pytest.approx([-0.02, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25])
    table = refinement_gain.gain_table(refinement_gain.frame(page))
    row = dict(zip(table.headings, table.rows[4], strict=True))
    assert row["pair"] == LABELS[4]
    # 0.15 and 0.17: mean 0.16, sd 0.02 / sqrt(2)
    assert (row["PQS difference"], row["mIoU difference"], row["rngs"]) == (
        "0.300 ± 0.000",
        "0.160 ± 0.014",
        "2",
    )


def test_networks_that_differ_otherwise_are_not_compared(maker: Maker) -> None:
    assert gain_frame(make(maker, rngs=(0,), architecture="unet").page().results).empty


def test_masks_of_another_pair_are_not_compared(maker: Maker) -> None:
    """Masks of the CAMs at Otsu's threshold are the same for every pair, so they lie without the regions axis."""
    cams = maker.node("rng0", "cams", "cams", cams_of(["train"]), {}, ("train",))
    branch(maker, "rng0", "initial_", cams, 0.3)
    axes = f"rng0/{LABELS[1]}"
    refined = maker.node(axes, "refined_cams", "refined_cams", cams_of(["train"]), {"cams": cams}, ("train",))
    maker.judged(axes, "refined_cams", "train", "threshold_quality", {"tecm": 1.1})
    branch(maker, axes, "", refined, 0.5)
    assert gain_frame(maker.page().results).empty


def test_one_branch_that_is_not_scored_yet_leaves_its_pair_out(without: Any) -> None:
    page = without("scores", lambda path: f"{LABELS[3]}/scores/initial" in path)
    assert set(gain_frame(page.results)["regions"]) == set(LABELS) - {LABELS[3]}


def test_equal_thresholds_have_no_tecm(page: Page) -> None:
    frame = own_frame(page.results)
    first = frame[frame["regions"] == LABELS[0]]
    assert len(first) == 2
    assert first[["tecm", "tecm_printed"]].isna().all(axis=None)
    assert first["pqs_mean"].notna().all()


def test_the_papers_three_claims_are_correlated(page: Page) -> None:
    frame = correlations.frame(page)
    rows = {(row["measure"], row["downstream"]): row for row in frame.to_dict("records")}
    gain = rows["pqs_difference", "difference:predictions-val"]
    x, y = zip(*(((b - a), (d - c + 0.01)) for (a, b), (c, d) in zip(PQS, MIOU, strict=True)), strict=True)
    assert (gain["points"], gain["pearson"]) == (7, pytest.approx(pearsonr(x, y).statistic))
    assert gain["kendall"] == pytest.approx(kendalltau([round(v, 6) for v in x], y).statistic)
    assert gain["pearson_low"] <= gain["pearson"] <= gain["pearson_high"]
    assert set(gain["ransac_inliers"].split()) <= set(LABELS)
    assert gain["ransac_seeds"] == 1000
    tecm = rows["tecm", "pqs_mean"]
    means = [(a + b) / 2 for a, b in PQS[1:]]
    assert (tecm["points"], tecm["pearson"]) == (6, pytest.approx(pearsonr(VALUES, means).statistic))
    assert rows["pqs_pseudo", "predictions-val"]["points"] == 7
    found = correlations.blocks(page, frame)
    assert [getattr(block, "title", "") for block in found] == [
        "Do the measures predict how good the masks are?",
        "",
        "",
    ]
    claims = [one.key[2:] for one in page.kept[correlations.KEPT].values() if one.claimed]
    assert claims == [
        ("train", "pqs_pseudo", "predictions-val"),
        ("train", "tecm", "pqs_mean"),
        ("train", "pqs_difference", "difference:predictions-val"),
    ]
    assert isinstance(found[2], Picture)
    assert found[2].png.startswith(b"\x89PNG")


def test_fewer_than_five_pairs_print_no_coefficient(without: Any) -> None:
    """Of five pairs the one with equal thresholds has no TECM, which leaves four."""
    page = without("thresholds", lambda path: any(label in path for label in LABELS[5:]))
    frame = correlations.frame(page)
    by_measure = {row["measure"]: row for row in frame.to_dict("records")}
    assert (by_measure["tecm"]["points"], by_measure["pqs_difference"]["points"]) == (4, 5)
    assert pd.isna(by_measure["tecm"]["pearson"])
    assert by_measure["pqs_difference"]["pearson"] > 0
    shown = {(row[2], row[3]): row[4:] for row in correlations.correlation_table(frame).rows}
    assert shown["TECM (eq. 4)", "PQS mean"] == ("4", *("–",) * 9)
    assert not [row for row in correlations.ransac_table(frame).rows if "TECM" in row[2]]


def test_galleries_spread_the_pairs_from_the_lowest_to_the_highest(page: Page) -> None:
    frame = pairs_in_pictures.frame(page)
    by_tecm, by_difference = (
        frame[frame["gallery"] == name]
        for name in (
            "By TECM: predictions of psa",
            "Initial masks and pseudo masks: initial_predictions and predictions of psa",
        )
    )
    # TECM in order: 0.8 0.9 1.0 1.1 1.3 1.4; places 0, 2, 3 and 5
    assert list(by_tecm["order"]) == [0.8, 1.0, 1.1, 1.4]
    # seven differences in order; places 0, 2, 4 and 6
    assert list(by_difference["order"]) == pytest.approx([-0.02, 0.05, 0.15, 0.25])
    found = pairs_in_pictures.blocks(page, frame)
    assert [type(block) for block in found] == [Gallery, Gallery]
    left, right = (block for block in found if isinstance(block, Gallery))
    assert (left.columns, right.columns) == (
        ("predictions",),
        ("trained on initial masks", "trained on pseudo masks"),
    )
    (sample,) = right.samples
    assert [name for name, _ in sample.lines][:2] == [
        f"{LABELS[0]}: mIoU difference -0.020, PQS difference +0.100",
        f"{LABELS[2]}: mIoU difference +0.050, PQS difference +0.100",
    ]
    assert all(cell is not None and cell.picture for _, cells in sample.lines for cell in cells)
    assert sample.truth is not None


def test_without_samples_or_a_sweep_there_are_no_galleries(swept: Maker, maker: Maker) -> None:
    page = swept.page(samples=0)
    assert pairs_in_pictures.blocks(page, pairs_in_pictures.frame(page)) == []
    empty = maker.page()
    for section in (refinement_gain, correlations, pairs_in_pictures):
        frame = section.frame(empty)
        assert frame.empty
        assert section.blocks(empty, frame) == []
