"""ISIM: when and how it makes labels, what it learns from them, and that a killed run ends in the same bytes."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from seedbed.artifacts.maps import Maps
from seedbed.cam.inference import multi_scale_cams
from seedbed.errors import ImageMemoryError, SeedbedError
from seedbed.input.augmentation import Augmentation
from seedbed.input.batch import Batch
from seedbed.input.field_store import FieldStore
from seedbed.input.loaders import TrainingLoader
from seedbed.labels import IGNORE
from seedbed.losses.modified_cross_entropy import modified_cross_entropy
from seedbed.methods.base import EpochContext, Progress
from seedbed.methods.cam_labels import CamLabels, ImageCams, in_order
from seedbed.methods.isim import LABELS, IsimMethod, IsimParameters
from seedbed.networks import bands
from seedbed.networks.weights import digest
from seedbed.runtime.contract import Job
from seedbed.runtime.fit import NormalisedLoader
from seedbed.stages.pseudo_masks import PseudoMasksParameters
from seedbed.stages.pseudo_masks import run as pseudo_masks
from seedbed.stages.train import TRAIN_CLASSIFIER
from seedbed.training.kept_epochs import KeptEpochs
from seedbed.training.loop import fit
from seedbed.training.optimisers import parameter_groups
from seedbed.training.parameters import TrainingParameters
from stages_in_process import StoredMaps

IDS = tuple("abcdef")
SMALL = {
    "backbone": "test_resnet",
    "weights": "none",
    "decoder": "unet",
    "first_labels": 1,
    "label_scales": (1.0, 0.5),
}


class Squares:
    """Six photographs: noise, with a square of each class's colour; `c` shows both classes, `f` none."""

    ids = IDS
    classes = ("cat", "dog")

    def labels(self, image_id):
        return np.array(
            {"c": (True, True), "f": (False, False)}.get(image_id, (image_id < "d", image_id > "c"))
        )

    def in_mask_classes(self, label_map):
        return label_map

    def image(self, image_id):
        pixels = np.random.default_rng(ord(image_id)).integers(0, 90, (40, 48, 3)).astype(np.uint8)
        for c in np.flatnonzero(self.labels(image_id)):
            pixels[8:28, 4 + 20 * c : 20 + 20 * c] = (230, 60, 20) if c else (20, 60, 230)
        return Image.fromarray(pixels)

    def size(self, image_id):
        return 48, 40


class StoredSquares(Squares):
    def __init__(self, store):
        self.store = store

    def fields(self, image_id):
        return self.store.fields(image_id)


class StoppedError(Exception):
    """Stands for a kill between two checkpoints."""


class StoppingLoader(NormalisedLoader):
    at = None

    def epoch(self, epoch, start=0):
        for number, batch in enumerate(super().epoch(epoch, start), start):
            if (epoch, number) == self.at:
                raise StoppedError
            yield batch


def method(**parameters):
    return IsimMethod(IsimParameters(**SMALL | parameters), classes=2, rng=0)


def train(work, made=None, at=None, epochs=3, workers=0, checkpoint_steps=None, **training):
    """Train on `Squares`, in batches of three; `at` (epoch, batch) it stops."""
    made = made or method()
    store = FieldStore(work / "fields")
    examples = StoredSquares(store)
    loader = TrainingLoader(examples, Augmentation(resize_long=(40, 48), crop=32), 3, rng=0)
    stopping = StoppingLoader(loader, made, "cpu", 2)
    object.__setattr__(stopping, "at", at)
    parameters = TrainingParameters(epochs=epochs, batch_size=3, lr=0.001, **training)
    history = fit(
        made,
        stopping,
        parameters,
        rng=0,
        key="k",
        work=work,
        accelerator="cpu",
        checkpoint_steps=checkpoint_steps,
        examples=examples,
        fields=store,
        workers=workers,
    )
    return SimpleNamespace(method=made, history=history, store=store, bytes=digest(made.state_dict()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Labels after every epoch."""
    made = method(regenerate={"every": 1})
    return train(tmp_path_factory.mktemp("isim"), made)


def test_parts_are_logged_by_name_once_there_are_labels(trained):
    first, later = trained.history.rows[0], trained.history.rows[-1]
    assert "classifier/segmentation" not in first
    assert {"classifier/classification", "classifier/segmentation", "classifier/without_foreground"} <= set(
        later
    )
    assert all(np.isfinite(list(row.values())).all() for row in trained.history.rows)
    stamped = [row.get("classifier/labelled_after") for row in trained.history.rows]
    assert stamped == [None] * 2 + [1.0] * 2 + [2.0] * 2
    assert later["classifier/loss"] == pytest.approx(
        later["classifier/classification"] + later["classifier/segmentation"]
    )


def killed_and_resumed(work, made, at, epochs):
    """A run that stops at `at`, its checkpoint written after each step, and another one that goes on."""
    with pytest.raises(StoppedError):
        train(work, made(), at=at, epochs=epochs, checkpoint_steps=1)
    return train(work, made(), epochs=epochs)


def test_a_run_killed_in_mid_epoch_after_a_regeneration_ends_in_the_same_bytes(trained, tmp_path):
    resumed = killed_and_resumed(tmp_path, lambda: method(regenerate={"every": 1}), (1, 1), 3)
    assert resumed.bytes == trained.bytes
    assert resumed.history.to_csv() == trained.history.to_csv()


def test_on_convergence_a_killed_run_ends_in_the_same_bytes(tmp_path):
    """No epoch loses 99 % of its loss, so there are labels after 1, and anew after the second epoch that has them."""

    def made():
        return method(regenerate="convergence", converged_within=0.99, label_crf="none")

    whole = train(tmp_path / "whole", made(), epochs=4)
    stamps = {row["epoch"]: row.get("classifier/labelled_after") for row in whole.history.rows}
    assert stamps == {1: None, 2: 1, 3: 1, 4: 3}
    resumed = killed_and_resumed(tmp_path / "killed", made, (2, 1), 4)
    assert resumed.history.to_csv() == whole.history.to_csv()
    assert resumed.bytes == whole.bytes


def start_epochs(work, made, epochs, losses=None, ids=("a",), workers=0):
    """Only the starts of some epochs, on a few images; each epoch with labels has the loss given.

    Returns:
        the epochs after which labels were made, and the store that holds the last ones.
    """
    store = FieldStore(work / "fields")
    examples = StoredSquares(store)
    examples.ids = ids
    said = []
    context = EpochContext(
        torch.device("cpu"), torch.Generator(), work, examples, store, workers, said.append
    )
    for epoch in range(epochs):
        made.on_epoch_start(epoch, context)
        if made.labelled_after:
            made.convergence.add(losses[epoch] if losses else 1.0)
    return [int(line.removeprefix("labels after epoch ").split(":")[0]) for line in said], store


def test_one_and_two_worker_processes_make_the_same_labels(tmp_path):
    made = method()
    stores = [start_epochs(tmp_path / str(n), made, 2, ids=IDS, workers=n)[1] for n in (0, 1, 2)]
    found = [[store.fields(image_id)[LABELS].tolist() for image_id in IDS] for store in stores]
    assert found[0] == found[1] == found[2]
    assert any(map(np.any, found[0]))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [({"every": 2}, [1, 3, 5]), ([1, 2, 5], [1, 2, 5]), ({"every": 2, "counted_from": "zero"}, [1, 2, 4])],
)
def test_labels_are_made_after_the_epochs_of_the_schedule(schedule, expected, tmp_path):
    assert start_epochs(tmp_path, method(regenerate=schedule, label_crf="none"), 6)[0] == expected


def test_on_convergence_labels_are_made_after_the_first_epochs_and_when_the_loss_stops_falling(tmp_path):
    """First after epoch 2. Epochs 3 and 4 fall; 5 does not; 6 starts afresh, 7 falls, 8 does not."""
    made = method(regenerate="convergence", first_labels=2, label_crf="none", converged_within=0.1)
    losses = [9.0, 9.0, 2.0, 1.0, 0.95, 3.0, 2.0, 2.0, 1.0]
    assert start_epochs(tmp_path, made, 9, losses)[0] == [2, 5, 8]


def test_labels_are_what_later_stages_make_of_the_same_weights(tmp_path):
    """`dump_cams` and `pseudo_masks` with the labels' threshold and CRF; `c` has two classes, `f` none."""
    made = method()
    found = train(tmp_path, made, epochs=2, keep_epochs=(1,))
    kept = method()
    kept.load_state_dict(state_after(tmp_path, 1))
    kept.eval()
    stored = {}
    for image_id in IDS:
        image = np.array(Squares().image(image_id))
        present = tuple(map(int, np.flatnonzero(Squares().labels(image_id))))
        cams = multi_scale_cams(
            kept.classifier, image, present, mean=made.mean, std=made.std, scales=(1.0, 0.5)
        )
        stored[image_id] = Maps(present, (40, 48), cams.maps if present else ())
    job = object.__new__(Job)
    job.parameters = PseudoMasksParameters(background_score=0.3, crf="irn", crf_labels="present")
    job.inputs = {"cams": StoredMaps("max", **stored)}
    job.dataset, job.split, job.shard, job.image_ids = Squares(), "train", "train-0", IDS
    expected = dict(pseudo_masks(job))
    assert len({tuple(np.unique(m)) for m in expected.values()}) > 1
    assert not expected["f"].any()
    for image_id in IDS:
        assert np.array_equal(found.store.fields(image_id)[LABELS], expected[image_id])


def state_after(work, epoch):
    """The method's state that was kept after an epoch."""
    kept = KeptEpochs(work / "kept")
    kept.digests = dict.fromkeys(kept.folder.iterdir(), "")
    return dict(kept.states())[epoch]


def no_memory(network, images):
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")


def test_labels_for_which_there_is_no_memory_name_the_image(tmp_path):
    """`f` has no class, so that the network does not see it."""
    made = method()
    made.classifier.register_forward_pre_hook(no_memory)
    with pytest.raises(ImageMemoryError) as caught:
        start_epochs(tmp_path, made, 2, ids=("f", "b", "a"))
    assert caught.value.image_id == "b"


def test_labels_of_large_photographs_are_made_in_bands(tmp_path, monkeypatch):
    """The limit is lowered to below the 40 x 48 pixels of a view; labels are as without bands."""
    whole = start_epochs(tmp_path / "whole", method(label_crf="none"), 2, ids=IDS)[1]
    monkeypatch.setattr(bands, "LARGEST", 400)
    monkeypatch.setattr(bands, "BAND", 100)
    made = method(label_crf="none")
    found = start_epochs(tmp_path / "bands", made, 2, ids=IDS)[1]
    assert any(isinstance(module.forward, bands.Part) for module in made.classifier.modules())
    differing = [np.mean(found.fields(i)[LABELS] != whole.fields(i)[LABELS]) for i in IDS]
    assert max(differing) < 0.01


def greedy_labels(cams):
    raise MemoryError


def killed_labels(item):
    os._exit(9)


def test_labels_for_whose_crf_there_is_no_memory_name_the_image(monkeypatch):
    monkeypatch.setattr(CamLabels, "_label_map", lambda self, cams: greedy_labels(cams))
    with pytest.raises(ImageMemoryError) as caught:
        CamLabels(0.3, None)(ImageCams("c", np.zeros((2, 2, 3), np.uint8), (), ()))
    assert caught.value.image_id == "c"


def test_a_worker_that_is_killed_is_one_line():
    with pytest.raises(SeedbedError, match=r"worker processes was killed, .*memory ran out; .*`longest`"):
        list(in_order(killed_labels, range(3), 2))


def test_labels_that_are_all_background_stop_the_run_and_name_the_epoch(tmp_path):
    with pytest.raises(
        SeedbedError, match="after epoch 1 the labels of all 5 images with a class are background"
    ):
        train(tmp_path, method(label_threshold=1.0))


def test_an_unknown_engine_of_the_crf_stops_before_anything_is_trained(tmp_path):
    made = method(label_crf_engine="permutohedron")
    with pytest.raises(ValueError, match="unknown CRF engine 'permutohedron'; did you mean permutohedral"):
        start_epochs(tmp_path, made, 1)


def batch(label_maps, valid=None):
    generator = torch.Generator().manual_seed(0)
    return Batch(
        image_ids=("a", "b"),
        images=torch.randn(2, 3, 32, 32, generator=generator),
        labels=torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        valid=torch.ones(2, 32, 32, dtype=torch.bool) if valid is None else valid,
        fields={LABELS: label_maps},
    )


def half(label):
    maps = torch.zeros(2, 32, 32, dtype=torch.long)
    maps[:, :16] = label
    return maps


def test_padding_has_no_label_or_is_background():
    maps, valid = half(1), torch.ones(2, 32, 32, dtype=torch.bool)
    maps[:, 20:], valid[:, 20:] = IGNORE, False
    for padding, expected in (("ignored", maps), ("background", half(1))):
        made = method(padding=padding)
        made.eval()
        given = batch(maps, valid)
        (objective,) = made.objectives(given, Progress(0, 1, 0, 1))
        logits = made.classifier(given.images, segment=True).pixel_logits
        torch.testing.assert_close(objective.parts["segmentation"], modified_cross_entropy(logits, expected))


def test_each_loss_teaches_the_encoder_and_its_own_part():
    made = method(segmentation_weight=2.0)
    (objective,) = made.objectives(batch(half(1)), Progress(0, 1, 0, 1))
    network = made.classifier
    first = next(network.backbone.parameters())
    watched = [first, network.head.weight, network.decoder.score.weight]

    def reached(loss):
        found = torch.autograd.grad(loss, watched, allow_unused=True, retain_graph=True)
        return [g is not None and bool(g.abs().sum() > 0) for g in found]

    assert reached(objective.parts["classification"]) == [True, True, False]
    assert reached(objective.parts["segmentation"]) == [True, False, True]
    total = objective.parts["classification"] + 2 * objective.parts["segmentation"]
    torch.testing.assert_close(objective.loss, total)


def test_images_without_foreground_are_counted():
    maps = half(1)
    maps[1] = 0
    (objective,) = method().objectives(batch(maps), Progress(0, 1, 0, 1))
    assert objective.parts["without_foreground"] == 0.5


def test_the_decoder_has_its_own_learning_rate():
    groups = parameter_groups(method(decoder_lr_factor=0.1).classifier, TrainingParameters(lr=0.1))
    assert {g["name"]: round(g["lr"], 9) for g in groups} == {
        "backbone weights": 0.1,
        "backbone biases": 0.2,
        "scratch weights": 1.0,
        "decoder weights": 0.01,
        "decoder biases": 0.02,
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"epochs": 5},
            "labels that are made after epoch 5 of 5 would not be used; raise epochs, or lower first_labels",
        ),
        (
            {"epochs": 20, "regenerate": [5, 25]},
            r"after epoch 25 of 20 would not be used; .* lower regenerate",
        ),
        ({"regenerate": [5, 3]}, "expected rising epochs"),
        ({"regenerate": [5, 9], "first_labels": 3}, "first_labels 3 is not the first of regenerate's epochs"),
        ({"batch_size": 1}, "deeplabv3plus needs a batch_size of at least 2"),
        ({"output_stride": 32}, "deeplabv3plus decodes maps at output stride 8 or 16"),
        ({"label_crf": "irm"}, "unknown CRF preset 'irm'; did you mean irn"),
    ],
)
def test_what_cannot_work_is_refused_when_a_recipe_is_loaded(parameters, message):
    with pytest.raises(SeedbedError, match=message):
        TRAIN_CLASSIFIER.validate({"method": "isim"} | parameters, "recipe r, node n")


def test_a_list_of_epochs_goes_through_a_manifest():
    """Written out whole and read back, as a network's facts are."""
    parameters = IsimParameters(regenerate=(3, 9))
    assert IsimParameters.model_validate(parameters.model_dump(mode="json")) == parameters
    with pytest.raises(ValidationError):
        IsimParameters(regenerate=())


def test_the_convolution_before_the_head_is_on_both_ways_to_the_class_maps():
    network = method(adaptation_channels=6).classifier.eval()
    assert network.head.in_channels == 6
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(images, segment=True).cam_logits, network(images).cam_logits)
