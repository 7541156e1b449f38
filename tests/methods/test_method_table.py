"""The table of methods; every entry is built and takes one step on random images."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from seedbed import installed
from seedbed.errors import SeedbedError
from seedbed.input.batch import Batch
from seedbed.methods import table
from seedbed.methods.base import Method, Progress
from seedbed.methods.table import METHODS, MethodEntry, build_method, method_entry
from seedbed.networks.weights import InitialWeights, digest
from seedbed.training.loop import fit
from seedbed.training.parameters import TrainingParameters

CLASSES = 3


def batch(size=2, pixels=64):
    generator = torch.Generator().manual_seed(2)
    label_maps = torch.randint(0, CLASSES + 1, (size, pixels // 16, pixels // 16), generator=generator)
    label_maps = label_maps.repeat_interleave(16, 1).repeat_interleave(16, 2)
    label_maps[:, :8] = 255
    images = torch.randn(size, 3, pixels, pixels, generator=generator)
    labels = (torch.rand(size, CLASSES, generator=generator) > 0.5).float()
    return Batch(
        image_ids=tuple("abcdef"[:size]),
        images=images,
        labels=labels,
        valid=torch.ones(size, pixels, pixels, dtype=torch.bool),
        fields={
            "labels": label_maps,
            "regions": label_maps,
            "subcategories.cluster": labels - 1,
            "hints": torch.rand(size, CLASSES, pixels, pixels, generator=generator),
            "saliency": torch.rand(size, 1, pixels, pixels, generator=generator),
        },
    )


class Loader:
    def __len__(self):
        return 2

    def epoch(self, epoch, start=0):
        return iter([batch(), batch()][start:])


@pytest.mark.parametrize("name", METHODS)
def test_each_method_trains_its_players_and_is_keyed(name, tmp_path):
    parameters = METHODS[name].parameters()
    method, same, other = (build_method(name, parameters, classes=CLASSES, rng=r) for r in (0, 0, 1))
    assert digest(method.state_dict()) == digest(same.state_dict()) != digest(other.state_dict())
    assert method.provenance["source"] == "embedded"
    before = {player: digest(network.state_dict()) for player, network in method.networks().items()}
    assert all(getattr(method, player) is network for player, network in method.networks().items())
    training = TrainingParameters(epochs=1, batch_size=2, lr=0.001)
    history = fit(method, Loader(), training, rng=0, key="k", work=tmp_path, accelerator="cpu")
    assert all(
        digest(network.state_dict()) != before[player] for player, network in method.networks().items()
    )
    assert {f"{player}/loss" for player in before} <= set(history.rows[0])


@pytest.mark.parametrize("name", METHODS)
def test_trained_state_is_loaded_without_the_initial_weights(name):
    """As a later stage does it: the weights' source is not read again, its normalisation is given."""
    parameters = METHODS[name].parameters()
    trained = build_method(name, parameters, classes=CLASSES, rng=0)
    untrained = InitialWeights(None, trained.provenance, trained.mean, trained.std)
    again = build_method(name, parameters, classes=CLASSES, rng=5, weights=untrained)
    assert digest(again.state_dict()) != digest(trained.state_dict())
    again.load_state_dict(trained.state_dict())
    assert (again.mean, again.std, again.provenance) == (trained.mean, trained.std, trained.provenance)


@pytest.mark.parametrize("name", METHODS)
def test_frozen_batch_norm_keeps_the_backbones_statistics(name):
    method = build_method(name, METHODS[name].parameters(batch_norm="frozen"), classes=CLASSES, rng=0)
    method.eval().train()
    network = next(iter(method.networks().values()))
    before = {n: b.clone() for n, b in network.backbone.named_buffers()}
    list(method.objectives(batch(), Progress(0, 1, 0, 1)))
    assert all(torch.equal(b, before[n]) for n, b in network.backbone.named_buffers())


@pytest.mark.parametrize("name", METHODS)
def test_parameters_are_described_frozen_and_closed(name):
    model = METHODS[name].parameters
    assert all(field.description for field in model.model_fields.values())
    with pytest.raises(ValidationError, match="Extra inputs"):
        model(backbones="resnet18")
    with pytest.raises(ValidationError, match="frozen"):
        model().backbone = "resnet18"


def test_table_imports_no_torch():
    code = "import sys, seedbed.methods.table, seedbed.training.parameters; print('torch' in sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "False"


def test_unknown_methods():
    with pytest.raises(SeedbedError, match="unknown method 'segmentatoin'; did you mean segmentation"):
        method_entry("segmentatoin")
    told = (
        "method 'affinity' is for stage train_affinitynet, not for train_classifier, whose methods are: cam, "
    )
    with pytest.raises(SeedbedError, match=told):
        method_entry("affinity", "train_classifier")


class OutsideParameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    depth: int = 1


class Outside(Method):
    def __init__(self, parameters, *, classes, rng, weights=None):
        self.depth = parameters.depth


OUTSIDE = MethodEntry(OutsideParameters, Outside, "train_classifier")


def install(monkeypatch, name, value, loaded=None):
    class Point(EntryPoint):
        def load(self):
            return loaded if loaded is not None else super().load()

    point = Point(name=name, value=value, group=table.GROUP)
    monkeypatch.setattr(installed, "entry_points", lambda group: [point] if group == table.GROUP else [])
    table.all_methods.cache_clear()


@pytest.fixture(autouse=True)
def _fresh_table():
    yield
    table.all_methods.cache_clear()


def test_method_from_outside_the_package(monkeypatch):
    install(monkeypatch, "mine", "mine:ENTRY", OUTSIDE)
    method = build_method("mine", OutsideParameters(depth=4), classes=2, rng=0)
    assert method.depth == 4


@pytest.mark.parametrize(
    ("name", "value", "loaded", "message"),
    [
        ("mine", "no_such_module:ENTRY", None, "method 'mine' of no_such_module:ENTRY cannot be imported"),
        ("mine", "mine:ENTRY", "text", "method 'mine': mine:ENTRY must be a MethodEntry, not str"),
        (
            *("mine", "mine:ENTRY", OUTSIDE._replace(stage="train_clasifier")),
            "method 'mine' is for no training stage: unknown stage 'train_clasifier'; did you mean train_classifier",
        ),
        ("cam", "mine:ENTRY", OUTSIDE, "method 'cam' of mine:ENTRY exists already; give it another name"),
    ],
)
def test_broken_entry_points_are_named(monkeypatch, name, value, loaded, message):
    install(monkeypatch, name, value, loaded)
    with pytest.raises(SeedbedError, match=message):
        method_entry("cam")
