"""The store of maps: what goes in comes out, equal maps give equal bytes, images without classes are kept."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from seedbed.artifacts.maps import Maps, MapStore, pack_maps
from seedbed.errors import SeedbedError


def made(
    classes: tuple[int, ...], size: tuple[int, int], sides: tuple[int, ...], flips: bool, seed: int
) -> Maps:
    generator = np.random.default_rng(seed)
    maps = tuple(generator.random((len(classes), side, side + 1), dtype=np.float32) for side in sides)
    return Maps(classes, size, maps, tuple(m / 2 for m in maps) if flips else ())


FACTS = {"normalisation": "max", "classes": [f"c{k}" for k in range(20)]}
CAMS = {
    "plain": made((0, 3), (37, 50), (2, 3, 5), False, 1),
    "with flips": made((19,), (8, 8), (1, 2), True, 2),
    "no classes": Maps((), (5, 7), ()),
}


def same(one: Maps, other: Maps) -> bool:
    return (
        (one.class_ids, one.size, len(one.maps), len(one.flips))
        == (other.class_ids, other.size, len(other.maps), len(other.flips))
        and all(np.array_equal(a, b) for a, b in zip(one.maps, other.maps, strict=True))
        and all(np.array_equal(a, b) for a, b in zip(one.flips, other.flips, strict=True))
    )


def test_round_trip_with_flips_and_an_image_without_classes(tmp_path: Path) -> None:
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(pack_maps(CAMS))
    store = MapStore([path], FACTS)
    assert list(store) == sorted(CAMS)
    for image_id, cams in CAMS.items():
        assert same(store[image_id], cams)
        assert store[image_id].digest() == cams.digest()
        assert all(m.dtype == np.float32 for m in store[image_id].maps)


def test_maps_of_an_image_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(pack_maps(CAMS))
    store = MapStore([path], FACTS)
    sizes = {name: cams.size[::-1] for name, cams in CAMS.items()} | {"of another shard": (1, 1)}
    store.check_sizes(sizes, sizes.__getitem__)
    told = "train-0.safetensors: image 'no classes': maps of an image of 7x5, but it has 5x7"
    with pytest.raises(SeedbedError, match=told):
        store.check_sizes(CAMS, {**sizes, "no classes": (5, 7)}.__getitem__)


def test_shards_are_read_as_one_store(tmp_path: Path) -> None:
    for number, image_id in enumerate(CAMS):
        (tmp_path / f"train-{number}.safetensors").write_bytes(pack_maps({image_id: CAMS[image_id]}))
    store = MapStore(list(tmp_path.iterdir()), FACTS)
    assert all(same(store[image_id], cams) for image_id, cams in CAMS.items())
    assert "plain" in store
    assert "other" not in store


def test_a_shard_in_which_no_image_has_a_class_is_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(pack_maps({"x": CAMS["no classes"]}))
    assert MapStore([path], FACTS)["x"] == CAMS["no classes"]


def test_the_order_of_insertion_does_not_reach_the_bytes() -> None:
    assert (
        len({pack_maps({name: CAMS[name] for name in order}) for order in itertools.permutations(CAMS)}) == 1
    )


def test_facts_stand_under_one_key(tmp_path: Path) -> None:
    """safetensors writes several keys in random order."""
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(pack_maps(CAMS))
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
    path.write_bytes(pack_maps(CAMS))
    with pytest.raises(SeedbedError, match="no maps for image 'x' among 3; run the stage"):
        MapStore([path], FACTS)["x"]


STORED = Maps((1,), (2, 2), (np.array([[[1.0, 3.0], [0.0, 2.0]]], np.float32),))


def test_scores_are_normalised_as_the_facts_say(tmp_path: Path) -> None:
    path = tmp_path / "train-0.safetensors"
    path.write_bytes(pack_maps({"a": STORED, "b": CAMS["no classes"]}))
    store = MapStore([path], {"normalisation": "global_max", "classes": ["cat", "dog", "cow"]})
    assert store.scores("a")[0] == pytest.approx(np.array([[1 / 3, 1], [0, 2 / 3]]), abs=1e-6)
    assert store.scores("a", (1, 1)).shape == (1, 1, 1)
    assert store.scores("b").shape == (0, 5, 7)
    fields = store.fields("a")[""]
    assert fields.shape == (3, 2, 2)
    assert not fields[[0, 2]].any()
    assert np.array_equal(fields[1], store.scores("a")[0])
    silent = MapStore([path], {"classes": ["cat", "dog", "cow"]})
    with pytest.raises(
        SeedbedError, match="do not say how they are normalised; the stage that makes them must set"
    ):
        silent.scores("a")
