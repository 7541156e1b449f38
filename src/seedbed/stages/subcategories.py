"""`subcategories`: sub-categories of each class by k-means of its images' pooled features (SC-CAM, §3.2).

Each class is clustered on its own, over the images whose image-level labels name it, so an image with m classes has m
rows. A class without images has no rows. In a class with at most `clusters` images, each is a cluster of its own; in
any class, images with equal features share one. The table depends neither on the order of the images nor on the number
of shards; the seed of k-means depends on the random seed of the run and on the name of the class.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seedbed.artifacts.tables import CLASS, IMAGE, TABLE, encode_table
from seedbed.errors import SeedbedError
from seedbed.runtime.contract import Input, Job, Parameters, Products, Stage

CLUSTER, CLUSTERS, FEATURES = "cluster", "clusters", "features"


class SubcategoriesParameters(Parameters):
    """How the images of a class are clustered."""

    split: str = Field(default="train", description="split of the data set to cluster")
    clusters: int = Field(default=10, ge=1, description="K, sub-categories of a class that has enough images")
    n_init: int = Field(
        default=10, ge=1, description="starts of k-means, each by k-means++, of which the best counts"
    )
    max_iter: int = Field(default=300, ge=1, description="maximum iterations of one start")


def run(job: Job) -> Products:
    """The table `image_id`, `class`, `cluster`, both numbers from 0.

    Raises:
        SeedbedError: the input has no vectors `features`, or some that are not finite; no image has a class.
    """
    from seedbed.cam.subcategories import subcategories

    parameters: SubcategoriesParameters = job.parameters
    artifact = job.artifact(FEATURES)
    store = artifact.open(parameters.split)
    image_ids = job.dataset.image_ids(parameters.split)
    features = {}
    for image_id in job.progress(image_ids, len(image_ids), "subcategories"):
        vectors = store[image_id]
        if FEATURES not in vectors:
            raise SeedbedError(
                f"expected vectors named {FEATURES} in {artifact.folder}, got {', '.join(vectors) or 'none'}; give a "
                "node of stage classify"
            )
        features[image_id] = vectors[FEATURES]
        if not np.isfinite(features[image_id]).all():
            raise SeedbedError(
                f"the features of image {image_id} in {artifact.folder} are not finite; the classifier has diverged: "
                "look at its history"
            )
    rows = subcategories(
        features,
        {image_id: job.dataset.labels(image_id) for image_id in image_ids},
        tuple(job.dataset.classes),
        parameters.clusters,
        job.rng,
        n_init=parameters.n_init,
        max_iter=parameters.max_iter,
        threads=parameters.torch_threads,
    )
    if not rows:
        raise SeedbedError(f"no image of split {parameters.split} has a class; check the labels")
    return Products(
        files={TABLE: encode_table((IMAGE, CLASS, CLUSTER), rows)},
        images={parameters.split: len(image_ids)},
        facts={CLUSTERS: parameters.clusters},
    )


STAGE = Stage(
    name="subcategories",
    version=1,
    summary="Sub-categories of each class, by k-means of pooled features.",
    parameters=lambda raw: SubcategoriesParameters,
    inputs={FEATURES: Input(("vectors",))},
    resources="counts",
    run=run,
    makes="subcategories",
    random=True,
)
