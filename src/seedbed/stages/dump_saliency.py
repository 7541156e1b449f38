"""`dump_saliency`: multi-scale saliency maps of a saliency network, for every image, whatever classes it has.

`fusion: mean` is the mean of the probabilities over scales and mirror images. `fusion: sum` adds up ReLU(logit) and
divides by the maximum of the image, as C²AM's code does. Which half of C²AM's division is salient was decided when the
network was trained, and is read from its manifest.

With a dense CRF the maps are thresholded at `crf_threshold` and sharpened with the two labels, salient and not; what is
written is then 0 or 1 (C²AM: 0.3, P-NOC: 0.2). Without one they are stored at their native resolution, as CAMs are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import NORMALISATION
from seedbed.artifacts.maps import CHANNELS, SALIENCY, Maps
from seedbed.errors import SeedbedError
from seedbed.input.augmentation import Scale
from seedbed.methods.base import POLARITY
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage
from seedbed.runtime.crf_options import CrfOptions


class DumpSaliencyParameters(CrfOptions, ShardedParameters):
    """How saliency is taken from the network."""

    scales: tuple[Scale, ...] = Field(
        default=(0.5, 1.0, 1.5, 2.0), min_length=1, description="scales of the image"
    )
    flip: bool = Field(default=True, description="add the mirrored map of the mirrored image")
    fusion: Literal["mean", "sum"] = Field(
        default="mean",
        description="mean of the probabilities; or sum of ReLU(logit), divided by the image's maximum (C²AM)",
    )
    crf_threshold: float = Field(
        default=0.3,
        ge=0,
        lt=1,
        description="for the CRF: salient where saliency > this (C²AM 0.3, P-NOC 0.2)",
    )


def run(job: Job) -> Iterator[tuple[str, Maps]]:
    """Yield the saliency of each image.

    Raises:
        SeedbedError: the network's manifest does not say which half is salient; or all maps of the shard are constant,
            as they come or after the CRF.
    """
    import torch

    from seedbed.cam.normalisation import normalise
    from seedbed.cam.rebuild import full_resolution
    from seedbed.cam.saliency import NORMALISATION_OF, SaliencyNetwork, multi_scale_saliency
    from seedbed.input.ahead import read_ahead
    from seedbed.methods.trained import load_network

    parameters: DumpSaliencyParameters = job.parameters
    torch.set_num_threads(parameters.torch_threads)
    source = job.artifact("saliency_network")
    inverted = is_inverted(source)
    epoch = job.epochs.get("saliency_network")
    if epoch is not None and source.manifest.facts[POLARITY].get("rule") == "border mean":
        raise SeedbedError(
            f"{source.folder}: which half is salient is known of the last epoch only; leave out @epoch{epoch}"
        )
    trained = load_network(source, epoch, job.device)
    network: Any = trained.network
    assert isinstance(network, SaliencyNetwork)
    form = NORMALISATION_OF[parameters.fusion]
    job.facts |= {CHANNELS: [SALIENCY], NORMALISATION: "none" if parameters.has_crf else form}
    varied = kept = False
    for image_id, photograph in read_ahead(job.image_ids, job.dataset.image):
        image = np.array(photograph)
        size = (image.shape[0], image.shape[1])
        maps = multi_scale_saliency(
            network,
            image,
            mean=trained.mean,
            std=trained.std,
            scales=parameters.scales,
            flip=parameters.flip,
            fusion=parameters.fusion,
            inverted=inverted,
            device=job.device,
        )
        varied = varied or any(np.ptp(one) > 0 for one in maps)
        if parameters.has_crf:
            salient = normalise(full_resolution(maps, size), form)[0] > np.float32(parameters.crf_threshold)
            refined = parameters.label_refiner(photograph)(salient.astype(np.int64), 2)
            maps = (np.asarray(refined, np.float32)[None],)
        kept = kept or any(np.ptp(one) > 0 for one in maps)
        yield image_id, Maps((0,), size, maps)
    if varied and not kept:
        raise SeedbedError(
            f"the saliency of all {len(job.image_ids)} images of {job.shard} is constant after the CRF; most likely "
            f"crf_threshold {parameters.crf_threshold:g} is too high or too low for this network; or nothing in them "
            "is salient: use fewer shards"
        )
    if job.image_ids and not varied:
        raise SeedbedError(
            f"the saliency of all {len(job.image_ids)} images of {job.shard} is constant; most likely the network has "
            "collapsed or is untrained: look at its history, lower its lr, train it longer; or nothing in them is "
            "salient: use fewer shards"
        )


def is_inverted(network: Artifact) -> bool:
    """Whether low logits are salient, as the facts of a saliency network say.

    Raises:
        SeedbedError: they do not say.
    """
    polarity = network.manifest.facts.get(POLARITY)
    inverted = polarity.get("inverted") if isinstance(polarity, Mapping) else None
    if not isinstance(inverted, bool):
        raise SeedbedError(
            f"{network.folder}: its manifest does not say which half is salient ({POLARITY}); run its stage again"
        )
    return inverted


STAGE = Stage(
    name="dump_saliency",
    version=2,
    summary="Dump the multi-scale saliency maps of a saliency network.",
    parameters=lambda raw: DumpSaliencyParameters,
    inputs={"saliency_network": Input(("saliency_network",))},
    resources="inference",
    run=run,
    makes="saliency",
)
