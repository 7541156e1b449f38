"""The permutohedral lattice: its geometry, and its filter against the Gaussian sum that it approximates."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.refine.crf.lattice import Lattice, blur, build_lattice, lattice_filter


def points(n: int, d: int, seed: int, spread: float = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=spread, size=(n, d)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 60), st.sampled_from([2, 5]), st.integers(0, 2**32 - 1), st.sampled_from([0.01, 3.0, 30.0])
)
def test_weights_are_barycentric(n: int, d: int, seed: int, spread: float) -> None:
    lattice = build_lattice(points(n, d, seed, spread))
    assert lattice.weights.min() > -1e-4
    np.testing.assert_allclose(lattice.weights.sum(1), 1, atol=1e-4)
    assert lattice.vertices.min() == 1
    assert lattice.vertices.max() == lattice.rows - 1
    for simplex in lattice.vertices:
        assert len(set(simplex)) == d + 1


def chains_of(lattice: Lattice) -> list[list[list[int]]]:
    """The chains of each direction."""
    assert lattice.chains[-1] == 0
    found = []
    for part in np.split(lattice.chains[:-1], lattice.ends[:-1]):
        found.append([[]])
        for vertex in part:
            if vertex:
                found[-1][-1].append(int(vertex))
            else:
                found[-1].append([])
        assert found[-1].pop() == []
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.sampled_from([2, 5]), st.integers(0, 2**32 - 1))
def test_chains_link_the_vertices_of_a_simplex(n: int, d: int, seed: int) -> None:
    lattice = build_lattice(points(n, d, seed))
    directions = chains_of(lattice)
    assert len(directions) == d + 1
    for chains in directions:
        assert all(len(chain) > 1 for chain in chains)
        members = [vertex for chain in chains for vertex in chain]
        assert len(members) == len(set(members))
    # Each vertex of a simplex is one step, along one direction, from the next one (page 4).
    links = {link for chains in directions for chain in chains for link in itertools.pairwise(chain)}
    for simplex in lattice.vertices.tolist():
        for v, w in itertools.pairwise(simplex):
            assert {(v, w), (w, v)} & links


@pytest.mark.parametrize("channels", [1, 2, 4, 24])
def test_blur_along_chains_is_the_sum_over_neighbours(channels: int) -> None:
    lattice = build_lattice(points(200, 2, seed=5))
    values = np.random.default_rng(6).random((lattice.rows + 1, channels), dtype=np.float32)
    values[0] = 0
    expected = values[:-1].astype(np.float64)
    for chains in chains_of(lattice):
        before = expected.copy()
        for chain in chains:
            for v, w in itertools.pairwise(chain):
                expected[v] += before[w] / 2
                expected[w] += before[v] / 2
    blur(values, lattice.chains, lattice.ends, (0,) * min(channels, 8))
    np.testing.assert_allclose(values[:-1], expected, rtol=1e-5)


@pytest.mark.parametrize("d", [2, 5])
def test_equal_points_share_a_simplex_and_far_points_share_nothing(d: int) -> None:
    features = np.zeros((3, d), np.float32)
    features[2] = 50
    lattice = build_lattice(features)
    np.testing.assert_array_equal(lattice.vertices[0], lattice.vertices[1])
    assert not set(lattice.vertices[0]) & set(lattice.vertices[2])
    far = np.array([0, 0, 1], np.float32)
    np.testing.assert_array_equal(lattice_filter(lattice, far)[:2], 0)


def test_filter_is_linear() -> None:
    lattice = build_lattice(points(40, 5, seed=3, spread=1))
    kernel = np.stack([lattice_filter(lattice, row) for row in np.eye(40, dtype=np.float32)])
    values = np.random.default_rng(0).normal(size=40).astype(np.float32)
    np.testing.assert_allclose(lattice_filter(lattice, values), values @ kernel, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("step", "size"), [(1 / 3, 30), (1 / 8, 48)])
def test_filter_is_a_gaussian_of_unit_deviation(step: float, size: int) -> None:
    """On a dense grid the normalised filter of a bump is close to that of the exact Gaussian sum."""
    y, x = np.indices((size, size)).reshape(2, -1) * step
    features = np.stack([x, y], 1).astype(np.float32)
    values = (np.hypot(x - x.mean(), y - y.mean()) < 1.5).astype(np.float32)
    lattice = build_lattice(features)
    approximate = lattice_filter(lattice, values) / lattice_filter(lattice, np.ones_like(values))
    kernel = np.exp(-0.5 * ((features[:, None] - features[None]) ** 2).sum(2))
    exact = kernel @ values / kernel.sum(1)
    np.testing.assert_allclose(approximate, exact, atol=0.05)


def test_many_points_grow_the_hash_table() -> None:
    """More vertices than the first table has room for are all told apart: no two far points meet."""
    features = 9 * np.indices((100, 60)).reshape(2, -1).T.astype(np.float32)
    lattice = build_lattice(features)
    assert len(np.unique(lattice.vertices)) == 3 * 6000


@pytest.mark.parametrize(("d", "far"), [(2, 1e9), (2, 4e4), (5, 1e3), (2, np.nan), (5, np.inf)])
def test_coordinates_beyond_the_key_are_refused(d: int, far: float) -> None:
    with pytest.raises(
        ValueError, match="the kernel is too narrow for this image: lattice coordinates below"
    ):
        build_lattice(np.full((1, d), far, np.float32))
