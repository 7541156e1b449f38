"""`seedbed export`: label maps drawn by hand, and what must lie in the folder and in the archive."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seedbed.artifacts.label_maps import label_map_png, pack_label_maps, voc_palette
from seedbed.artifacts.manifest import FileEntry, Manifest, sha256_bytes
from seedbed.datasets import DatasetDeclaration, open_dataset
from seedbed.errors import SeedbedError
from seedbed.verbs.export import export
from seedbed.verbs.export_voc import VOC_ARCHIVE
from seedbed.verbs.locate import locate

CLASSES = ("cow", "cat")
"""Of VOC's names; cow is VOC's class 10, cat its class 8."""
SHARDS = {"val": ({"2007_02": 2, "b/1": 1}, {"a.b": 0}), "train": ({"t": 1},)}
"""Image ids by shard and split, each with the class of its right half; the left half is background."""


def half(right: int) -> np.ndarray:
    label_map = np.zeros((4, 6), np.uint8)
    label_map[:, 3:] = right
    return label_map


def artifact(
    folder: Path,
    stage: str,
    files: dict[str, bytes],
    splits: dict[str, int],
    meaning: str,
    classes: tuple[str, ...],
) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = Manifest(
        stage=stage,
        stage_version=1,
        dataset="toy",
        parameters={},
        inputs={},
        files={n: FileEntry(size=len(c), sha256=sha256_bytes(c)) for n, c in files.items()},
        images=splits,
        facts={"meaning": meaning, "classes": list(classes)},
        ledger=[],
        content="0",
    )
    (folder / "manifest.json").write_bytes(manifest.to_bytes())


def make(
    folder: Path, shards: dict[str, tuple[dict[str, int], ...]], classes: tuple[str, ...] = CLASSES
) -> str:
    """A node of label maps.

    Returns:
        the node's folder.
    """
    files = {
        f"{split}-{k}.zip": pack_label_maps({i: label_map_png(half(c)) for i, c in shard.items()})
        for split, parts in shards.items()
        for k, shard in enumerate(parts)
    }
    counts = {split: sum(map(len, parts)) for split, parts in shards.items()}
    node = folder / "toy/psa/rng0/predictions"
    artifact(node, "predict", files, counts, "predictions", classes)
    return str(node)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "P"
        assert image.getpalette() == voc_palette()
        return np.array(image)


def test_pngs_have_the_images_ids(tmp_path: Path) -> None:
    node = make(tmp_path, {"val": SHARDS["val"]})
    assert export(locate(node), tmp_path / "out") == (tmp_path / "out", 3)
    found = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")}
    assert found == {"2007_02.png", "b/1.png", "a.b.png"}
    np.testing.assert_array_equal(pixels(tmp_path / "out/2007_02.png"), half(2))
    np.testing.assert_array_equal(pixels(tmp_path / "out/a.b.png"), half(0))


def test_splits_are_folders_where_there_are_several(tmp_path: Path) -> None:
    node = make(tmp_path, SHARDS)
    export(locate(node), tmp_path / "both")
    export(locate(node), tmp_path / "one", split="train")
    assert {str(p.relative_to(tmp_path / "both")) for p in (tmp_path / "both").rglob("*.png")} == {
        "train/t.png",
        "val/2007_02.png",
        "val/b/1.png",
        "val/a.b.png",
    }
    assert [p.name for p in (tmp_path / "one").iterdir()] == ["t.png"]


def test_the_archive_is_what_the_server_takes(tmp_path: Path) -> None:
    """Class 1 of the data set, cow, is VOC's 10, class 2, cat, is VOC's 8."""
    node = make(tmp_path, {"val": ({"2007_02": 2, "x": 1}, {"a": 0})})
    assert export(locate(node), tmp_path / "out", "voc") == (tmp_path / "out" / VOC_ARCHIVE, 3)
    with tarfile.open(tmp_path / "out" / VOC_ARCHIVE, "r:gz") as archive:
        members = archive.getmembers()
        assert [m.name for m in members] == [
            f"results/VOC2012/Segmentation/comp6_test_cls/{i}.png" for i in ("2007_02", "a", "x")
        ]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
            (0, 0, 0, "", "", 0o644)
        }
        maps = {}
        for member in members:
            stream = archive.extractfile(member)
            assert stream is not None
            with Image.open(io.BytesIO(stream.read())) as image:
                maps[Path(member.name).stem] = np.array(image)
    np.testing.assert_array_equal(maps["2007_02"], half(8))
    np.testing.assert_array_equal(maps["x"], half(10))


def test_equal_maps_give_equal_archives(tmp_path: Path) -> None:
    """Whatever the shards; the header of gzip holds no time, no name and no system."""
    one = make(tmp_path / "one", {"val": ({"a": 1, "b": 2},)})
    two = make(tmp_path / "two", {"val": ({"b": 2}, {"a": 1})})
    first, _ = export(locate(one), tmp_path / "first", "voc")
    second, _ = export(locate(two), tmp_path / "second", "voc")
    assert first.read_bytes() == second.read_bytes()
    header = first.read_bytes()[:10]
    assert header[:8] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0])
    assert header[9] == 255
    assert gzip.decompress(first.read_bytes())


def test_what_cannot_be_exported_is_one_line(tmp_path: Path) -> None:
    node = locate(make(tmp_path / "a", SHARDS))
    with pytest.raises(
        SeedbedError, match="unknown format 'tiff'; known: coco, irn, mmseg, overlays, png, voc"
    ):
        export(node, tmp_path / "o", "tiff")
    with pytest.raises(SeedbedError, match="unknown split 'tran'; did you mean train"):
        export(node, tmp_path / "o", split="tran")
    with pytest.raises(SeedbedError, match=r"an archive holds one split, but .* has train, val; name one"):
        export(node, tmp_path / "o", "voc")
    neutral = locate(make(tmp_path / "b", {"val": ({"a": 255},)}))
    with pytest.raises(SeedbedError, match=r"image a has neutral pixels \(255\)"):
        export(neutral, tmp_path / "o", "voc")
    other = locate(make(tmp_path / "c", {"val": ({"a": 1},)}, classes=("cow", "unicorn")))
    with pytest.raises(SeedbedError, match="data set toy: unknown class of VOC 'unicorn'"):
        export(other, tmp_path / "o", "voc")
    climbing = locate(make(tmp_path / "d", {"val": ({"../../a": 1},)}))
    with pytest.raises(
        SeedbedError, match=r"val-0.zip: not a readable archive .* \(an entry '../../a.png'\)"
    ):
        export(climbing, tmp_path / "o")
    artifact(tmp_path / "e/toy/psa/rng0/cams", "dump_cams", {}, {"val": 1}, "cams", CLASSES)
    with pytest.raises(SeedbedError, match="was made by dump_cams; expected label maps"):
        export(locate(str(tmp_path / "e/toy/psa/rng0/cams")), tmp_path / "o")
    (tmp_path / "file").write_text("")
    with pytest.raises(SeedbedError, match=r"there is a file where a folder should go|not a folder"):
        export(node, tmp_path / "file", split="train")
    assert not (tmp_path / "o").exists()


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    node = make(tmp_path, {"val": ({"a": 1},)})
    (Path(node) / "val-0.zip").write_bytes(b"x")
    with pytest.raises(SeedbedError, match=r"val-0.zip has 1 bytes, but its manifest says"):
        export(locate(node), tmp_path / "o")


def test_an_images_suffix_is_not_kept(tmp_path: Path) -> None:
    """Where two images differ by it alone, both keep theirs; so in the archive, whose names the server compares."""
    node = make(tmp_path, {"val": ({"a.jpg": 1, "b.jpg": 2, "b.png": 1},)})
    export(locate(node), tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.png", "b.jpg.png", "b.png.png"}
    np.testing.assert_array_equal(pixels(tmp_path / "out/b.jpg.png"), half(2))
    archive, _ = export(locate(node), tmp_path / "out", "voc")
    with tarfile.open(archive) as packed:
        assert [Path(name).name for name in packed.getnames()] == ["a.png", "b.jpg.png", "b.png.png"]


def test_what_is_exported_can_be_read_as_masks(tmp_path: Path) -> None:
    """Of photographs with the ids of the data set; two differ by suffix alone, one lies in a folder."""
    ids = {"a.jpg": 1, "b.jpg": 2, "b.png": 1, "c/d.JPG": 2}
    node = make(tmp_path, {"val": (ids,)})
    for image_id in ids:
        path = tmp_path / "data/images" / image_id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (len(image_id), ids[image_id], 0)).save(path)
    rows = [f"{image_id},{label == 1:d},{label == 2:d}" for image_id, label in ids.items()]
    (tmp_path / "data/labels.csv").write_text("\n".join(["image_id,cow,cat", *rows]) + "\n")
    export(locate(node), tmp_path / "data/masks")
    raw = {"kind": "folder", "splits": {"val": {}}, "with": {"images": "images", "masks": "masks"}}
    data = open_dataset("own", DatasetDeclaration.model_validate(raw), tmp_path / "data")
    assert data.faults() == []
    for image_id, label in ids.items():
        np.testing.assert_array_equal(data.mask(image_id), half(label))


def test_the_artifact_knows_its_classes_wherever_it_lies(tmp_path: Path) -> None:
    node = Path(make(tmp_path, {"val": ({"a": 1},)}))
    node.rename(tmp_path / "alone")
    assert export(locate(str(tmp_path / "alone")), tmp_path / "o")[1] == 1
    assert export(locate(str(tmp_path / "alone")), tmp_path / "o", "voc")[1] == 1


def test_maps_of_a_shrunk_data_set_get_the_photographs_sizes(tmp_path: Path) -> None:
    """Each pixel of the label map stands for two by two; without an index, the map is written as it is."""
    node = make(tmp_path, {"val": SHARDS["val"]})
    header = "image_id,split,width,height,sha256,original_width,original_height,cow,cat"
    rows = ["2007_02,val,6,4,0,12,8,0,1", "b/1,val,6,4,0,6,4,1,0", "a.b,val,6,4,0,9,8,0,0"]
    index = ("\n".join([header, *rows]) + "\n").encode()
    export(locate(node), tmp_path / "without")
    artifact(tmp_path / "toy/index", "prepare_dataset", {"index.csv": index}, {"val": 3}, "", CLASSES)
    export(locate(node), tmp_path / "out")
    np.testing.assert_array_equal(pixels(tmp_path / "without/2007_02.png"), half(2))
    np.testing.assert_array_equal(pixels(tmp_path / "out/2007_02.png"), half(2).repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(pixels(tmp_path / "out/b/1.png"), half(1))
    assert pixels(tmp_path / "out/a.b.png").shape == (8, 9)
    export(locate(node), tmp_path / "voc", "voc")
    with tarfile.open(tmp_path / "voc" / VOC_ARCHIVE, "r:gz") as archive:
        member = archive.extractfile("results/VOC2012/Segmentation/comp6_test_cls/2007_02.png")
        assert member is not None
        with Image.open(io.BytesIO(member.read())) as image:
            assert image.size == (12, 8)
