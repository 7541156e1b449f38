"""`random_walk`: spread CAMs along AffinityNet's affinities, sparse, at any image size.

Ahn & Kwak 2018 (PSA), §3.3, whose settings are the defaults; Ahn, Cho & Kwak 2019 (IRN), §4, whose are beta 10, flip
true and start off_edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from seedbed.artifacts.cams import Cams
from seedbed.errors import SeedbedError
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage


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
    flip: bool = Field(default=False, description="average AffinityNet's output with the mirrored image's")
    radius: int | None = Field(
        default=None,
        ge=2,
        description="pairs nearer than this, in cells; null for the form's own: as trained, or 5 with edges",
    )
    start: Literal["cams", "off_edges"] = Field(
        default="cams",
        description="scores before the walk: CAMs, or CAMs * (1 - edge); the latter needs edges",
    )


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
    """Yield the refined CAMs of each image: one map a class on AffinityNet's grid.

    Raises:
        SeedbedError: `off_edges` with an AffinityNet that has no edges.
    """
    import torch

    from seedbed.methods.trained import load_affinitynet
    from seedbed.refine.random_walk import walk
    from seedbed.runtime.scores import grid_scores

    parameters: RandomWalkParameters = job.parameters
    torch.set_num_threads(parameters.torch_threads)
    source = job.inputs["cams"]
    assert source is not None
    cams = source.cams(shard=job.shard)
    classes = len(job.dataset.classes)
    method = load_affinitynet(job.inputs["affinitynet"], classes, job.epochs.get("affinitynet"), job.device)
    for image_id in job.image_ids:
        stored = cams[image_id]
        if not stored.class_ids:
            yield image_id, Cams((), stored.size, ())
            continue
        found = method.image_pairs(
            np.array(job.dataset.image(image_id)),
            scale=parameters.image_scale,
            flip=parameters.flip,
            radius=parameters.radius,
            device=job.device,
        )
        scores = grid_scores(stored, source.manifest.stage, found.affinity.shape[1:])
        if parameters.start == "off_edges":
            if found.edge is None:
                raise SeedbedError(
                    "start: off_edges needs edges, and this AffinityNet has none; train it with method: edge_affinity"
                )
            scores = scores * (1 - found.edge)
        refined = walk(
            scores,
            found.affinity,
            found.offsets,
            beta=parameters.beta,
            steps=2**parameters.log2_steps,
            method=parameters.method,
            products=parameters.products,
        )
        yield image_id, Cams(stored.class_ids, stored.size, (refined,))
