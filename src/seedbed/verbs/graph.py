"""`seedbed plan --graph`: the selected recipes as one graph, for Mermaid or Graphviz; one box per node of a recipe.

A box stands for all seeds, regions settings and shards of its node. Boxes lie in a frame that names their owner; a box
that further recipes share says which ones.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import get_args

from seedbed.engines.soundness import Examiner, Status
from seedbed.plan.commands import Workflow
from seedbed.plan.reports import Report
from seedbed.plan.task import Task
from seedbed.runtime.contract import TrueMasks
from seedbed.verbs.terminal import counted_states

COLOURS: dict[Status, str] = {
    "cached": "#cfe8cf",
    "stale": "#f6d5a8",
    "partial": "#d6e4f5",
    "missing": "#f2f2f2",
}
TRUE_MASKS = "true masks"
LINE_BREAK = r"\n"
"""In a label of Graphviz."""


@dataclass
class Box:
    """A node of a recipe.

    Attributes:
        number: of the box, from 1.
        states: of all its instances.
        users: selected recipes that use it, in their order.
    """

    number: int
    owner: str
    name: str
    stage: str
    states: list[Status] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """The state that decides the colour: the first, from the worst, that an instance has."""
        return next(one for one in ("stale", "missing", "partial", "cached") if one in self.states)

    @property
    def lines(self) -> list[str]:
        """What the box says."""
        others = [user for user in self.users if user != self.owner]
        state = self.states[0] if len(self.states) == 1 else counted_states(self.states)
        return [self.name, f"({self.stage})", state, *([f"also in {', '.join(others)}"] if others else [])]


@dataclass(frozen=True)
class Edge:
    """From what is read to what reads it.

    Attributes:
        source: number of a box; 0 stands for the true masks.
        label: the input, with the kept epoch if one is asked for.
    """

    source: int
    target: int
    label: str


@dataclass(frozen=True)
class Graph:
    """Boxes in an order in which inputs come before what reads them, and the edges between them."""

    boxes: list[Box]
    edges: list[Edge]

    @property
    def owners(self) -> list[str]:
        """In the order of their first box."""
        return list(dict.fromkeys(box.owner for box in self.boxes))

    @property
    def reads_masks(self) -> bool:
        return any(edge.source == 0 for edge in self.edges)


def graph_of(workflow: Workflow, reports: Sequence[str]) -> Graph:
    """The nodes of reports (`all`, `sweep`) with their states."""
    asked = [workflow.asked(name) for name in reports]
    tasks = {task.key: task for report in asked for task in report.tasks}
    examiner = Examiner(workflow.graph())
    boxes: dict[tuple[str, str], Box] = {}
    for task in tasks.values():
        box = boxes.setdefault(_place(task), Box(len(boxes) + 1, task.owner, task.name, task.stage.name))
        box.states.append(examiner.task(task).status)
    for recipe, place in _uses(workflow, asked):
        if place in boxes and recipe not in boxes[place].users:
            boxes[place].users.append(recipe)
    edges = dict.fromkeys(edge for task in tasks.values() for edge in _edges(task, boxes))
    return Graph(list(boxes.values()), list(edges))


def _place(task: Task) -> tuple[str, str]:
    return task.owner, task.name


def _uses(workflow: Workflow, reports: Iterable[Report]) -> Iterable[tuple[str, tuple[str, str]]]:
    """Each selected recipe with the places of its nodes."""
    graph = workflow.graph()
    for point in dict.fromkeys(point for report in reports for point in report.points):
        for task in graph.recipe_tasks(point.recipe, point.rng, point.regions).values():
            yield point.recipe, _place(task)


def _edges(task: Task, boxes: dict[tuple[str, str], Box]) -> Iterable[Edge]:
    for name, source in task.inputs.items():
        label = f"{name}@epoch{task.epochs[name]}" if name in task.epochs else name
        number = 0 if isinstance(source, TrueMasks) else boxes[_place(source)].number
        yield Edge(number, boxes[_place(task)].number, label)


def mermaid(graph: Graph) -> str:
    """A flow chart that GitHub and most Markdown viewers draw."""
    lines = ["flowchart LR"]
    for place, owner in enumerate(graph.owners, 1):
        lines.append(f'  subgraph owner{place}["{owner}"]')
        lines += [
            f'    n{box.number}["{"<br/>".join(box.lines)}"]:::{box.status}'
            for box in graph.boxes
            if box.owner == owner
        ]
        lines.append("  end")
    if graph.reads_masks:
        lines.append(f'  n0(["{TRUE_MASKS}"])')
    lines += [f"  n{edge.source} -- {edge.label} --> n{edge.target}" for edge in graph.edges]
    lines += [f"  classDef {name} fill:{COLOURS[name]},color:#000" for name in get_args(Status)]
    return "\n".join(lines)


def dot(graph: Graph) -> str:
    """A digraph for Graphviz: `seedbed plan --graph dot | dot -Tsvg > plan.svg`."""
    lines = ["digraph plan {", "  rankdir=LR", "  node [shape=box, style=filled]"]
    for place, owner in enumerate(graph.owners, 1):
        lines += [f"  subgraph cluster_{place} {{", f'    label="{owner}"']
        lines += [
            f'    n{box.number} [label="{LINE_BREAK.join(box.lines)}", fillcolor="{COLOURS[box.status]}"]'
            for box in graph.boxes
            if box.owner == owner
        ]
        lines.append("  }")
    if graph.reads_masks:
        lines.append(f'  n0 [label="{TRUE_MASKS}", shape=ellipse]')
    lines += [f'  n{edge.source} -> n{edge.target} [label="{edge.label}"]' for edge in graph.edges]
    return "\n".join([*lines, "}"])


FORMS: dict[str, Callable[[Graph], str]] = {"mermaid": mermaid, "dot": dot}
