"""The index: what is in it, that it comes back, and that it notices changes."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.datasets.class_names import alike_faults, class_fault, reserved_fault
from seedbed.datasets.content import masks_csv
from seedbed.datasets.files import id_fault
from seedbed.datasets.index import Index, IndexedDataset, IndexRow, build_index, index_csv, parse_index
from seedbed.datasets.mask_sums import masks_digest
from seedbed.errors import SeedbedError


@pytest.fixture
def declared(tmp_path):
    """Two photographs in two splits (one in both), one mask."""
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (5, 3), (1, 2, 3)).save(tmp_path / "a.png")
    Image.new("RGB", (1, 4), (4, 5, 6)).save(tmp_path / "b.png")
    Image.fromarray(np.array([[0, 1, 2, 255, 0]] * 3, dtype=np.uint8)).save(tmp_path / "masks/a.png")
    (tmp_path / "labels.csv").write_text('image_id,"tea, green",cup\na,1,1\nb,0,0\n')
    (tmp_path / "all.txt").write_text("a\nb\n")
    (tmp_path / "few.txt").write_text("a\n")
    declaration = DatasetDeclaration.model_validate(
        {
            "kind": "folder",
            "splits": {"all": {"list": "all.txt", "masks": False}, "few": {"list": "few.txt"}},
            "with": {"masks": "masks"},
        }
    )
    return open_dataset("mine", declaration, tmp_path), declaration, tmp_path


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_text_of_an_index(declared):
    data, declaration, root = declared
    a, b = sha(root / "a.png"), sha(root / "b.png")
    assert index_csv(build_index(data, declaration.splits)) == (
        'image_id,split,width,height,sha256,"tea, green",cup\n'
        f"a,all,5,3,{a},1,1\nb,all,1,4,{b},0,0\na,few,5,3,{a},1,1\n"
    )


def test_the_text_of_the_masks(declared):
    data, declaration, _ = declared
    digest = hashlib.sha256(b"5x3\n" + bytes([0, 1, 2, 255, 0] * 3)).hexdigest()
    rows = f"image_id,split,sha256\na,few,{digest}\n,,made\n"
    last = hashlib.sha256(rows.encode()).hexdigest()
    assert masks_csv(data, declaration.splits, "made") == f"{rows},,{last}\n"


def test_a_changed_or_truncated_file_of_the_masks_is_refused(declared, tmp_path):
    data, declaration, _ = declared
    path = tmp_path / "masks.csv"
    content = masks_csv(data, declaration.splits, "made").encode()
    path.write_bytes(content)
    assert masks_digest(path) == sha(path)
    flipped = [content[:k] + bytes([content[k] ^ 1 << k % 8]) + content[k + 1 :] for k in range(len(content))]
    shortened = [content[:k] for k in range(len(content))]
    for changed in (*flipped, *shortened, content + b"\n", content.replace(b"\n", b"\r\n")):
        path.write_bytes(changed)
        with pytest.raises(SeedbedError, match=r"masks\.csv was changed, .*; run prepare_masks again"):
            masks_digest(path)
    path.unlink()
    with pytest.raises(
        SeedbedError, match=r"expected the checksums of the masks at .*masks\.csv, found none"
    ):
        masks_digest(path)


def test_generated_images_are_indexed_by_their_pixels():
    declaration = DatasetDeclaration.model_validate(
        {"kind": "composites", "splits": {"train": {}}, "with": {"size": 32, "images": {"train": 2}}}
    )
    data = open_dataset("c", declaration)
    index = build_index(data, declaration.splits)
    image = data.image("train-00001")
    text = f"{image.width}x{image.height}\n".encode()
    assert index.rows[1].sha256 == hashlib.sha256(text + np.asarray(image).tobytes()).hexdigest()
    assert IndexedDataset(data, index).image("train-00001").size == image.size
    other = open_dataset(
        "c", declaration.model_copy(update={"options": {"size": 32, "images": {"train": 2}, "seed": 1}})
    )
    with pytest.raises(SeedbedError, match="image 'train-00000' has changed since it was indexed"):
        IndexedDataset(other, index).image("train-00000")


letters = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=6)
names = letters.filter(lambda name: id_fault(name) is None)
classes_of_a_set = st.lists(
    names.filter(lambda name: class_fault(name) is None and reserved_fault(name) is None),
    min_size=1,
    max_size=3,
).filter(lambda found: len({*found}) == len(found) and not alike_faults("", found))


@settings(max_examples=40, deadline=None)
@given(classes_of_a_set, st.lists(names, max_size=4, unique=True), st.data())
def test_parsing_gives_back_what_was_written(classes, ids, data):
    flags = st.tuples(*[st.booleans()] * len(classes))
    rows = tuple(IndexRow(i, "train", 3, 1, "0" * 64, data.draw(flags)) for i in ids)
    index = Index(tuple(classes), rows)
    assert parse_index(index_csv(index)) == index


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "index.csv: expected the columns image_id, split"),
        ("id,split\n", "got id, split"),
        ("image_id,split,width,height,sha256,a\nx,train,1,2,ff\n", "index.csv, line 2: not a row"),
        ("image_id,split,width,height,sha256,a\nx,train,1,two,ff,1\n", "line 2"),
        ("image_id,split,width,height,sha256,a\nx,train,1,2,ff,yes\n", "line 2"),
    ],
)
def test_texts_that_are_no_index(text, message):
    with pytest.raises(SeedbedError, match=message):
        parse_index(text)


def test_ids_and_labels_come_from_the_index(declared):
    data, declaration, root = declared
    indexed = IndexedDataset(data, build_index(data, declaration.splits))
    assert isinstance(indexed, Dataset)
    (root / "labels.csv").write_text("image_id,other\nb,1\n")
    assert list(indexed.image_ids("all")) == ["a", "b"]
    assert indexed.labels("a").tolist() == [True, True]
    assert indexed.size("b") == (1, 4)
    assert indexed.faults() == []
    with pytest.raises(SeedbedError, match="unknown split 'fw'; did you mean few"):
        indexed.image_ids("fw")
    with pytest.raises(SeedbedError, match="image 'c' is not in the index; run prepare_dataset again"):
        indexed.labels("c")


def test_a_changed_photograph_is_refused_by_name(declared):
    data, declaration, root = declared
    index = build_index(data, declaration.splits)
    Image.new("RGB", (5, 3), (1, 2, 4)).save(root / "a.png")
    indexed = IndexedDataset(data, index)
    with pytest.raises(SeedbedError, match=r"image 'a' .*a\.png\) has changed .*; start the run again"):
        indexed.image("a")
    assert indexed.image("b").size == (1, 4)
    assert len(indexed.faults()) == 1


def test_a_photograph_is_verified_once(declared, monkeypatch):
    data, declaration, _ = declared
    indexed = IndexedDataset(data, build_index(data, declaration.splits))
    indexed.image("a")
    monkeypatch.setattr("seedbed.datasets.index.file_digest", lambda path: pytest.fail("read again"))
    indexed.image("a")


def test_a_missing_photograph_is_a_fault(declared):
    data, declaration, root = declared
    indexed = IndexedDataset(data, build_index(data, declaration.splits))
    (root / "b.png").unlink()
    assert [f for f in indexed.faults() if "b" in f]
    with pytest.raises(SeedbedError, match="expected a photograph"):
        indexed.image("b")


def test_other_classes_are_refused(declared):
    data, _, _ = declared
    with pytest.raises(SeedbedError, match=r"its index says cup; run prepare_dataset again"):
        IndexedDataset(data, Index(("cup",), ()))


def test_a_mask_of_another_size_is_refused(declared):
    data, declaration, root = declared
    indexed = IndexedDataset(data, build_index(data, declaration.splits))
    assert indexed.mask("b") is None
    Image.new("L", (4, 3)).save(root / "masks/a.png")
    with pytest.raises(
        SeedbedError, match=r"expected a mask of 'a' of the photograph's size 5x3, but it is 4x3"
    ):
        indexed.mask("a")
