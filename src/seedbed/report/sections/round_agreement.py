"""Agreement of a round's label maps with those of the round before: when self-training should stop, without masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.plan.judges import ROUND_AGREEMENT
from seedbed.report.blocks import Block, Table
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, groups, one_of, spread

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("owner", "rng", "regions", "node", "split", "kind"),
    *("before", "agreement", "class_agreement", "enough", "stop"),
)
NOTE = (
    "<i>Agreement</i>: share of pixels that have the same label as in the round before; <i>by class</i>: mean over "
    "classes of intersection over union of the two. No mask is read. Where the agreement is at least <i>enough</i>, "
    "another round changes little."
)


def frame(page: Page) -> pd.DataFrame:
    """One row per judgement."""
    import pandas as pd

    rows = [
        judged.columns()
        | {name: judged.scores[name] for name in ("agreement", "class_agreement")}
        | {name: judged.content[name] for name in ("before", "enough", "stop")}
        for judged in page.results.judged[ROUND_AGREEMENT]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table."""
    rows = []
    for node, group in groups(frame, ("owner", "regions", "node", "split", "before")):
        stop = group["stop"].map({True: "yes", False: "no"})
        scores = (spread(group[name]) for name in ("agreement", "class_agreement"))
        rows.append((*node, *scores, spread(group["enough"], 2), one_of(stop)))
    table = Table(
        headings=(
            *("recipe (owner)", "regions", "node", "split", "round before"),
            *("agreement", "by class", "enough", "stop"),
        ),
        figures=(*(False,) * 5, *(True,) * 3, False),
        rows=tuple(rows),
        title="Rounds of self-training",
    )
    return list(filled(table))


SECTION = Section("Agreement of rounds", 98, frame, blocks, NOTE)
