"""`random_walk`: spread CAMs along AffinityNet's affinities (Ahn & Kwak 2018, §3.3), sparse, at any image size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from seedbed.artifacts.cams import Cams
from seedbed.stages.contract import Input, Job, ShardedParameters, Stage


class RandomWalkParameters(ShardedParameters):
    """The walk's shape."""

    beta: float = Field(
        default=8.0, gt=0, description="power of the affinities: higher, fewer steps across edges"
    )
    log2_steps: int = Field(
        default=8, ge=0, le=12, description="2 to this power steps (PSA's logt, IRN's exp_times)"
    )
    method: Literal["chebyshev", "power"] = Field(
        default="chebyshev",
        description="chebyshev: a bounded approximation; power: every step, the reference",
    )
    products: int = Field(
        default=84, ge=1, description="matrix products of chebyshev; the bound falls with them"
    )
    image_scale: float = Field(default=1.0, gt=0, description="scale of the image that AffinityNet sees")


STAGE = Stage(
    name="random_walk",
    version=1,
    summary="Refine CAMs by a random walk along AffinityNet's affinities.",
    kind="cams",
    score="refined_cam",
    parameters=lambda raw: RandomWalkParameters,
    inputs={"cams": Input(("cams",)), "affinitynet": Input(("affinitynet",))},
    function="seedbed.stages.random_walk:run",
    unit="gpu",
    suffix=".safetensors",
)


def run(job: Job) -> Iterator[tuple[str, Cams]]:
    """Yield the refined CAMs of each image: one map a class on AffinityNet's grid."""
    import torch

    from seedbed.refine.random_walk import walk
    from seedbed.stages.networks import affinity_function, load_network
    from seedbed.stages.scores import grid_scores

    parameters: RandomWalkParameters = job.parameters
    torch.set_num_threads(parameters.torch_threads)
    source = job.inputs["cams"]
    assert source is not None
    cams = source.cams(shard=job.shard)
    classes = len(job.dataset.classes)
    trained = load_network(job.inputs["affinitynet"], classes, job.epochs.get("affinitynet"), job.device)
    affinity_of, offsets = affinity_function(trained, parameters.image_scale, job.device)
    for image_id in job.image_ids:
        stored = cams[image_id]
        if not stored.class_ids:
            yield image_id, Cams((), stored.size, ())
            continue
        affinity = affinity_of(np.array(job.dataset.image(image_id)))
        scores = grid_scores(stored, source.manifest.stage, affinity.shape[-2:])
        refined = walk(
            scores,
            affinity,
            offsets,
            beta=parameters.beta,
            steps=2**parameters.log2_steps,
            method=parameters.method,
            products=parameters.products,
        )
        yield image_id, Cams(stored.class_ids, stored.size, (refined,))
