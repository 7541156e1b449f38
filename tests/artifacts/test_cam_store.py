"""The CAM store: what goes in comes out, equal CAMs give equal bytes, images without classes are kept."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from seedbed.artifacts.cams import Cams, CamStore, encode_cams
from seedbed.errors import SeedbedError


def made(
    classes: tuple[int, ...], size: tuple[int, int], sides: tuple[int, ...], flips: bool, seed: int
) -> Cams:
    generator = np.random.default_rng(seed)
    maps = tuple(generator.random((len(classes), side, side + 1), dtype=np.float32) for side in sides)
    return Cams(classes, size, maps, tuple(m / 2 for m in maps) if flips else ())


CAMS = {
    "plain": made((0, 3), (37, 50), (2, 3, 5), False, 1),
    "with flips": made((19,), (8, 8), (1, 2), True, 2),
    "no classes": Cams((), (5, 7), ()),
}


def same(one: Cams, other: Cams) -> bool:
    return (
        (one.class_ids, one.size, len(one.maps), len(one.flips))
        == (other.class_ids, other.size, len(other.maps), len(other.flips))
        and all(np.array_equal(a, b) for a, b in zip(one.maps, other.maps, strict=True))
        and all(np.array_equal(a, b) for a, b in zip(one.flips, other.flips, strict=True))
    )


def test_round_trip_with_flips_and_an_image_without_classes(tmp_path: Path) -> None:
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(encode_cams(CAMS))
    store = CamStore([path])
    assert list(store) == sorted(CAMS)
    for image_id, cams in CAMS.items():
        assert same(store[image_id], cams)
        assert store[image_id].digest() == cams.digest()
        assert all(m.dtype == np.float32 for m in store[image_id].maps)


def test_shards_are_read_as_one_store(tmp_path: Path) -> None:
    for number, image_id in enumerate(CAMS):
        (tmp_path / f"train-{number}.safetensors").write_bytes(encode_cams({image_id: CAMS[image_id]}))
    store = CamStore(tmp_path.iterdir())
    assert all(same(store[image_id], cams) for image_id, cams in CAMS.items())
    assert "plain" in store
    assert "other" not in store


def test_a_shard_in_which_no_image_has_a_class_is_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(encode_cams({"x": CAMS["no classes"]}))
    assert CamStore([path])["x"] == CAMS["no classes"]


def test_the_order_of_insertion_does_not_reach_the_bytes() -> None:
    assert (
        len({encode_cams({name: CAMS[name] for name in order}) for order in itertools.permutations(CAMS)})
        == 1
    )


def test_facts_stand_under_one_key(tmp_path: Path) -> None:
    """safetensors writes several keys in random order."""
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(encode_cams(CAMS))
    with safe_open(path, framework="np") as handle:
        assert list(handle.metadata()) == ["seedbed"]


@pytest.mark.parametrize(
    "change",
    [
        {"class_ids": (0, 4)},
        {"size": (50, 37)},
        {"maps": CAMS["plain"].maps[:2]},
        {"maps": (CAMS["plain"].maps[0] + np.float32(1e-6), *CAMS["plain"].maps[1:])},
        {"maps": tuple(np.swapaxes(m, 1, 2) for m in CAMS["plain"].maps)},
        {"flips": CAMS["plain"].maps},
    ],
    ids=["classes", "size", "scales", "value", "shape", "flips"],
)
def test_the_digest_depends_on_everything(change: dict[str, object]) -> None:
    assert replace(CAMS["plain"], **change).digest() != CAMS["plain"].digest()


def test_the_digest_does_not_depend_on_memory_layout() -> None:
    turned = replace(CAMS["plain"], maps=tuple(np.asfortranarray(m) for m in CAMS["plain"].maps))
    assert turned.digest() == CAMS["plain"].digest()


def test_missing_cams_are_named(tmp_path: Path) -> None:
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(encode_cams(CAMS))
    with pytest.raises(SeedbedError, match="no CAMs for image 'x' among 3; run the stage"):
        CamStore([path])["x"]
