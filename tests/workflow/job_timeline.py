"""A picture of a cluster's jobs over time: one row a job, coloured by rule, with node and device."""

from collections.abc import Sequence
from pathlib import Path

from workflow.slurm_cluster import QueuedJob


def draw_jobs(jobs: Sequence[QueuedJob], path: Path) -> None:
    """Write the picture as PNG; jobs that never started are left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    started = sorted(
        (job for job in jobs if job.start is not None and job.end is not None), key=lambda j: j.number
    )
    zero = min(job.start or 0.0 for job in started)
    rules = list(dict.fromkeys(job.rule for job in started))
    figure = Figure(figsize=(8, 0.6 + 0.3 * len(started)), layout="constrained")
    axes = figure.add_subplot()
    for row, job in enumerate(started):
        start, end = (job.start or 0.0) - zero, (job.end or 0.0) - zero
        failed = job.state != "COMPLETED"
        axes.barh(
            row,
            end - start,
            left=start,
            color=f"C{rules.index(job.rule)}",
            alpha=0.75,
            hatch="///" if failed else None,
        )
        where = f"{job.node} GPU {','.join(job.devices)}" if job.devices else job.node
        note = f", {job.state.lower()} at {job.memory}" if failed else ""
        axes.text(end + 0.5, row, where + note, va="center", fontsize=8)
    last = max(job.end or 0.0 for job in started) - zero
    axes.set(xlabel="seconds", xlim=(0, last * 1.3))
    axes.set_yticks(range(len(started)), [job.rule for job in started], fontsize=8)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(str(path))
