"""Others' maps as nodes: what is read, and what is refused, by image and file."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seedbed.artifacts.maps import MapStore, encode_map, pack_maps
from seedbed.errors import SeedbedError
from seedbed.recipes import RecipeBook
from seedbed.runtime.contract import Job, Stage
from seedbed.stages.import_maps import IMPORT_CAMS, IMPORT_PSEUDO_MASKS, IMPORT_SALIENCY

CAM = np.array([[1.0, 0.5, 0.25], [0.0, 0.0, 0.75]], np.float32)


class Photographs:
    """Two of 3 x 2 pixels: a with class 1, b without any."""

    classes = ("cat", "dog")

    def size(self, image_id: str) -> tuple[int, int]:
        return 3, 2

    def labels(self, image_id: str) -> np.ndarray:
        return np.array([False, image_id == "a"])

    def mask_class_ids(self, image_id: str) -> list[int]:
        return np.flatnonzero(self.labels(image_id)).tolist()


def imported(stage: Stage, folder: Path, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a stage makes of a folder, and its facts."""
    job = object.__new__(Job)
    values = {
        "parameters": stage.validate({"folder": str(folder)} | parameters, "test"),
        "dataset": Photographs(),
        "image_ids": ("a", "b"),
        "shard": "train-0",
        "facts": {},
        "classes": Photographs.classes,
    }
    for name, value in values.items():
        setattr(job, name, value)
    assert stage.run is not None
    return dict(stage.run(job)), job.facts


def png(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values.astype(np.uint8)).save(path)


@pytest.mark.parametrize("style", ["psa", "puzzle"])
def test_cams(tmp_path: Path, style: str) -> None:
    one = {1: CAM} if style == "psa" else {"keys": np.array([0, 2]), "hr_cam": CAM[None]}
    none = {} if style == "psa" else {"keys": np.array([0]), "hr_cam": np.zeros((0, 2, 3), np.float32)}
    np.save(tmp_path / "a.npy", one, allow_pickle=True)
    np.save(tmp_path / "b.npy", none, allow_pickle=True)
    found, facts = imported(IMPORT_CAMS, tmp_path)
    assert facts == {"normalisation": "none"}
    assert (found["a"].class_ids, found["b"].class_ids) == ((1,), ())
    shard = tmp_path / "train-0.safetensors"
    shard.write_bytes(pack_maps({i: encode_map(m)[1] for i, m in found.items()}))
    store = MapStore([shard], facts | {"classes": ["cat", "dog"]})
    np.testing.assert_allclose(store.scores("a"), CAM[None])
    assert store.scores("b").shape == (0, 2, 3)


@pytest.mark.parametrize(
    ("content", "parameters", "message"),
    [
        (
            {0: CAM},
            {},
            r"a.npy: expected CAMs of the classes that the labels name, \[1\], got \[0\] \(from 0\)",
        ),
        ({2: CAM}, {}, r"got \[2\] \(from 0\); set `keys` if"),
        ({1: CAM.T.copy()}, {}, "a.npy: expected the photograph's size 3x2, got 2x3"),
        ({1: 2 * CAM}, {}, "a.npy: expected scores up to 1, got 2; set `normalisation: max`"),
        ({1: CAM * np.float32(1.0000002)}, {}, r"a.npy: expected scores up to 1, got 1.00000024; set"),
        ({}, {}, r"a.npy: expected CAMs of the classes that the labels name, \[1\], got \[\] \(from 0\)"),
        ({10**20: CAM}, {}, r"a.npy: expected classes up to 253, got \[1(0){20}\]; number them from 0"),
    ],
)
def test_cams_that_do_not_fit(
    tmp_path: Path, content: dict[int, np.ndarray], parameters: dict[str, Any], message: str
) -> None:
    np.save(tmp_path / "a.npy", content, allow_pickle=True)
    np.save(tmp_path / "b.npy", {}, allow_pickle=True)
    with pytest.raises(SeedbedError, match=message):
        imported(IMPORT_CAMS, tmp_path, **parameters)


def test_cams_counted_from_1_and_of_another_range(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", {2: 4 * CAM}, allow_pickle=True)
    np.save(tmp_path / "b.npy", {}, allow_pickle=True)
    found, facts = imported(IMPORT_CAMS, tmp_path, keys="from_1", normalisation="max")
    assert found["a"].class_ids == (1,)
    assert facts == {"normalisation": "max"}


def test_saliency(tmp_path: Path) -> None:
    png(tmp_path / "a_sal.png", np.array([[255, 51, 0], [0, 0, 0]]))
    png(tmp_path / "b_sal.png", np.zeros((2, 3)))
    found, facts = imported(IMPORT_SALIENCY, tmp_path, pattern="{id}_sal.png")
    assert facts == {"normalisation": "none", "channels": ["saliency"]}
    np.testing.assert_allclose(found["a"].maps[0], [[[1, 0.2, 0], [0, 0, 0]]])
    assert found["b"].class_ids == (0,)
    assert not found["b"].maps[0].any()


def test_saliency_of_another_range_or_size(tmp_path: Path) -> None:
    for name in "ab":
        png(tmp_path / f"{name}.png", np.eye(2, 3))
    with pytest.raises(
        SeedbedError, match="the brightest of all 2 images of train-0 has grey level 1 of 255; set"
    ):
        imported(IMPORT_SALIENCY, tmp_path)
    found, _ = imported(IMPORT_SALIENCY, tmp_path, largest=1)
    np.testing.assert_array_equal(found["a"].maps[0][0], np.eye(2, 3))
    png(tmp_path / "b.png", 100 * np.eye(2, 3))
    with pytest.raises(
        SeedbedError, match=r"b.png: expected grey levels up to `largest` 1, got 100; raise it"
    ):
        imported(IMPORT_SALIENCY, tmp_path, largest=1)
    png(tmp_path / "a.png", np.zeros((3, 2)))
    with pytest.raises(SeedbedError, match=r"a.png: expected the photograph's size 3x2, got 2x3"):
        imported(IMPORT_SALIENCY, tmp_path)
    (tmp_path / "a.png").unlink()
    with pytest.raises(SeedbedError, match=r"a.png: expected the map of an image, but there is no such file"):
        imported(IMPORT_SALIENCY, tmp_path)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "I;16", "L;4"])
def test_saliency_in_every_kind_of_grey_png(tmp_path: Path, mode: str) -> None:
    """An inner pixel is fully salient, whatever number stands for white in the file."""
    grey = np.zeros((2, 3), np.uint8)
    grey[0, 1] = 255
    image = Image.fromarray(grey)
    if mode == "P":
        image = Image.fromarray(np.where(grey == 255, 0, 1).astype(np.uint8), "P")
        image.putpalette([255, 255, 255, 0, 0, 0])
    elif mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "RGB":
        image = image.convert("RGB")
    elif mode == "1":
        image = image.convert("1")
    for name in "ab":
        if mode == "L;4":
            (tmp_path / f"{name}.png").write_bytes(png_of_4_bits(grey // 17))
        else:
            image.save(tmp_path / f"{name}.png")
    found, _ = imported(IMPORT_SALIENCY, tmp_path)
    np.testing.assert_array_equal(found["a"].maps[0][0], grey / np.float32(255))


def png_of_4_bits(levels: np.ndarray) -> bytes:
    """A grey PNG of 4 bits per pixel, two of them to a byte."""
    height, width = levels.shape
    even = np.pad(levels, ((0, 0), (0, width % 2)))
    lines = b"".join(b"\0" + (row[::2] << 4 | row[1::2]).astype(np.uint8).tobytes() for row in even)
    head = struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_saliency_that_is_no_grey_image_or_says_nothing(tmp_path: Path) -> None:
    png(tmp_path / "b.png", np.zeros((2, 3)))
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0, 0] = 255, 0, 0
    for mode, message in (
        ("RGB", r"a.png: expected a grey PNG, but it has colours; save it as grey"),
        ("P", r"a.png: expected a grey PNG, but it has colours; save it as grey"),
        ("RGBA", r"a.png: expected a grey PNG, but its mode is RGBA; save it as grey"),
    ):
        Image.fromarray(colours).convert(mode).save(tmp_path / "a.png")
        with pytest.raises(SeedbedError, match=message):
            imported(IMPORT_SALIENCY, tmp_path)
    for level in (0, 255):
        for name in "ab":
            png(tmp_path / f"{name}.png", np.full((2, 3), level))
        with pytest.raises(
            SeedbedError, match="the saliency of all 2 images of train-0 is constant; give maps"
        ):
            imported(IMPORT_SALIENCY, tmp_path)
    (tmp_path / "a.png").write_bytes(b"no PNG")
    with pytest.raises(SeedbedError, match=r"a.png: not a readable map \(not a PNG\); replace it"):
        imported(IMPORT_SALIENCY, tmp_path)


def test_pseudo_masks(tmp_path: Path) -> None:
    label_map = np.array([[0, 2, 255], [2, 0, 0]])
    png(tmp_path / "a.png", label_map)
    png(tmp_path / "b.png", np.zeros((2, 3)))
    found, _ = imported(IMPORT_PSEUDO_MASKS, tmp_path)
    np.testing.assert_array_equal(found["a"], label_map)
    png(tmp_path / "b.png", 7 * np.eye(2, 3))
    with pytest.raises(SeedbedError, match=r"b.png: expected 0 to 2, or 255 for neutral, got \[7\]"):
        imported(IMPORT_PSEUDO_MASKS, tmp_path)


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (np.zeros((2, 3)), "no pixel of the images of train-0 that have labels has a class; give"),
        (255 * np.eye(2, 3), "no pixel of the images of train-0 that have labels has a class; give"),
        (
            np.eye(2, 3),
            "of train-0 that have a class, only 0% have one that the labels of their image name; give",
        ),
        ([[1, 1, 2], [0, 0, 0]], "that have a class, only 33% have one .* from 1 on, cat, dog"),
    ],
)
def test_pseudo_masks_of_other_indices(tmp_path: Path, a: np.ndarray, message: str) -> None:
    """Of zeros and 255, of classes counted from 0, or in another order."""
    png(tmp_path / "a.png", np.array(a))
    png(tmp_path / "b.png", np.zeros((2, 3)))
    with pytest.raises(SeedbedError, match=message):
        imported(IMPORT_PSEUDO_MASKS, tmp_path)


def test_pseudo_masks_may_hold_other_classes(tmp_path: Path) -> None:
    """A network predicts some that the labels do not name; images without a class have none."""
    png(tmp_path / "a.png", np.array([[2, 2, 1], [0, 0, 0]]))
    png(tmp_path / "b.png", np.array([[0, 0, 1], [0, 0, 0]]))
    assert imported(IMPORT_PSEUDO_MASKS, tmp_path)[0]["a"][0].tolist() == [2, 2, 1]


@pytest.mark.parametrize("level", [0, 1])
def test_constant_cams(tmp_path: Path, level: int) -> None:
    np.save(tmp_path / "a.npy", {1: np.full((2, 3), level, np.float32)}, allow_pickle=True)
    np.save(tmp_path / "b.npy", {}, allow_pickle=True)
    with pytest.raises(
        SeedbedError, match="the CAMs of all 2 images of train-0 are constant; dump them again"
    ):
        imported(IMPORT_CAMS, tmp_path)


@pytest.mark.parametrize("stage", [IMPORT_CAMS, IMPORT_SALIENCY, IMPORT_PSEUDO_MASKS])
def test_missing_files(tmp_path: Path, stage: Stage) -> None:
    """One line says which is the first, what is there instead, and how many there are."""
    ending = "npy" if stage is IMPORT_CAMS else "png"
    (tmp_path / "A.x").touch()
    missing = (
        rf"a.{ending}: expected the map of an image, but there is no such file, only A.x; add it, or check "
    )
    with pytest.raises(SeedbedError, match=rf"{missing}.*\(files missing: 2 of 2\)"):
        imported(stage, tmp_path)
    for name, told in (("none", "`folder`$"), ("$UNSET", "`folder` and the variable in it$")):
        with pytest.raises(SeedbedError, match=rf"expected the folder .* no such folder; check {told}"):
            imported(stage, tmp_path / name)


def test_names_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ending of a photograph or without it; below the folder of a user."""
    monkeypatch.setenv("HOME", "/home/me")
    by_id, by_stem = (
        IMPORT_SALIENCY.validate({"folder": "~/maps", "pattern": pattern}, "test")
        for pattern in ("{id}.png", "{stem}_s.png")
    )
    assert str(by_id.path("x/a.jpg")) == "/home/me/maps/x/a.jpg.png"
    assert str(by_stem.path("x/a.jpg")) == "/home/me/maps/x/a_s.png"
    assert str(by_stem.path("2007_000032")) == "/home/me/maps/2007_000032_s.png"


def test_the_folder_may_hold_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIRS", str(tmp_path))
    for name in "ab":
        png(tmp_path / f"{name}.png", 2 * np.eye(2, 3))
    assert set(imported(IMPORT_PSEUDO_MASKS, Path("$THEIRS"))[0]) == {"a", "b"}


def test_a_recipe_needs_a_folder_and_a_name_with_the_id(tmp_path: Path) -> None:
    (tmp_path / "theirs.yaml").write_text("nodes: {cams: {stage: import_cams}}\n")
    node = RecipeBook(tmp_path)["theirs"].nodes["cams"]
    with pytest.raises(SeedbedError, match="expected `folder`, where the files are, got none"):
        node.parameters({}, "recipe theirs, node cams")
    with pytest.raises(
        SeedbedError, match=r"expected a file name with {id} or {stem}, for instance {id}.png, got 'a.npy'"
    ):
        IMPORT_CAMS.validate({"pattern": "a.npy"}, "test")
