"""`random_walk`: spread CAMs along AffinityNet's affinities, sparse, at any image size.

The scores x become x T^steps, where T holds the affinities to the power `beta`, with a self-loop of 1, normalised by
column. T is a sparse stencil, so memory is linear in the size of the image. The result is one map per class on
AffinityNet's grid.

By default background does not take part: it is one constant score, which `pseudo_masks` and `evaluate` add. With
`background_alpha` (PSA, SEAM) it walks as one more class, (1 - max)^alpha of the CAMs. Each map then becomes the
class's share, score / (largest class + background), which exceeds 0.5 exactly where the published argmax takes the
class.

`method: chebyshev` takes `products` matrix products instead of 2^`log2_steps`. Its error is bounded: 8.3e-8 of the
input, in the norm in which T is symmetric, at 84 products and 256 steps.

The defaults are the settings of Ahn & Kwak 2018 (PSA), §3.3. Those of Ahn, Cho & Kwak 2019 (IRN), §4, are beta 10, flip
true and start off_edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from seedbed.artifacts.manifest import NORMALISATION
from seedbed.artifacts.maps import SHARES, Maps
from seedbed.cam.normalisation import RefinedForm
from seedbed.errors import SeedbedError
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage


class RandomWalkParameters(ShardedParameters):
    """How the walk is done."""

    beta: float = Field(
        default=8.0, gt=0, description="power of the affinities; a higher one means fewer steps across edges"
    )
    log2_steps: int = Field(
        default=8, ge=0, le=12, description="2 to this power steps (PSA's logt, IRN's exp_times)"
    )
    method: Literal["chebyshev", "power"] = Field(
        default="chebyshev",
        description="chebyshev: a bounded approximation; power: every step, the reference",
    )
    products: int = Field(
        default=84, ge=1, description="matrix products of chebyshev; more of them lower the bound"
    )
    image_scale: float = Field(
        default=1.0, gt=0, le=16, description="scale of the image that AffinityNet sees"
    )
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
    background_alpha: float | None = Field(
        default=None,
        gt=0,
        description="background walks too, as (1 - max)^alpha (PSA 16, SEAM 6), and maps are the classes' shares; "
        "otsu stands for 0.5 with them",
    )
    normalisation: RefinedForm = Field(
        default="global_max",
        description="how later stages normalise the maps to [0, 1]: by the maximum over all classes (IRN), since the "
        "walk has put the classes on one scale; none takes the walked scores as they are, which shares need",
    )

    @model_validator(mode="after")
    def _shares_are_scores(self) -> RandomWalkParameters:
        if self.background_alpha is not None and self.normalisation != "none":
            raise ValueError(
                "background_alpha makes shares, which nothing may rescale; set normalisation: none"
            )
        return self

    def asks(self) -> Mapping[str, str]:
        """`off_edges` needs edges."""
        return {"affinitynet": "edges"} if self.start == "off_edges" else {}


def run(job: Job) -> Iterator[tuple[str, Maps]]:
    """Yield the refined CAMs of each image: one map per class on AffinityNet's grid.

    Raises:
        SeedbedError: `off_edges` is set, but the AffinityNet has no edges.
    """
    import torch

    from seedbed.input.ahead import read_ahead
    from seedbed.methods.trained import load_affinitynet
    from seedbed.refine.background import background_scores, shares
    from seedbed.refine.random_walk import walk

    parameters: RandomWalkParameters = job.parameters
    torch.set_num_threads(parameters.torch_threads)
    job.facts[NORMALISATION] = parameters.normalisation
    if parameters.background_alpha is not None:
        job.facts[SHARES] = True
    cams = job.maps("cams")
    method = load_affinitynet(job.artifact("affinitynet"), job.epochs.get("affinitynet"), job.device)
    photographs = read_ahead(job.image_ids, lambda image_id: np.array(job.dataset.image(image_id)))
    for image_id, photograph in photographs:
        stored = cams[image_id]
        if not stored.class_ids:
            yield image_id, Maps((), stored.size, ())
            continue
        found = method.image_pairs(
            photograph,
            scale=parameters.image_scale,
            flip=parameters.flip,
            radius=parameters.radius,
            device=job.device,
        )
        scores = cams.scores(image_id, found.affinity.shape[1:])
        if parameters.start == "off_edges":
            if found.edge is None:
                raise SeedbedError(
                    "start: off_edges needs edges, and this AffinityNet has none; train it with method: edge_affinity"
                )
            scores = scores * (1 - found.edge)
        alpha = parameters.background_alpha
        if alpha is not None:
            scores = np.concatenate([background_scores(scores, alpha), scores])
        refined = walk(
            scores,
            found.affinity,
            found.offsets,
            beta=parameters.beta,
            steps=2**parameters.log2_steps,
            method=parameters.method,
            products=parameters.products,
            device=job.device,
        )
        if alpha is not None:
            refined = shares(refined)
        yield image_id, Maps(stored.class_ids, stored.size, (refined,))


STAGE = Stage(
    name="random_walk",
    version=3,
    summary="Refine CAMs by a random walk along AffinityNet's affinities.",
    parameters=lambda raw: RandomWalkParameters,
    inputs={"cams": Input(("cams", "refined_cams")), "affinitynet": Input(("affinitynet",))},
    resources="inference",
    run=run,
    makes="refined_cams",
)
