"""All tasks of a data set: which instances of recipe nodes there are, and which recipe owns each.

Identity of a node = hash of (stage, its version, its parameters, the identities of its inputs, the data set).
Owner = the first recipe along the `extends` chain, root first, in which the node of that name has that identity.
Paths contain the owner, so equal nodes are shared and different ones never are.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from seedbed.artifacts.manifest import sha256_bytes
from seedbed.artifacts.meanings import TRUE_MASKS
from seedbed.datasets.declaration import DatasetDeclaration
from seedbed.errors import SeedbedError, unknown_name
from seedbed.plan.config import RunConfig
from seedbed.plan.task import Task, unique_tasks
from seedbed.recipes import Node, Recipe, RecipeBook, Reference, is_true_masks
from seedbed.runtime.axes import Axes, canonical_regions
from seedbed.runtime.contract import Parameters, Stage, TrueMasks
from seedbed.runtime.paths import MASKS, PARAMS, RESULTS
from seedbed.stages.prepare_dataset import STAGE as PREPARE_DATASET
from seedbed.stages.prepare_masks import STAGE as PREPARE_MASKS
from seedbed.training.parameters import TrainingParameters


class TaskGraph:
    """All tasks of a data set.

    Args:
        config: contents of params.yaml.
        book: the recipes.
        dataset: data set, `config.dataset` if None.
        results: folder of the results.
    """

    def __init__(
        self, config: RunConfig, book: RecipeBook, dataset: str | None = None, results: Path = RESULTS
    ) -> None:
        self.config = config
        self.book = book
        self.dataset = dataset or config.dataset
        self.declaration: DatasetDeclaration = config.declaration(self.dataset)
        self.results = results
        self._tasks: dict[tuple[str, str, int, str], Task] = {}
        self._regions: dict[str, str] = {}

    @property
    def index_key(self) -> str:
        """Key of the data set's index: its path under `results/`."""
        return f"{self.dataset}/index"

    @property
    def index_folder(self) -> Path:
        return self.results / self.index_key

    @property
    def index_slice_path(self) -> Path:
        return self.results / PARAMS / f"{self.index_key}.json"

    @property
    def data_path(self) -> Path:
        """File that changes with the data set, but for its masks: an input of `prepare_dataset`."""
        return self.results / PARAMS / self.dataset / "data.json"

    @property
    def masks_key(self) -> str:
        """Key of the checksums of the masks, which lie beside the index."""
        return f"{self.dataset}/masks"

    @property
    def masks_path(self) -> Path:
        return self.index_folder / MASKS

    @property
    def masks_slice_path(self) -> Path:
        return self.results / PARAMS / f"{self.masks_key}.json"

    @property
    def masks_data_path(self) -> Path:
        """File that changes with the masks: an input of `prepare_masks`."""
        return self.results / PARAMS / self.dataset / "masks-data.json"

    def index_slice(self) -> dict[str, Any]:
        """Slice of `prepare_dataset`: the declaration without what is of the machine, the schedule or the page."""
        return self._declared(PREPARE_DATASET)

    def masks_slice(self) -> dict[str, Any]:
        """Slice of `prepare_masks`: the same of its stage."""
        return self._declared(PREPARE_MASKS)

    def _declared(self, stage: Stage) -> dict[str, Any]:
        return {
            "stage": stage.name,
            "stage_version": stage.version,
            "dataset": self.dataset,
            "parameters": self.declaration.model_dump(
                mode="json", exclude={"root", "shards", "class_groups"}, exclude_defaults=True, by_alias=True
            ),
        }

    def regions_of(self, recipe: Recipe) -> str:
        """The recipe's own setting of the regions axis: that of its nodes, or else that of the nodes that it refers to.

        Nodes that name none take that of the others, and the stage's default if all are silent.

        Raises:
            SeedbedError: two nodes name different ones.
        """
        if recipe.name not in self._regions:
            settings: dict[tuple[str, str], Parameters] = {}
            for node in recipe.nodes:
                self._collect_regions(Reference(recipe.name, node), settings)
            using = {key: one for key, one in settings.items() if one.uses_regions()}
            counted = {key: one for key, one in using.items() if key[0] == recipe.name} or using
            said = {key: one for key, one in counted.items() if "regions" in one.model_fields_set} or counted
            labels = {key: str(one.regions) for key, one in said.items()}  # type: ignore[attr-defined]
            if len(set(labels.values())) > 1:
                listed = ", ".join(f"{owner}.{node} {label}" for (owner, node), label in labels.items())
                raise SeedbedError(
                    f"recipe {recipe.name}: expected one regions setting per recipe, got {listed}"
                )
            self._regions[recipe.name] = next(iter(labels.values()), "")
        return self._regions[recipe.name]

    def _collect_regions(self, reference: Reference, settings: dict[tuple[str, str], Parameters]) -> None:
        recipe, node, _ = self.book.follow(reference, f"recipe {reference.recipe}")
        if (recipe.name, node.name) in settings:
            return
        settings[recipe.name, node.name] = self._parameters(recipe, node)
        for source in node.inputs.values():
            if not is_true_masks(source, recipe.name):
                self._collect_regions(source, settings)

    def task(self, recipe: str, node: str, rng: int, regions: str | None = None) -> Task:
        """The task of a node at a point on the axes.

        Args:
            regions: the recipe's own setting if empty or None.

        Raises:
            SeedbedError: unknown recipe or node, an invalid regions label, or splits that an input lacks.
        """
        self.book.check(recipe)
        found, target, pins = self.book.follow(Reference(recipe, node), f"recipe {recipe}")
        point = rng if pins.rng is None else pins.rng
        label = canonical_regions(regions) if regions else self.regions_of(self.book[recipe])
        cached = self._tasks.get((found.name, target.name, point, label))
        if cached is None:
            cached = self._build(found, target, point, label)
            self._tasks[found.name, target.name, point, label] = cached
        return cached

    def recipe_tasks(self, recipe: str, rng: int, regions: str | None = None) -> dict[str, Task]:
        """All tasks of a recipe by node name, inputs before consumers."""
        tasks = {node: self.task(recipe, node, rng, regions) for node in self.book.check(recipe).nodes}
        order = {task.key: place for place, task in enumerate(unique_tasks(tasks.values()))}
        return dict(sorted(tasks.items(), key=lambda item: order[item[1].key]))

    def from_path(self, owner: str, axes: str, node: str) -> Task:
        """The task that a path names.

        Raises:
            SeedbedError: the path is not where that node's result is.
        """
        point = Axes.parse(axes)
        task = self.task(owner, node, point.rng or 0, point.regions)
        if (task.owner, task.axes, task.name) != (owner, axes, node):
            raise SeedbedError(f"{self.dataset}/{owner}/{axes}/{node} is at {task.folder}; ask for that path")
        return task

    def _parameters(self, recipe: Recipe, node: Node) -> Parameters:
        assert node.stage is not None
        defaults = self.config.stage_defaults(self.dataset, node.stage.name)
        return node.parameters(defaults, f"recipe {recipe.name}, node {node.name}")

    def _own_regions(self, recipe: Recipe, parameters: Parameters) -> str:
        named = "regions" in parameters.model_fields_set
        return str(parameters.regions) if named else self.regions_of(recipe)  # type: ignore[attr-defined]

    def _inherited_by_settings(self, node: Node) -> dict[str, str]:
        """What a data set's settings declare, if the recipe leaves any value to them."""
        assert node.stage is not None
        left = set(self.config.stage_defaults(self.dataset, node.stage.name)) - set(node.raw)
        return self.config.inherited(self.dataset, node.stage.name) if left else {}

    def _build(self, recipe: Recipe, node: Node, rng: int, regions: str) -> Task:
        assert node.stage is not None
        where = f"recipe {recipe.name}, node {node.name}"
        parameters = self._parameters(recipe, node)
        declared = {**node.inherited, **self._inherited_by_settings(node)}
        inherited = declared or dict(parameters.presumed())
        if parameters.uses_regions():
            if regions != self._own_regions(recipe, parameters):
                inherited.pop("threshold", None)  # it is about the recipe's own pair, not a sweep's
            parameters = node.stage.validate(
                {**parameters.model_dump(exclude_unset=True), "regions": regions}, where
            )
        if parameters.finds_threshold():
            inherited.pop("threshold", None)  # the threshold follows from the scores
        inputs: dict[str, Task | TrueMasks] = {}
        epochs: dict[str, int] = {}
        depends_on_rng, depends_on_regions = node.stage.random, parameters.uses_regions()
        for key, source in node.inputs.items():
            if is_true_masks(source, recipe.name):
                inputs[key] = TrueMasks()
                continue
            _, _, pins = self.book.follow(source, where)
            point = rng if pins.rng is None else pins.rng
            inputs[key] = made = self.task(source.recipe, source.node, point, regions)
            if pins.epoch is not None:
                _check_epoch(made, pins.epoch, f"{where}: input {key}")
                epochs[key] = pins.epoch
            depends_on_rng |= made.rng is not None and pins.rng is None
            depends_on_regions |= made.regions is not None
        identity = self._identity(node, parameters, inherited, inputs, epochs, rng)
        task = Task(
            dataset=self.dataset,
            owner=self._owner(recipe, node.name, rng, regions, identity),
            name=node.name,
            stage=node.stage,
            parameters=parameters,
            rng=rng if depends_on_rng else None,
            regions=regions if depends_on_regions else None,
            inputs=inputs,
            epochs=epochs,
            inherited=inherited,
            shards=self.declaration.shards,
            joined=self._joined,
            identity=identity,
            results=self.results,
        )
        self._check_splits(task, where)
        return task

    @cached_property
    def _joined(self) -> Mapping[str, list[str]]:
        class_map = self.declaration.class_map
        joined = class_map.masks if class_map else None
        return {name: list(members) for name, members in (joined or {}).items()}

    def _identity(
        self,
        node: Node,
        parameters: Parameters,
        inherited: Mapping[str, str],
        inputs: Mapping[str, Task | TrueMasks],
        epochs: Mapping[str, int],
        rng: int,
    ) -> str:
        assert node.stage is not None
        parts = [
            node.stage.name,
            node.stage.version,
            parameters.slice(),
            dict(inherited),
            {
                key: source.identity if isinstance(source, Task) else TRUE_MASKS
                for key, source in inputs.items()
            },
            dict(epochs),
            rng if node.stage.random else None,
            self.index_slice(),
        ]
        return sha256_bytes(json.dumps(parts, sort_keys=True).encode())

    def _owner(self, recipe: Recipe, node: str, rng: int, regions: str, identity: str) -> str:
        for ancestor in recipe.chain[:-1]:
            other = self.book[ancestor].nodes.get(node)
            if other is None or other.ref is not None:
                continue
            task = self.task(ancestor, node, rng, regions)
            if task.identity == identity:
                return task.owner
        return recipe.name

    def _check_splits(self, task: Task, where: str) -> None:
        training = getattr(task.parameters, "split", None)
        for split in task.splits or ((training,) if training else ()):
            if split not in self.declaration.splits:
                raise SeedbedError(f"{where}: {unknown_name('split', split, self.declaration.splits)}")
            for key, source in task.inputs.items():
                if isinstance(source, TrueMasks) and not self.declaration.splits[split].masks:
                    raise SeedbedError(
                        f"{where}: input {key} is the true masks, but split {split} is declared without masks"
                    )
                if isinstance(source, Task) and source.stage.sharded and split not in source.splits:
                    raise SeedbedError(
                        f"{where}: split {split} is asked for, but input {key} ({source.name}) has only "
                        f"{', '.join(source.splits)}; add it to its `splits`"
                    )


def _check_epoch(trained: Task, epoch: int, where: str) -> None:
    parameters = trained.parameters
    if isinstance(parameters, TrainingParameters) and not (
        parameters.keeps(epoch) and epoch <= parameters.epochs
    ):
        raise SeedbedError(
            f"{where} asks for epoch {epoch} of {trained.owner}.{trained.name}, which trains {parameters.epochs} "
            f"epochs and keeps {parameters.keep_epochs or 'none'}; ask for a kept one, or add it to `keep_epochs`"
        )
