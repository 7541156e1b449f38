"""Names of what is written for images."""

import pytest

from seedbed.verbs.names import names_of


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["a.jpg", "trip/b.PNG"], ["a", "trip/b"]),
        (["2007_02", "a.b", "scan.dat"], ["2007_02", "a.b", "scan.dat"]),
        (["a.jpg", "a.png", "b.png"], ["a.jpg", "a.png", "b"]),
        (["x/a.jpg", "y/a.jpg"], ["x/a", "y/a"]),
        (["a.jpg", "a.png", "a.jpg.png", "c.png"], ["a.jpg", "a.png", "a.jpg.png", "c.png"]),
    ],
    ids=["an image's suffix goes", "others stay", "equal names keep it", "folders tell apart", "still equal"],
)
def test_names(images: list[str], names: list[str]) -> None:
    assert names_of(images) == names
