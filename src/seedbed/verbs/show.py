"""Plans and recipes as text for a terminal."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from seedbed.plan.commands import Workflow
from seedbed.plan.state import State, index_state, task_states
from seedbed.plan.tasks import Task
from seedbed.recipes import MASKS, Node, Recipe, Reference
from seedbed.stages.registry import PREPARE_DATASET
from seedbed.verbs.forecast import (
    Forecast,
    forecast,
    human_duration,
    judgement_forecast,
    run_seconds,
    task_forecast,
)


def human_size(size: int) -> str:
    """Bytes as people read them: 12 B, 3.4 kB, 1.2 GB."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns, two spaces apart."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


@dataclass(frozen=True)
class Columns:
    """Which columns a plan has beside owner, node, axes and state."""

    why: bool = False
    disk: bool = False
    hours: bool = False


def plan_text(workflow: Workflow, reports: Sequence[str], columns: Columns = Columns()) -> str:
    """Every node of the reports: one line for all its seeds and regions settings; then what a run would discard.

    Args:
        reports: `all`, `sweep`.
        columns: with `why`, instances of one node get a line for each reason.
    """
    graph = workflow.graph()
    tasks = {task.key: task for name in reports for task in workflow.asked(name).tasks}
    states = task_states(graph, list(tasks.values()))
    index = index_state(graph)
    seconds = run_seconds(workflow.results, graph.dataset) if columns.hours else {}
    cost = {key: task_forecast(task, states[key], seconds) for key, task in tasks.items()}
    made = Forecast(0.0, {}) if index.status == "cached" else forecast(PREPARE_DATASET.name, 1, seconds)
    rows = [_row(columns, ("", "index", "", ""), [index], made)]
    for group in _groups(tasks.values(), states, columns.why):
        head = (group[0].owner, group[0].name, _rngs(group), _regions(group))
        costs = Forecast.total([cost[task.key] for task in group])
        rows.append(_row(columns, head, [states[task.key] for task in group], costs))
    shown = (*("OWNER", "NODE", "RNGS", "REGIONS", "STATE"), *_optional(columns, "DISK", "TIME", "WHY"))
    lines = [f"data set {graph.dataset}", table(shown, rows)]
    discarded = sum(s.disk for s in states.values() if s.status == "stale")
    lines.append(
        f"{len(states)} nodes: {_counted(states.values())}; a run would discard {human_size(discarded)}"
    )
    if columns.disk:
        lines.append(f"{human_size(index.disk + sum(s.disk for s in states.values()))} on disk")
    if columns.hours:
        judged = {j.key: j for name in reports for j in workflow.asked(name).scores}
        judged |= {j.key: j for name in reports for j in workflow.asked(name).thresholds}
        scoring = [judgement_forecast(j, states, seconds) for j in judged.values()]
        lines.append(_cost(Forecast.total([made, *cost.values(), *scoring])))
    return "\n".join(lines)


def _groups(tasks: Iterable[Task], states: Mapping[str, State], why: bool) -> list[list[Task]]:
    found: dict[tuple[str, ...], list[Task]] = {}
    for task in tasks:
        state = states[task.key]
        reason = (state.status, state.why) if why else ()
        found.setdefault((task.owner, task.name, *reason), []).append(task)
    return list(found.values())


def _row(columns: Columns, head: tuple[str, ...], states: Sequence[State], cost: Forecast) -> tuple[str, ...]:
    state = states[0].status if len(states) == 1 else _counted(states)
    disk = human_size(sum(s.disk for s in states))
    return (*head, state, *_optional(columns, disk, str(cost), states[0].why))


def _optional(columns: Columns, disk: str, hours: str, why: str) -> tuple[str, ...]:
    wanted = ((columns.disk, disk), (columns.hours, hours), (columns.why, why))
    return tuple(text for wants, text in wanted if wants)


def _counted(states: Iterable[State]) -> str:
    counts = Counter(state.status for state in states)
    return ", ".join(f"{counts[s]} {s}" for s in ("cached", "stale", "partial", "missing") if counts[s])


def _rngs(tasks: Sequence[Task]) -> str:
    """`0-3,7`: runs of seeds."""
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


def _cost(total: Forecast) -> str:
    if not total.seconds and not total.unknown:
        return "a run has nothing to do but the report"
    unknown = ", ".join(f"{count} x {stage}" for stage, count in total.unknown.items())
    if not total.seconds:
        return f"the time of a run is unknown, none of its stages has run on this data set: {unknown}"
    time = human_duration(total.seconds)
    known = f"a run takes about {time} of one worker with all scores, by the median of earlier runs"
    return f"{known}; to that comes what has not run on this data set: {unknown}" if unknown else known


def scores_text(workflow: Workflow, name: str) -> str:
    """Headline score of each judged node of a report, and the path of its page."""
    report = workflow.asked(name)
    rows = []
    for judgement in report.scores:
        task = judgement.task
        row = [task.owner, task.axes, task.name, judgement.split]
        if not judgement.path.exists():
            rows.append((*row, "missing", ""))
            continue
        found = json.loads(judgement.path.read_bytes())
        metric = "mean_average_precision" if found["kind"] == "classification" else "mean_iou"
        best = found.get("best")
        note = f"best {best['mean_iou']:.3f} at {best['threshold']:.2f} (chosen with masks)" if best else ""
        value = found["scores"][metric]
        rows.append((*row, f"{metric} {'undefined' if value is None else format(value, '.3f')}", note))
    page = report.folder / "index.html"
    where = f"page: {page}" if page.exists() else f"no page yet at {page}; run snakemake {name}"
    return table(("OWNER", "AXES", "NODE", "SPLIT", "SCORE", ""), rows) + f"\n{where}"


def recipe_text(recipe: Recipe, resolved: bool, graph: Any) -> str:
    """A recipe as YAML; resolved, with the data set's settings and every default in it, and owners as comments."""
    lines = [f"# {recipe.name}: {' -> '.join(recipe.chain)}"]
    head = {key: getattr(recipe, key) for key in ("paper", "aims_at", "differs") if getattr(recipe, key)}
    nodes = {name: _node(recipe, node, graph if resolved else None) for name, node in recipe.nodes.items()}
    body = {**head, "nodes": nodes, "scores": list(recipe.scores)}
    return "\n".join(lines) + "\n" + yaml.safe_dump(body, sort_keys=False, width=110, default_flow_style=None)


def _node(recipe: Recipe, node: Node, graph: Any) -> dict[str, Any]:
    if node.ref is not None or node.stage is None:
        return {"ref": _reference(node.ref, "") if node.ref else ""}
    shown: dict[str, Any] = {"stage": node.stage.name}
    if node.inputs:
        shown["from"] = {key: _reference(source, recipe.name) for key, source in node.inputs.items()}
    values = dict(node.raw)
    if graph is not None:
        defaults = graph.config.stage_defaults(graph.dataset, node.stage.name)
        values = node.parameters(defaults, f"recipe {recipe.name}, node {node.name}").model_dump(mode="json")
        shown["owner"] = graph.task(recipe.name, node.name, graph.config.rngs[0]).owner
    if values:
        shown["with"] = values
    if node.inherited:
        shown["inherited"] = dict(node.inherited)
    return shown


def _reference(reference: Reference, recipe: str) -> str:
    name = (
        reference.node
        if reference.recipe == recipe or reference.node == MASKS
        else f"{reference.recipe}.{reference.node}"
    )
    name += "" if reference.rng is None else f"@rng{reference.rng}"
    return name + ("" if reference.epoch is None else f"@epoch{reference.epoch}")


def recipe_difference(workflow: Workflow, first: str, second: str) -> str:
    """What a second recipe changes against a first, node by node; `shared` nodes are computed once for both."""
    graph = workflow.graph()
    rng = workflow.config.rngs[0]
    tasks = {name: graph.recipe_tasks(name, rng) for name in (first, second)}
    rows = []
    for node in dict.fromkeys([*tasks[first], *tasks[second]]):
        a, b = tasks[first].get(node), tasks[second].get(node)
        if a is None or b is None:
            rows.append((node, f"only in {second if a is None else first}", ""))
        elif a.key == b.key:
            rows.append((node, "shared", a.owner))
        else:
            rows.append((node, "differs", _changes(a, b)))
    return table(("NODE", "", "CHANGE"), rows)


def _changes(a: Any, b: Any) -> str:
    changes = [] if a.stage is b.stage else [f"stage {a.stage.name} -> {b.stage.name}"]
    old, new = a.parameters.model_dump(mode="json"), b.parameters.model_dump(mode="json")
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            changes.append(f"{key} {old.get(key)} -> {new.get(key)}")
    for key in dict.fromkeys([*a.inputs, *b.inputs]):
        one, other = a.inputs.get(key), b.inputs.get(key)
        names = [MASKS if t is None else f"{t.owner}.{t.name}" for t in (one, other)]
        if names[0] != names[1]:
            changes.append(f"{key} from {names[0]} -> {names[1]}")
        elif one is not None and other is not None and one.identity != other.identity:
            changes.append(f"input {key}")
    return ", ".join(changes) or "inputs"
