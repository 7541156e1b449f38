"""Clustering within classes: against scikit-learn called directly, and invariants over random images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from seedbed.cam.subcategories import Row, class_seed, cluster_images, subcategories

CLASSES = ("cat", "dog", "cow")


def images(count, classes=2, seed=0):
    """Features and labels by image id; every image has class 0, every second one class 1, and so on."""
    random = np.random.default_rng(seed)
    ids = [f"image{number:03d}" for number in range(count)]
    features = {i: random.normal(size=6).astype(np.float32) for i in ids}
    labels = {i: np.array([n % (c + 1) == 0 for c in range(classes)]) for n, i in enumerate(ids)}
    return features, labels


def test_two_groups_by_hand():
    """0 and 1 lie together, and so do 10 and 11; the group of the first image is cluster 0."""
    assert cluster_images(np.array([[10.0], [0.0], [1.0], [11.0]]), 2, seed=5).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("rng", [0, 7])
def test_as_scikit_learn_called_directly(rng):
    features, labels = images(60)
    rows = subcategories(features, labels, CLASSES[:2], 4, rng)
    for class_id, name in enumerate(CLASSES[:2]):
        members = [i for i in sorted(features) if labels[i][class_id]]
        found = [row.cluster for row in rows if row.class_id == class_id]
        matrix = np.stack([features[i] for i in members]).astype(np.float64)
        oracle = KMeans(4, init="k-means++", n_init=10, max_iter=300, random_state=class_seed(rng, name))
        expected = oracle.fit_predict(matrix).tolist()
        first = list(dict.fromkeys(expected))
        assert found == [first.index(label) for label in expected]
        assert len(first) == 4


def test_seeds_depend_on_rng_and_class():
    seeds = [class_seed(rng, name) for rng in (0, 1) for name in CLASSES]
    assert len(set(seeds)) == 6
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert class_seed(0, "cat") == class_seed(0, "cat")


def test_one_start_of_one_iteration_is_worse_than_the_default():
    """The options reach scikit-learn: the sum of squared distances of a hurried run is larger."""
    matrix = np.random.default_rng(3).normal(size=(200, 8))

    def inertia(found):
        return sum(((matrix[found == k] - matrix[found == k].mean(0)) ** 2).sum() for k in set(found))

    hurried = cluster_images(matrix, 10, 1, n_init=1, max_iter=1)
    assert inertia(cluster_images(matrix, 10, 1)) < inertia(hurried)


def test_few_images_are_a_cluster_each():
    features, labels = images(4)
    rows = subcategories(features, labels, CLASSES[:2], 10, 0)
    assert rows == [
        Row("image000", 0, 0),
        Row("image000", 1, 0),
        Row("image001", 0, 1),
        Row("image002", 0, 2),
        Row("image002", 1, 1),
        Row("image003", 0, 3),
    ]


def test_equal_features_share_a_cluster():
    matrix = np.array([[2.0], [1.0], [2.0], [2.0]])
    assert cluster_images(matrix, 3, 0).tolist() == [0, 1, 0, 0]


@pytest.mark.filterwarnings("error")
def test_as_many_different_features_as_clusters():
    matrix = np.repeat(np.arange(5.0)[:, None], 4, 0)
    assert cluster_images(matrix, 5, 0).tolist() == np.repeat(range(5), 4).tolist()


def test_one_image_and_no_image():
    features, labels = images(1, classes=3)
    labels["image000"] = np.array([False, True, False])
    assert subcategories(features, labels, CLASSES, 10, 0) == [Row("image000", 1, 0)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 3), min_size=2, max_size=2),
            st.lists(st.booleans(), min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=14,
    ),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
    st.randoms(use_true_random=False),
)
def test_every_positive_pair_has_one_cluster_below_k(drawn, clusters, rng, shuffle):
    """Features of few values, so that equal ones are common; in any order of the images the rows are the same."""
    ids = [f"i{number}" for number in range(len(drawn))]
    features = {i: np.array(values, np.float32) for i, (values, _) in zip(ids, drawn, strict=True)}
    labels = {i: np.array(present) for i, (_, present) in zip(ids, drawn, strict=True)}
    rows = subcategories(features, labels, CLASSES, clusters, rng, n_init=1)
    pairs = [(row.image_id, row.class_id) for row in rows]
    assert pairs == sorted((i, c) for i in ids for c in range(3) if labels[i][c])
    for class_id in range(3):
        members = {row.image_id: row.cluster for row in rows if row.class_id == class_id}
        distinct = {tuple(features[i].tolist()) for i in members}
        assert set(members.values()) == set(range(len(set(members.values()))))
        assert len(set(members.values())) <= min(clusters, len(distinct))
        assert len(distinct) > clusters or len(set(members.values())) == len(distinct)
        for one in members:
            for other in members:
                if (features[one] == features[other]).all():
                    assert members[one] == members[other]
    shuffle.shuffle(ids)
    again = subcategories(
        {i: features[i] for i in ids}, {i: labels[i] for i in ids}, CLASSES, clusters, rng, n_init=1
    )
    assert again == rows
