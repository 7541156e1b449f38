"""Which round of training a node's label maps are compared with, on graphs written by hand."""

from itertools import count

from seedbed.plan.judges import _round_before
from seedbed.plan.task import Task
from seedbed.stages.registry import STAGES

OWNERS = count()


def node(name: str, *sources: Task, stage: str = "predict") -> Task:
    """A node of an owner of its own."""
    inputs = {str(place): source for place, source in enumerate(sources)}
    parameters = STAGES[stage].validate({}, name)
    owner = f"r{next(OWNERS)}"
    return Task("toy", owner, name, STAGES[stage], parameters, 0, None, inputs, {}, {}, 1, {}, owner)


def trained(*sources: Task) -> Task:
    return node("segmenter", *sources, stage="train_segmenter")


def test_the_nearest_round_is_found_whatever_the_order_of_the_inputs() -> None:
    first = node("predictions", trained())
    second = node("predictions", trained(first))
    assert _round_before(second) is first
    far, near = trained(node("votes", first)), trained(second)
    for sources in ((far, near), (near, far)):
        assert _round_before(node("predictions", *sources)) is second


def test_without_a_training_in_between_it_is_no_round() -> None:
    first = node("predictions", trained())
    smoothed = node("predictions", first)
    assert _round_before(smoothed) is None
    assert _round_before(node("predictions", trained(smoothed))) is smoothed
    second = node("predictions", node("predictions", trained(first)))
    assert _round_before(second) is first
    assert _round_before(node("predictions", trained(node("predictions", stage="superpixel_vote")))) is None
    assert _round_before(trained(first)) is None
