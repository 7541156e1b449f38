"""The ordinary classifier as an input, and guards of the stages: one line each."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recipe_files import write_recipes
from seedbed.errors import SeedbedError
from seedbed.input.loaders import HostBatch, TrainingLoader
from seedbed.methods.base import Method
from seedbed.methods.table import other_meanings
from seedbed.recipes import RecipeBook
from seedbed.runtime.contract import Job
from seedbed.runtime.fit import NormalisedLoader, fit_method
from seedbed.stages.dump_cams import DumpCamsParameters
from seedbed.stages.dump_cams import run as dump_cams
from seedbed.stages.train import TRAIN_CLASSIFIER as STAGE
from seedbed.stages.train import MethodInputs

ERASES = {"method": "puzzle_erasing", "erasing_weight": [0.3, 1.0]}


def book(tmp_path, **classifier) -> RecipeBook:
    return write_recipes(tmp_path, mine={"extends": "base", "nodes": {"classifier": classifier}})


def test_erasing_without_an_ordinary_classifier_is_refused_at_load(tmp_path):
    with pytest.raises(SeedbedError) as error:
        book(tmp_path, **{"with": ERASES})["mine"]
    assert str(error.value) == (
        "recipe mine, node classifier: stage train_classifier needs `from: {ordinary_classifier: NODE}` with these "
        "parameters, got none"
    )


def test_erasing_with_an_ordinary_classifier_is_accepted(tmp_path):
    node = {"from": {"ordinary_classifier": "base.classifier"}, "with": ERASES}
    recipe = book(tmp_path, **node).check("mine")
    assert recipe.nodes["classifier"].inputs["ordinary_classifier"].recipe == "base"


def test_another_kind_of_input_is_refused(tmp_path):
    node = {"from": {"ordinary_classifier": "base.cams"}, "with": ERASES}
    with pytest.raises(SeedbedError, match="input ordinary_classifier takes classifier, got cams"):
        book(tmp_path, **node).check("mine")


def test_a_classifier_is_a_segmenter_only_if_its_method_makes_one(tmp_path):
    predictions = {"stage": "predict", "from": {"segmenter": "classifier"}}
    nodes = {"classifier": {"with": {"method": "isim", "epochs": 6}}, "decoded": predictions}
    written = write_recipes(
        tmp_path,
        mine={"extends": "base", "nodes": nodes},
        plain={"extends": "base", "nodes": {"decoded": predictions}},
    )
    assert written.check("mine").nodes["decoded"].inputs["segmenter"].node == "classifier"
    with pytest.raises(SeedbedError, match="input segmenter takes segmenter, got classifier"):
        written.check("plain")


def test_what_a_network_is_besides_is_in_its_manifest():
    assert other_meanings({"method": "isim"}) == ("segmenter",)
    assert other_meanings({"method": "cam"}) == other_meanings({}) == ()


def test_a_method_without_erasing_needs_no_input():
    assert STAGE.validate({}, "").needed_inputs() == ()
    assert STAGE.validate({"method": "puzzle_erasing"}, "").needed_inputs() == ()
    assert STAGE.validate(ERASES, "").needed_inputs() == ("ordinary_classifier",)


def test_data_sets_defaults_stay_beneath_a_recipes_mapping(tmp_path):
    """A recipe that adds RandAugment keeps the data set's crop."""
    node = book(tmp_path, **{"with": {"augmentation": {"randaugment": {"n": 1}, "flip": 0.0}}})["mine"]
    defaults = {
        "epochs": 6,
        "batch_size": 4,
        "augmentation": {"resize_long": [112, 160], "crop": 96, "flip": 1.0},
    }
    parameters = node.nodes["classifier"].parameters(defaults, "")
    assert parameters.augmentation.crop == 96
    assert parameters.augmentation.resize_long == (112, 160)
    assert parameters.augmentation.randaugment.n == 1
    assert parameters.augmentation.flip == 0
    assert (parameters.batch_size, parameters.epochs) == (4, 3)
    assert defaults["augmentation"]["flip"] == 1.0


class Photographs:
    """Four photographs of one colour."""

    classes = ("cat", "dog")

    def __init__(self, labels=(True, False)):
        self._labels = np.array(labels)

    def image_ids(self, split):
        return ["a", "b", "c", "d"]

    def image(self, image_id):
        return np.full((40, 40, 3), 90, np.uint8)

    def labels(self, image_id):
        return self._labels


def job(tmp_path, parameters, dataset=None, **inputs):
    return Job(
        parameters=parameters,
        slice={"stage": "train_classifier"},
        contents={},
        split="train",
        progress=lambda items, total, label: iter(items),
        dataset=dataset or Photographs(),
        inputs=inputs,
        epochs={},
        rng=0,
        key="k",
        work=tmp_path,
        device="cpu",
        log=lambda line: None,
        ledger=[],
        facts={},
        classes=("cat", "dog"),
        shard="train-0",
        image_ids=("a", "b"),
    )


TINY = {"backbone": "test_resnet", "weights": "none", "batch_size": 2, "epochs": 1}


def test_an_input_without_effect_is_refused_at_load(tmp_path):
    node = {"from": {"ordinary_classifier": "base.classifier"}}
    with pytest.raises(SeedbedError) as error:
        book(tmp_path, **node)["mine"]
    assert str(error.value) == (
        "recipe mine, node classifier: with these parameters stage train_classifier does not use "
        "`from: {ordinary_classifier: NODE}`; remove it, or give the parameters that use it in the recipe"
    )


def test_inputs_of_a_training_stage_are_those_of_its_methods():
    assert {name: spec.takes for name, spec in MethodInputs("train_classifier").items()} == {
        "ordinary_classifier": ("classifier",),
        "subcategories": ("subcategories",),
        "initial_cams": ("cams", "refined_cams"),
    }
    assert {name: spec.takes for name, spec in MethodInputs("train_segmenter").items()} == {
        "labels": ("label_maps", "masks")
    }
    assert list(MethodInputs("train_affinitynet")) == ["regions"]


def test_a_method_without_its_label_maps_is_refused_at_load(tmp_path):
    """A forgotten input would otherwise have to be something else, for instance the true masks."""
    recipe = {"extends": "base", "nodes": {"segmenter": {"from": {"labels": None}}}}
    with pytest.raises(SeedbedError, match=r"stage train_segmenter needs `from: \{labels: NODE\}`"):
        write_recipes(tmp_path, mine=recipe)["mine"]


def test_labels_that_are_all_background_stop_before_training(tmp_path):
    parameters = STAGE.validate(TINY, "")
    with pytest.raises(
        SeedbedError, match="no image of split train has a class, so there is nothing to learn"
    ):
        fit_method(job(tmp_path, parameters, Photographs((False, False))))


class Maps(TrainingLoader):
    """Batches whose label maps are background, but for pixel (0, 0) of one batch."""

    def __init__(self, foreground=None, batches=6):
        self.foreground, self.batches = foreground, batches

    def __len__(self):
        return self.batches

    def epoch(self, epoch, start=0):
        for k in range(start, self.batches):
            label_maps = torch.zeros(1, 4, 4, dtype=torch.int64)
            label_maps[0, 1, 1] = 255
            label_maps[0, 0, 0] = int(k == self.foreground)
            images = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
            valid = torch.ones(1, 4, 4, dtype=torch.bool)
            yield HostBatch(("a",), images, torch.ones(1, 2), valid, {"labels": label_maps})


def normalised(maps, patience):
    method = Method()
    method.mean = method.std = (0.5,) * 3
    return NormalisedLoader(maps, method, "cpu", patience)


def test_label_maps_that_are_all_background_stop_after_the_patience():
    batches = normalised(Maps(), 3).epoch(1)
    next(batches), next(batches)
    message = "epoch 2, batch 3: no label map of this epoch has a foreground pixel; most likely the CAMs have collapsed"
    with pytest.raises(SeedbedError, match=message):
        next(batches)


@pytest.mark.parametrize("at", [0, 2])
def test_one_foreground_pixel_is_enough(at):
    assert len(list(normalised(Maps(at), 3).epoch(0))) == 6


def test_a_resumed_epoch_is_not_judged_by_its_rest():
    assert len(list(normalised(Maps(0), 3).epoch(0, 2))) == 4


class Flat(torch.nn.Module):
    def __init__(self, level):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(level))

    def forward(self, images):
        maps = self.level * torch.ones(len(images), 2, 3, 3)
        maps[:, :, 0, 0] += images.mean()
        return SimpleNamespace(cam_logits=maps)


@pytest.mark.parametrize(("level", "constant"), [(-9.0, True), (9.0, False)])
def test_constant_cams_are_refused(level, constant, tmp_path, monkeypatch):
    """Scores far below 0 are all 0 behind the ReLU."""
    trained = SimpleNamespace(network=Flat(level).eval(), mean=(0.5,) * 3, std=(0.25,) * 3)
    monkeypatch.setattr("seedbed.methods.trained.load_network", lambda *_: trained)
    images = dump_cams(job(tmp_path, DumpCamsParameters(scales=(1.0,)), classifier="stands for an artifact"))
    if constant:
        with pytest.raises(
            SeedbedError, match="the CAMs of all 2 images of train-0 with a class are constant"
        ):
            list(images)
    else:
        assert [image_id for image_id, _ in images] == ["a", "b"]
