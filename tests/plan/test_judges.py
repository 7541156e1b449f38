"""Which round of training a node's label maps are compared with, on graphs written by hand."""

from types import SimpleNamespace
from typing import Any

from seedbed.plan.judges import _round_before


def node(name: str, *sources: Any, makes: str = "predictions", resources: str = "inference") -> Any:
    form = SimpleNamespace(name="network" if resources == "training" else "label_maps")
    stage = SimpleNamespace(makes=makes, resources=resources, meaning=SimpleNamespace(form=form))
    inputs = {str(place): source for place, source in enumerate(sources)}
    key = f"{name}({', '.join(source.key for source in sources)})"
    return SimpleNamespace(name=name, key=key, stage=stage, sources=inputs)


def trained(*sources: Any) -> Any:
    return node("segmenter", *sources, makes="segmenter", resources="training")


def test_the_nearest_round_is_found_whatever_the_order_of_the_inputs() -> None:
    first = node("predictions", trained())
    second = node("predictions", trained(first))
    assert _round_before(second) is first
    for sources in ((first, second), (second, first)):
        third = node("predictions", trained(*sources))
        assert _round_before(third).key in (first.key, second.key), "both are equally near"
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
    assert _round_before(node("predictions", trained(node("predictions", makes="pseudo_masks")))) is None
    assert _round_before(trained(first)) is None
