"""`seedbed scores`: the headline score of each judged node, and the path of the report page."""

from seedbed.plan.commands import Workflow
from seedbed.plan.judges import SCORES
from seedbed.report.scored import is_background_only
from seedbed.report.tables import spread
from seedbed.runtime.judging import HEADLINES, read_judgement
from seedbed.stages.report import PAGE
from seedbed.verbs.terminal import table


def scores_text(workflow: Workflow, name: str) -> str:
    """Headline score of each judged node of a report, and the path of its page.

    Raises:
        SeedbedError: a file of scores was changed, or made by an older version.
    """
    report = workflow.asked(name)
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
        value = found.scores.get(metric)
        shown = "undefined" if value is None else f"{value:.3f}"
        if is_background_only(found.scores):
            note = "background only, no pixel of any class"
        rows.append((*row, f"{metric} {shown}" if metric else found.kind, note))
        if value is not None and task.rng is not None:
            by_node.setdefault(
                (task.owner, task.regions or "", task.name, judgement.split, metric), []
            ).append(value)
    for (owner, regions, node, split, metric), values in by_node.items():
        if len(values) > 1:
            axes = "/".join(part for part in (f"{len(values)} rngs", regions) if part)
            rows.append((owner, axes, node, split, f"{metric} {spread(values)}", "mean ± sd"))
    page = report.folder / PAGE
    where = f"page: {page}" if page.exists() else f"no page yet at {page}; run snakemake {name}"
    return table(("OWNER", "AXES", "NODE", "SPLIT", "SCORE", ""), rows) + f"\n{where}"
