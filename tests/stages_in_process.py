"""Stage commands run in this process, and maps that stand for an artifact, for the tests of stages."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.maps import Maps, MapStore
from seedbed.plan.commands import ALL_STAGES, Command, judge_main
from seedbed.report.page import run as make_page
from seedbed.runtime.contract import Job, Stage
from seedbed.runtime.options import gather_main, main
from seedbed.stages.registry import STAGES


def run_command(command: Command, *more: str) -> None:
    """Run a command of the workflow as its script would."""
    name, words = Path(command.words[1]).stem, [*command.words[2:], *more]
    if name == "gather":
        status = gather_main(STAGES, words)
    elif name == "judge":
        status = judge_main(words)
    else:
        status = main(ALL_STAGES[name], words, run=make_page if name == "report" else None)
    assert status == 0, command.line()


class StoredMaps(Artifact):
    """An artifact of maps in memory, by image id."""

    def __init__(self, normalisation: str, **maps: Maps) -> None:
        self.manifest = SimpleNamespace(facts={"normalisation": normalisation, "classes": ["cat", "dog"]})
        self.maps = maps

    def open(self, split: str | None = None, shard: str | None = None) -> Any:
        """The store, whatever the split."""
        maps = self.maps

        class Store(MapStore):
            def __getitem__(self, image_id: str) -> Maps:
                return maps[image_id]

        return Store([], self.manifest.facts)


class StoredSaliency(StoredMaps):
    """The same of saliency maps."""

    def __init__(self, normalisation: str, **maps: Maps) -> None:
        super().__init__(normalisation, **maps)
        self.manifest.facts["channels"] = ["saliency"]


class StoredLabels(Artifact):
    """An artifact of one label map in memory, that of the image `a`."""

    def __init__(self, name: str, label_map: np.ndarray) -> None:
        self.folder, self.label_map = Path(name), label_map

    def open(self, split: str | None = None, shard: str | None = None) -> Any:
        """The label map by image id."""
        assert (split, shard) == ("train", "train-0")
        return {"a": self.label_map}


def label_map_of(
    stage: Stage, inputs: dict[str, StoredLabels], dataset: Any = None, **parameters: Any
) -> np.ndarray:
    """What a stage that makes label maps from label maps yields for the image `a`."""
    job = object.__new__(Job)
    values = {
        "parameters": stage.validate(parameters, "test"),
        "dataset": dataset,
        "inputs": inputs,
        "image_ids": ("a",),
        "split": "train",
        "shard": "train-0",
    }
    for name, value in values.items():
        setattr(job, name, value)
    ((image_id, found),) = stage.run(job)
    assert image_id == "a"
    return found
