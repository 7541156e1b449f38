"""Schedules and parameter groups by hand; history as CSV."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from seedbed.training.history import History
from seedbed.training.optimisers import build_optimiser, parameter_groups, scale_rates
from seedbed.training.parameters import TrainingParameters
from seedbed.training.schedules import linear_ramp, poly_decay, warmup
from training.toy_training import ToyNetwork


def test_poly_decay_by_hand():
    assert [poly_decay(step, 4, 2.0) for step in range(4)] == [1.0, 0.5625, 0.25, 0.0625]
    assert poly_decay(3, 4, 0.0) == 1.0
    with pytest.raises(ValueError, match="step must be 0 to 3, not 4"):
        poly_decay(4, 4, 0.9)


def test_warmup_by_hand():
    assert [warmup(step, 4) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert warmup(0, 0) == 1.0


def test_ramps_of_the_papers():
    # Puzzle-CAM: 0 to 4 in the first half. OC-CSE: 0.3 to 1 over the whole.
    assert [linear_ramp(t, 0.0, 4.0, 0.5) for t in (0.0, 0.25, 0.5, 0.9)] == [0, 2, 4, 4]
    assert [linear_ramp(t, 0.3, 1.0) for t in (0.0, 0.5, 1.0)] == pytest.approx([0.3, 0.65, 1.0])
    with pytest.raises(ValueError, match=r"ends at a fraction in \(0, 1\], not at 0.0"):
        linear_ramp(0.5, 0.0, 1.0, 0.0)


def test_groups_by_hand():
    """conv and norm of the backbone: 2 weights, 2 biases; the head: 1 weight, 1 bias."""
    groups = parameter_groups(ToyNetwork(), TrainingParameters(lr=0.01, weight_decay=5e-4))
    found = [(g["name"], len(g["params"]), g["lr"], g["weight_decay"]) for g in groups]
    assert found == [
        ("backbone weights", 2, 0.01, 5e-4),
        ("backbone biases", 2, 0.02, 0.0),
        ("scratch weights", 1, 0.1, 5e-4),
        ("scratch biases", 1, pytest.approx(0.2), 0.0),
    ]


def test_frozen_parameters_and_networks_without_backbone():
    network = ToyNetwork()
    network.backbone.requires_grad_(False)
    names = [g["name"] for g in parameter_groups(network, TrainingParameters())]
    assert names == ["scratch weights", "scratch biases"]
    assert parameter_groups(nn.Linear(2, 1), TrainingParameters())[0]["name"] == "scratch weights"
    with pytest.raises(ValueError, match="no trainable parameter; freeze less"):
        build_optimiser(network.requires_grad_(False), TrainingParameters())


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_optimisers_and_their_scaled_rates(name, kind):
    optimiser = build_optimiser(ToyNetwork(), TrainingParameters(optimiser=name, lr=0.01))
    assert type(optimiser) is kind
    scale_rates(optimiser, 0.5)
    scale_rates(optimiser, 0.5)
    assert [g["lr"] for g in optimiser.param_groups] == pytest.approx([0.005, 0.01, 0.05, 0.1])


def test_momentum_is_momentum_and_nesterov_needs_it():
    optimiser = build_optimiser(ToyNetwork(), TrainingParameters(momentum=0.7, weight_decay=5e-4))
    assert {(g["momentum"], g["weight_decay"]) for g in optimiser.param_groups} == {(0.7, 5e-4), (0.7, 0.0)}
    with pytest.raises(ValueError, match="nesterov needs a momentum above 0"):
        build_optimiser(ToyNetwork(), TrainingParameters(momentum=0.0, nesterov=True))


def test_history_as_csv():
    history = History()
    history.add(1, 0, 0.5, {"a/loss": [1.0, 2.0], "b/loss": [0.25]})
    history.add(1, 1, 0.25, {"a/loss": [3.0]})
    assert history.to_csv() == "epoch,step,lr,a/loss,b/loss\n1,0,0.5,1.5,0.25\n1,1,0.25,3,\n"
    assert history.mean(1) == {"a/loss": 2.25, "b/loss": 0.25}


def test_csv_gives_a_float32_back_exactly():
    value = torch.tensor(1 / 3).item()
    history = History()
    history.add(1, 0, 1.0, {"a": [value]})
    read = float(history.to_csv().splitlines()[1].rpartition(",")[2])
    assert torch.tensor(read).item() == value


def test_parameters_are_described_frozen_and_closed():
    assert all(field.description for field in TrainingParameters.model_fields.values())
    with pytest.raises(ValidationError, match="frozen"):
        TrainingParameters().epochs = 2
    with pytest.raises(ValidationError, match="Extra inputs"):
        TrainingParameters(epoch=2)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TrainingParameters(keep_epochs=(0,))
    assert TrainingParameters(keep_epochs="all").keeps(7)
    assert not TrainingParameters(keep_epochs=(2,)).keeps(7)
