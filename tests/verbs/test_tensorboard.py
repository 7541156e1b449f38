"""`seedbed tensorboard`: the points that it writes, and what the files hold."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from result_files import change, judgement_bytes
from seedbed.artifacts.manifest import sha256_bytes
from seedbed.errors import SeedbedError
from seedbed.verbs.tensorboard import Scalar, curves, stale_runs, write_events

HISTORY = b"epoch,step,lr,classifier/loss,extra\n1,0,0.1,0.75,\n2,1,0.05,0.5,3\n"
POINTS = [
    Scalar("classifier/epoch", 0, 1.0),
    Scalar("classifier/lr", 0, 0.1),
    Scalar("classifier/classifier/loss", 0, 0.75),
    Scalar("classifier/epoch", 1, 2.0),
    Scalar("classifier/lr", 1, 0.05),
    Scalar("classifier/classifier/loss", 1, 0.5),
    Scalar("classifier/extra", 1, 3.0),
]


def log(folder: Path, text: bytes = HISTORY) -> None:
    """A history in an artifact, with a manifest that names it."""
    (folder / "history.csv").write_bytes(text)
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    change(
        folder / "manifest.json",
        files=files | {"history.csv": {"size": len(text), "sha256": sha256_bytes(text)}},
    )


def test_points_of_histories_and_scores(tree: Any) -> None:
    """Of two kept epochs one is scored, at its own step; other scores stand at 0."""
    workflow = tree.workflow(recipes=["base"], rngs=[0], thresholds=[])
    classifier = workflow.graph().task("base", "classifier", 0)
    tree.make(workflow, [classifier])
    log(classifier.folder)
    scores = classifier.folder.parent / "scores/cams-train.json"
    scores.parent.mkdir()
    found = {"mean_iou": 0.25, "mean_average_precision": None}
    scores.write_bytes(judgement_bytes("cams", "train", "cam", found))
    assert curves(workflow) == {"base/rng0": [*POINTS, Scalar("scores/cams-train/mean_iou", 0, 0.25)]}
    assert curves(workflow, ["unet"]) == curves(workflow)
    assert stale_runs(workflow) == ["toy/base/rng0/scores/cams-train"]
    with pytest.raises(SeedbedError, match="unknown recipe 'unett'; did you mean unet"):
        curves(workflow, ["unett"])


def test_a_kept_epoch_is_the_step_of_its_score(tree: Any) -> None:
    settings = {"toy": {"train_classifier": {"keep_epochs": [2]}}}
    tree.workflow()
    early = {
        "nodes": {"early": {"stage": "classify", "from": {"classifier": "base.classifier@epoch2"}}},
        "scores": ["early"],
    }
    (tree.folder / "recipes/early.yaml").write_text(json.dumps(early))
    workflow = tree.workflow(recipes=["early"], rngs=[0], thresholds=[], settings=settings)
    path = tree.results / "toy/early/rng0/scores/early-val.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(judgement_bytes("early", "val", "classification", {"mean_average_precision": 0.5}))
    points = [Scalar("scores/early-val/mean_average_precision", 2, 0.5)]
    assert curves(workflow) == {"early/rng0": points}


def test_a_changed_history_is_refused(tree: Any) -> None:
    workflow = tree.workflow(recipes=["base"], rngs=[0], thresholds=[])
    classifier = workflow.graph().task("base", "classifier", 0)
    tree.make(workflow, [classifier])
    log(classifier.folder)
    (classifier.folder / "history.csv").write_bytes(HISTORY.replace(b"0.75", b"0.95"))
    with pytest.raises(SeedbedError, match=r"history\.csv"):
        curves(workflow)


def records(path: Path) -> Iterator[bytes]:
    """Of an event file (TFRecord): length in 8 bytes, 4 of checksum, the record, 4 of checksum."""
    content = path.read_bytes()
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield content[12 : 12 + length]
        content = content[16 + length :]


def test_event_files_hold_the_points_of_the_last_call(tmp_path: Path) -> None:
    for _ in range(2):
        assert write_events({"base/rng0": POINTS}, tmp_path) == len(POINTS)
    (path,) = (tmp_path / "base/rng0").iterdir()
    events = [Event.FromString(record) for record in records(path)]
    found = [Scalar(one.tag, event.step, one.simple_value) for event in events for one in event.summary.value]
    assert found == [point._replace(value=pytest.approx(point.value)) for point in POINTS]
