"""The forms of `seedbed export` for other toolboxes, read back by pycocotools, Pillow and our own data sets."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.label_maps import encode_label_map, pack_label_maps, voc_palette
from seedbed.artifacts.manifest import FileEntry, Manifest, sha256_bytes
from seedbed.artifacts.maps import Maps, encode_map, pack_maps
from seedbed.datasets import DatasetDeclaration, SplitDeclaration, open_dataset
from seedbed.datasets.index import build_index, index_csv
from seedbed.datasets.published_cams import read_cams
from seedbed.errors import SeedbedError
from seedbed.report import overlays
from seedbed.verbs.export import export
from seedbed.verbs.export_overlays import contact_sheet
from seedbed.verbs.locate import locate

CLASSES = ["cat", "cow"]
IDS = ["a.jpg", "b.png", "sub/c.jpg"]
SIZES = {"a.jpg": (7, 5), "b.png": (1, 1), "sub/c.jpg": (4, 9)}
"""Width and height."""


def drawn(image_id: str) -> np.ndarray:
    width, height = SIZES[image_id]
    rng = np.random.default_rng(width)
    return rng.integers(0, 3, (height, width), dtype=np.uint8)


def write(folder: Path, stage: str, meaning: str, files: dict[str, bytes], **more: Any) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = Manifest(
        stage=stage,
        stage_version=1,
        dataset="toy",
        parameters=more.get("parameters", {}),
        inputs={},
        files={n: FileEntry(size=len(c), sha256=sha256_bytes(c)) for n, c in files.items()},
        images={"val": len(IDS)},
        facts={"meaning": meaning, "classes": CLASSES, **more.get("facts", {})},
        ledger=[],
        content="0",
    )
    (folder / "manifest.json").write_bytes(manifest.to_bytes())


@pytest.fixture
def results(tmp_path):
    """Photographs, their index, label maps and CAMs of a data set of one split."""
    data = tmp_path / "data"
    rng = np.random.default_rng(0)
    lines = ["image_id,split,cat,cow"]
    for image_id, (width, height) in SIZES.items():
        (data / image_id).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(data / image_id)
        lines.append(f"{image_id},val,1,1")
    (data / "labels.csv").write_text("\n".join(lines) + "\n")
    raw = {"kind": "folder", "splits": {"val": {"masks": False}}}
    dataset = open_dataset("toy", DatasetDeclaration.model_validate(raw), data)
    index = index_csv(build_index(dataset, {"val": SplitDeclaration(masks=False)})).encode()
    toy = tmp_path / "results/toy"
    write(toy / "index", "prepare_dataset", "", {"index.csv": index}, parameters={"parameters": raw})
    maps = pack_label_maps({i: encode_label_map(drawn(i))[1] for i in IDS})
    write(toy / "psa/rng0/predictions", "predict", "predictions", {"val-0.zip": maps})
    (tmp_path / "results/.params").mkdir()
    (tmp_path / "results/.params/roots.json").write_text(json.dumps({"toy": str(data)}))
    return tmp_path / "results"


def node_of(results: Path) -> str:
    return str(results / "toy/psa/rng0/predictions")


def test_coco_is_what_pycocotools_reads(results, tmp_path):
    assert export(locate(node_of(results)), tmp_path / "out", "coco") == (tmp_path / "out", 3)
    read = COCO(str(tmp_path / "out/instances_val.json"))
    assert [c["name"] for c in read.loadCats(read.getCatIds())] == CLASSES
    assert {image["file_name"] for image in read.imgs.values()} == set(IDS)
    for number, image in read.imgs.items():
        expected = drawn(image["file_name"])
        found = np.zeros_like(expected)
        for one in read.loadAnns(read.getAnnIds(number)):
            pixels = read.annToMask(one).astype(bool)
            assert one["area"] == pixels.sum()
            x, y, width, height = map(int, one["bbox"])
            assert pixels[y : y + height, x : x + width].sum() == pixels.sum()
            found[pixels] = one["category_id"]
        assert (found == expected).all()


def test_coco_is_read_as_a_data_set_of_that_kind(results, tmp_path):
    export(locate(node_of(results)), tmp_path / "out", "coco")
    raw = {"kind": "coco", "splits": {"val": {}}}
    raw["with"] = {"annotations": "instances_{list}.json", "images": "../data"}
    data = open_dataset("back", DatasetDeclaration.model_validate(raw), tmp_path / "out")
    assert data.faults() == []
    assert list(data.classes) == CLASSES
    for image_id in IDS:
        assert (data.mask(image_id.rpartition(".")[0]) == drawn(image_id)).all()


def test_ids_of_coco_stay(results, tmp_path):
    folder = results / "toy/other/rng0/predictions"
    names = {"000000000139": 139, "COCO_val2014_000000000042": 42}
    maps = pack_label_maps({i: encode_label_map(drawn("a.jpg"))[1] for i in names})
    write(folder, "predict", "predictions", {"val-0.zip": maps})
    export(locate(str(folder)), tmp_path / "out", "coco")
    content = json.loads((tmp_path / "out/instances_val.json").read_text())
    assert {i["file_name"]: i["id"] for i in content["images"]} == {f"{n}.jpg": k for n, k in names.items()}


def test_neutral_pixels_are_not_coco(results, tmp_path):
    folder = results / "toy/other/rng0/pseudo"
    maps = pack_label_maps({"a.jpg": encode_label_map(np.full((5, 7), 255, np.uint8))[1]})
    write(folder, "pseudo_masks", "pseudo_masks", {"val-0.zip": maps})
    with pytest.raises(SeedbedError, match=r"image a.jpg has neutral pixels \(255\), which COCO's format"):
        export(locate(str(folder)), tmp_path / "out", "coco")


def test_mmsegmentations_folders(results, tmp_path):
    assert export(locate(node_of(results)), tmp_path / "out", "mmseg") == (tmp_path / "out", 3)
    out = tmp_path / "out"
    for image_id in IDS:
        name = image_id.rpartition(".")[0]
        with Image.open(out / f"ann_dir/val/{name}.png") as mask:
            assert (np.array(mask) == drawn(image_id)).all()
        with Image.open(out / f"img_dir/val/{name}.jpg") as photo:
            assert (photo.format, photo.size) == ("JPEG", SIZES[image_id])
    data = results.parent / "data"
    assert (out / "img_dir/val/a.jpg").read_bytes() == (data / "a.jpg").read_bytes()
    metainfo = json.loads((out / "metainfo.json").read_text())
    assert metainfo == {
        "classes": ["background", *CLASSES],
        "palette": [voc_palette()[3 * k : 3 * k + 3] for k in range(3)],
    }


def test_a_photograph_that_changed_is_not_exported(results, tmp_path):
    Image.new("RGB", (7, 5)).save(results.parent / "data/a.jpg")
    with pytest.raises(SeedbedError, match=r"a.jpg has changed since it was indexed"):
        export(locate(node_of(results)), tmp_path / "out", "mmseg")


def test_without_an_index_photographs_are_not_known(results, tmp_path):
    node = Path(node_of(results)).rename(tmp_path / "alone")
    for form in ("mmseg", "overlays"):
        with pytest.raises(SeedbedError, match="there is no index of its data set beside it"):
            export(locate(str(node)), tmp_path / "out", form)


@pytest.fixture
def cams(results):
    """CAMs of one scale; the last image has no class."""
    rng = np.random.default_rng(1)
    made = {}
    for image_id in IDS:
        width, height = SIZES[image_id]
        ids = () if image_id == IDS[-1] else (0, 1)
        grid = rng.random((2, -(-height // 2), -(-width // 2)), dtype=np.float32)
        made[image_id] = Maps(ids, (height, width), (grid,) if ids else ())
    folder = results / "toy/psa/rng0/cams"
    packed = pack_maps({i: encode_map(m)[1] for i, m in made.items()})
    write(folder, "dump_cams", "cams", {"val-0.safetensors": packed}, facts={"normalisation": "max"})
    return folder


def test_irns_cams_are_read_back(cams, tmp_path):
    assert export(locate(str(cams)), tmp_path / "out", "irn") == (tmp_path / "out", 3)
    store = Artifact(cams).open("val")
    for image_id in IDS[:2]:
        path = tmp_path / f"out/{image_id.rpartition('.')[0]}.npy"
        class_ids, maps = read_cams(path)
        assert class_ids == (0, 1)
        assert (maps == store.scores(image_id)).all()
        content = np.load(path, allow_pickle=True).item()
        assert sorted(content) == ["cam", "high_res", "keys"]
        height, width = maps.shape[1:]
        assert tuple(content["cam"].shape) == (2, (height - 1) // 4 + 1, (width - 1) // 4 + 1)
        assert content["keys"].tolist() == [0, 1]
    empty = np.load(tmp_path / "out/sub/c.npy", allow_pickle=True).item()
    assert empty["keys"].tolist() == []
    assert empty["high_res"].shape == (0, 9, 4)


def test_overlays_of_label_maps_and_a_contact_sheet(results, tmp_path):
    assert export(locate(node_of(results)), tmp_path / "out", "overlays") == (tmp_path / "out", 3)
    names = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.jpg")}
    assert names == {"a.jpg", "b.jpg", "sub/c.jpg", "sheet-val-1.jpg"}
    photo = np.asarray(Image.open(results.parent / "data/a.jpg").convert("RGB"))
    expected = overlays.jpeg(overlays.overlay_labels(photo, drawn("a.jpg")))
    assert (tmp_path / "out/a.jpg").read_bytes() == expected


def test_overlays_of_cams(cams, tmp_path):
    export(locate(str(cams)), tmp_path / "out", "overlays")
    names = {p.name for p in (tmp_path / "out").rglob("*.jpg")}
    assert names == {"a-cat.jpg", "a-cow.jpg", "b-cat.jpg", "b-cow.jpg", "sheet-val-1.jpg"}


def test_a_sheet_by_hand():
    sheet = contact_sheet([np.zeros((10, 20, 3), np.uint8), np.full((192, 192, 3), 9, np.uint8)])
    assert sheet.shape == (200, 396, 3)
    assert (sheet[4:14, 4:24] == 0).all()
    assert (sheet[4:196, 200:392] == 9).all()
    sheet[4:14, 4:24] = sheet[4:196, 200:392] = 255
    assert (sheet == 255).all()
    assert contact_sheet([np.zeros((5, 5, 3), np.uint8)] * 7).shape == (396, 1180, 3)


def test_what_an_artifact_cannot_be_written_as(results, cams, tmp_path):
    with pytest.raises(SeedbedError, match="was made by predict; expected CAMs, as dump_cams makes them"):
        export(locate(node_of(results)), tmp_path / "out", "irn")
    with pytest.raises(SeedbedError, match="was made by dump_cams; expected label maps"):
        export(locate(str(cams)), tmp_path / "out", "coco")
    with pytest.raises(SeedbedError, match="unknown format 'cocoo'; did you mean coco"):
        export(locate(str(cams)), tmp_path / "out", "cocoo")
