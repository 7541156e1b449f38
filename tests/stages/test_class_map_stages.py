"""`class_map` through the stages: CAMs have the classes of the labels; label maps, segmenters and scores the masks'."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from seedbed.artifacts.artifact import Artifact
from seedbed.errors import SeedbedError
from seedbed.metrics.confusion import confusion_counts
from seedbed.plan.commands import ALL_STAGES, Workflow
from seedbed.plan.config import parse_config
from seedbed.plan.task import Task
from seedbed.recipes import RecipeBook
from seedbed.refine.confident_regions import decide_argmax
from seedbed.runtime.contract import Job
from seedbed.stages.predict import _present_classes
from stages_in_process import run_command

OWN = ["cat", "cow", "dog"]
PRESENT = 0.515
"""The classifier, hardly trained, says 0.50 to 0.51 of four images and 0.52 of two."""
CLASS_MAP = {"masks": {"pet": ["cat", "dog"], "background": "cow"}}
LOOKUP = np.array([0, 1, 0, 1, *range(4, 256)], np.uint8)
SMALL: dict[str, Any] = {"backbone": "test_resnet", "weights": "none", "epochs": 1, "batch_size": 4}
SMALL["augmentation"] = {"resize_long": [32, 40], "crop": 32}
NODES: dict[str, Any] = {
    "classifier": {"stage": "train_classifier", "with": {**SMALL, "output_stride": 32, "conv_head": False}},
    "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}, "with": {"scales": [1.0]}},
    "regions": {"stage": "confident_regions", "from": {"cams": "cams"}, "with": {"crf": "none"}},
    "pseudo": {"stage": "pseudo_masks", "from": {"cams": "cams"}, "with": {"crf": "none"}},
    "voted": {
        "stage": "superpixel_vote",
        "from": {"labels": "pseudo"},
        "with": {"n_segments": 9, "smoothing": 3},
    },
    "segmenter": {
        "stage": "train_segmenter",
        "from": {"labels": "voted"},
        "with": {**SMALL, "architecture": "unet"},
    },
    "predictions": {"stage": "predict", "from": {"segmenter": "segmenter"}, "with": {"splits": ["train"]}},
    "labelled": {
        "stage": "predict",
        "from": {"segmenter": "segmenter"},
        "with": {"splits": ["train"], "classes": "labelled", "crf": "deeplab-v2"},
    },
    "classification": {
        "stage": "classify",
        "from": {"classifier": "classifier"},
        "with": {"splits": ["train"]},
    },
    "classified": {
        "stage": "predict",
        "from": {"segmenter": "segmenter", "classification": "classification"},
        "with": {"splits": ["train"], "classes": "classified", "present_above": PRESENT},
    },
}
IDS = [f"{k}.png" for k in range(6)]


def write_data(folder: Path) -> None:
    (folder / "masks").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = [",".join(["image_id", *OWN])]
    for number, image_id in enumerate(IDS):
        Image.fromarray(rng.integers(0, 256, (36, 40, 3), dtype=np.uint8)).save(folder / image_id)
        mask = np.zeros((36, 40), np.uint8)
        present = [number % 3, (number + 1) % 3][: 1 + number % 2]
        for place, c in enumerate(present):
            mask[12 * place : 12 * place + 12, 5:30] = c + 1
        mask[-1] = 255
        Image.fromarray(mask).save(folder / "masks" / image_id)
        lines.append(",".join([image_id, *("1" if c in present else "0" for c in range(3))]))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def run_recipe(folder: Path, nodes: list[str], scores: list[str], **declared: Any) -> dict[str, Task]:
    (folder / "recipes").mkdir(parents=True)
    recipe = {"nodes": {name: NODES[name] for name in nodes}, "scores": scores}
    (folder / "recipes" / "mapped.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    data_set = {
        "kind": "folder",
        "root": str(folder.parent / "data"),
        "splits": {"train": {}},
        "with": {"masks": "masks"},
        **declared,
    }
    raw = {"dataset": "toy", "recipes": ["mapped"], "datasets": {"toy": data_set}}
    workflow = Workflow(parse_config(raw), RecipeBook(folder / "recipes"), folder / "results")
    workflow.write_slices()
    for command in workflow.commands():
        run_command(command)
    return workflow.graph().recipe_tasks("mapped", 0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Task], dict[str, Task]]:
    """All nodes with the map, and those up to pseudo masks without one."""
    folder = tmp_path_factory.mktemp("mapped")
    write_data(folder / "data")
    scored = ["cams", "regions", "pseudo", "predictions", "labelled", "classified"]
    mapped = run_recipe(folder / "mapped", list(NODES), scored, class_map=CLASS_MAP)
    return mapped, run_recipe(folder / "plain", list(NODES)[:4], [])


def scores_of(task: Task, node: str) -> dict[str, Any]:
    path = next((task.folder.parent / "scores").glob(f"{node}-train.json"))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_each_node_names_the_classes_that_it_has(runs) -> None:
    classes = {name: Artifact(task.manifest).classes for name, task in runs[0].items()}
    ours, theirs = tuple(OWN), ("pet",)
    assert {name: tuple(found) for name, found in classes.items()} == {
        "classifier": ours,
        "cams": ours,
        "classification": ours,
        "labelled": theirs,
        "classified": theirs,
        "regions": theirs,
        "pseudo": theirs,
        "voted": theirs,
        "segmenter": theirs,
        "predictions": theirs,
    }
    index = Artifact(runs[0]["cams"].results / "toy" / "index").manifest
    assert index.facts == {"classes": OWN, "mask_classes": ["pet"]}


def test_a_map_of_masks_leaves_classifier_and_cams_as_they_are(runs) -> None:
    mapped, plain = ([Artifact(tasks[n].manifest).manifest for n in ("classifier", "cams")] for tasks in runs)
    assert [one.content for one in mapped] == [one.content for one in plain]


@pytest.mark.parametrize("node", ["regions", "pseudo"])
def test_label_maps_are_joined_after_the_decision(runs, node) -> None:
    mapped, plain = (Artifact(tasks[node].manifest).open("train") for tasks in runs)
    assert any((plain[i] == 2).any() for i in IDS), "no pixel of a dropped class"
    for image_id in IDS:
        assert (mapped[image_id] == LOOKUP[plain[image_id]]).all()


def test_the_segmenter_tells_pets_from_background(runs) -> None:
    predictions = Artifact(runs[0]["predictions"].manifest).open("train")
    assert set(np.unique(np.stack([predictions[i] for i in IDS]))) <= {0, 1}
    assert scores_of(runs[0]["predictions"], "predictions")["classes"] == ["background", "pet"]


def truth_of(tasks: dict[str, Task], image_id: str) -> np.ndarray:
    folder = tasks["cams"].results.parent.parent / "data" / "masks"
    return LOOKUP[np.array(Image.open(folder / image_id))]


def test_cams_are_scored_as_label_maps_joined_after_the_decision(runs) -> None:
    tasks = runs[0]
    cams = Artifact(tasks["cams"].manifest).open("train")
    found = scores_of(tasks["cams"], "cams")
    counts = np.zeros((2, 3), np.int64)
    for image_id in IDS:
        decided = decide_argmax(cams.scores(image_id), cams[image_id].class_ids, found["fixed_threshold"])
        counts += confusion_counts(truth_of(tasks, image_id), LOOKUP[decided], 2)
    assert found["counts"] == counts.tolist()
    assert counts[1, 1] > 0
    assert found["classes"] == ["background", "pet"]


@pytest.mark.parametrize("node", ["regions", "pseudo", "predictions"])
def test_label_maps_are_scored_on_the_joined_masks(runs, node) -> None:
    tasks = runs[0]
    maps = Artifact(tasks[node].manifest).open("train")
    counts = sum(confusion_counts(truth_of(tasks, i), maps[i], 2) for i in IDS)
    assert scores_of(tasks[node], node)["counts"] == counts.tolist()


def planned_slices(folder: Path, class_map: dict[str, Any] | None) -> dict[str, Any]:
    """Slices of the tasks and judgements by name, as planned."""
    (folder / "recipes").mkdir(parents=True, exist_ok=True)
    recipe = {"nodes": NODES, "scores": ["cams", "pseudo"]}
    (folder / "recipes" / "mapped.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    declared: dict[str, Any] = {"kind": "folder", "root": "data", "splits": {"train": {}}}
    declared |= {"class_map": class_map} if class_map else {}
    raw = {"dataset": "toy", "recipes": ["mapped"], "datasets": {"toy": declared}}
    workflow = Workflow(parse_config(raw), RecipeBook(folder / "recipes"), folder / "results")
    tasks = {name: task.slice() for name, task in workflow.graph().recipe_tasks("mapped", 0).items()}
    return tasks | {j.name: j.slice() for j in workflow.judgements.values() if j.judge == "scores"}


def test_other_classes_of_masks_make_label_maps_and_their_scores_stale(tmp_path: Path) -> None:
    """Even where the pixels stay the same, as after a new name; classifiers and CAMs are those of before."""
    plain = planned_slices(tmp_path, None)
    pet = planned_slices(tmp_path, CLASS_MAP)
    animal = planned_slices(tmp_path, {"masks": {"animal": ["cat", "dog"], "background": "cow"}})
    same = {name for name in plain if plain[name] == pet[name] == animal[name]}
    assert same == {"classifier", "cams", "classification"}
    changed = plain.keys() - same
    assert changed >= {"regions", "pseudo", "voted", "segmenter", "predictions", "cams-train", "pseudo-train"}
    for name in changed:
        assert pet[name]["mask_classes"] == {"background": ["cow"], "pet": ["cat", "dog"]}
        assert animal[name]["mask_classes"] != pet[name]["mask_classes"]
        assert "mask_classes" not in plain[name]


def test_predictions_have_only_what_labels_or_the_classifier_allow(
    runs: tuple[dict[str, Task], dict[str, Task]],
) -> None:
    """The segmenter's classes are those of the masks: pet is cat or dog, cow is background."""
    mapped, _ = runs
    everything = Artifact(mapped["predictions"].folder).open("train")
    probabilities = Artifact(mapped["classification"].folder).open("train")
    labels = Artifact(mapped["labelled"].folder).open("train")
    classified = Artifact(mapped["classified"].folder).open("train")
    pets, found = 0, []
    for number, image_id in enumerate(IDS):
        own = {number % 3, (number + 1) % 3} if number % 2 else {number % 3}
        assert set(np.unique(labels[image_id])) <= ({0, 1} if own & {0, 2} else {0})
        cat, _, dog = probabilities[image_id]["probabilities"]
        found.append(max(cat, dog) > PRESENT)
        if found[-1]:
            np.testing.assert_array_equal(classified[image_id], everything[image_id])
        else:
            assert not classified[image_id].any()
        pets += int((everything[image_id] == 1).sum())
    assert {*found} == {True, False}, "one of the two cases was not seen"
    assert pets, "a segmenter that predicts background only shows nothing"


@pytest.mark.parametrize("of_masks", [True, False])
def test_the_log_counts_label_maps_without_foreground_or_background(
    monkeypatch: pytest.MonkeyPatch, of_masks: bool
) -> None:
    """Of four images of 2 × 2 pixels, one is background only, two have none, one has both; where the network tells the
    classes of labels, masks have background instead of its class."""
    foreground = {"a": np.zeros(4), "b": np.ones(4), "c": np.ones(4), "d": np.arange(4) % 2}
    scores = iter(np.stack([1 - f, f]).reshape(2, 2, 2).astype(np.float32) for f in foreground.values())
    segmenter = SimpleNamespace(meaning=SimpleNamespace(of_masks=of_masks))
    monkeypatch.setattr(Job, "artifact", lambda self, name: segmenter)
    monkeypatch.setattr("seedbed.methods.trained.load_segmenter", lambda *given: None)
    monkeypatch.setattr("seedbed.stages.predict.image_probabilities", lambda *given: next(scores))
    job, told = object.__new__(Job), list[str]()
    job.parameters, job.device, job.epochs = ALL_STAGES["predict"].validate({}, "test"), "cpu", {}
    job.image_ids, job.log = list(foreground), told.append
    job.dataset = SimpleNamespace(
        image=lambda image_id: Image.new("RGB", (2, 2)), in_mask_classes=lambda label_map: 0 * label_map
    )
    assert len(list(ALL_STAGES["predict"].run(job))) == 4
    counted = ["1 of 4 label maps are background only", "2 of 4 label maps have no background"]
    assert told == (counted if of_masks else ["4 of 4 label maps are background only"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"classes": "labelled"},
            "classes: labelled is for split train, got splits val; take classes: classified",
        ),
        ({"classes": "labelled", "splits": ["train", "val"]}, "got splits train, val"),
    ],
)
def test_labels_of_other_splits_are_not_used_for_predictions(given: dict[str, Any], message: str) -> None:
    assert message in " ".join(ALL_STAGES["predict"].validate(given, "test").faults())


@pytest.mark.parametrize("given", [{"classes": "classified"}, {"classes": "labelled", "splits": ["val"]}])
def test_a_job_without_its_classification_or_with_labels_of_val_stops(given: dict[str, Any]) -> None:
    """Nothing falls back on the labels of images that are scored, whatever planning let through."""
    job = object.__new__(Job)
    job.parameters, job.inputs, job.split = ALL_STAGES["predict"].validate(given, "test"), {}, "val"
    job.dataset = SimpleNamespace(labels=lambda image_id: np.ones(3, bool))
    with pytest.raises(SeedbedError, match=r"expected an artifact as input classification|for split train"):
        _present_classes(job)


@pytest.mark.parametrize(
    ("setting", "node", "message"),
    [
        (
            {"classes": "classified"},
            "predictions",
            "needs `from: {classification: NODE}` with these parameters",
        ),
        ({"classes": "all"}, "asking", "does not use `from: {classification: NODE}`"),
    ],
)
def test_settings_of_a_data_set_and_inputs_of_a_recipe_go_together(tmp_path, setting, node, message) -> None:
    """What a recipe leaves to the settings is checked with them."""
    nodes = {name: NODES[name] for name in ("classifier", "classification", "segmenter", "predictions")}
    nodes["segmenter"] = {**nodes["segmenter"], "from": {"labels": "masks"}}
    nodes["asking"] = {"stage": "predict", "from": NODES["classified"]["from"], "with": {"splits": ["train"]}}
    wanted = {name: one for name, one in nodes.items() if name not in {"predictions", "asking"} - {node}}
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "mapped.yaml").write_text(yaml.safe_dump({"nodes": wanted, "scores": []}))
    declared = {"kind": "folder", "root": "data", "splits": {"train": {}}}
    raw = {"dataset": "toy", "recipes": ["mapped"], "datasets": {"toy": declared}}
    raw["settings"] = {"toy": {"predict": setting}}
    with pytest.raises(SeedbedError) as caught:
        Workflow(parse_config(raw), RecipeBook(tmp_path / "recipes"), tmp_path / "results").write_slices()
    assert message in str(caught.value)


def test_a_threshold_that_is_not_asked_changes_no_slice() -> None:
    stage = ALL_STAGES["predict"]
    given = {"splits": ["train"], "classes": "labelled"}
    assert stage.validate({**given, "present_above": 0.2}, "test").slice() == given
    asked = {"classes": "classified", "present_above": 0.2}
    assert stage.validate(asked, "test").slice() == asked


@pytest.mark.parametrize("given", [{"crf": "none"}, {"crf": "irn", "decide": "same_pair"}])
def test_a_crf_on_scores_needs_a_crf_and_argmax(given: dict[str, Any]) -> None:
    faults = ALL_STAGES["pseudo_masks"].validate({"crf_unary": "scores", **given}, "test").faults()
    assert "crf_unary: scores goes with a CRF and decide: argmax" in " ".join(faults)
