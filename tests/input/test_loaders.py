"""Batches: the same for any number of workers, resumable, normalised as documented."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image

from seedbed.datasets import DatasetDeclaration, open_dataset
from seedbed.errors import SeedbedError
from seedbed.input.augmentation import Augmentation, ColourJitter, RandAugment
from seedbed.input.examples import SplitExamples
from seedbed.input.field_store import FieldStore
from seedbed.input.loaders import (
    HostBatch,
    TrainingLoader,
    epoch_order,
    normalise,
    sample_generator,
)

AUGMENTATION = Augmentation(
    resize_long=(8, 20), crop=12, colour_jitter=ColourJitter(), randaugment=RandAugment(geometric=True)
)

COMPOSITES = DatasetDeclaration.model_validate(
    {"kind": "composites", "splits": {"train": {}}, "with": {"size": 32, "images": {"train": 6}}}
)


@dataclass
class Noise:
    """Ten noise images; image k has class k mod 3."""

    ids: list[str] = field(default_factory=lambda: [f"i{k}" for k in range(10)])
    broken: str = ""
    read: list[str] = field(default_factory=list)

    def image(self, image_id: str) -> Image.Image:
        if image_id == self.broken:
            raise SeedbedError(f"{image_id}.jpg: not a readable image")
        self.read.append(image_id)
        return Image.fromarray(self._rng(image_id).integers(0, 256, (9, 13, 3), dtype=np.uint8))

    def labels(self, image_id: str) -> np.ndarray:
        return np.arange(3) == int(image_id[1:]) % 3

    def fields(self, image_id: str) -> dict[str, np.ndarray]:
        rng = self._rng(image_id)
        return {
            "labels": rng.integers(0, 4, (9, 13), dtype=np.uint8),
            "hints": rng.random((2, 9, 13), dtype=np.float32),
            "features": rng.random(5, dtype=np.float32),
        }

    def _rng(self, image_id: str) -> np.random.Generator:
        return np.random.default_rng(int(image_id[1:]))


def equal(one: HostBatch, two: HostBatch) -> bool:
    return (
        one.image_ids == two.image_ids
        and torch.equal(one.images, two.images)
        and torch.equal(one.labels, two.labels)
        and all(torch.equal(one.fields[name], two.fields[name]) for name in ("labels", "hints", "features"))
        and torch.equal(one.valid, two.valid)
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers):
    alone = list(TrainingLoader(Noise(), AUGMENTATION, 3, rng=5).epoch(2))
    many = list(TrainingLoader(Noise(), AUGMENTATION, 3, rng=5, workers=workers).epoch(2))
    assert len(alone) == len(many) == 3
    assert all(equal(a, b) for a, b in zip(alone, many, strict=True))


def test_an_epoch_goes_on_at_any_batch_and_reads_nothing_again():
    whole = list(TrainingLoader(Noise(), AUGMENTATION, 3, rng=1).epoch(4))
    examples = Noise()
    rest = list(TrainingLoader(examples, AUGMENTATION, 3, rng=1).epoch(4, start_batch=2))
    assert len(rest) == 1
    assert equal(rest[0], whole[2])
    assert examples.read == list(whole[2].image_ids)
    assert list(TrainingLoader(Noise(), AUGMENTATION, 3, rng=1).epoch(4, start_batch=3)) == []


def test_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    list(TrainingLoader(Noise(), AUGMENTATION, 3, rng=1).epoch(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch():
    batch = next(TrainingLoader(Noise(), AUGMENTATION, 4, rng=0).epoch(0))
    assert batch.images.shape == (4, 12, 12, 3)
    assert batch.images.dtype == torch.uint8
    assert batch.fields["labels"].dtype == torch.int64
    assert batch.labels.tolist() == [[float(int(i[1:]) % 3 == c) for c in range(3)] for i in batch.image_ids]
    assert batch.fields["labels"][~batch.valid].unique().tolist() == [255]
    hints = batch.fields["hints"]
    assert (hints.dtype, hints.shape) == (torch.float32, (4, 2, 12, 12))
    assert not hints.permute(0, 2, 3, 1)[~batch.valid].any()
    assert batch.fields["features"].shape == (4, 5)


@pytest.mark.parametrize(("drop_last", "sizes"), [(True, [4, 4]), (False, [4, 4, 2])])
def test_the_last_batch(drop_last, sizes):
    loader = TrainingLoader(Noise(), AUGMENTATION, 4, rng=0, drop_last=drop_last)
    assert [len(b.image_ids) for b in loader.epoch(0)] == sizes
    assert len(loader) == len(sizes)


def test_orders_are_permutations_that_differ_by_epoch_and_rng():
    ids = [f"i{k}" for k in range(50)]
    orders = [epoch_order(rng, epoch, ids) for rng in range(2) for epoch in range(3)]
    assert all(sorted(o) == sorted(ids) for o in orders)
    assert len({tuple(o) for o in orders}) == 6
    assert epoch_order(0, 0, ids) == orders[0]


def test_generators_differ_by_every_part_of_their_key():
    keys = [(0, 0, "a"), (1, 0, "a"), (0, 1, "a"), (0, 0, "b"), (0, 11, "a"), (0, 1, "1a")]
    assert len({sample_generator(*k).random() for k in keys}) == len(keys)
    assert sample_generator(0, 0, "a").random() == sample_generator(0, 0, "a").random()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_is_one_line_from_any_worker(workers):
    loader = TrainingLoader(Noise(broken="i7"), AUGMENTATION, 2, rng=0, workers=workers)
    with pytest.raises(SeedbedError) as caught:
        list(loader.epoch(0))
    assert str(caught.value) == "i7.jpg: not a readable image"


def test_too_few_images_for_a_batch():
    with pytest.raises(
        SeedbedError, match="enough images for one batch of 11, but there are 10; lower batch_size"
    ):
        TrainingLoader(Noise(), AUGMENTATION, 11, rng=0)
    assert len(TrainingLoader(Noise(), AUGMENTATION, 11, rng=0, drop_last=False)) == 1


def test_fields_of_some_images_only():
    class Some(Noise):
        def fields(self, image_id: str) -> dict[str, np.ndarray]:
            return {} if image_id == "i3" else super().fields(image_id)

    with pytest.raises(SeedbedError, match=r"expected fields .* for every image, but i\d has"):
        list(TrainingLoader(Some(), AUGMENTATION, 10, rng=0).epoch(0))


def test_normalised_by_hand():
    images = torch.tensor([[[[255, 0, 51], [10, 20, 30]]]], dtype=torch.uint8)
    valid = torch.tensor([[[True, False]]])
    found = normalise(images, valid, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 0.1))
    # (1 - 0.5) / 0.5, (0 - 0.25) / 0.25, (0.2 - 0) / 0.1; padding is 0.
    assert found.shape == (1, 3, 1, 2)
    assert found[0, :, 0, 0].tolist() == pytest.approx([1.0, -1.0, 2.0])
    assert found[0, :, 0, 1].tolist() == [0, 0, 0]


def test_a_split_of_a_data_set():
    data = open_dataset("c", COMPOSITES)
    batch = next(TrainingLoader(SplitExamples(data, "train"), AUGMENTATION, 6, rng=0).epoch(0))
    assert batch.fields == {}
    assert batch.labels.sum() >= 6
    batch = next(
        TrainingLoader(
            SplitExamples(data, "train", {"labels": lambda i: {"": data.mask(i)}}), AUGMENTATION, 6, rng=0
        ).epoch(0)
    )
    for labels, label_map in zip(batch.labels, batch.fields["labels"], strict=True):
        seen = set(label_map.unique().tolist()) - {0, 255}
        assert seen <= {c + 1 for c in range(6) if labels[c]}


def test_fields_are_named_by_input_and_part_and_what_the_method_wrote_wins(tmp_path):
    store = FieldStore(tmp_path)
    parts = {"probabilities": np.zeros(2, np.float32), "features": np.ones(3, np.float32)}
    reads = {"vectors": lambda image_id: parts, "labels": lambda image_id: {"": np.zeros((2, 2), np.uint8)}}
    dataset = open_dataset("c", COMPOSITES)
    examples = SplitExamples(dataset, "train", reads, store)
    assert list(examples.fields("i0")) == ["vectors.probabilities", "vectors.features", "labels"]
    store.write("labels", 0, [("i0", np.full((2, 2), 7, np.uint8))])
    assert (examples.fields("i0")["labels"] == 7).all()
    assert (examples.fields("i0")["vectors.features"] == 1).all()
