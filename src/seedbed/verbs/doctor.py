"""`seedbed doctor`: a data set's classes, and every fault of it and of the selected recipes, one line per cause.

Planning refuses what a recipe or a data set's settings get wrong; what depends on this machine is checked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seedbed.datasets import DatasetDeclaration, open_dataset
from seedbed.datasets.grouped import grouped
from seedbed.engines.data_state import look
from seedbed.errors import SeedbedError, unknown_name
from seedbed.metrics.class_groups import check_groups
from seedbed.networks.known import backbone_fault, weights_fault
from seedbed.plan.class_groups import report_parameters
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task
from seedbed.stages.import_maps import ImportParameters
from seedbed.verbs.doctor_data import DataReport
from seedbed.verbs.doctor_memory import memory_notes


class Findings(NamedTuple):
    """What is worth knowing, and what is wrong; one line each."""

    notes: list[str]
    faults: list[str]


def examine(
    workflow: Workflow, dataset: str | None = None, data_root: Path | None = None, every: bool = False
) -> Findings:
    """The classes of the data set, and all faults, each once; none if everything is sound.

    Args:
        workflow: the configuration and the recipes.
        dataset: data set of `params.yaml`; the configured one where None.
        data_root: its folder on this machine, instead of the declared one.
        every: each fault in a line of its own, instead of those of one cause together.
    """
    name = dataset or workflow.config.dataset
    try:
        declaration = workflow.config.declaration(name)
    except SeedbedError as error:
        return Findings([], [str(error)])
    data = read_data(name, declaration, data_root, every)
    seen = look(workflow.graph(name), root=data_root)
    tasks, faults = selected_tasks(workflow, name)
    for where, task in tasks.items():
        faults += [f"{where}: {fault}" for fault in parameter_faults(task.parameters.model_dump())]
        faults += [f"{where}: {fault}" for fault in import_faults(task, data.ids)]
    of_training = data.training_faults(tasks)
    faults = [*data.faults, *faults, *_added_faults(workflow, name)]
    faults += of_training if every else grouped(of_training)
    faults += group_faults(workflow, name, data.mask_classes)
    changed = [seen.line] if any(seen.changes) else []
    notes = [
        *data.notes,
        *changed,
        *memory_notes(data.largest, declaration.longest, tasks),
        *import_notes(tasks),
    ]
    return Findings(notes, list(dict.fromkeys(faults)))


def read_data(
    name: str, declaration: DatasetDeclaration, data_root: Path | None = None, every: bool = False
) -> DataReport:
    """A data set's classes and faults; where it cannot be opened, the fault of its declaration."""
    try:
        return DataReport.of(open_dataset(name, declaration, data_root), declaration.splits, every)
    except SeedbedError as error:
        return DataReport(name, faults=[str(error)])


def selected_tasks(workflow: Workflow, dataset: str) -> tuple[dict[str, Task], list[str]]:
    """Tasks of the selected recipes by recipe and node, and the faults of those that cannot be planned."""
    graph, rng = workflow.graph(dataset), workflow.config.rngs[0]
    tasks: dict[str, Task] = {}
    faults: list[str] = []
    for recipe in workflow.config.recipes:
        try:
            nodes = workflow.book.check(recipe).nodes
        except SeedbedError as error:
            faults.append(str(error))
            continue
        for node in nodes:
            for regions in (None, *workflow.config.thresholds):
                try:
                    task = graph.task(recipe, node, rng, regions)
                except SeedbedError as error:
                    faults.append(str(error))
                    continue
                tasks.setdefault(f"recipe {task.owner}, node {task.name}", task)
    return tasks, faults


def _added_faults(workflow: Workflow, dataset: str) -> Iterator[str]:
    """The fault of all selected recipes together: names of nodes, judges, reports; none for another data set."""
    if dataset != workflow.config.dataset:
        return
    try:
        _ = workflow.nodes_by_stage
        for report in workflow.reports.values():
            report.slice()
            for judgement in report.judgements.values():
                judgement.slice()
    except SeedbedError as error:
        yield str(error)


def group_faults(workflow: Workflow, dataset: str, classes: Sequence[str]) -> Iterator[str]:
    """The fault of a data set's groups of classes.

    Args:
        classes: of its masks; empty if it cannot be opened, and then the groups' names are not looked at.
    """
    try:
        groups = report_parameters(workflow.config, dataset).class_groups
        if groups is not None and classes:
            check_groups(groups, classes)
    except SeedbedError as error:
        yield str(error)
    except ValueError as error:
        file = workflow.config.declaration(dataset).class_groups
        yield f"{file or f'settings.{dataset}.report.class_groups'}: {error}"


def parameter_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Faults of a stage's parameters that its model cannot see."""
    if "backbone" in values:
        yield from backbone_faults(values["backbone"], values.get("weights", "none"))
    for crf in ("crf", "label_crf"):
        if values.get(crf, "none") != "none":
            yield from crf_faults(values[f"{crf}_engine"])


def import_faults(task: Task, ids: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Files of others' maps that are missing here.

    Args:
        ids: of each split.
    """
    if isinstance(task.parameters, ImportParameters):
        wanted = dict.fromkeys(i for split in task.splits for i in ids.get(split, ()))
        if fault := task.parameters.missing([*wanted]):
            yield fault


def import_notes(tasks: Mapping[str, Task]) -> Iterator[str]:
    """Others' maps of which no recipe says what masks were used in making them.

    Args:
        tasks: by the recipe and node that name them.
    """
    for where, task in tasks.items():
        if task.inherited and task.inherited == task.parameters.presumed():
            yield (
                f"{where}: nothing says what masks were used in making these files, so the ledger says that it is not "
                "known; declare it under `inherited`, or set made_without_masks: true"
            )


def backbone_faults(backbone: str, weights: str) -> Iterator[str]:
    """An unknown backbone, initial weights that it cannot have, a missing file; nothing is downloaded."""
    if fault := backbone_fault(backbone) or weights_fault(backbone, weights):
        yield fault
    kind, _, path = weights.partition(":")
    if kind == "file" and path and not Path(path).expanduser().is_file():
        yield f"initial weights: there is no file {path}"


def crf_faults(engine: str) -> Iterator[str]:
    """An unknown engine of the dense CRF, or one that does not import here."""
    import numpy as np

    from seedbed.refine.crf.dense_crf import CRF_PRESETS, ENGINES

    if engine not in ENGINES:
        yield unknown_name("CRF engine", engine, ENGINES)
        return
    try:
        ENGINES[engine](np.zeros((2, 2, 3), np.uint8), CRF_PRESETS["irn"])
    except (ValueError, ImportError) as error:
        yield str(error)
