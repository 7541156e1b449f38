"""Files that are there are found, whatever is written for them."""

import os

import pytest

from seedbed.datasets.finder import Finder
from seedbed.errors import SeedbedError

SUFFIXES = frozenset({".jpg", ".gif"})


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def found(folder, key, **options):
    return Finder(folder, SUFFIXES, **options).find(key, "photograph").relative_to(folder).as_posix()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("./a.jpg", "a.jpg"),
        ("garden//b.JPG", "garden/b.JPG"),
        ("garden/./b", "garden/b.JPG"),
        ("b", "garden/b.JPG"),
        ("c.d", "c.d.gif"),
        ("c.d.gif", "c.d.gif"),
    ],
)
def test_paths_and_names(tmp_path, key, path):
    for name in ("a.jpg", "garden/b.JPG", "c.d.gif", "a.txt"):
        touch(tmp_path / name)
    assert found(tmp_path, key) == path


def test_linked_folders_are_followed(tmp_path):
    touch(tmp_path / "elsewhere/deep/a.jpg")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/link").symlink_to(tmp_path / "elsewhere")
    for key in ("a", "a.jpg", "link/deep/a", "link/deep/a.jpg"):
        assert found(tmp_path / "images", key) == "link/deep/a.jpg"


def test_a_folder_and_a_link_to_it_hold_one_file(tmp_path):
    touch(tmp_path / "b/a.jpg")
    (tmp_path / "a_link").symlink_to("b")
    assert found(tmp_path, "b/a") == "b/a.jpg"
    assert found(tmp_path, "a_link/a") == "a_link/a.jpg"
    assert os.path.realpath(tmp_path / found(tmp_path, "a")) == str(tmp_path / "b/a.jpg")


@pytest.mark.parametrize("target", [".", "b", ".."])
def test_loops_are_refused_by_name(tmp_path, target):
    touch(tmp_path / "b/a.jpg")
    (tmp_path / "b/loop").symlink_to(tmp_path / target)
    finder = Finder(tmp_path, SUFFIXES)
    assert finder.find("a", "photograph") == tmp_path / "b/a.jpg"
    assert finder.faults == [f"{tmp_path}/b/loop: a link to a folder that contains it; remove the link"]


def test_what_is_not_found(tmp_path):
    for name in ("x/a.jpg", "y/a.jpg", "masks/m.jpg"):
        touch(tmp_path / name)
    with pytest.raises(
        SeedbedError, match=r"'a' could be x/a\.jpg or y/a\.jpg; write the path below the folder"
    ):
        found(tmp_path, "a")
    with pytest.raises(SeedbedError, match="expected a photograph for 'm', but there is no such file"):
        found(tmp_path, "m", without=tmp_path / "masks")
    with pytest.raises(SeedbedError, match="expected the folder of photographs, but there is none"):
        found(tmp_path / "none", "a")


NFC, NFD = "zw\u00f6lf", "zwo\u0308lf"


@pytest.mark.parametrize(("stored", "written"), [(NFC, NFD), (NFD, NFC)])
def test_letters_that_unicode_writes_in_two_ways(tmp_path, stored, written):
    """macOS takes accents apart in names of files; what a person types has them together."""
    touch(tmp_path / f"x/{stored}.jpg")
    for key in (written, f"{written}.jpg", f"x/{written}"):
        assert found(tmp_path, key) == f"x/{stored}.jpg"
    assert Finder(tmp_path, SUFFIXES).mirrored(f"x/{written}") == [f"x/{stored}.jpg"]
    touch(tmp_path / f"x/{written}.jpg")
    assert found(tmp_path, stored) == f"x/{stored}.jpg"
    assert found(tmp_path, written) == f"x/{written}.jpg"


@pytest.mark.parametrize(
    ("key", "only"),
    [
        ("a.jpg", "a.JPG"),
        ("A", "a.JPG"),
        ("garden\\b.jpg", "garden/b.jpg"),
        ("photos\\garden\\b.jpg", "garden/b.jpg"),
        ("photos/a.png", "a.JPG"),
        ("B.gif", "garden/b.jpg"),
    ],
)
def test_what_is_there_under_a_similar_name_is_told(tmp_path, key, only):
    for name in ("a.JPG", "garden/b.jpg"):
        touch(tmp_path / name)
    with pytest.raises(SeedbedError) as told:
        found(tmp_path, key)
    assert str(told.value).endswith(
        f"photograph for {key!r}, but there is no such file, only {only}; write that"
    )
