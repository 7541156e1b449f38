"""Saliency against masks, alone and joined with CAMs (P-NOC paper, Table 6), with the ground-truth ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import SALIENCY_SCORES
from seedbed.report.blocks import Block, Table
from seedbed.report.results import CHOSEN_WITH_MASKS, Judged
from seedbed.report.section import Page, Section
from seedbed.report.tables import figure, filled, groups, one_of, spread, with_notes

if TYPE_CHECKING:
    import pandas as pd

ALONE = ("precision", "recall", "f1", "f_beta", "f1_all_salient")
JOINED = ("inverse", "cut", "true_classes")
COLUMNS = (
    *("owner", "rng", "regions", "node", "prior", "split", "kind"),
    *ALONE,
    *("threshold", "best_f1", "best_threshold", "best_threshold_is"),
    *JOINED,
    "ground_truth",
)
NOTE = (
    "What is not background counts as salient. <i>Everything</i> is the F1 of calling every pixel salient; F with "
    "β² = 0.3 is the usual one for salient objects.\n"
    "mIoU by class: CAMs of the <i>prior</i> with background 1 - saliency, or background wherever saliency is not above"
    " the threshold. With <i>true classes</i> as the prior it is no result, but shows what saliency alone costs."
)


def frame(page: Page) -> pd.DataFrame:
    """One row per judgement of saliency."""
    import pandas as pd

    rows = [_row(judged) for judged in page.results.judged.get(SALIENCY_SCORES, ())]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(judged: Judged) -> dict[str, Any]:
    content, best = judged.content, judged.content["best_f1"]
    row = judged.columns() | {name: judged.scores[name] for name in ALONE}
    row |= {name: content["mean_iou_joined"].get(name) for name in JOINED}
    return row | {
        "prior": content["prior"],
        "threshold": content["fixed_threshold"],
        "best_f1": best["f1"],
        "best_threshold": best["threshold"],
        "best_threshold_is": CHOSEN_WITH_MASKS,
        "ground_truth": judged.ledger,
    }


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table: a row per node, prior and split, random seeds averaged."""
    rows = []
    for names, group in groups(frame, ("owner", "node", "prior", "split")):
        best = one_of([figure(t, 2) for t in group["best_threshold"]])
        rows.append(
            (
                *names,
                str(len(group)),
                *(spread(group[name]) for name in ALONE),
                one_of([figure(t, 2) for t in group["threshold"]]),
                f"{spread(group['best_f1'])} at {best}, {CHOSEN_WITH_MASKS}",
                *(spread(group[name]) for name in JOINED),
                one_of(group["ground_truth"]),
            )
        )
    table = Table(
        headings=(
            *("recipe (owner)", "node", "prior", "split", "rngs"),
            *("precision", "recall", "F1", "F, β² = 0.3", "everything", "threshold", "best F1"),
            *("mIoU, 1 - saliency", "mIoU, cut", "mIoU, true classes", "ground truth used"),
        ),
        figures=(False, False, False, False, *(True,) * 11, False),
        rows=tuple(rows),
    )
    return [with_notes(one) for one in filled(table)]


SECTION = Section("Saliency", 25, frame, blocks, NOTE)
