"""Results of a toy data set made by hand: artifacts of ten-byte files with true manifests."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from recipe_files import make_workflow
from result_files import judgement_bytes, masks_bytes
from seedbed.artifacts.manifest import FileEntry, Manifest, sha256_bytes, to_json
from seedbed.engines.restored import masks_key
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task

PAIRS = ["bg0.05-fg0.30", "bg0.10-fg0.40", "bg0.15-fg0.50"]
UNET = {"extends": "base", "nodes": {"segmenter": {"with": {"architecture": "unet"}}}}
INDEX_CONTENT = sha256_bytes(b"index")


def masks_of(workflow: Workflow) -> bytes:
    return masks_bytes(made_with=masks_key(workflow.graph(), INDEX_CONTENT))


def content_of(task: Task) -> str:
    """The content digest that a task's manifest is given."""
    return sha256_bytes(task.key.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Without the wait for the disk that real artifacts are worth."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


class Tree:
    """A checkout in a folder: recipes base and unet, two seeds, three pairs, and results as they are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"

    def workflow(self, **config: Any) -> Workflow:
        """The workflow; `config` changes params.yaml. Recipes on disk stay as they are."""
        wanted = {"recipes": ["base", "unet"], "rngs": [0, 1], "thresholds": PAIRS} | config
        recipes = {} if (self.folder / "recipes").exists() else {"unet": UNET}
        return make_workflow(self.folder, wanted, **recipes)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def write(self, path: str, content: bytes = b"0123456789") -> Path:
        """A file below the folder."""
        write_bytes(self.folder / path, content)
        return self.folder / path

    def make(self, workflow: Workflow, tasks: Iterable[Task] | None = None) -> None:
        """The index and the artifacts of all tasks, or of some."""
        graph = workflow.graph()
        index = graph.index_folder
        self._artifact(index, graph.index_slice(), {}, [index / "index.csv"], INDEX_CONTENT)
        write_bytes(index / "masks.csv", masks_of(workflow))
        for task in workflow.tasks if tasks is None else tasks:
            inputs = {"index": [INDEX_CONTENT]}
            inputs |= {name: [content_of(source)] for name, source in task.sources.items()}
            self._artifact(task.folder, task.slice(), inputs, task.data_files(), content_of(task))
            for shard in task.shard_names:
                data, sidecar = task.shard_files(shard)
                self._artifact(task.folder, task.slice(), inputs, [data], content_of(task), sidecar.name)

    def _artifact(
        self,
        folder: Path,
        content: dict[str, Any],
        inputs: dict[str, list[str]],
        files: list[Path],
        digest: str,
        name: str = "manifest.json",
        **facts: Any,
    ) -> None:
        for file in files:
            write_bytes(file, b"0123456789")
        manifest = Manifest(
            stage=content["stage"],
            stage_version=1,
            dataset="toy",
            parameters=content,
            inputs=inputs,
            files={f.name: FileEntry(size=10, sha256=sha256_bytes(b"0123456789")) for f in files},
            images={},
            facts=facts,
            ledger=[],
            content=digest,
        )
        write_bytes(folder / name, manifest.to_bytes())

    def judge(self, workflow: Workflow) -> None:
        """All judges' files: nothing but what they were made from."""
        for judgement in workflow.judgements.values():
            inputs = {"index": [INDEX_CONTENT]}
            if judgement.stage.reads_masks:
                inputs["masks"] = [sha256_bytes(masks_of(workflow))]
            inputs |= {name: [content_of(source)] for name, source in judgement.sources.items()}
            told = {"parameters": judgement.slice(), "inputs": inputs}
            content = judgement_bytes(judgement.task.name, judgement.split, "cam", {"mean_iou": 0.5}, **told)
            write_bytes(judgement.path, content)

    def report(self, workflow: Workflow, name: str = "all") -> None:
        """A report's page."""
        report = workflow.reports[name]
        inputs = {"index": [INDEX_CONTENT], "masks": [sha256_bytes(masks_of(workflow))]}
        sources = {task.key: content_of(task) for task in report.tasks}
        sources |= {
            f"{key}.json": sha256_bytes(judgement.path.read_bytes())
            for key, judgement in report.judgements.items()
        }
        files = report.outputs()[1:]
        self._artifact(report.folder, report.slice(), inputs, files, "0", sources=sources)

    def ran(self, folder: Path, stage: str, unit: str, seconds: float) -> None:
        """Facts of a run as the stage command leaves them."""
        facts = {"command": [f"{stage}.py", "--params", "x"], "seconds": seconds}
        write_bytes(folder / ".runs" / f"{unit}.json", to_json(facts))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Recipes only; no results yet."""
    return Tree(tmp_path)
