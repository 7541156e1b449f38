"""`seedbed plan`: every node with its state, and what a run would cost and discard."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seedbed.engines.data_state import DataState
from seedbed.engines.jobs import counted_by_rule, jobs_left
from seedbed.engines.run_seconds import human_duration, run_seconds
from seedbed.engines.soundness import Examiner, State
from seedbed.plan.commands import Command, Workflow
from seedbed.plan.task import Task
from seedbed.verbs.forecast import Forecast, forecast
from seedbed.verbs.terminal import counted_states, folder_size, human_size, table


@dataclass(frozen=True)
class Columns:
    """Which columns a plan has besides owner, node, axes and state."""

    why: bool = False
    disk: bool = False
    forecast: bool = False


def plan_text(
    workflow: Workflow, reports: Sequence[str], columns: Columns = Columns(), data: DataState | None = None
) -> str:
    """Every node of the reports: one line for all its seeds and regions settings; then what a run would discard.

    Args:
        reports: `all`, `sweep`.
        columns: with `why`, instances of one node get one line per reason.
        data: what planning saw of the data set; it is looked at if None.
    """
    graph = workflow.graph()
    asked = [workflow.asked(name) for name in reports]
    tasks = {task.key: task for report in asked for task in report.tasks}
    examiner = Examiner(graph, data=data)
    index, masks = examiner.index(), examiner.masks()
    states = {key: examiner.task(task) for key, task in tasks.items()}
    sizes = _sizes(tasks, states, columns.disk)
    seconds = run_seconds(workflow.results, graph.dataset) if columns.forecast else {}
    jobs = jobs_left(workflow, reports, examiner) if columns.forecast else []
    jobs_of: dict[str, list[Command]] = {}
    for job in jobs:
        jobs_of.setdefault(job.unit if job.unit in tasks else job.unit.rpartition("/")[0], []).append(job)
    made = [
        forecast((job for job in jobs if job.unit == key), seconds)
        for key in (graph.index_key, graph.masks_key)
    ]
    index_size = folder_size(graph.index_folder) if columns.disk else 0
    masks_size = graph.masks_path.stat().st_size if columns.disk and graph.masks_path.exists() else 0
    rows = [
        _row(columns, ("", "index", "", ""), [index], made[0], index_size - masks_size),
        _row(columns, ("", "masks", "", ""), [masks], made[1], masks_size),
    ]
    for group in _groups(tasks.values(), states, columns.why):
        head = (group[0].owner, group[0].name, _rngs(group), _regions(group))
        costs = forecast((job for task in group for job in jobs_of.get(task.key, ())), seconds)
        size = sum(sizes.get(task.key, 0) for task in group)
        rows.append(_row(columns, head, [states[task.key] for task in group], costs, size))
    shown = (*("OWNER", "NODE", "RNGS", "REGIONS", "STATE"), *_optional(columns, "DISK", "TIME", "WHY"))
    lines = [f"data set {graph.dataset}", *examiner.data.notes, table(shown, rows)]
    discarded = human_size(sum(sizes[key] for key, state in states.items() if state.status == "stale"))
    lines.append(f"{len(states)} nodes: {_counted(states.values())}; a run would discard {discarded}")
    if columns.disk:
        lines.append(f"{human_size(index_size + sum(sizes.values()))} on disk")
    if columns.forecast:
        lines += _left(jobs, reports, forecast(jobs, seconds))
    return "\n".join(lines)


def _sizes(tasks: Mapping[str, Task], states: Mapping[str, State], every: bool) -> dict[str, int]:
    """Bytes on disk, including partial work: of every node, or of the stale ones, which a run discards."""
    return {key: folder_size(tasks[key].folder) for key, s in states.items() if every or s.status == "stale"}


def _groups(tasks: Iterable[Task], states: Mapping[str, State], why: bool) -> list[list[Task]]:
    found: dict[tuple[str, ...], list[Task]] = {}
    for task in tasks:
        state = states[task.key]
        reason = (state.status, state.why) if why else ()
        found.setdefault((task.owner, task.name, *reason), []).append(task)
    return list(found.values())


def _row(
    columns: Columns, head: tuple[str, ...], states: Sequence[State], cost: Forecast, size: int
) -> tuple[str, ...]:
    state = states[0].status if len(states) == 1 else _counted(states)
    return (*head, state, *_optional(columns, human_size(size), str(cost), states[0].why))


def _optional(columns: Columns, disk: str, time: str, why: str) -> tuple[str, ...]:
    wanted = ((columns.disk, disk), (columns.forecast, time), (columns.why, why))
    return tuple(text for wants, text in wanted if wants)


def _counted(states: Iterable[State]) -> str:
    return counted_states(state.status for state in states)


def _rngs(tasks: Sequence[Task]) -> str:
    """Ranges of seeds: `0-3,7`."""
    runs: list[list[int]] = []
    for rng in sorted({task.rng for task in tasks if task.rng is not None}):
        if runs and runs[-1][-1] == rng - 1:
            runs[-1].append(rng)
        else:
            runs.append([rng])
    return ",".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)


def _regions(tasks: Sequence[Task]) -> str:
    labels = dict.fromkeys(task.regions for task in tasks if task.regions is not None)
    return f"{len(labels)} settings" if len(labels) > 1 else "".join(labels)


def _left(jobs: Sequence[Command], reports: Sequence[str], cost: Forecast) -> list[str]:
    """What is left, counted as `snakemake -n` does, and its cost."""
    if not jobs:
        return ["a run has nothing to do"]
    counts = counted_by_rule(jobs, reports)
    total = counts.pop("total")
    listed = ", ".join(f"{count} {rule}" for rule, count in counts.items())
    return [f"{total} jobs left, as `snakemake -n` counts them: {listed}", _cost(cost)]


def _cost(total: Forecast) -> str:
    unknown = ", ".join(f"{count} x {stage}" for stage, count in total.unknown.items())
    if not total.seconds:
        return f"the time of a run is unknown, since none of its stages has run on this data set: {unknown}"
    time = human_duration(total.seconds)
    known = f"a run takes about {time} on one worker including all scores, by the median of earlier runs"
    return f"{known}; not counting what has not run on this data set: {unknown}" if unknown else known
