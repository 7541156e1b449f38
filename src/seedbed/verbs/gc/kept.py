"""Everything that a recipe may still want: nodes, scores, slices and logs, for one data set."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import Judgement, judgement, scored_splits, shared_judgements, threshold_judgements
from seedbed.plan.tasks import Task, TaskGraph
from seedbed.stages.registry import EVALUATE

REPORTS = ("all", "sweep")


@dataclass
class Kept:
    """What stays of a data set.

    Attributes:
        tasks: by key.
        judgements: by key (`dataset/owner/axes/scores/node-split`).
        held: by owner, why the owner's folder is kept whole: a node of its recipe cannot be planned on the data set, so
            what the recipe owns is not known.
    """

    graph: TaskGraph
    tasks: dict[str, Task] = field(default_factory=dict)
    judgements: dict[str, Judgement] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, workflow: Workflow, dataset: str) -> "Kept":
        """Plan all recipes on a data set.

        Raises:
            SeedbedError: a recipe cannot be loaded; then nothing is known of what it owns.
        """
        kept = cls(workflow.graph(dataset))
        for recipe in workflow.book.names():
            workflow.book.check(recipe)
            for rng in workflow.config.rngs:
                for regions in (None, *workflow.config.thresholds):
                    kept._add(recipe, rng, regions)
        return kept

    def _add(self, recipe: str, rng: int, regions: str | None) -> None:
        graph, own = self.graph, {}
        for name, node in self.graph.book[recipe].nodes.items():
            try:
                own[name] = graph.task(recipe, name, rng, regions)
            except SeedbedError as error:
                self.held.setdefault(recipe, str(error))
                for source in node.inputs.values():
                    self._add_input(source.recipe, source.node, rng if source.rng is None else source.rng)
                continue
            self.tasks |= {task.key: task for task in own[name].ancestors()}
        for name in graph.book[recipe].scores:
            for split in scored_splits(graph, own[name]) if name in own else ():
                found = judgement(graph, own[name], EVALUATE, split)
                self.judgements[found.key] = found
        if recipe not in self.held:
            found_thresholds = threshold_judgements(graph, recipe, rng, regions)
            if regions is None:
                found_thresholds += shared_judgements(graph, recipe, rng)
            self.judgements |= {j.key: j for j in found_thresholds}

    def _add_input(self, recipe: str, node: str, rng: int) -> None:
        try:
            task = self.graph.task(recipe, node, rng)
        except SeedbedError:
            return
        self.tasks |= {one.key: one for one in task.ancestors()}

    def slices(self) -> set[str]:
        """Keys of the slices that are wanted: their paths below `.params`, without suffix."""
        dataset = self.graph.dataset
        own = {f"{dataset}/index", *(f"{dataset}/reports/{name}" for name in REPORTS)}
        return own | set(self.tasks) | set(self.judgements)

    def logs(self) -> set[str]:
        """Paths of the logs that are wanted, below `logs`, without suffix."""
        return self.slices() | {log for task in self.tasks.values() for log in _shard_logs(task)}


def _shard_logs(task: Task) -> Iterator[str]:
    if task.stage.sharded:
        yield from (f"{task.key}-{shard}" for shard in (*task.shard_names, "gather"))
