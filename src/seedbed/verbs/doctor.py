"""`seedbed doctor`: every fault of a data set and of the selected recipes at once, one line each.

Planning imports neither torch nor timm, so names that only timm knows are checked here (and by the stage).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seedbed.datasets import DatasetDeclaration, open_dataset
from seedbed.errors import SeedbedError, unknown_name
from seedbed.plan.commands import Workflow


def examine(workflow: Workflow, dataset: str | None = None, data_root: Path | None = None) -> list[str]:
    """All faults, each once; empty if everything is sound.

    Args:
        workflow: the configuration and the recipes.
        dataset: data set of `params.yaml`; the configured one where None.
        data_root: its folder on this machine, instead of the declared one.
    """
    name = dataset or workflow.config.dataset
    try:
        declaration = workflow.config.declaration(name)
    except SeedbedError as error:
        return [str(error)]
    faults = [*dataset_faults(name, declaration, data_root), *recipe_faults(workflow, name)]
    return list(dict.fromkeys(faults))


def dataset_faults(name: str, declaration: DatasetDeclaration, data_root: Path | None = None) -> list[str]:
    """Faults of a data set's declaration, or, where it can be opened, of its files."""
    try:
        return open_dataset(name, declaration, data_root).faults()
    except SeedbedError as error:
        return [str(error)]


def recipe_faults(workflow: Workflow, dataset: str) -> Iterator[str]:
    """Faults of the selected recipes on a data set, node by node, with backbones, weights and CRF engines."""
    graph, rng = workflow.graph(dataset), workflow.config.rngs[0]
    for recipe in workflow.config.recipes:
        try:
            nodes = workflow.book.check(recipe).nodes
        except SeedbedError as error:
            yield str(error)
            continue
        for node in nodes:
            for regions in (None, *workflow.config.thresholds):
                try:
                    task = graph.task(recipe, node, rng, regions)
                except SeedbedError as error:
                    yield str(error)
                    continue
                where = f"recipe {task.owner}, node {task.name}"
                yield from (f"{where}: {fault}" for fault in parameter_faults(task.parameters.model_dump()))


def parameter_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Faults of a stage's parameters that its model cannot see."""
    if "backbone" in values:
        yield from backbone_faults(values["backbone"], values.get("weights", "none"))
    if "architecture" in values:
        from seedbed.networks.segmenters import SEGMENTERS

        if values["architecture"] not in SEGMENTERS:
            yield unknown_name("segmenter", values["architecture"], SEGMENTERS)
    if values.get("crf", "none") != "none":
        yield from crf_faults(values["crf_engine"])


def backbone_faults(backbone: str, weights: str) -> Iterator[str]:
    """An unknown backbone, or initial weights that it cannot have; nothing is downloaded."""
    import timm

    from seedbed.networks.weights import EMBEDDED_BACKBONE

    known = timm.list_models()
    if backbone not in known:
        yield unknown_name("backbone", backbone, known)
        return
    kind, _, rest = weights.partition(":")
    if kind == "timm":
        tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{backbone}.*")]
        if rest not in tags:
            yield unknown_name(f"weights tag of {backbone}", rest, tags)
    elif kind == "file":
        if not Path(rest).expanduser().is_file():
            yield f"initial weights: there is no file {rest}"
    elif kind == "embedded":
        if backbone != EMBEDDED_BACKBONE:
            yield f"embedded weights exist for {EMBEDDED_BACKBONE} only, not for {backbone}; set `weights`"
    elif kind != "none":
        yield unknown_name("initial weights", weights, ["none", "embedded", "timm:<tag>", "file:<path>"])


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
