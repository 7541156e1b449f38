"""SC-CAM by round: mean IoU and F-score of the CAMs after each round of sub-categories (paper, Table 2 and Fig. 4).

A node's round is the number of `subcategories` nodes on the way to it; round 0 is the plain classifier that the rounds
start from. The paper does not define its F-score; here it is the mean over classes, background included, of the
harmonic mean of precision and recall.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Table
from seedbed.report.results import CHOSEN_WITH_MASKS, Node, Results
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, groups, spread

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("round", "subcategories", "owner", "rng", "regions", "node", "split", "kind"),
    *("mean_iou", "mean_f1", "best_mean_iou"),
)
SHOWN = ("cams", "refined_cams")
NOTE = (
    "A round clusters the features of the one before and trains again; round 0 is the plain classifier. "
    "<i>F-score</i>: mean over classes, background included, of the harmonic mean of precision and recall."
)


def rounds_of(results: Results, key: str) -> list[Node]:
    """The nodes of sub-categories from which a node was made, the first round first."""
    above = (results.nodes[other] for other in results.ancestors[key])
    return [node for node in above if node.meaning.name == "subcategories"]


def first_classifiers(results: Results) -> set[str]:
    """Keys of the classifiers that round 1 takes its features from."""
    first = {rounds_of(results, key)[0].key for key in results.nodes if rounds_of(results, key)}
    return {
        other
        for key in first
        for other in results.ancestors[key]
        if results.nodes[other].meaning.name == "classifier"
    }


def frame(page: Page) -> pd.DataFrame:
    """One row per scores file of CAMs of a round; nothing if no node has rounds."""
    import pandas as pd

    rows = sorted(_rows(page.results), key=lambda row: (row["subcategories"] or 0, row["round"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(results: Results) -> Iterator[dict[str, Any]]:
    first = first_classifiers(results)
    for judged in results.judged[SCORES]:
        node = results.nodes[judged.key]
        rounds = rounds_of(results, judged.key)
        if node.meaning.name not in SHOWN or not (rounds or first & set(results.ancestors[judged.key])):
            continue
        yield judged.columns() | {
            "round": len(rounds),
            "subcategories": rounds[-1].artifact.manifest.facts["clusters"] if rounds else "",
            "mean_iou": judged.scores.get("mean_iou"),
            "mean_f1": judged.scores.get("mean_f1"),
            "best_mean_iou": judged.content.get("best", {}).get("mean_iou"),
        }


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table."""
    rows = []
    for node, group in groups(frame, ("round", "subcategories", "owner", "regions", "node", "split")):
        scores = (spread(group[name]) for name in ("mean_iou", "mean_f1", "best_mean_iou"))
        rows.append((*node, str(len(group)), *scores))
    table = Table(
        headings=(
            *("round", "K", "recipe (owner)", "regions", "node", "split", "rngs"),
            *("mIoU", "F-score", f"best mIoU, {CHOSEN_WITH_MASKS}"),
        ),
        figures=(True, True, False, False, False, False, True, True, True, True),
        rows=tuple(rows),
        title="CAMs by round",
    )
    return list(filled(table))


SECTION = Section("Sub-categories", 94, frame, blocks, NOTE)
