"""`seedbed epochs`: validation scores of the epochs that a trained node keeps.

They are ordinary nodes of an ordinary recipe, which this writes: per kept epoch, each node of the recipe that reads the
trained one and can be scored, once more with that epoch. So they are run, cached, shown and deleted as any other node.
mAP needs image-level labels only. Whoever picks an epoch by mIoU chooses with masks: the ledger of the nodes that are
scored on masks says so.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seedbed.artifacts.atomic import write_if_changed
from seedbed.engines.soundness import Examiner
from seedbed.errors import SeedbedError, unknown_name
from seedbed.names import RECIPE
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import SCORES
from seedbed.plan.reports import ALL
from seedbed.plan.task import Task
from seedbed.recipes import Node, Recipe, RecipeBook, Reference, is_true_masks
from seedbed.runtime.contract import ShardedParameters
from seedbed.runtime.judging import HEADLINES, read_judgement
from seedbed.stages.classify import STAGE as CLASSIFY
from seedbed.training.parameters import TrainingParameters
from seedbed.verbs.terminal import table

HEAD = "# Written by `seedbed epochs {node}`; do not edit.\n# yaml-language-server: $schema=../schemas/recipe.json\n"
MARK = "# Written by `seedbed epochs"
CHOSEN = "chosen with masks"


@dataclass(frozen=True)
class Compared:
    """A trained node whose kept epochs are compared.

    Attributes:
        recipe: that has the node.
        epochs: the kept ones, in order.
        split: on which they are scored.
    """

    recipe: Recipe
    node: str
    task: Task
    epochs: tuple[int, ...]
    split: str

    @classmethod
    def of(cls, workflow: Workflow, text: str, split: str) -> "Compared":
        """From `recipe.node`.

        Raises:
            SeedbedError: there is no such node, it trains nothing, or it keeps no epochs.
        """
        name, dot, node = text.partition(".")
        if not dot:
            raise SeedbedError(
                f"expected a trained node as recipe.node, for instance psa.classifier, got {text!r}"
            )
        recipe = workflow.book.check(name)
        if node not in recipe.nodes:
            raise SeedbedError(f"{unknown_name('node', node, recipe.nodes)} (in recipe {name})")
        task = workflow.graph().task(name, node, workflow.config.rngs[0])
        parameters = task.parameters
        if not isinstance(parameters, TrainingParameters):
            raise SeedbedError(f"expected a node that is trained, got {text} (stage {task.stage.name})")
        kept = tuple(n for n in range(1, parameters.epochs + 1) if parameters.keeps(n))
        if not kept:
            raise SeedbedError(
                f"{text} keeps no epochs; set `keep_epochs: all` or, for instance, [5, 10], in the recipe or under "
                f"settings.{task.dataset}.{task.stage.name}, and train it"
            )
        return cls(recipe, node, task, kept, split)

    @property
    def recipe_name(self) -> str:
        """Name of the recipe that is written.

        Raises:
            SeedbedError: it would be too long.
        """
        name = f"{self.recipe.name}-{self.node.replace('_', '-')}-epochs"
        if fault := RECIPE.fault(name):
            raise SeedbedError(fault)
        return name

    def content(self, book: RecipeBook) -> dict[str, Any]:
        """The recipe: each reader of the trained node, once per epoch."""
        readers = dict(self._readers(book))
        if not readers:
            raise SeedbedError(
                f"no node of recipe {self.recipe.name} that can be scored reads {self.node}; add one"
            )
        nodes = {
            f"{name}_epoch{epoch}": self._at(epoch, name, reader, book)
            for epoch in self.epochs
            for name, reader in readers.items()
        }
        trained = f"{self.recipe.name}.{self.node}"
        return {
            "paper": self.recipe.paper,
            "differs": f"validation scores of the kept epochs of {trained}, nothing else",
            "nodes": nodes,
            "scores": list(nodes),
        }

    def _readers(self, book: RecipeBook) -> Iterator[tuple[str, Node]]:
        """Nodes that read the trained one and can be scored; a classifier is classified with in any case."""
        names: list[str] = []
        for name, node in self.recipe.nodes.items():
            if node.stage is not None and node.stage.meaning.score and self._input_of(node, book):
                names.append(node.stage.name)
                yield name, node
        if self.task.stage.makes == "classifier" and CLASSIFY.name not in names:
            inputs = {"classifier": Reference(self.recipe.name, self.node)}
            yield "classification", Node("classification", CLASSIFY, {}, inputs, {})

    def _input_of(self, node: Node, book: RecipeBook) -> str:
        """Name of the input that is the trained node; empty if none is."""
        for key, source in node.inputs.items():
            if not is_true_masks(source, self.recipe.name):
                recipe, found, _ = book.follow(source, f"recipe {self.recipe.name}")
                if (recipe.name, found.name) == self._followed(book):
                    return key
        return ""

    def _followed(self, book: RecipeBook) -> tuple[str, str]:
        recipe, node, _ = book.follow(Reference(self.recipe.name, self.node), f"recipe {self.recipe.name}")
        return recipe.name, node.name

    def _at(self, epoch: int, name: str, node: Node, book: RecipeBook) -> dict[str, Any]:
        assert node.stage is not None
        key = self._input_of(node, book)
        inputs = {other: _text(source) for other, source in node.inputs.items()}
        inputs[key] = _text(Reference(self.recipe.name, self.node, node.inputs[key].rng, epoch))
        values = dict(node.raw)
        if len(inputs) == 1 and isinstance(node.stage.validate(values, name), ShardedParameters):
            values["splits"] = [self.split]
        inherited = dict(node.inherited)
        if node.stage.meaning.truth == "masks":
            inherited["epoch"] = f"{epoch} of {self.recipe.name}.{self.node}; by mIoU, {CHOSEN}"
        written = {"stage": node.stage.name, "from": inputs, "with": values, "inherited": inherited}
        return {key: value for key, value in written.items() if value}


def write_recipe(workflow: Workflow, compared: Compared) -> Path:
    """Write the recipe of the kept epochs.

    Raises:
        SeedbedError: a recipe of that name is there that was not written by this verb.
    """
    path = workflow.book.folder / f"{compared.recipe_name}.yaml"
    if path.exists() and not path.read_text().startswith(MARK):
        raise SeedbedError(f"{path} was not written by `seedbed epochs`; rename it")
    head = HEAD.format(node=f"{compared.recipe.name}.{compared.node}")
    body = yaml.safe_dump(compared.content(workflow.book), sort_keys=False, width=110)
    write_if_changed(path, (head + body).encode())
    return path


def epochs_text(workflow: Workflow, text: str, split: str = "val") -> str:
    """The scores so far, one line per epoch and seed, and the command that makes the rest.

    Args:
        text: `recipe.node`.
        split: on which the epochs are compared.

    Raises:
        SeedbedError: `Compared.of` or `write_recipe` refuses, or a file of scores was changed.
    """
    compared = Compared.of(workflow, text, split)
    path = write_recipe(workflow, compared)
    name = compared.recipe_name
    config = workflow.config.model_copy(update={"recipes": (name,)})
    planned = Workflow(config, RecipeBook(workflow.book.folder), workflow.results)
    examiner = Examiner(planned.graph())
    rows: dict[tuple[int, str], dict[str, str]] = {}
    states: Counter[str] = Counter()
    for judgement in planned.asked(ALL).judged_by(SCORES):
        reader, _, epoch = judgement.task.name.rpartition("_epoch")
        row = rows.setdefault((int(epoch), judgement.task.axes), {})
        heading = f"{reader} {judgement.split}"
        if judgement.task.stage.meaning.truth == "masks":
            heading += f" ({CHOSEN})"
        state = examiner.judgement(judgement).status
        states[state] += 1
        row[heading] = _headline(judgement.path) + (" (stale)" if state == "stale" else "")
    headings = list(dict.fromkeys(heading for row in rows.values() for heading in row))
    body = [
        (str(epoch), axes, *(_cell(row, heading) for heading in headings))
        for (epoch, axes), row in sorted(rows.items())
    ]
    lines = [table(("EPOCH", "AXES", *headings), body), f"recipe: {path}"]
    told = [f"{states[state]} {state}" for state in ("missing", "stale") if states[state]]
    if told:
        command = workflow.overrides.snakemake(recipes=[name])
        lines.append(f"scores: {', '.join(told)}; run `{command}`")
    return "\n".join(lines)


def _cell(row: Mapping[str, str], heading: str) -> str:
    return row.get(heading, "")


def _headline(path: Path) -> str:
    if not path.exists():
        return "missing"
    found = read_judgement(path).scores
    metric = next((name for name in HEADLINES if name in found), "")
    value = found.get(metric)
    return f"{metric} {value:.3f}" if value is not None else f"{metric} undefined".strip()


def _text(reference: Reference) -> str:
    rng = "" if reference.rng is None else f"@rng{reference.rng}"
    epoch = "" if reference.epoch is None else f"@epoch{reference.epoch}"
    return f"{reference.recipe}.{reference.node}{rng}{epoch}"
