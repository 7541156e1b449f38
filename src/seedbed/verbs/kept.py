"""What `seedbed gc` keeps for a data set: all that the commands of any recipe in recipes/, selected or not, write.

That is, at the rngs in params.yaml, and at the recipe's own regions setting and the thresholds in params.yaml.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow, task_commands
from seedbed.plan.judges import JUDGES, Point, judgements_at
from seedbed.plan.reports import ALL, SWEEP
from seedbed.plan.task import Task
from seedbed.plan.tasks import TaskGraph


@dataclass
class Kept:
    """What stays for a data set.

    Attributes:
        tasks: by key.
        judgements: keys.
        held: by recipe, why its folder is kept whole: one of its nodes cannot be planned on the data set, so what the
            recipe owns is unknown.
        spared: keys of the nodes that such a recipe shares with others, whose judgements all stay.
    """

    graph: TaskGraph
    tasks: dict[str, Task] = field(default_factory=dict)
    judgements: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    spared: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, workflow: Workflow, dataset: str) -> "Kept":
        """Plan all recipes on a data set.

        Raises:
            SeedbedError: a recipe cannot be loaded, so what it owns is unknown.
        """
        kept, recipes = cls(workflow.graph(dataset)), workflow.book.names()
        for recipe in recipes:
            workflow.book.check(recipe)
        for report in (ALL, SWEEP):
            for point in workflow.points(report, recipes):
                try:
                    kept._keep(point)
                except SeedbedError as error:
                    kept.held.setdefault(point.recipe, str(error))
                    kept._spare(point)
        return kept

    def wants(self, key: str) -> bool:
        """Whether a node or a judgement with this key is kept."""
        path = PurePosixPath(key)
        node = path.parent.parent / path.name.partition("-")[0]
        spared = path.parent.name in JUDGES and str(node) in self.spared
        return key in self.tasks or key in self.judgements or spared

    def logs(self, root: Path) -> set[str]:
        """Logs under `root` for the commands of all nodes, without suffix."""
        return {
            command.log
            for key, task in self.tasks.items()
            if (root / key).parent.is_dir()
            for command in task_commands(self.graph, task, by_shard=True)
        }

    def _keep(self, point: Point) -> None:
        tasks = self.graph.recipe_tasks(point.recipe, point.rng, point.regions)
        judgements = list(judgements_at(self.graph, point))
        self._add([*tasks.values(), *(judgement.task for judgement in judgements)])
        self.judgements |= {judgement.key for judgement in judgements}

    def _spare(self, point: Point) -> None:
        """What can be planned of a recipe, node by node, and the inputs of its other nodes."""
        for name, node in self.graph.book[point.recipe].nodes.items():
            try:
                task = self.graph.task(point.recipe, name, point.rng, point.regions)
            except SeedbedError:
                for source in node.inputs.values():
                    rng = point.rng if source.rng is None else source.rng
                    try:
                        self._add([self.graph.task(source.recipe, source.node, rng, point.regions)])
                    except SeedbedError:
                        continue
            else:
                self._add([task])
                self.spared.add(task.key)

    def _add(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if task.key not in self.tasks:
                self.tasks |= {one.key: one for one in task.ancestors()}
