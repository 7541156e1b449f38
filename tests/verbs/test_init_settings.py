"""What `seedbed init` chooses, against values worked out by hand, and that the stages take it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.plan.commands import ALL_STAGES
from seedbed.runtime.machine import GB, Machine
from seedbed.verbs.init_settings import FEWEST, TRAININGS, Fitted, fit, split_settings, training_memory

CPU = Machine(2, 24 * GB)
GPU = Machine(8, 64 * GB, 1, 24 * GB)


def chosen(fitted: Fitted, stage: str) -> tuple[Any, ...]:
    found = fitted.settings[stage]
    return (
        found["augmentation"]["crop"],
        found["augmentation"]["resize_long"],
        found["batch_size"],
        found["epochs"],
    )


def reason(fitted: Fitted, what: str) -> str:
    (why,) = [why for told, why in fitted.reasons if told.startswith(what)]
    return why


def test_saliency_is_trained_as_the_classifier_but_for_what_classes_ask() -> None:
    """Neither its lower rate for few classes, nor the backbone that is kept for few photographs."""
    settings = fit([(400, 300)] * 40, 40, 1, CPU).settings
    classifier, saliency = settings["train_classifier"], settings["train_saliency"]
    assert set(classifier) - set(saliency) == {"lr", "warmup_steps", "frozen_stages"}
    assert saliency == {name: classifier[name] for name in saliency}


def test_three_hundred_photographs_on_two_cores() -> None:
    """0.8 x 320 = 256 and 256 x 5 / 3 = 426; 18 steps of 16 or 37 of 8 per epoch for 100, 150 and 200 steps."""
    fitted = fit([(320, 240)] * 300, 300, 6, CPU)
    assert chosen(fitted, "train_classifier") == (256, [256, 416], 16, 6)
    assert chosen(fitted, "train_affinitynet") == (256, [256, 416], 8, 4)
    assert chosen(fitted, "train_segmenter") == (256, [256, 416], 16, 11)
    assert (fitted.shards, fitted.longest) == (4, None)
    assert reason(fitted, "crop 256") == "the median photograph is 320 × 240"
    assert reason(fitted, "epochs 6, 4, 11").startswith("108, 148 and 198 steps of ")


def test_few_photographs_in_small_batches_for_more_epochs() -> None:
    """5 steps of 8 per epoch: 20, 30 and 40 epochs would be wanted, at most 20, 20 and 30 are taken."""
    fitted = fit([(100, 200)] * 40, 40, 3, CPU)
    assert [chosen(fitted, stage)[2:] for stage in TRAININGS] == [(8, 20), (8, 20), (8, 30)]
    assert chosen(fitted, "train_classifier")[:2] == (160, [160, 256])
    assert fitted.shards == 1


def test_learning_rates_fall_with_batches_and_classes() -> None:
    """0.01 for 16 images and 6 classes: 0.01 x 8 / 16 x 3 / 6 = 0.0025, and one class 0.00083; a tenth is warm-up."""
    fitted = fit([(100, 200)] * 40, 40, 3, CPU)
    assert fitted.settings["train_classifier"]["lr"] == 0.0025
    assert fitted.settings["train_classifier"]["warmup_steps"] == 10
    assert fitted.settings["train_segmenter"]["lr"] == 0.005
    assert "lr" not in fitted.settings["train_affinitynet"]
    assert fit([(100, 200)] * 40, 40, 1, CPU).settings["train_classifier"]["lr"] == 0.00083
    assert "lr" not in fit([(100, 200)] * 70, 70, 20, CPU).settings["train_classifier"]


def test_few_photographs_or_classes_leave_the_backbone_as_it_was_pretrained() -> None:
    for trained, classes in ((99, 20), (500, 3)):
        fitted = fit([(320, 240)] * trained, trained, classes, CPU)
        assert fitted.settings["train_classifier"]["frozen_stages"] == 5
        assert fitted.settings["confident_regions"]["regions"] == "bg0.30-fg0.60"
        assert "masks of" in fitted.settings["confident_regions"]["inherited"]["threshold"]
        assert reason(fitted, "frozen_stages").startswith("fewer than 100 photographs or 4 classes: ")
    fitted = fit([(320, 240)] * 100, 100, 4, CPU)
    assert "frozen_stages" not in fitted.settings["train_classifier"]
    assert "confident_regions" not in fitted.settings


def test_more_with_a_gpu() -> None:
    """0.8 x 500 = 400, of which 384 is a multiple of 32; 100 steps per epoch of 16."""
    fitted = fit([(500, 375)] * 1600, 1600, 6, GPU)
    assert chosen(fitted, "train_classifier") == (384, [384, 640], 16, 5)
    assert chosen(fitted, "train_segmenter") == (384, [384, 640], 16, 15)
    assert fitted.minutes is None
    assert chosen(fit([(1000, 700)] * 100, 100, 6, GPU), "train_classifier")[0] == 512
    without = fit([(500, 375)] * 1600, 1600, 6, CPU)
    assert reason(without, "crop 256").endswith("at most 256 without a GPU")


def test_the_median_photograph_counts() -> None:
    assert chosen(fit([(64, 64), (160, 90), (1000, 1000)], 8, 6, CPU), "train_classifier")[0] == 128


def test_a_batch_takes_at_most_half_of_the_memory() -> None:
    assert training_memory(256, 16) == pytest.approx(4.165e9, rel=1e-3)
    fitted = fit([(320, 240)] * 100, 100, 6, Machine(2, 6 * GB))
    assert chosen(fitted, "train_classifier")[2] == 8
    assert reason(fitted, "batch_size 8") == "16 need about 4.2 GB, over half of 6.0 GB"


def test_large_photographs_are_shrunk() -> None:
    """0.8 x 512 = 409: at most 256, drawn from 256 to 416, and 416 / 512 = 0.81, so scales stay."""
    fitted = fit([(4000, 3000)] * 20, 20, 6, CPU)
    assert fitted.longest == 512
    assert reason(fitted, "longest 512").startswith("the largest photograph has 12.0 megapixels")
    assert (
        reason(fitted, "crop 256")
        == "the median photograph is 512 × 384, shrunk to 512, and at most 256 without a GPU"
    )
    assert "dump_cams" not in fitted.settings
    assert fit([(4000, 3000)] * 20, 20, 6, GPU).longest == 1024
    assert fit([(1400, 1070)] * 20, 20, 6, CPU).longest is None


def test_photographs_are_seen_at_about_the_size_of_training() -> None:
    """416 / 1040 = 0.4."""
    fitted = fit([(1040, 780)] * 20, 20, 6, CPU)
    assert fitted.settings["dump_cams"] == {"scales": [0.2, 0.4, 0.6, 0.8]}
    assert fitted.settings["dump_saliency"] == fitted.settings["dump_cams"]
    assert fitted.settings["predict"] == {"scales": [0.3, 0.4, 0.5]}


def test_more_cores_without_a_gpu_are_used_by_the_training() -> None:
    assert fit([(64, 64)] * 8, 8, 6, Machine(16, 64 * GB)).settings["train_segmenter"]["torch_threads"] == 8
    assert fit([(64, 64)] * 8, 8, 6, Machine(16, 64 * GB)).settings["train_saliency"]["torch_threads"] == 8
    assert "torch_threads" not in fit([(64, 64)] * 8, 8, 6, CPU).settings["train_segmenter"]
    assert "torch_threads" not in fit([(64, 64)] * 8, 8, 6, GPU).settings["train_segmenter"]


@pytest.mark.parametrize("splits", [["train"], ["train", "val", "test"]])
def test_every_split_is_classified_and_predicted(splits: list[str]) -> None:
    """A recipe whose predictions have only the classes found needs a classification of the same splits."""
    found = split_settings({"predict": {"scales": [1.0]}}, splits)
    assert found == {"classify": {"splits": splits}, "predict": {"splits": splits, "scales": [1.0]}}


side = st.integers(1, 9000)


@given(
    sizes=st.lists(st.tuples(side, side), min_size=1, max_size=20),
    more=st.integers(0, 3000),
    trained=st.integers(FEWEST, 5000),
    classes=st.integers(1, 253),
    machine=st.builds(Machine, st.integers(1, 64), st.integers(GB, 500 * GB), st.integers(0, 1)),
)
@settings(max_examples=30, deadline=None)
def test_the_stages_take_whatever_is_chosen(
    sizes: list[tuple[int, int]], more: int, trained: int, classes: int, machine: Machine
) -> None:
    fitted = fit(sizes + sizes[:1] * more, trained, classes, machine)
    for stage, values in split_settings(fitted.settings, ["train"]).items():
        given = {key: value for key, value in values.items() if key != "inherited"}
        ALL_STAGES[stage].parameters({}).model_validate(given)
    for stage in TRAININGS:
        crop, (low, high), batch, epochs = chosen(fitted, stage)
        assert FEWEST <= batch <= trained
        assert 32 <= crop <= low <= high
        assert crop % 32 == 0
        assert epochs >= 1
    assert all(why and "\n" not in why for _, why in fitted.reasons)
