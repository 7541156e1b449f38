"""Archives of label maps: palette PNGs that any viewer opens, equal bytes for equal maps."""

import io
import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from seedbed.artifacts.label_maps import (
    LabelMaps,
    decode_label_map,
    label_map_png,
    pack_label_maps,
    voc_palette,
)
from seedbed.errors import SeedbedError

MAPS = {
    "2007_000032": np.array([[0, 1, 255], [20, 2, 0]], np.uint8),
    "b/c d": np.full((1, 1), 255, np.uint8),
    "ä": np.zeros((3, 1), np.uint8),
}


def archive(maps: dict[str, np.ndarray]) -> bytes:
    return pack_label_maps({name: label_map_png(one) for name, one in maps.items()})


def test_pillow_reads_a_palette_png_in_vocs_colours() -> None:
    with Image.open(io.BytesIO(label_map_png(MAPS["2007_000032"]))) as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image), MAPS["2007_000032"])
        colours = np.array(image.convert("RGB"))
    # VOC 2012 development kit, VOClabelcolormap: background, aeroplane, void; 20 is tv/monitor, 2 bicycle.
    assert colours[0].tolist() == [[0, 0, 0], [128, 0, 0], [224, 224, 192]]
    assert colours[1, :2].tolist() == [[0, 64, 128], [0, 128, 0]]


def test_the_palette_has_256_different_colours() -> None:
    palette = voc_palette()
    assert len(palette) == 768
    assert len({tuple(palette[i : i + 3]) for i in range(0, 768, 3)}) == 256


def test_the_order_of_insertion_does_not_reach_the_bytes() -> None:
    archives = {archive({name: MAPS[name] for name in order}) for order in itertools.permutations(MAPS)}
    assert len(archives) == 1


def test_entries_are_stored_sorted_and_dated_1980() -> None:
    with zipfile.ZipFile(io.BytesIO(archive(MAPS))) as opened:
        entries = opened.infolist()
    assert [e.filename for e in entries] == ["2007_000032.png", "b/c d.png", "ä.png"]
    assert {e.compress_type for e in entries} == {zipfile.ZIP_STORED}
    assert {e.date_time for e in entries} == {(1980, 1, 1, 0, 0, 0)}


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 255))
)
@settings(max_examples=30, deadline=None)
def test_any_label_map_comes_back(label_map: np.ndarray) -> None:
    assert np.array_equal(decode_label_map(label_map_png(label_map)), label_map)


def test_maps_that_are_views_are_written_as_seen() -> None:
    label_map = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(decode_label_map(label_map_png(label_map[:, ::-1])), label_map[:, ::-1])
    assert np.array_equal(decode_label_map(label_map_png(label_map.T)), label_map.T)


def test_several_archives_are_read_as_one(tmp_path: Path) -> None:
    names = list(MAPS)
    (tmp_path / "train-0.zip").write_bytes(archive({n: MAPS[n] for n in names[:2]}))
    (tmp_path / "train-1.zip").write_bytes(archive({n: MAPS[n] for n in names[2:]}))
    maps = LabelMaps(sorted(tmp_path.iterdir()), {})
    assert list(maps) == sorted(names)
    assert all(np.array_equal(maps[name], MAPS[name]) for name in names)
    assert names[0] in maps
    assert "other" not in maps


def test_a_missing_label_map_is_named(tmp_path: Path) -> None:
    (tmp_path / "train-0.zip").write_bytes(archive(MAPS))
    with pytest.raises(SeedbedError, match="no label map for image 'x' among 3; run the stage"):
        LabelMaps([tmp_path / "train-0.zip"], {})["x"]


def test_an_empty_archive_is_one(tmp_path: Path) -> None:
    (tmp_path / "train-0.zip").write_bytes(archive({}))
    assert list(LabelMaps([tmp_path / "train-0.zip"], {})) == []


def test_sizes_are_checked_by_the_heads_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "train-0.zip"
    path.write_bytes(archive(MAPS))
    maps = LabelMaps([path], {})
    sizes = {"2007_000032": (3, 2), "b/c d": (1, 1), "ä": (1, 3), "another": (9, 9)}
    maps.check_sizes(sizes, sizes.__getitem__)
    with pytest.raises(
        SeedbedError, match=r"train-0\.zip: image 'ä': a label map of 1x3, but the image has 3x1; "
    ):
        maps.check_sizes(["2007_000032", "ä"], (sizes | {"ä": (3, 1)}).__getitem__)
