"""The whole workflow of a configuration: tasks, judgements and reports, their slices and their commands."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seedbed.artifacts.atomic import write_if_changed
from seedbed.artifacts.manifest import MANIFEST, to_json
from seedbed.datasets.table import dataset_options
from seedbed.errors import SeedbedError, unknown_name
from seedbed.plan.config import RunConfig, read_config
from seedbed.plan.judges import JUDGES, Judgement, Point
from seedbed.plan.overrides import NOTHING, Overrides
from seedbed.plan.reports import ALL, SWEEP, Report
from seedbed.plan.settings import check_settings
from seedbed.plan.task import Task, unique_tasks
from seedbed.plan.tasks import TaskGraph
from seedbed.recipes import RecipeBook
from seedbed.runtime.contract import Stage
from seedbed.runtime.options import main
from seedbed.runtime.paths import INDEX, PARAMS, RESULTS, ROOTS
from seedbed.stages.prepare_dataset import STAGE as PREPARE_DATASET
from seedbed.stages.prepare_masks import STAGE as PREPARE_MASKS
from seedbed.stages.registry import STAGES
from seedbed.stages.report import STAGE as REPORT

SCRIPTS = "workflow_scripts"
GATHER = "gather"
"""Script, and rule, that merges the shards of a node."""

JUDGE_STAGES: dict[str, Stage] = {judge.stage.name: judge.stage for judge in JUDGES.values()}
DATA_STAGES: dict[str, Stage] = {stage.name: stage for stage in (PREPARE_DATASET, PREPARE_MASKS)}
"""Stages whose parameters are the data set's declaration, and which `settings` do not reach."""
ALL_STAGES: dict[str, Stage] = STAGES | DATA_STAGES | JUDGE_STAGES | {REPORT.name: REPORT}
"""Every stage: those of nodes and those that the plan adds itself."""
UNKNOWN_DATA = {"sha256": None}
"""What stands for a data set that planning has not compared with its index."""


@dataclass(frozen=True)
class Command:
    """One command, with the files that it reads and declares.

    Attributes:
        unit: name for people: the task's key, with the shard.
        log: path of the engine's log and benchmark under `logs/`, without suffix.
    """

    unit: str
    log: str
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
        overrides: what the command line put over params.yaml, for the commands that it names.

    Raises:
        SeedbedError: there are settings for a stage that does not exist, or wrong ones, or the configured data set has
            an option that its kind does not take.
    """

    def __init__(
        self, config: RunConfig, book: RecipeBook, results: Path = RESULTS, overrides: Overrides = NOTHING
    ) -> None:
        self.config = config
        self.overrides = overrides
        self.book = book
        self.results = results
        self._graphs: dict[str, TaskGraph] = {}
        configurable = [name for name in ALL_STAGES if name not in DATA_STAGES]
        for dataset, stages in config.settings.items():
            where = f"params.yaml, settings.{dataset}"
            for stage in stages:
                if stage not in configurable:
                    told = unknown_name("stage", stage, configurable)
                    raise SeedbedError(f"{where}: {told}")
                config.inherited(dataset, stage)
                check_settings(ALL_STAGES[stage], config.stage_defaults(dataset, stage), where)
        dataset_options(config.dataset, config.declaration(config.dataset))

    @classmethod
    def read(cls, folder: Path = Path(), overrides: Overrides = NOTHING) -> "Workflow":
        """The workflow of a checkout: its params.yaml, with what a command line puts over it, and its recipes."""
        config = read_config(folder / "params.yaml", overrides)
        return cls(config, RecipeBook(folder / "recipes"), overrides=overrides)

    def graph(self, dataset: str | None = None) -> TaskGraph:
        """The tasks of a data set (the configured one if None)."""
        name = dataset or self.config.dataset
        if name not in self._graphs:
            self._graphs[name] = TaskGraph(self.config, self.book, name, self.results)
        return self._graphs[name]

    def points(self, report: str, recipes: Sequence[str] = ()) -> Iterator[Point]:
        """The points of the report `all` or `sweep`.

        Args:
            recipes: those selected in params.yaml if empty.
        """
        for recipe in recipes or self.config.recipes:
            for rng in self.config.rngs:
                if report == ALL:
                    yield Point(recipe, rng)
                    continue
                yield from (Point(recipe, rng, regions, "pair") for regions in self.config.thresholds)
                yield Point(recipe, rng, None, "reference")

    @cached_property
    def reports(self) -> dict[str, Report]:
        """Both reports; `sweep` only if params.yaml names thresholds."""
        names = [ALL, SWEEP] if self.config.thresholds else [ALL]
        return {name: Report(self.graph(), name, tuple(self.points(name))) for name in names}

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

    @cached_property
    def tasks(self) -> list[Task]:
        """Every task that one of the reports needs, inputs first."""
        return unique_tasks(task for report in self.reports.values() for task in report.tasks)

    @cached_property
    def judgements(self) -> dict[Path, Judgement]:
        """Every judgement that one of the reports shows, by its file."""
        return {j.path: j for report in self.reports.values() for j in report.judgements.values()}

    @cached_property
    def nodes_by_stage(self) -> dict[str, list[str]]:
        """Names of the selected recipes' nodes, by stage.

        Raises:
            SeedbedError: a node has the name of a judge, or two recipes give one name to nodes of different stages,
                which would make a path ambiguous.
        """
        stage_of: dict[str, str] = {}
        for task in self.tasks:
            if task.name in JUDGES:
                raise SeedbedError(
                    f"node name {task.name} is that of a judge, whose files would be among the node's; rename it in "
                    f"recipe {task.owner}"
                )
            known = stage_of.setdefault(task.name, task.stage.name)
            if known != task.stage.name:
                raise SeedbedError(
                    f"node name {task.name} is used for stages {known} and {task.stage.name} in the selected recipes; "
                    "rename one"
                )
        return {stage: sorted(n for n, s in stage_of.items() if s == stage) for stage in STAGES}

    def judgement(self, path: Path) -> Judgement:
        """The judgement whose file is at `path`.

        Raises:
            SeedbedError: params.yaml asks for no such file.
        """
        if path not in self.judgements:
            raise SeedbedError(
                f"params.yaml asks for no {path}; select its recipe, or add the node to its `scores`"
            )
        return self.judgements[path]

    def slices(self) -> dict[Path, dict[str, Any]]:
        """Every slice by its path."""
        graph = self.graph()
        slices = {graph.index_slice_path: graph.index_slice(), graph.masks_slice_path: graph.masks_slice()}
        slices |= {task.slice_path: task.slice() for task in self.tasks}
        slices |= {j.slice_path: j.slice() for j in self.judgements.values()}
        return slices | {report.slice_path: report.slice() for report in self.reports.values()}

    def write_slices(self) -> list[Path]:
        """Write every slice whose content changed, and the roots of the data sets, which are not an input of anything.

        What stands for the data set itself is written only where nothing does yet (`seedbed.engines.data_state`).

        Returns:
            The files that were written.
        """
        roots = {name: declared.root for name, declared in self.config.datasets.items()}
        wanted = self.slices() | {self.results / PARAMS / ROOTS: roots}
        data = (self.graph().data_path, self.graph().masks_data_path)
        wanted |= {path: UNKNOWN_DATA for path in data if not path.exists()}
        return [path for path, content in wanted.items() if write_if_changed(path, to_json(content))]

    def output_folders(self) -> list[Path]:
        """Every folder that a stage command writes to, and that a run therefore locks."""
        folders = {self.graph().index_folder: None}
        folders |= {task.folder: None for task in self.tasks}
        folders |= {path.parent: None for path in self.judgements}
        return [*folders, *(report.folder for report in self.reports.values())]

    def commands(self, names: tuple[str, ...] = (ALL,), by_shard: bool = False) -> list[Command]:
        """Every command of the named reports, in an order that runs.

        Args:
            by_shard: one command per shard and one that gathers them, as Snakemake runs them; otherwise one per node.
        """
        found: dict[str, Command] = {}
        for name in names:
            report = self.asked(name)
            steps = [prepare_command(report.graph), masks_command(report.graph)]
            for task in report.tasks:
                steps += task_commands(report.graph, task, by_shard)
            steps += [judgement_command(report.graph, j) for j in report.judgements.values()]
            steps.append(report_command(report))
            found |= {command.unit: command for command in steps}
        return list(found.values())


def index_files(graph: TaskGraph) -> list[Path]:
    """What a stage reads from the index."""
    return [graph.index_folder / MANIFEST, graph.index_folder / INDEX]


def prepare_command(graph: TaskGraph) -> Command:
    """`prepare_dataset`."""
    unit = graph.index_key
    words = _script(PREPARE_DATASET.name, "--params", graph.index_slice_path, "--output", graph.index_folder)
    reads = (graph.index_slice_path, graph.data_path)
    return Command(unit, unit, words, reads, tuple(index_files(graph)))


def masks_command(graph: TaskGraph) -> Command:
    """`prepare_masks`."""
    unit, index = graph.masks_key, index_files(graph)
    options = ("--params", graph.masks_slice_path, "--index", index[0], "--output", graph.masks_path)
    reads = (graph.masks_slice_path, graph.masks_data_path, *index)
    return Command(unit, unit, _script(PREPARE_MASKS.name, *options), reads, (graph.masks_path,))


def input_files(graph: TaskGraph, task: Task, shard: str | None = None) -> dict[str, list[Path]]:
    """By input name: the manifest, then the files that are read: of sharded nodes its own shards."""
    shards = (shard,) if shard else task.shard_names
    files: dict[str, list[Path]] = {}
    for name, source in task.inputs.items():
        if not isinstance(source, Task):
            files[name] = [graph.masks_path]
        elif shards and source.stage.sharded:
            files[name] = [source.manifest, *(file for one in shards for file in source.data_files(one))]
        else:
            files[name] = [source.manifest, *source.data_files()]
    return files


def task_commands(graph: TaskGraph, task: Task, by_shard: bool = False) -> list[Command]:
    """The commands of a task: one command, or with `by_shard` one per shard and the gather step."""
    options: list[str | Path] = ["--params", task.slice_path, "--index", graph.index_folder / MANIFEST]
    for name, files in input_files(graph, task).items():
        options += [f"--{name.replace('_', '-')}", files[0]]
    options += ["--output", task.folder]

    def reads(shard: str | None) -> tuple[Path, ...]:
        inputs = input_files(graph, task, shard)
        return (task.slice_path, *index_files(graph), *(file for files in inputs.values() for file in files))

    shards = tuple(file for shard in task.shard_names for file in task.shard_files(shard))
    if not (task.stage.sharded and by_shard):
        writes = (task.manifest, *(shards or task.data_files()))
        return [Command(task.key, task.key, _script(task.stage.name, *options), reads(None), writes)]
    commands = [
        Command(
            f"{task.key}/{shard}",
            f"{task.key}-{shard}",
            _script(task.stage.name, *options, "--shard", shard),
            reads(shard),
            task.shard_files(shard),
        )
        for shard in task.shard_names
    ]
    words = _script(GATHER, "--params", task.slice_path, "--output", task.folder)
    gather = Command(task.key, f"{task.key}-gather", words, (task.slice_path, *shards), (task.manifest,))
    return [*commands, gather]


def judgement_command(graph: TaskGraph, judgement: Judgement) -> Command:
    """A judge's command."""
    options: list[str | Path] = ["--params", judgement.slice_path, "--index", graph.index_folder / MANIFEST]
    reads = [judgement.slice_path, *index_files(graph)]
    if judgement.stage.reads_masks:
        reads.append(graph.masks_path)
    for name, task in judgement.sources.items():
        options += [f"--{name.replace('_', '-')}", task.manifest]
        reads += [task.manifest, *judgement.source_files[name]]
    words = ("python", f"{SCRIPTS}/judge.py", judgement.stage.name, *map(str, options), "--output")
    return Command(
        judgement.key, judgement.key, (*words, str(judgement.path)), tuple(reads), (judgement.path,)
    )


def report_command(report: Report) -> Command:
    """`report`."""
    index = report.graph.index_folder
    words = _script(
        REPORT.name,
        *("--params", report.slice_path, "--index", index / MANIFEST, "--output", report.folder),
    )
    reads = (report.slice_path, *index_files(report.graph), report.graph.masks_path, *report.inputs())
    return Command(report.key, report.key, words, reads, tuple(report.outputs()))


def judge_main(arguments: Sequence[str] | None = None) -> int:
    """Run a judge's command, whose first word is the name of the judge's stage.

    Returns:
        Exit status, as `seedbed.runtime.options.main`.
    """
    name, *options = (sys.argv[1:] if arguments is None else arguments) or [""]
    if name not in JUDGE_STAGES:
        print(f"judge: error: {unknown_name('judge', name, JUDGE_STAGES)}", file=sys.stderr)
        return 1
    return main(JUDGE_STAGES[name], options, command=f"python {SCRIPTS}/judge.py {name}")


def _script(stage: str, *options: str | Path) -> tuple[str, ...]:
    return ("python", f"{SCRIPTS}/{stage}.py", *map(str, options))
