"""When labels are made anew, against epochs worked out by hand."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from seedbed.methods.regeneration import Convergence, Every, Schedule, fixed_epochs


@pytest.mark.parametrize(
    ("schedule", "first", "epochs", "expected"),
    [
        (Every(every=10), 5, 50, (5, 15, 25, 35, 45)),  # the paper's Fig. 5
        (Every(every=10, counted_from="zero"), 5, 50, (5, 10, 20, 30, 40)),  # the code
        (Every(every=1), 2, 5, (2, 3, 4)),
        (Every(every=4, counted_from="zero"), 4, 13, (4, 8, 12)),
        (Every(every=10), 5, 6, (5,)),
        ((5, 15, 25), 5, 50, (5, 15, 25)),
        ((1, 2, 9), 5, 10, (1, 2, 9)),
    ],
)
def test_fixed_epochs_by_hand(schedule, first, epochs, expected):
    assert fixed_epochs(schedule, first, epochs) == expected


def test_schedules_are_read_as_a_recipe_writes_them():
    read = TypeAdapter(Schedule).validate_python
    assert read({"every": 3}) == Every(every=3)
    assert read("convergence") == "convergence"
    assert read([5, 15]) == (5, 15)
    for wrong in ({"every": 0}, "converged", [0, 5], {"each": 3}, 10):
        with pytest.raises(ValidationError):
            read(wrong)


def judged(convergence, *losses):
    """What is said of epochs of two steps, whose mean is the number given."""
    found = []
    for mean in losses:
        convergence.add(mean - 0.25)
        convergence.add(mean + 0.25)
        found.append(convergence.end_epoch())
    return found


def test_convergence_by_hand():
    """Within 10 %: 0.85 is below 0.9 · 1.0; 0.8 is not below 0.9 · 0.85 = 0.765; 0.7 is."""
    assert judged(Convergence(0.1, 1), 1.0, 0.85, 0.8, 0.7) == [False, False, True, False]
    assert judged(Convergence(0.1, 2), 1.0, 0.95, 0.5, 0.5, 0.6) == [False, False, False, False, True]
    assert judged(Convergence(0.0, 1), 1.0, 1.0) == [False, True]


def test_slow_progress_converges_against_the_lowest_so_far():
    """0.95 and 0.89 are each within 10 % of what came before; the lowest so far falls along."""
    assert judged(Convergence(0.1, 2), 1.0, 0.95, 0.89) == [False, False, True]


def test_new_labels_start_afresh():
    convergence = Convergence(0.1, 1)
    assert judged(convergence, 1.0, 1.0) == [False, True]
    convergence.restart()
    assert judged(convergence, 3.0, 2.0, 2.0) == [False, False, True]


def test_its_state_goes_on_in_mid_epoch_and_is_finite():
    one, other = Convergence(0.1, 1), Convergence(0.1, 1)
    assert torch.isfinite(one.state()).all()
    judged(one, 1.0)
    one.add(0.1)
    other.load(one.state())
    for convergence in (one, other):
        convergence.add(1.9)
    assert one.end_epoch()
    assert other.end_epoch()
    assert torch.equal(one.state(), other.state())
