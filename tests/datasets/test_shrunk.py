"""`longest`: photographs and masks shrunk alike, against arrays worked out by hand."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recipe_files import CONFIG, make_workflow
from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.datasets.content import masks_csv
from seedbed.datasets.index import IndexedDataset, build_index, index_csv, parse_index
from seedbed.datasets.shrunk import ShrunkDataset, nearest, shrunk_image, shrunk_mask, shrunk_size
from seedbed.errors import SeedbedError
from seedbed.plan.tasks import TaskGraph

PHOTOGRAPH = np.array(
    [
        [10, 20, 100, 100, 0, 4],
        [30, 40, 100, 100, 8, 0],
        [0, 0, 7, 7, 200, 200],
        [0, 0, 7, 7, 100, 100],
    ],
    np.uint8,
)
AVERAGED = np.array([[25, 100, 3], [0, 7, 150]], np.uint8)
"""Means of its squares of 2 × 2."""
MASK = np.array(
    [
        [0, 0, 0, 1, 1, 1],
        [0, 2, 0, 1, 1, 255],
        [0, 0, 0, 0, 255, 255],
        [0, 3, 0, 4, 0, 1],
    ],
    np.uint8,
)
NEAREST = np.array([[2, 1, 255], [3, 4, 1]], np.uint8)
"""The centre of a new pixel is the corner of four; the lower right one is taken."""


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((4000, 3000), 1600, (1600, 1200)),
        ((3000, 4000), 1600, (1200, 1600)),
        ((1600, 10), 1600, (1600, 10)),
        ((500, 375), 1600, (500, 375)),
        ((5000, 1), 100, (100, 1)),
        ((6, 4), 3, (3, 2)),
        ((333, 500), 100, (67, 100)),
    ],
)
def test_sizes(size, longest, expected):
    assert shrunk_size(size, longest) == expected


@given(st.tuples(st.integers(1, 9000), st.integers(1, 9000)), st.integers(32, 4000))
def test_no_side_is_longer_or_empty(size, longest):
    shrunk = shrunk_size(size, longest)
    assert min(shrunk) >= 1
    assert max(shrunk) == min(longest, max(size))


def test_photographs_are_averaged_and_masks_take_the_nearest_pixel():
    image = Image.fromarray(np.stack([PHOTOGRAPH, 255 - PHOTOGRAPH, PHOTOGRAPH], axis=2))
    averaged = np.array(shrunk_image(image, 3))
    np.testing.assert_array_equal(averaged[..., 0], AVERAGED)
    np.testing.assert_array_equal(averaged[..., 1], 255 - AVERAGED)
    np.testing.assert_array_equal(shrunk_mask(MASK, 3), NEAREST)


def test_what_is_small_enough_is_not_touched():
    image = Image.fromarray(PHOTOGRAPH)
    assert shrunk_image(image, 6) is image
    assert shrunk_mask(MASK, 6) is MASK


def test_enlarged_labels_are_repeated():
    np.testing.assert_array_equal(nearest(NEAREST, (6, 4)), NEAREST.repeat(2, 0).repeat(2, 1))


@pytest.fixture
def folder(tmp_path):
    """One photograph of 96 × 64 (the pattern enlarged 16 times) with its mask, and one of 8 × 8."""
    (tmp_path / "masks").mkdir()
    pattern = np.kron(PHOTOGRAPH, np.ones((16, 16), np.uint8))
    Image.fromarray(np.stack([pattern] * 3, axis=2)).save(tmp_path / "large.png")
    mask = np.kron(np.where(MASK == 255, 255, MASK > 0).astype(np.uint8), np.ones((16, 16), np.uint8))
    Image.fromarray(mask).save(tmp_path / "masks/large.png")
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "small.png")
    Image.fromarray(np.ones((8, 8), np.uint8)).save(tmp_path / "masks/small.png")
    (tmp_path / "labels.csv").write_text("image_id,cat\nlarge,1\nsmall,1\n")
    return tmp_path


def declared(longest: int | None) -> DatasetDeclaration:
    raw: dict[str, Any] = {"kind": "folder", "splits": {"train": {}}, "with": {"masks": "masks"}}
    return DatasetDeclaration.model_validate(raw if longest is None else raw | {"longest": longest})


def test_without_the_key_nothing_changes(folder):
    declaration = declared(None)
    data = open_dataset("mine", declaration, folder)
    assert not isinstance(data, ShrunkDataset)
    assert data.image("large").size == (96, 64)
    text = index_csv(build_index(data, declaration.splits))
    assert text.startswith("image_id,split,width,height,sha256,cat\nlarge,train,96,64,")


def test_images_masks_and_index_have_the_shrunk_size(folder):
    declaration = declared(48)
    data = open_dataset("mine", declaration, folder)
    assert isinstance(data, Dataset)
    assert data.faults() == []
    assert data.notes() == []  # the kind's own
    index = build_index(data, declaration.splits)
    text = index_csv(index)
    assert text.splitlines()[0] == "image_id,split,width,height,sha256,original_width,original_height,cat"
    assert parse_index(text) == index
    sizes = {row.image_id: (row.width, row.height, row.original) for row in index.rows}
    assert sizes == {"large": (48, 32, (96, 64)), "small": (8, 8, (8, 8))}
    whole = build_index(open_dataset("mine", declared(None), folder), declaration.splits)
    assert [row.sha256 for row in index.rows] == [row.sha256 for row in whole.rows]
    for one in (data, pickle.loads(pickle.dumps(data)), IndexedDataset(data, index)):
        pixels = np.array(one.image("large"))
        np.testing.assert_array_equal(pixels[..., 0], np.kron(PHOTOGRAPH, np.ones((8, 8), np.uint8)))
        expected = np.kron(np.where(MASK == 255, 255, MASK > 0), np.ones((8, 8), np.uint8))
        np.testing.assert_array_equal(one.mask("large"), expected)
        assert one.image("small").size == (8, 8)
    assert masks_csv(data, declaration.splits, "made") != masks_csv(data.whole, declaration.splits, "made")


def test_masks_are_compared_with_the_photograph_at_its_own_size(folder):
    Image.fromarray(np.ones((32, 48), np.uint8)).save(folder / "masks/large.png")
    faults = open_dataset("mine", declared(48), folder).faults()
    assert len(faults) == 1
    assert "expected a mask of the photograph's size 96x64, but it is 48x32" in faults[0]


def test_an_index_row_is_replaced_whole():
    rows = parse_index(
        "image_id,split,width,height,sha256,original_width,original_height\na,train,3,2,0,6,4\n"
    ).rows
    assert replace(rows[0], split="val").original == (6, 4)


def test_it_is_part_of_every_identity(tmp_path):
    def graph(longest: int | None) -> TaskGraph:
        toy = CONFIG["datasets"]["toy"] | ({} if longest is None else {"longest": longest})
        return make_workflow(tmp_path, {"datasets": {"toy": toy}}).graph()

    absent, one, other = (graph(longest) for longest in (None, 800, 1600))
    assert "longest" not in absent.index_slice()["parameters"]
    assert one.index_slice()["parameters"]["longest"] == 800
    for node in absent.book["base"].nodes:
        found = {g.task("base", node, 0).identity for g in (absent, one, other)}
        assert len(found) == 3, node
        assert absent.task("base", node, 0).identity == graph(None).task("base", node, 0).identity


def test_a_longest_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="greater than or equal to 32"):
        declared(31)


def no_memory(*_arguments: Any) -> Any:
    raise MemoryError


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("seedbed.datasets.index.image_digest", r"image 'large': out of memory"),
        ("seedbed.datasets.files._eight_bits", r"large\.png: out of memory"),
    ],
)
def test_an_index_without_memory_names_the_image(folder, monkeypatch, place, told):
    monkeypatch.setattr(place, no_memory)
    dataset = open_dataset("toy", declared(48), folder)
    with pytest.raises(SeedbedError, match=told):
        build_index(dataset, declared(48).splits)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("seedbed.datasets.content.mask_digest", r"mask of image 'large': out of memory"),
        ("seedbed.datasets.files._refuse_large", r"large\.png: out of memory"),
    ],
)
def test_masks_without_memory_name_the_image(folder, monkeypatch, place, told):
    dataset = open_dataset("toy", declared(48), folder)
    monkeypatch.setattr(place, no_memory)
    with pytest.raises(SeedbedError, match=told):
        masks_csv(dataset, declared(48).splits, "key")


def test_a_mask_of_another_size_is_refused_before_it_is_shrunk(folder):
    """Half as large, it would have the shrunk photograph's size."""
    data = open_dataset("mine", declared(48), folder)
    Image.fromarray(np.ones((32, 48), np.uint8)).save(folder / "masks/large.png")
    with pytest.raises(SeedbedError, match=r"size 96x64, but it is 48x32"):
        data.mask("large")
