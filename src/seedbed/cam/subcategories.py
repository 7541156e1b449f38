"""Sub-categories of classes by k-means (SC-CAM, Chang et al. 2020, §3.2, eq. 2).

Each class is clustered on its own, over the images that contain it, so an image with m classes is in m clusters. The
published code runs scikit-learn's k-means++ with 300 iterations and the best of 10 starts (the default of its day) on
features as they are: neither whitened nor normalised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits


class Row(NamedTuple):
    """The sub-category of one class in one image."""

    image_id: str
    class_id: int
    """From 0."""
    cluster: int
    """From 0, within the class."""


def cluster_images(
    features: Float[np.ndarray, "images channels"],
    clusters: int,
    seed: int,
    *,
    n_init: int = 10,
    max_iter: int = 300,
    threads: int = 1,
) -> Int64[np.ndarray, " images"]:
    """The cluster of each image of one class, numbered from 0 in the order of their first images.

    Images with at most `clusters` different features are a cluster each; equal features share theirs.

    Args:
        features: one row per image.
        clusters: K.
        seed: of scikit-learn's `KMeans`, whose best start of `n_init` counts.
        n_init: starts, each by k-means++.
        max_iter: iterations of one start, at most.
        threads: of OpenMP and BLAS; another number may round differently.
    """
    features = features.astype(np.float64)
    distinct, found = np.unique(features, axis=0, return_inverse=True)
    if len(distinct) > clusters:
        with threadpool_limits(threads):
            fitted = KMeans(clusters, n_init=n_init, max_iter=max_iter, random_state=seed).fit(features)
        found = fitted.labels_
    _, first, where = np.unique(found.reshape(-1), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int64)[where.reshape(-1)]


def subcategories(
    features: Mapping[str, Float[np.ndarray, " channels"]],
    labels: Mapping[str, Bool[np.ndarray, " classes"]],
    classes: Sequence[str],
    clusters: int,
    rng: int,
    *,
    n_init: int = 10,
    max_iter: int = 300,
    threads: int = 1,
) -> list[Row]:
    """The sub-category of each class in each image, sorted by image, then by class.

    The order of the images changes nothing. A class without images has no rows.

    Args:
        features: pooled features by image id.
        labels: image-level labels of the same images.
        classes: names, one per label; the seed of a class depends on its name and on `rng`.
        clusters, n_init, max_iter, threads: see `cluster_images`.
        rng: random seed of the run.
    """

    def rows() -> Iterator[Row]:
        for class_id, name in enumerate(classes):
            members = [image_id for image_id in sorted(features) if labels[image_id][class_id]]
            if members:
                found = cluster_images(
                    np.stack([features[image_id] for image_id in members]),
                    clusters,
                    class_seed(rng, name),
                    n_init=n_init,
                    max_iter=max_iter,
                    threads=threads,
                )
                yield from (Row(i, class_id, int(k)) for i, k in zip(members, found, strict=True))

    return sorted(rows())


def class_seed(rng: int, name: str) -> int:
    """A seed of 32 bits from the run's seed and the name of a class."""
    digest = hashlib.sha256(f"subcategories\0{rng}\0{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
