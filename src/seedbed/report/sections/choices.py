"""Thresholds that criteria choose without masks, and what each choice costs where there are masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seedbed.report.blocks import Block, Table
from seedbed.report.choices import ALL_PAIRS, pair_frame, score_frame
from seedbed.report.section import Page, Section
from seedbed.report.tables import MISSING, figure, filled, groups, one_of, spread

if TYPE_CHECKING:
    import pandas as pd

NOTE = (
    "Regret: best mean IoU among the thresholds, chosen with masks, less that at the choice. Criteria read no mask; "
    "published numbers were found on masks of other data.\nOf CAMs and refined CAMs it is their own mean IoU, at the "
    "threshold of the curve next to the choice; of pairs, that of the pseudo masks and predictions made at the pair, "
    "among those that have results."
)
SCORED = ("mean_iou", "best_score", "best_mean_iou", "regret")


def frame(page: Page) -> pd.DataFrame:
    """`seedbed.report.choices.score_frame` and `pair_frame`, one below the other; `choice` is `score` or `pair`."""
    import pandas as pd

    parts = {"score": score_frame(page.results), "pair": pair_frame(page.results)}
    tagged = [part.assign(choice=name).astype(object) for name, part in parts.items()]
    return pd.concat(tagged, ignore_index=True)


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """The regrets of each criterion, then the choices one by one."""
    scores, pairs = frame[frame["choice"] == "score"], frame[frame["choice"] == "pair"]
    return list(filled(regret_table(scores, pairs), score_table(scores), pair_table(pairs)))


def regret_table(scores: pd.DataFrame, pairs: pd.DataFrame) -> Table:
    """Median and highest regret of each criterion over what was judged, each random seed on its own."""
    rows = []
    for (criterion, kind), group in groups(scores[scores["regret"].notna()], ("criterion", "kind")):
        rows.append(
            (criterion, kind.replace("_", " "), *_summary(group, ("owner", "rng", "regions", "node")))
        )
    judged = pairs[pairs["regret"].notna()]
    within = (judged["among"] != ALL_PAIRS).map({True: " within a background threshold", False: ""})
    named = judged.assign(criterion=judged["criterion"] + within)
    for (criterion, scored), group in groups(named, ("criterion", "scored")):
        rows.append((criterion, scored, *_summary(group, ("owner", "rng", "among"))))
    return Table(
        headings=("criterion", "mIoU of", "choices", "median regret", "highest", "where"),
        figures=(False, False, True, True, True, False),
        rows=tuple(rows),
        title="Regret of each criterion",
    )


def _summary(group: pd.DataFrame, place: Sequence[str]) -> tuple[str, str, str, str]:
    values = group["regret"].astype(float)
    worst = " ".join(str(group.loc[values.idxmax(), name]) for name in place).split()
    return str(len(group)), figure(float(values.median())), figure(float(values.max())), " ".join(worst)


def score_table(frame: pd.DataFrame) -> Table:
    """One row per node and criterion; several random seeds as mean ± sd."""
    titles = {
        "background_score": "background score",
        "labelled_without_pixel": "labelled, no pixel",
        "area": "area of all classes",
    }
    if frame["regret"].notna().any():
        titles |= dict(zip(SCORED, ("mIoU", "best at", "best mIoU", "regret"), strict=True))
    rows = [
        (*key, str(len(group)), *(spread(group[name].astype(float)) for name in titles))
        for key, group in groups(frame, ("owner", "regions", "node", "split", "criterion"))
    ]
    return Table(
        headings=("recipe (owner)", "regions", "node", "split", "criterion", "rngs", *titles.values()),
        figures=(*(False for _ in range(5)), True, *(True for _ in titles)),
        rows=tuple(rows),
        title="Background scores",
    )


def pair_table(frame: pd.DataFrame) -> Table:
    """One row per criterion and node downstream; several random seeds as mean ± sd, with all their choices."""
    judged = bool(frame["regret"].notna().any())
    rows = []
    text = frame.fillna({"scored": "", "pair": "", "best_pair": ""})
    for (owner, node, split, criterion, among, scored), group in groups(
        text, ("owner", "node", "split", "criterion", "among", "scored")
    ):
        row = [owner, node, split, criterion, f"{among} ({one_of(map(str, group['pairs']))})"]
        row += [one_of(group["pair"]) or MISSING]
        if judged:
            row += [scored, spread(group["mean_iou"].astype(float)), one_of(group["best_pair"])]
            row += [spread(group[name].astype(float)) for name in ("best_mean_iou", "regret")]
        rows.append(tuple(row))
    head = ("recipe (owner)", "refined by", "split", "criterion", "among (pairs)", "chosen")
    scored_head = ("mIoU of", "mIoU", "best pair", "best mIoU", "regret")
    return Table(
        headings=(*head, *(scored_head if judged else ())),
        figures=(*(False for _ in head), *((False, True, False, True, True) if judged else ())),
        rows=tuple(rows),
        title="Pairs of thresholds",
    )


SECTION = Section("Thresholds chosen without masks", 75, frame, blocks, NOTE)
