"""The whole workflow of a configuration: tasks, judgements and reports, their slices and their commands."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seedbed.artifacts.atomic import write_if_changed
from seedbed.artifacts.manifest import MANIFEST, to_json
from seedbed.errors import SeedbedError
from seedbed.plan.config import RunConfig, read_config
from seedbed.plan.judges import Judgement, Report, judgements, shared_judgements, threshold_judgements
from seedbed.plan.tasks import Task, TaskGraph, unique_tasks
from seedbed.recipes import RecipeBook
from seedbed.runtime.paths import INDEX, MASKS, PARAMS, RESULTS, ROOTS
from seedbed.stages.registry import EVALUATE, STAGES, THRESHOLD_QUALITY

SCRIPTS = "workflow_scripts"


@dataclass(frozen=True)
class Command:
    """One command with the files that it reads and declares.

    Attributes:
        unit: name for people: the task's key, with the shard.
    """

    unit: str
    words: tuple[str, ...]
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]

    def line(self) -> str:
        """The command as a person would paste it."""
        return shlex.join(self.words)


class Workflow:
    """What `params.yaml` asks for.

    Args:
        config: contents of params.yaml.
        book: the recipes.
        results: folder of the results.
    """

    def __init__(self, config: RunConfig, book: RecipeBook, results: Path = RESULTS) -> None:
        self.config = config
        self.book = book
        self.results = results
        self._graphs: dict[str, TaskGraph] = {}

    @classmethod
    def read(cls, folder: Path = Path()) -> "Workflow":
        """The workflow of a checkout: its params.yaml and its recipes."""
        return cls(read_config(folder / "params.yaml"), RecipeBook(folder / "recipes"))

    def graph(self, dataset: str | None = None) -> TaskGraph:
        """The tasks of a data set (the configured one where None)."""
        name = dataset or self.config.dataset
        if name not in self._graphs:
            self._graphs[name] = TaskGraph(self.config, self.book, name, self.results)
        return self._graphs[name]

    def points(self, sweep: bool) -> Iterator[tuple[str, int, str | None]]:
        """(recipe, rng, regions) of what is asked for; None is the recipe's own regions setting."""
        for recipe in self.config.recipes:
            for rng in self.config.rngs:
                for regions in self.config.thresholds if sweep else (None,):
                    yield recipe, rng, regions

    def report(self, name: str) -> Report:
        """The report `all` or `sweep`."""
        graph = self.graph()
        sweep = name == "sweep"
        scores: dict[str, Judgement] = {}
        thresholds: dict[str, Judgement] = {}
        tasks: list[Task] = []
        for recipe, rng, regions in self.points(sweep):
            scores |= {j.key: j for j in judgements(graph, recipe, rng, regions)}
            if sweep:
                thresholds |= {j.key: j for j in threshold_judgements(graph, recipe, rng, regions)}
            tasks += graph.recipe_tasks(recipe, rng, regions).values()
        for recipe, rng, _ in self.points(sweep=False) if sweep else ():
            for shared in shared_judgements(graph, recipe, rng):
                thresholds[shared.key] = shared
                tasks.append(shared.task)
        return Report(
            graph, name, tuple(scores.values()), tuple(thresholds.values()), tuple(unique_tasks(tasks))
        )

    @cached_property
    def reports(self) -> dict[str, Report]:
        """Both reports; `sweep` only where params.yaml names thresholds."""
        names = ["all", "sweep"] if self.config.thresholds else ["all"]
        return {name: self.report(name) for name in names}

    def asked(self, name: str) -> Report:
        """The report `all` or `sweep`.

        Raises:
            SeedbedError: params.yaml names no thresholds to sweep.
        """
        if name not in self.reports:
            raise SeedbedError(
                "params.yaml names no `thresholds` to sweep; add some, for instance bg0.10-fg0.40"
            )
        return self.reports[name]

    def tasks(self) -> list[Task]:
        """Every task that one of the reports needs, inputs first."""
        return unique_tasks(task for report in self.reports.values() for task in report.tasks)

    def judgements(self) -> list[Judgement]:
        """Every judgement that one of the reports shows."""
        found = {j.key: j for report in self.reports.values() for j in (*report.scores, *report.thresholds)}
        return list(found.values())

    def nodes_by_stage(self) -> dict[str, list[str]]:
        """Names of the selected recipes' nodes, by stage.

        Raises:
            SeedbedError: two recipes give one name to nodes of different stages, so that a path would be ambiguous.
        """
        stage_of: dict[str, str] = {}
        for task in self.tasks():
            known = stage_of.setdefault(task.name, task.stage.name)
            if known != task.stage.name:
                raise SeedbedError(
                    f"node name {task.name} is used for stages {known} and {task.stage.name} in the selected recipes; "
                    "rename one"
                )
        return {stage: sorted(n for n, s in stage_of.items() if s == stage) for stage in STAGES}

    def judgement(self, path: str) -> Judgement:
        """The judgement whose file lies at `path`, below the results folder.

        Raises:
            SeedbedError: params.yaml asks for no such file.
        """
        by_path = {str(j.path): j for j in self.judgements()}
        if path not in by_path:
            raise SeedbedError(
                f"params.yaml asks for no {path}; select its recipe, or add the node to its `scores`"
            )
        return by_path[path]

    def write_slices(self) -> list[Path]:
        """Write every slice whose content changed, and the roots of the data sets; a fact of the machine, no input.

        Returns:
            the files that were written.
        """
        graph = self.graph()
        wanted = {graph.index_slice_path: graph.index_slice()}
        wanted |= {task.slice_path: task.slice() for task in self.tasks()}
        wanted |= {j.slice_path: j.slice() for j in self.judgements()}
        wanted |= {report.slice_path: report.slice() for report in self.reports.values()}
        roots = {name: declared.root for name, declared in self.config.datasets.items()}
        wanted[self.results / PARAMS / ROOTS] = roots
        return [path for path, content in wanted.items() if write_if_changed(path, to_json(content))]

    def output_folders(self) -> list[Path]:
        """Every folder that a stage command writes to, and that a run therefore locks."""
        folders = {self.graph().index_folder: None}
        folders |= {task.folder: None for task in self.tasks()}
        folders |= {judgement.path.parent: None for judgement in self.judgements()}
        return [*folders, *(report.folder for report in self.reports.values())]

    def commands(self, names: tuple[str, ...] = ("all",)) -> list[Command]:
        """Every command of the named reports, in an order that runs."""
        graph = self.graph()
        found: dict[str, Command] = {}
        for name in names:
            report = self.asked(name)
            steps = [prepare_command(graph)]
            for task in report.tasks:
                steps += task_commands(graph, task)
            steps += [judgement_command(graph, j) for j in (*report.scores, *report.thresholds)]
            steps.append(report_command(report))
            found |= {command.unit: command for command in steps}
        return list(found.values())


def index_files(graph: TaskGraph) -> list[Path]:
    """What a stage reads of the index."""
    return [graph.index_folder / MANIFEST, graph.index_folder / INDEX]


def prepare_command(graph: TaskGraph) -> Command:
    """`prepare_dataset`."""
    return Command(
        unit=f"{graph.dataset}/index",
        words=_script("prepare_dataset", "--params", graph.index_slice_path, "--output", graph.index_folder),
        reads=(graph.index_slice_path,),
        writes=(*index_files(graph), graph.index_folder / MASKS),
    )


def input_files(graph: TaskGraph, task: Task, shard: str | None = None) -> dict[str, list[Path]]:
    """By input name, first the manifest, then the files that the command reads."""
    files: dict[str, list[Path]] = {}
    for name, source in task.inputs.items():
        if source is None:
            files[name] = [graph.index_folder / MASKS]
        else:
            own = shard if source.stage.sharded else None
            files[name] = [source.manifest, *source.data_files(own)]
    return files


def task_commands(graph: TaskGraph, task: Task) -> list[Command]:
    """The commands of a task: one; or one a shard and the gather step."""
    options: list[str | Path] = ["--params", task.slice_path, "--index", graph.index_folder / MANIFEST]
    for name, files in input_files(graph, task).items():
        options += [f"--{name.replace('_', '-')}", files[0]]
    options += ["--output", task.folder]

    def reads(shard: str | None) -> tuple[Path, ...]:
        inputs = input_files(graph, task, shard)
        return (task.slice_path, *index_files(graph), *(file for files in inputs.values() for file in files))

    if not task.stage.sharded:
        writes = (task.manifest, *task.data_files())
        return [Command(task.key, _script(task.stage.name, *options), reads(None), writes)]
    commands = [
        Command(
            f"{task.key}/{shard}",
            _script(task.stage.name, *options, "--shard", shard),
            reads(shard),
            task.shard_files(shard),
        )
        for shard in task.shard_names
    ]
    shards = tuple(file for shard in task.shard_names for file in task.shard_files(shard))
    gather = _script("gather", "--params", task.slice_path, "--output", task.folder)
    return [*commands, Command(task.key, gather, (task.slice_path, *shards), (task.manifest,))]


def judgement_command(graph: TaskGraph, judgement: Judgement) -> Command:
    """`evaluate` or `threshold_quality`."""
    options: list[str | Path] = ["--params", judgement.slice_path, "--index", graph.index_folder / MANIFEST]
    reads = [judgement.slice_path, *index_files(graph)]
    if judgement.stage in (EVALUATE, THRESHOLD_QUALITY):
        reads.append(graph.index_folder / MASKS)
    for name, task in judgement.sources.items():
        options += [f"--{name}", task.manifest]
        reads += [task.manifest, *judgement.source_files[name]]
    words = _script(judgement.stage.name, *options, "--output", judgement.path)
    return Command(judgement.key, words, tuple(reads), (judgement.path,))


def report_command(report: Report) -> Command:
    """`report`."""
    words = _script(
        "report",
        *(
            "--params",
            report.slice_path,
            "--index",
            report.graph.index_folder / MANIFEST,
            "--output",
            report.folder,
        ),
    )
    reads = (
        report.slice_path,
        *index_files(report.graph),
        report.graph.index_folder / MASKS,
        *report.inputs(),
    )
    return Command(f"{report.graph.dataset}/reports/{report.name}", words, reads, tuple(report.outputs()))


def _script(stage: str, *options: str | Path) -> tuple[str, ...]:
    return ("python", f"{SCRIPTS}/{stage}.py", *map(str, options))
