"""`seedbed scores`: the headline score of each judged node, and the path of the report page."""

from seedbed.plan.commands import Workflow
from seedbed.plan.judges import SCORES
from seedbed.runtime.judging import read_judgement
from seedbed.stages.report import PAGE
from seedbed.verbs.terminal import table


def scores_text(workflow: Workflow, name: str) -> str:
    """Headline score of each judged node of a report, and the path of its page.

    Raises:
        SeedbedError: a file of scores was changed, or made by an older version.
    """
    report = workflow.asked(name)
    rows = []
    for judgement in report.judged_by(SCORES):
        task = judgement.task
        row = [task.owner, task.axes, task.name, judgement.split]
        if not judgement.path.exists():
            rows.append((*row, "missing", ""))
            continue
        found = read_judgement(judgement.path)
        metric = "mean_average_precision" if found.kind == "classification" else "mean_iou"
        best = found.content.get("best")
        note = f"best {best['mean_iou']:.3f} at {best['threshold']:.2f} (chosen with masks)" if best else ""
        value = found.scores[metric]
        rows.append((*row, f"{metric} {'undefined' if value is None else format(value, '.3f')}", note))
    page = report.folder / PAGE
    where = f"page: {page}" if page.exists() else f"no page yet at {page}; run snakemake {name}"
    return table(("OWNER", "AXES", "NODE", "SPLIT", "SCORE", ""), rows) + f"\n{where}"
