"""`seedbed recipe`: list recipes, show them with everything they extend, and compare them."""

from typing import Any

import yaml

from seedbed.artifacts.meanings import TRUE_MASKS
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task
from seedbed.plan.tasks import TaskGraph
from seedbed.recipes import Node, Recipe, RecipeBook, Reference
from seedbed.runtime.contract import TrueMasks
from seedbed.verbs.terminal import table


def recipe_list(book: RecipeBook) -> str:
    """All recipes with what they extend and their papers."""
    rows = []
    for name in book.names():
        recipe = book[name]
        rows.append((name, recipe.chain[-2] if len(recipe.chain) > 1 else "", recipe.paper))
    return table(("RECIPE", "EXTENDS", "PAPER"), rows)


def recipe_text(recipe: Recipe, graph: TaskGraph | None = None) -> str:
    """A recipe as YAML.

    Args:
        graph: if given, every node shows its owner and the value of every parameter on that data set.
    """
    head = {key: getattr(recipe, key) for key in ("paper", "aims_at", "differs") if getattr(recipe, key)}
    nodes = {name: _node(recipe, node, graph) for name, node in recipe.nodes.items()}
    body = {**head, "nodes": nodes, "scores": list(recipe.scores)}
    chain = f"# {recipe.name}: {' -> '.join(recipe.chain)}\n"
    return chain + yaml.safe_dump(body, sort_keys=False, width=110, default_flow_style=None)


def _node(recipe: Recipe, node: Node, graph: TaskGraph | None) -> dict[str, Any]:
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
    name = reference.node if reference.recipe == recipe else f"{reference.recipe}.{reference.node}"
    name += "" if reference.rng is None else f"@rng{reference.rng}"
    return name + ("" if reference.epoch is None else f"@epoch{reference.epoch}")


def recipe_difference(workflow: Workflow, first: str, second: str) -> str:
    """What a second recipe changes relative to a first, node by node; `shared` nodes are computed once for both."""
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


def _changes(a: Task, b: Task) -> str:
    changes = [] if a.stage is b.stage else [f"stage {a.stage.name} -> {b.stage.name}"]
    old, new = a.parameters.model_dump(mode="json"), b.parameters.model_dump(mode="json")
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            changes.append(f"{key} {old.get(key)} -> {new.get(key)}")
    for key in dict.fromkeys([*a.inputs, *b.inputs]):
        one, other = a.inputs.get(key), b.inputs.get(key)
        if (names := (_input(one), _input(other)))[0] != names[1]:
            changes.append(f"{key} from {names[0]} -> {names[1]}")
        elif isinstance(one, Task) and isinstance(other, Task) and one.identity != other.identity:
            changes.append(f"input {key}")
    return ", ".join(changes) or "inputs"


def _input(source: Task | TrueMasks | None) -> str:
    if source is None:
        return "nothing"
    return f"{source.owner}.{source.name}" if isinstance(source, Task) else TRUE_MASKS
