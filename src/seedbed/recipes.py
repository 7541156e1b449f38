"""Recipes: a published method is a small graph of named nodes in one YAML file.

A recipe may extend another (nodes merge by name, `from` and `with` by key, `null` removes) and refer to another's
nodes.
This module loads, extends and validates; which instances of the nodes there are, and where they lie, is `seedbed.plan`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from seedbed.artifacts.manifest import GroundTruthUse
from seedbed.artifacts.meanings import TRUE_MASKS, takes
from seedbed.errors import SeedbedError, unknown_name
from seedbed.names import NODE, RECIPE
from seedbed.runtime.contract import Parameters, Stage
from seedbed.stages.registry import STAGES
from seedbed.validation import validate_model
from seedbed.yaml_files import load_yaml

_REFERENCE = re.compile(
    rf"(?:(?P<recipe>{RECIPE.pattern})\.)?(?P<node>{NODE.pattern})(?:@rng(?P<rng>\d+))?(?:@epoch(?P<epoch>\d+))?\Z"
)


class NodeFile(BaseModel):
    """A node as written in a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    stage: str | None = Field(default=None, description="stage that makes the node")
    inputs: dict[str, str | None] | None = Field(
        default=None,
        alias="from",
        description="input of the stage: node, `recipe.node`, `node@rng0`, `node@epoch30`",
    )
    parameters: dict[str, Any] | None = Field(
        default=None, alias="with", description="parameters of the stage"
    )
    ref: str | None = Field(default=None, description="another recipe's node, used under this name")
    inherited: dict[str, str | None] | None = Field(
        default=None,
        description="values that a paper tuned on masks and this node inherits: {threshold|epoch|training: note}; "
        "null takes back a note of the recipe that this one extends",
    )


class RecipeFile(BaseModel):
    """A recipe as written in `recipes/NAME.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    extends: str | None = Field(default=None, description="recipe that this one starts from")
    paper: str = Field(default="", description='paper that the recipe follows; "" for none')
    aims_at: str = Field(default="", description='table and row that the recipe aims at; "" for none')
    differs: str = Field(default="", description='what differs from the paper, and why; "" for nothing')
    nodes: dict[str, NodeFile | None] = Field(
        default_factory=dict, description="nodes by name; null removes one"
    )
    scores: list[str] | None = Field(default=None, description="nodes that `evaluate` scores")


@dataclass(frozen=True)
class Reference:
    """`[recipe.]node[@rngN][@epochN]`."""

    recipe: str
    node: str
    rng: int | None = None
    epoch: int | None = None


@dataclass(frozen=True)
class Node:
    """A resolved node: a stage with parameters and inputs; or, with `ref`, another recipe's node under this name."""

    name: str
    stage: Stage | None
    raw: Mapping[str, Any]
    """Parameters as the recipe gives them, before a data set's own defaults are put beneath."""
    inputs: Mapping[str, Reference]
    inherited: Mapping[str, str]
    ref: Reference | None = None

    def parameters(self, defaults: Mapping[str, Any], where: str) -> Parameters:
        """Validated parameters.

        Args:
            defaults: the data set's own settings for this stage; the recipe's values win over them, key by key
                also inside mappings (a recipe's `augmentation: {randaugment: ...}` keeps the data set's crop).
            where: what to name in an error.

        Raises:
            SeedbedError: a wrong key or value, values that do not go together, or inputs that do not go with them.
        """
        assert self.stage is not None
        parameters = self.stage.validate(overlay(defaults, self.raw), where)
        for fault in parameters.faults():
            raise SeedbedError(f"{where} (stage {self.stage.name}): {fault}")
        self.check_inputs(parameters, where)
        return parameters

    def check_inputs(self, parameters: Parameters, where: str) -> None:
        """Raise for an input that these parameters need and that is missing, or that they do not use."""
        assert self.stage is not None
        stage, given = self.stage.name, set(self.inputs)
        for name in [name for name in parameters.needed_inputs() if name not in given]:
            needed = f"stage {stage} needs `from: {{{name}: NODE}}` with these parameters"
            raise SeedbedError(f"{where}: {needed}, got none")
        for name in given.intersection(parameters.unused_inputs()):
            raise SeedbedError(
                f"{where}: with these parameters stage {stage} does not use `from: {{{name}: NODE}}`; remove it, or "
                "give the parameters that use it in the recipe"
            )


@dataclass(frozen=True)
class Recipe:
    """A recipe with everything that it extends merged in."""

    name: str
    chain: tuple[str, ...]
    """Names from the root of the `extends` chain to this recipe."""
    nodes: Mapping[str, Node]
    scores: tuple[str, ...]
    paper: str
    aims_at: str
    differs: str


class RecipeBook:
    """All recipes of a folder; each is resolved when it is asked for.

    Args:
        folder: holds `NAME.yaml` files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
        self._resolved: dict[str, Recipe] = {}
        self._files: dict[str, RecipeFile] = {}
        self._checked: set[str] = set()

    def names(self) -> list[str]:
        """Names of all recipes."""
        return list(self._paths)

    def __getitem__(self, name: str) -> Recipe:
        """The resolved recipe.

        Raises:
            SeedbedError: unknown recipe, node, stage, key, value or input; a wrong meaning of an input; a cycle.
        """
        if name not in self._resolved:
            self._resolved[name] = self._resolve(name)
        return self._resolved[name]

    def _file(self, name: str, asked_by: str) -> RecipeFile:
        if name not in self._paths:
            raise SeedbedError(f"{asked_by}{unknown_name('recipe', name, self._paths)}")
        if fault := RECIPE.fault(name):
            raise SeedbedError(f"{self._paths[name].name}: {fault}")
        if name not in self._files:
            content = load_yaml(self._paths[name]) or {}
            if not isinstance(content, dict):
                raise SeedbedError(f"recipe {name}: expected a mapping of keys, got {type(content).__name__}")
            self._files[name] = validate_model(RecipeFile, content, f"recipe {name}")
        return self._files[name]

    def _chain(self, name: str) -> list[str]:
        chain = [name]
        while parent := self._file(chain[-1], f"recipe {chain[-2]}: " if len(chain) > 1 else "").extends:
            if parent in chain:
                raise SeedbedError(f"recipes extend each other in a circle: {' -> '.join([*chain, parent])}")
            chain.append(parent)
        return chain[::-1]

    def _resolve(self, name: str) -> Recipe:
        chain = self._chain(name)
        merged: dict[str, NodeFile] = {}
        scores: list[str] = []
        facts = {"paper": "", "aims_at": "", "differs": ""}
        for link in chain:
            file = self._file(link, "")
            for node_name, node in file.nodes.items():
                if fault := NODE.fault(node_name):
                    raise SeedbedError(f"recipe {link}: {fault}")
                if node is None:
                    if merged.pop(node_name, None) is None:
                        raise SeedbedError(f"recipe {link} removes {unknown_name('node', node_name, merged)}")
                else:
                    merged[node_name] = _merge(merged.get(node_name), node)
            scores = [s for s in scores if s in merged] if file.scores is None else file.scores
            facts |= {key: getattr(file, key) for key in facts if key in file.model_fields_set}
        unknown = [s for s in scores if s not in merged]
        if unknown:
            raise SeedbedError(f"recipe {name}, scores: {unknown_name('node', unknown[0], merged)}")
        if not merged:
            raise SeedbedError(
                f"recipe {name}: expected `nodes`, but it has none; add some, or `extends: psa`"
            )
        nodes = {node: self._node(name, node, file) for node, file in merged.items()}
        recipe = Recipe(name, tuple(chain), nodes, tuple(scores), **facts)
        _check_inputs(recipe)
        return recipe

    def _node(self, recipe: str, name: str, file: NodeFile) -> Node:
        where = f"recipe {recipe}, node {name}"
        if file.ref is not None:
            if file.stage or file.parameters or file.inputs:
                raise SeedbedError(
                    f"{where}: `ref` stands alone; remove stage, from and with, or extend that recipe"
                )
            reference = _parse_reference(file.ref, recipe, where)
            if reference.recipe == recipe:
                raise SeedbedError(
                    f"{where}: `ref` names another recipe's node as recipe.node, got {file.ref!r}"
                )
            return Node(name, None, {}, {}, {}, reference)
        if file.stage is None:
            raise SeedbedError(
                f"{where}: expected `stage` (or `ref`), got neither; known: {', '.join(sorted(STAGES))}"
            )
        if file.stage not in STAGES:
            raise SeedbedError(f"{where}: {unknown_name('stage', file.stage, STAGES)}")
        stage = STAGES[file.stage]
        inputs = {}
        for key, value in (file.inputs or {}).items():
            if value is None:
                continue
            if key not in stage.inputs:
                raise SeedbedError(f"{where}: {unknown_name('input', key, stage.inputs)}")
            inputs[key] = _parse_reference(value, recipe, where)
        raw = {key: value for key, value in (file.parameters or {}).items() if value is not None}
        parameters = stage.validate(raw, where)
        for key, spec in stage.inputs.items():
            if spec.required and key not in inputs:
                raise SeedbedError(f"{where}: stage {stage.name} needs `from: {{{key}: NODE}}`, got none")
        noted = {use: note for use, note in (file.inherited or {}).items() if note is not None}
        inherited = checked_inherited(noted, where)
        node = Node(name, stage, raw, inputs, inherited)
        node.check_inputs(parameters, where)
        return node

    def follow(
        self, reference: Reference, asked_by: str, seen: Iterable[Reference] = ()
    ) -> tuple[Recipe, Node, Reference]:
        """The recipe and node behind a reference, with `ref` nodes followed to the end.

        Returns:
            recipe, node with a stage, and the reference with the pins (`@rng0`, `@epoch30`) of all that were
            followed: of two seeds the one nearest to the node counts, of two epochs the one that the consumer names.

        Raises:
            SeedbedError: unknown recipe or node, or references in a circle.
        """
        path = [*seen, reference]
        if any((r.recipe, r.node) == (reference.recipe, reference.node) for r in path[:-1]):
            names = " -> ".join(f"{r.recipe}.{r.node}" for r in path)
            raise SeedbedError(f"recipes refer to each other in a circle: {names}")
        if reference.recipe not in self._paths:
            raise SeedbedError(f"{asked_by}: {unknown_name('recipe', reference.recipe, self._paths)}")
        recipe = self[reference.recipe]
        if reference.node not in recipe.nodes:
            raise SeedbedError(
                f"{asked_by}: {unknown_name('node', reference.node, recipe.nodes)} (in recipe {recipe.name})"
            )
        node = recipe.nodes[reference.node]
        if node.ref is None:
            return recipe, node, reference
        found, target, pins = self.follow(node.ref, f"recipe {recipe.name}, node {node.name}", path)
        rng = pins.rng if pins.rng is not None else reference.rng
        epoch = reference.epoch if reference.epoch is not None else pins.epoch
        return found, target, Reference(found.name, target.name, rng, epoch)

    def check(self, name: str) -> Recipe:
        """A recipe whose references to other recipes, meanings of inputs and freedom from circles were checked too."""
        recipe = self[name]
        if name not in self._checked:
            for node in recipe.nodes:
                self._check_node(Reference(name, node), ())
            self._checked.add(name)
        return recipe

    def _check_node(self, reference: Reference, above: tuple[tuple[str, str], ...]) -> None:
        recipe, node, _ = self.follow(reference, f"recipe {reference.recipe}")
        here = (recipe.name, node.name)
        if here in above:
            circle = " -> ".join(f"{r}.{n}" for r, n in (*above[above.index(here) :], here))
            raise SeedbedError(f"nodes need each other in a circle: {circle}")
        assert node.stage is not None
        where = f"recipe {recipe.name}, node {node.name}"
        for key, source in node.inputs.items():
            wanted = node.stage.inputs[key].takes
            if is_true_masks(source, recipe.name):
                if TRUE_MASKS not in wanted:
                    raise SeedbedError(
                        f"{where}: input {key} takes {' or '.join(wanted)}, got the true masks"
                    )
                continue
            _, made_by, pins = self.follow(source, where)
            assert made_by.stage is not None
            if not takes(wanted, made_by.stage.meaning) and not (
                set(wanted) & set(made_by.parameters({}, where).also_makes())
            ):
                raise SeedbedError(
                    f"{where}: input {key} takes {' or '.join(wanted)}, got {source.node} "
                    f"(stage {made_by.stage.name} makes {made_by.stage.makes})"
                )
            if pins.epoch is not None and not made_by.stage.meaning.keeps_epochs:
                raise SeedbedError(
                    f"{where}: only trained networks keep epochs, {source.node} is {made_by.stage.makes}"
                )
            asked = node.parameters({}, where).asks().get(key)
            if asked and asked not in made_by.parameters({}, where).offers():
                raise SeedbedError(
                    f"{where}: these parameters need {asked} from input {key}, which the method of {source.node} does "
                    "not offer; change them, or its method"
                )
            self._check_node(Reference(source.recipe, source.node), (*above, here))


def is_true_masks(reference: Reference, recipe: str) -> bool:
    """Whether a reference in a recipe is to the data set's own masks; only the supervised baseline takes them."""
    return reference.node == TRUE_MASKS and reference.recipe == recipe


def checked_inherited(inherited: Mapping[str, str], where: str) -> Mapping[str, str]:
    """Uses of pixel ground truth that a recipe or a data set's settings declare.

    Raises:
        SeedbedError: a use that the ledger does not know.
    """
    known = get_args(GroundTruthUse)
    if not isinstance(inherited, Mapping) or not all(isinstance(note, str) for note in inherited.values()):
        raise SeedbedError(f"{where}: inherited: expected {{use: note}}, got {inherited!r}")
    for use in inherited:
        if use not in known:
            raise SeedbedError(f"{where}: {unknown_name('use of ground truth', use, known)}")
    return inherited


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings merged by key, mappings inside them too; what stands above wins."""
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = overlay(inner, value) if both else value  # type: ignore[arg-type]
    return merged


def _merge(base: NodeFile | None, change: NodeFile) -> NodeFile:
    if base is None:
        return change
    if change.ref is not None:
        return change
    if base.ref is not None:
        base = NodeFile()

    def by_key(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
        merged = overlay(old or {}, new or {})
        return {key: value for key, value in merged.items() if value is not None}

    other_stage = change.stage is not None and base.stage is not None and change.stage != base.stage
    return NodeFile.model_validate(
        {
            "stage": change.stage or base.stage,
            "from": by_key(None if other_stage else base.inputs, change.inputs),
            "with": by_key(None if other_stage else base.parameters, change.parameters),
            "inherited": by_key(None if other_stage else base.inherited, change.inherited),
        }
    )


def _parse_reference(text: str, recipe: str, where: str) -> Reference:
    match = _REFERENCE.match(text)
    if match is None:
        raise SeedbedError(f"{where}: expected a node as [recipe.]node[@rng0][@epoch30], got {text!r}")
    rng, epoch = match["rng"], match["epoch"]
    return Reference(
        match["recipe"] or recipe,
        match["node"],
        None if rng is None else int(rng),
        None if epoch is None else int(epoch),
    )


def _check_inputs(recipe: Recipe) -> None:
    for node in recipe.nodes.values():
        for source in node.inputs.values():
            if source.recipe == recipe.name and source.node not in recipe.nodes and source.node != TRUE_MASKS:
                raise SeedbedError(
                    f"recipe {recipe.name}, node {node.name}: {unknown_name('node', source.node, recipe.nodes)}"
                )
