"""Saliency on composites, in process: C²AM tells figure from ground; hints, PoolNet, and regions that use saliency.

Scores are of the exact masks, which nothing here was made from.
"""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.maps import Maps
from seedbed.datasets.declaration import DatasetDeclaration
from seedbed.datasets.index import IndexedDataset
from seedbed.datasets.table import open_dataset
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow, prepare_command, task_commands
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.runtime.contract import Job
from seedbed.stages import confident_regions, dump_saliency
from stages_in_process import StoredMaps, StoredSaliency, run_command

DATASET = {
    "kind": "composites",
    "shards": 2,
    "splits": {"train": {}, "val": {}},
    "with": {"images": {"train": 24, "val": 2}, "size": 80},
}
TINY = {"backbone": "test_resnet", "weights": "none", "epochs": 1, "batch_size": 8}
C2AM = {"lr": 0.002, "epochs": 4, "batch_size": 8, "augmentation": {"resize_long": [80, 80], "crop": 80}}
PAIR = {"regions": "bg0.40-fg0.40", "crf": "none"}
ONE_VIEW = {"scales": [1], "flip": False}
RECIPE = {
    "nodes": {
        "classifier": {"stage": "train_classifier", "with": TINY},
        "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}, "with": {"scales": [1]}},
        "division": {"stage": "train_saliency", "with": C2AM},
        "divided": {"stage": "dump_saliency", "from": {"saliency_network": "division"}, "with": ONE_VIEW},
        "hinted_network": {
            "stage": "train_saliency",
            "from": {"hints": "cams"},
            "with": TINY | {"method": "c2am_hints", "label_smoothing": 0.1},
        },
        "hinted": {
            "stage": "dump_saliency",
            "from": {"saliency_network": "hinted_network"},
            "with": {"fusion": "sum", "crf": "irn", "crf_threshold": 0.2, "scales": [0.5, 1]},
        },
        "poolnet": {
            "stage": "train_saliency",
            "from": {"saliency": "hinted"},
            "with": TINY
            | {
                "method": "poolnet",
                "decoder_width": 4,
                "batch_size": 1,
                "accumulate": 10,
                "optimiser": "adam",
                "lr": 0.0001,
            },
        },
        "pooled": {"stage": "dump_saliency", "from": {"saliency_network": "poolnet"}, "with": ONE_VIEW},
        "plain_regions": {"stage": "confident_regions", "from": {"cams": "cams"}, "with": PAIR},
        "salient_regions": {
            "stage": "confident_regions",
            "from": {"cams": "cams", "saliency": "divided"},
            "with": PAIR,
        },
    }
}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    folder = tmp_path_factory.mktemp("saliency")
    (folder / "recipes").mkdir(parents=True)
    (folder / "recipes" / "small.yaml").write_text(yaml.safe_dump(RECIPE))
    small = {"augmentation": {"resize_long": [64, 96], "crop": 64}}
    config = {
        "dataset": "composites",
        "recipes": ["small"],
        "datasets": {"composites": DATASET},
        "settings": {"composites": {"train_classifier": small, "train_saliency": small}},
    }
    workflow = Workflow(parse_config(config), RecipeBook(folder / "recipes"), folder / "results")
    workflow.write_slices()
    run_command(prepare_command(workflow.graph()))
    return workflow


def made(workflow: Workflow, node: str) -> Artifact:
    """An artifact, with what it needs, made once and without a look at any mask."""
    task = workflow.graph().task("small", node, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IndexedDataset, "mask", _refuse)
        for one in task.ancestors():
            if not one.manifest.exists():
                for command in task_commands(workflow.graph(), one):
                    run_command(command)
    return Artifact(task.manifest)


def _refuse(self: IndexedDataset, image_id: str) -> None:
    raise AssertionError(f"the mask of {image_id} was read")


def f_scores(workflow: Workflow, node: str) -> dict[str, float]:
    """F1 of saliency above 1/2, of everything, and of a central box of 70 % of each side; pooled over pixels."""
    truth = open_dataset("composites", DatasetDeclaration.model_validate(DATASET), None)
    saliency = made(workflow, node).open("train")
    found: dict[str, list[np.ndarray]] = {}
    for image_id in truth.image_ids("train"):
        mask = truth.mask(image_id) > 0
        centre = np.zeros_like(mask)
        top, left = (round(0.15 * side) for side in mask.shape)
        centre[top:-top, left:-left] = True
        shown = {"saliency": saliency.scores(image_id)[0] > 0.5, "all": np.ones_like(mask), "centre": centre}
        for name, salient in shown.items():
            counts = np.array([(salient & mask).sum(), (salient != mask).sum()])
            found.setdefault(name, []).append(counts)
    sums = {name: np.sum(counts, axis=0) for name, counts in found.items()}
    return {name: float(2 * both / (2 * both + wrong)) for name, (both, wrong) in sums.items()}


def test_c2am_learns_to_tell_figure_from_ground(workflow: Workflow) -> None:
    scores = f_scores(workflow, "divided")
    print(", ".join(f"{name} {score:.3f}" for name, score in scores.items()))
    assert scores["saliency"] > max(scores["all"], scores["centre"]) + 0.03


def test_the_polarity_is_in_the_networks_facts(workflow: Workflow) -> None:
    polarity = made(workflow, "division").manifest.facts["polarity"]
    assert (polarity["rule"], polarity["images"]) == ("border mean", 24)
    assert polarity["inverted"] is (polarity["border_mean"] > 0.5)
    hinted, pooled = (made(workflow, name).manifest for name in ("hinted_network", "poolnet"))
    assert [one.facts["polarity"] for one in (hinted, pooled)] == [
        {"inverted": False, "rule": rule} for rule in ("hints", "saliency")
    ]
    assert hinted.ledger == pooled.ledger == []


def test_saliency_of_every_image(workflow: Workflow) -> None:
    divided, hinted, pooled = (made(workflow, name) for name in ("divided", "hinted", "pooled"))
    assert hinted.manifest.facts["channels"] == ["saliency"]
    for artifact in (divided, hinted, pooled):
        maps = artifact.open("train")
        assert len(list(maps)) == 24
        for image_id in maps:
            assert maps[image_id].class_ids == (0,)
            (field,) = maps.fields(image_id).values()
            assert field.shape == (1, *maps[image_id].size)
            assert field.min() >= 0
            assert field.max() <= 1
    after = hinted.open("train")
    assert {float(v) for image_id in after for v in np.unique(after.scores(image_id))} == {0.0, 1.0}


def test_regions_with_and_without_saliency(workflow: Workflow) -> None:
    plain, salient = (made(workflow, name).open("train") for name in ("plain_regions", "salient_regions"))
    assert list(plain) == list(salient)
    assert any((plain[i] != salient[i]).any() for i in plain)
    labels = {int(v) for image_id in salient for v in np.unique(salient[image_id])}
    assert {0, 255} < labels


class Photographs:
    """Two of 2 x 2 pixels."""

    def size(self, image_id: str) -> tuple[int, int]:
        return 2, 2

    def image(self, image_id: str) -> None:
        raise AssertionError("no CRF, so no photograph")

    def in_mask_classes(self, label_map: np.ndarray) -> np.ndarray:
        return label_map


CAM = np.array([[[4.0, 2.0], [1.0, 0.0]]], np.float32)
CAMS = StoredMaps("max", a=Maps((1,), (2, 2), (CAM,)), b=Maps((), (2, 2), ()))


def regions(saliency: StoredMaps | None, setting: str = "bg0.10-fg0.40") -> dict[str, list[list[int]]]:
    job = object.__new__(Job)
    parameters = confident_regions.STAGE.validate({"crf": "none", "regions": setting}, "test")
    inputs = {"cams": CAMS} | ({} if saliency is None else {"saliency": saliency})
    values = {
        "parameters": parameters,
        "inputs": inputs,
        "split": "train",
        "shard": "train-0",
        "image_ids": ("a", "b"),
    }
    for name, value in (values | {"dataset": Photographs()}).items():
        setattr(job, name, value)
    return {image_id: label_map.tolist() for image_id, label_map in confident_regions.run(job)}


def stored(*maps: np.ndarray, size: tuple[int, int] = (2, 2)) -> StoredSaliency:
    return StoredSaliency(
        "none", **{name: Maps((0,), size, (m,)) for name, m in zip("ab", maps, strict=False)}
    )


def test_regions_of_a_job() -> None:
    half = np.array([[[1.0, 1.0], [1.0, 0.0]]], np.float32)
    assert regions(None) == {"a": [[2, 2], [255, 0]], "b": [[0, 0], [0, 0]]}
    assert regions(stored(1 - half, half)) == {"a": [[0, 0], [0, 255]], "b": [[255, 255], [255, 255]]}


def test_saliency_of_another_size_is_refused_by_image() -> None:
    wrong = stored(np.ones((1, 3, 5), np.float32), size=(3, 5))
    with pytest.raises(
        SeedbedError, match=r"image 'a': expected saliency of the CAMs' size 2x2, got 5x3; make it from"
    ):
        regions(wrong)


def test_powers_of_the_background_score_take_no_saliency(tmp_path: Path) -> None:
    with pytest.raises(
        SeedbedError, match=r"saliency goes with thresholds \(bg0.10-fg0.40\), not with alpha4-24"
    ):
        regions(stored(np.ones((1, 2, 2), np.float32)), "alpha4-24")
    recipe = yaml.safe_load(yaml.safe_dump(RECIPE))
    recipe["nodes"]["salient_regions"]["with"] = {"regions": "alpha4-24"}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(SeedbedError, match=re.escape("does not use `from: {saliency: NODE}`; remove it")):
        RecipeBook(tmp_path)["small"]


def test_a_network_without_polarity_is_refused() -> None:
    network = StoredMaps("stands for a network")
    network.folder = Path("network")
    with pytest.raises(SeedbedError, match=r"network: its manifest does not say which half is salient"):
        dump_saliency.is_inverted(network)


def test_one_image_per_batch_is_refused_when_the_recipe_is_planned(tmp_path: Path) -> None:
    recipe = {"nodes": {"network": {"stage": "train_saliency", "with": {"batch_size": 1}}}}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe))
    node = RecipeBook(tmp_path)["small"].nodes["network"]
    with pytest.raises(SeedbedError, match="images are compared with each other, but batch_size is 1"):
        node.parameters({}, "recipe small, node network")


def test_an_epoch_of_a_saliency_network_can_be_asked_for(tmp_path: Path) -> None:
    network = {"stage": "train_saliency", "with": {"keep_epochs": [1]}}
    maps = {"stage": "dump_saliency", "from": {"saliency_network": "network@epoch1"}}
    (tmp_path / "early.yaml").write_text(yaml.safe_dump({"nodes": {"network": network, "maps": maps}}))
    assert RecipeBook(tmp_path).check("early").nodes["maps"].inputs["saliency_network"].epoch == 1


def test_an_epoch_whose_salient_half_is_not_known_is_refused() -> None:
    network = StoredSaliency("none")
    network.folder = Path("network")
    network.manifest.facts["polarity"] = {"inverted": True, "rule": "border mean"}
    job = object.__new__(Job)
    job.parameters = dump_saliency.DumpSaliencyParameters()
    job.inputs, job.epochs = {"saliency_network": network}, {"saliency_network": 3}
    with pytest.raises(SeedbedError, match=r"network: .* known of the last epoch only; leave out @epoch3"):
        next(dump_saliency.run(job))


class Split(torch.nn.Module):
    """Logits of two levels: of the left half of an image, and of the right one."""

    def __init__(self, left: float, right: float) -> None:
        super().__init__()
        self.levels = left, right

    def saliency_logits(self, images: torch.Tensor) -> torch.Tensor:
        logits = torch.full((len(images), 1, 4, 4), self.levels[0])
        logits[..., 2:] = self.levels[1]
        return logits


def dumped(monkeypatch: pytest.MonkeyPatch, network: Split, **parameters: Any) -> list[np.ndarray]:
    """Saliency of two photographs of 64 x 64 pixels, black at the left and white at the right."""
    photograph = Image.fromarray(np.repeat(np.uint8([0, 255]), 32)[None, :, None].repeat(64, 0).repeat(3, 2))
    trained = SimpleNamespace(network=network.eval(), mean=(0.5,) * 3, std=(0.25,) * 3)
    monkeypatch.setattr("seedbed.methods.trained.load_network", lambda *_: trained)
    source = StoredSaliency("none")
    source.folder, source.manifest.facts["polarity"] = Path("network"), {"inverted": False, "rule": "hints"}
    job = object.__new__(Job)
    values = {
        "parameters": dump_saliency.DumpSaliencyParameters(scales=(1.0,), flip=False, **parameters),
        "dataset": SimpleNamespace(image=lambda image_id: photograph),
        **{"inputs": {"saliency_network": source}, "epochs": {}, "device": "cpu", "facts": {}},
        **{"image_ids": ("a", "b"), "shard": "train-0"},
    }
    for name, value in values.items():
        setattr(job, name, value)
    return [maps.maps[0][0] for _, maps in dump_saliency.run(job)]


def test_constant_saliency_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the CRF or after it; a threshold that lies between the halves keeps them."""
    with pytest.raises(
        SeedbedError, match="the saliency of all 2 images of train-0 is constant; most likely the"
    ):
        dumped(monkeypatch, Split(0.0, 0.0))
    with pytest.raises(
        SeedbedError, match="the saliency of all 2 images of train-0 is constant; most likely the"
    ):
        dumped(monkeypatch, Split(-1.0, -9.0), fusion="sum")
    halves = Split(-2.0, 1.0)
    for threshold in (0.05, 0.9):
        with pytest.raises(
            SeedbedError,
            match=f"constant after the CRF; most likely crf_threshold {threshold} is too high or too low",
        ):
            dumped(monkeypatch, halves, crf="irn", crf_threshold=threshold)
    assert [np.ptp(found) for found in dumped(monkeypatch, halves, crf="irn", crf_threshold=0.5)] == [1, 1]
