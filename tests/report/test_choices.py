"""Choices without masks on the page, and their regrets, against values worked out by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from report.conftest import Maker, mask_scores, write_sweep
from seedbed.report.choices import FIXED_PAIRS, pair_frame, score_frame
from seedbed.report.sections import choices
from seedbed.runtime.background_criteria import CRITERIA

NOTHING = {"background_score": None, "labelled_without_pixel": None, "area": None, "areas": {}}
LABELS = ("bg0.10-fg0.40", "bg0.10-fg0.50", "bg0.20-fg0.50")
NEUTRAL = dict(zip(LABELS, (0.375, 0.5, 0.25), strict=True))
CURVE = [{"threshold": t, "mean_iou": m} for t, m in ((0.0, None), (0.25, 0.5), (0.5, 0.75), (0.75, 0.125))]


def choose(maker: Maker, axes: str, node: str, kind: str, masks: bool = True, **chosen: float) -> None:
    """A file of the judge, and the curve of `evaluate`."""
    rows = dict.fromkeys(CRITERIA, NOTHING) | {
        name: {"background_score": score, "labelled_without_pixel": 0.25, "area": 0.5, "areas": {}}
        for name, score in chosen.items()
    }
    maker.judged(axes, node, "train", "choices", rows)
    if masks:
        best = {"threshold": 0.5, "mean_iou": 0.75, "chosen_with": "masks"}
        maker.judged(
            axes, node, "train", kind, mask_scores(0.5), fixed_threshold=0.25, best=best, curve=CURVE
        )


def rows_of(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(frame[list(columns)].itertuples(index=False, name=None))


def test_regrets_of_background_scores_by_hand(maker: Maker) -> None:
    """0.3 is next to 0.25, 0.63 to 0.75; at 0.1 the nearest threshold leaves no class."""
    choose(maker, "rng0", "cams", "cam", otsu=0.3, li=0.63, isodata=0.1)
    frame = score_frame(maker.page().results).set_index("criterion")
    assert list(frame.index) == [criterion.title for criterion in CRITERIA.values()]
    assert frame.loc["Otsu", ["mean_iou", "best_mean_iou", "best_score", "regret"]].tolist() == [
        0.5,
        0.75,
        0.5,
        0.25,
    ]
    assert frame.loc["Li, cross entropy", "regret"] == 0.625
    assert frame.loc[["isodata", "Kapur, entropy"], "regret"].isna().all()


def test_random_seeds_choose_on_their_own_and_are_shown_as_means(maker: Maker) -> None:
    choose(maker, "rng0", "cams", "cam", otsu=0.3, li=0.5)
    choose(maker, "rng1", "cams", "cam", otsu=0.5, li=0.5)
    page = maker.page()
    regrets, scores = choices.blocks(page, choices.frame(page))
    rows = [dict(zip(scores.headings, row, strict=True)) for row in scores.rows]
    assert rows[0]["background score"] == "0.400 ± 0.141"
    assert (rows[0]["regret"], rows[0]["best mIoU"], rows[0]["rngs"]) == (
        "0.125 ± 0.177",
        "0.750 ± 0.000",
        "2",
    )
    assert rows[1]["background score"] == "–"
    assert regrets.rows == (
        ("Otsu", "choices", "2", "0.125", "0.250", "psa rng0 cams"),
        ("Li, cross entropy", "choices", "2", "0.000", "0.000", "psa rng0 cams"),
    )


def test_without_masks_there_is_no_regret(maker: Maker) -> None:
    choose(maker, "rng0", "cams", "cam", masks=False, otsu=0.3)
    page = maker.page()
    (scores,) = choices.blocks(page, choices.frame(page))
    assert scores.headings[-1] == "area of all classes"
    assert scores.rows[0][-3:] == ("0.300", "0.250", "0.500")


def sweep_of(
    maker: Maker, tecm: Sequence[float], printed: Sequence[float], miou: Sequence[float | None]
) -> None:
    """Three pairs whose refined CAMs lead to pseudo masks of these mean IoUs."""
    for label, *values in zip(LABELS, tecm, printed, miou, strict=True):
        axes = f"rng0/{label}"
        quality = {
            "tecm": values[0],
            "tecm_printed": values[1],
            "npr_initial": NEUTRAL[label],
            "npr_refined": 0.5,
        }
        maker.judged(axes, "refined_cams", "train", "threshold_quality", quality)
        refined = maker.node(axes, "refined_cams", "refined_cams", {}, splits=("train",))
        maker.node(axes, "pseudo_masks", "pseudo_masks", {}, {"cams": refined}, ("train",))
        if values[2] is not None:
            maker.judged(axes, "pseudo_masks", "train", "pseudo_mask", mask_scores(values[2]))


def test_regrets_of_pairs_by_hand(maker: Maker) -> None:
    """TECM takes the third pair; the printed variant has two best. Within bg 0.10, they take the second and first. With
    0.375 of its pixels neutral, the first is nearest a third.
    """
    sweep_of(maker, (0.5, 0.75, 1.0), (1.25, 1.0, 1.25), (0.5, 0.625, 0.25))
    shared = {label: {"tecm": 2.0 - p, "tecm_printed": 1.0} for p, label in enumerate(LABELS)}
    other = {"bg0.30-fg0.90": {"tecm": 9.0, "tecm_printed": 9.0}}
    maker.judged(
        "rng0/bg0.10-fg0.40", "refined_cams", "train", "threshold_quality", shared | other, form="shared"
    )
    frame = pair_frame(maker.page().results)
    columns = ("criterion", "among", "pairs", "pair", "scored", "mean_iou", "best_pair", "regret")
    masks, best = "pseudo_masks-train", LABELS[1]
    title = "shared form at bg0.10-fg0.40"
    found = [tuple(None if value != value else value for value in row) for row in rows_of(frame, columns)]
    assert found == [
        ("TECM (eq. 4)", "all", 3, LABELS[2], masks, 0.25, best, 0.375),
        ("TECM (as printed)", "all", 3, None, masks, None, best, None),
        ("TECM (eq. 4)", "bg0.10", 2, LABELS[1], masks, 0.625, best, 0.0),
        ("TECM (as printed)", "bg0.10", 2, LABELS[0], masks, 0.5, best, 0.125),
        (f"TECM (eq. 4), {title}", "all", 3, LABELS[0], masks, 0.5, best, 0.125),
        (f"TECM (as printed), {title}", "all", 3, None, masks, None, best, None),
        ("a third of the pixels neutral", "all", 3, LABELS[0], masks, 0.5, best, 0.125),
        ("bg0.10-fg0.40 (Puzzle-CAM)", "all", 3, LABELS[0], masks, 0.5, best, 0.125),
    ]
    page = maker.page()
    regrets, pairs = choices.blocks(page, choices.frame(page))
    assert [row[0] for row in regrets.rows][2:4] == [
        "TECM (as printed) within a background threshold",
        f"TECM (eq. 4), {title}",
    ]
    assert pairs.rows[1][3:7] == ("TECM (as printed)", "all (3)", "–", masks)


def test_a_pair_without_results_is_chosen_but_has_no_regret(maker: Maker) -> None:
    sweep_of(maker, (0.5, 0.75, 1.0), (1.0, 1.25, 1.5), (0.5, 0.625, None))
    first = pair_frame(maker.page().results).iloc[0]
    assert (first["pair"], first["best_pair"], first["best_mean_iou"]) == (LABELS[2], LABELS[1], 0.625)
    assert first["regret"] != first["regret"]


def test_pairs_are_chosen_without_masks_and_not_from_one(maker: Maker) -> None:
    sweep_of(maker, (0.5, 0.75, 1.0), (1.0, 1.25, 1.5), (None, None, None))
    page = maker.page()
    (pairs,) = choices.blocks(page, choices.frame(page))
    assert pairs.headings[-1] == "chosen"
    assert pairs.rows[0][-1] == LABELS[2]
    maker.slice["judgements"]["thresholds"] = maker.slice["judgements"]["thresholds"][:1]
    assert pair_frame(maker.page().results).empty


def test_all_nodes_downstream_of_a_sweep_have_their_regret(maker: Maker) -> None:
    """Pair p and seed s: pseudo masks 0.5 + 0.1 p + 0.02 s, TECM 1.5 - 0.1 p; predictions 0.25 throughout."""
    page = write_sweep(maker).page()
    frame = pair_frame(page.results)
    tecm = frame[frame["criterion"] == "TECM (eq. 4)"]
    assert rows_of(tecm, ("rng", "scored")) == [
        (rng, scored) for rng in ("0", "1") for scored in ("predictions-val", "pseudo_masks-train")
    ]
    assert tecm["regret"].tolist() == pytest.approx([0, 0.1, 0, 0.1])
    named = {
        "TECM (eq. 4)",
        "TECM (as printed)",
        "a third of the pixels neutral",
        "bg0.10-fg0.40 (Puzzle-CAM)",
    }
    assert set(frame["criterion"]) == named


def test_fixed_numbers_are_those_of_the_recipes() -> None:
    """Every number of a committed recipe that a method found on masks stands among the criteria."""
    nodes = [
        node
        for path in (Path(__file__).parents[2] / "recipes").glob("*.yaml")
        for node in (yaml.safe_load(path.read_text()).get("nodes") or {}).values()
        if node
    ]
    given = [node.get("with") or {} for node in nodes]
    scores = {f"fixed_{one['background_score']:.2f}" for one in given if "background_score" in one}
    assert len(scores) > 3
    assert scores <= set(CRITERIA)
    pairs = {one["regions"] for one in given if str(one.get("regions", "")).startswith("bg")}
    assert len(pairs) > 3
    assert pairs <= set(FIXED_PAIRS)
