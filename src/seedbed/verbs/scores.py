"""`seedbed scores`: headline scores of the judged nodes, which of them are stale, and the path of the report page."""

from textwrap import shorten

from seedbed.engines.soundness import Examiner, State
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import SCORES
from seedbed.report.scored import without_classes
from seedbed.report.tables import spread
from seedbed.runtime.judging import HEADLINES, read_judgement
from seedbed.stages.report import PAGE
from seedbed.verbs.terminal import table


def scores_text(workflow: Workflow, name: str) -> str:
    """Headline score of each judged node of a report, and the path of its page; what a run would make again is marked.

    Raises:
        SeedbedError: a file of scores was changed, or made by an older version.
    """
    report, examiner = workflow.asked(name), Examiner(workflow.graph())
    rows = []
    by_node: dict[tuple[str, ...], list[float]] = {}
    for judgement in report.judged_by(SCORES):
        task = judgement.task
        row = [task.owner, task.axes, task.name, judgement.split]
        if not judgement.path.exists():
            rows.append((*row, "missing", ""))
            continue
        found = read_judgement(judgement.path)
        metric = next((name for name in HEADLINES if name in found.scores), "")
        best = found.content.get("best")
        note = f"best {best['mean_iou']:.3f} at {best['threshold']:.2f} (chosen with masks)" if best else ""
        mark = _mark(examiner.judgement(judgement))
        value = found.scores.get(metric)
        shown = "undefined" if value is None else f"{value:.3f}"
        note = without_classes(found.scores) or note
        score = f"{metric} {shown}" if metric else found.kind
        rows.append((*row, score, "; ".join(filter(None, (note, mark)))))
        if value is not None and task.rng is not None and not mark:
            key = (task.owner, task.regions or "", task.name, judgement.split, metric)
            by_node.setdefault(key, []).append(value)
    for (owner, regions, node, split, metric), values in by_node.items():
        if len(values) > 1:
            axes = "/".join(part for part in (f"{len(values)} rngs", regions) if part)
            rows.append((owner, axes, node, split, f"{metric} {spread(values)}", "mean ± sd"))
    page = report.folder / PAGE
    mark = _mark(examiner.report(report))
    where = f"page: {page}{f' ({mark})' if mark else ''}"
    if not page.exists():
        where = f"no page yet at {page}; run snakemake {name}"
    return table(("OWNER", "AXES", "NODE", "SPLIT", "SCORE", ""), rows) + f"\n{where}"


LONGEST_REASON = 200
"""Characters of the reason why a result is stale: a changed slice can be long."""


def _mark(state: State) -> str:
    """What is said of a result that a run would make again."""
    why = shorten(state.why, LONGEST_REASON, placeholder=" …")
    return f"stale: {why}" if state.status == "stale" else ""
