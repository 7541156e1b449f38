"""`seedbed predict` where some of the photographs cannot be used: these are named, the others are done."""

import csv
import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seedbed.errors import SeedbedError
from seedbed.verbs import predict as verb
from seedbed.verbs.predict import Predictor, find_photos, predict_photos

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


class RightHalf(Predictor):
    """Stands for a predictor: the right half of every photograph is a cat."""

    def __init__(self) -> None:
        object.__setattr__(self, "classes", ("background", "cat"))

    def label_map(self, photo: Image.Image) -> np.ndarray:
        labels = np.zeros((photo.height, photo.width), np.uint8)
        labels[:, photo.width // 2 :] = 1
        return labels


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photographs that can be read: the first and the last by name."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (6, 4), (200, 30, 40)).save(folder / "0.jpg", format="JPEG")
    Image.new("RGB", (8, 2), (20, 130, 40)).save(folder / "~.png", format="PNG")
    return folder


def copied(photos: Path, name: bytes) -> None:
    with open(os.fsencode(photos) + b"/" + name, "wb") as stream:
        stream.write((photos / "0.jpg").read_bytes())


def predicted(photos: Path, out: Path) -> list[str]:
    return predict_photos(RightHalf(), find_photos([photos], out), out, overlay=True)


def rows_of(out: Path) -> list[list[str]]:
    with (out / "shares.csv").open(newline="") as stream:
        return list(csv.reader(stream))[1:]


BOTH = [["0", "6", "4", "0.500000", "0.500000"], ["~", "8", "2", "0.500000", "0.500000"]]


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.heic", HEIC, ".heic is a format that is not read here; save it as JPEG"),
        ("a.HEIF", HEIC, ".HEIF is a format that is not read here; save it as JPEG"),
        ("a.jpg", HEIC, "not a readable image"),
        ("a.CR2", b"II*\0\x10\0\0\0CR\x02\0" + bytes(100), ".CR2 is a format that is not read here"),
        ("a.nef", b"MM\0*" + bytes(100), ".nef is a format that is not read here"),
        ("a.dng", b"", ".dng is a format that is not read here"),
        ("a.jpg", b"text", "not a readable image"),
        ("a.png", b"", "not a readable image"),
    ],
)
def test_what_cannot_be_read_or_written_is_named(
    photos: Path, tmp_path: Path, name: str, content: bytes, part: str
) -> None:
    (photos / name).write_bytes(content)
    faults = predicted(photos, tmp_path / "out")
    assert len(faults) == 1
    assert name in faults[0]
    assert part in faults[0]
    assert rows_of(tmp_path / "out") == BOTH


def test_what_is_no_file_is_not_waited_for(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(photos / "pipe.jpg")
    (photos / "device.jpg").symlink_to("/dev/zero")
    (photos / "loop.jpg").symlink_to("loop.jpg")
    (photos / "nothing.jpg").symlink_to("nowhere")
    faults = predicted(photos, tmp_path / "out")
    assert len(faults) == 4
    for name, fault in zip(("device", "loop", "nothing", "pipe"), faults, strict=True):
        assert f"{name}.jpg" in fault
    assert rows_of(tmp_path / "out") == BOTH


def test_a_name_that_is_not_utf_8_can_be_printed(photos: Path, tmp_path: Path) -> None:
    try:
        copied(photos, b"caf\xe9.jpg")
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    faults = predicted(photos, tmp_path / "out")
    assert [row for row in rows_of(tmp_path / "out") if not row[0].startswith("caf")] == BOTH
    assert "\\xe9" in ("".join(faults) + (tmp_path / "out/shares.csv").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_begins_as_a_formula(photos: Path, tmp_path: Path, name: str) -> None:
    copied(photos, f"{name}.jpg".encode())
    assert predicted(photos, tmp_path / "out") == []
    assert f"'{name}" in [row[0] for row in rows_of(tmp_path / "out")]
    assert (tmp_path / "out" / f"{name}.png").is_file()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("n" * 251, "n" * 251),
        ("a\"b'c", "a\"b'c"),
        ("ä,b;c", "ä,b;c"),
        ("a\nb", "a\\nb"),
        ("\r=1", "\\r=1"),
        ("\t=1", "\\t=1"),
    ],
)
def test_odd_names_are_done(photos: Path, tmp_path: Path, name: str, shown: str) -> None:
    copied(photos, f"{name}.jpg".encode())
    assert predicted(photos, tmp_path / "out") == []
    assert sorted(row[0] for row in rows_of(tmp_path / "out")) == sorted(["0", "~", shown])
    assert (tmp_path / "out" / f"{name}.png").is_file()
    assert (tmp_path / "out/overlays" / f"{name}.jpg").is_file()


def test_masks_whose_names_are_too_long(photos: Path, tmp_path: Path) -> None:
    """Two photographs that differ by suffix keep theirs in the names of their masks."""
    for suffix in ("jpg", "png"):
        copied(photos, b"n" * 251 + f".{suffix}".encode())
    faults = predicted(photos, tmp_path / "out")
    assert len(faults) == 2
    for fault in faults:
        assert "the name is too long for the file system" in fault
    assert rows_of(tmp_path / "out") == BOTH


def test_one_photograph_that_memory_does_not_hold(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(photos, b"a.jpg")
    whole = verb.read_photo

    def read(photo: verb.Photo) -> Image.Image:
        if photo.name == "a":
            raise MemoryError
        return whole(photo)

    monkeypatch.setattr(verb, "read_photo", read)
    faults = predicted(photos, tmp_path / "out")
    assert len(faults) == 1
    assert "a.jpg" in faults[0]
    assert rows_of(tmp_path / "out") == BOTH


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_takes_nothing_ends_it(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tried = []

    def refuse(source: object, target: object) -> None:
        tried.append(target)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(SeedbedError, match=r"cannot write .*0\.png"):
        predicted(photos, tmp_path / "out")
    assert len(tried) == 1
