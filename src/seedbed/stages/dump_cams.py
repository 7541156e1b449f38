"""`dump_cams`: multi-scale CAMs of a classifier; the scales 0.5, 1, 1.5 and 2 are those of PSA and IRN.

A map is ReLU(CAM) plus the mirrored ReLU(CAM) of the mirrored image. It is stored at its native resolution and before
normalisation: later stages sum the upsampled scales and normalise the sum to [0, 1] as `normalisation` says. Only the
classes that the image-level labels name get a map. An image that is smaller than 32 pixels at some scale is padded with
the mean colour for the network, and its map is cropped back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from seedbed.artifacts.manifest import NORMALISATION
from seedbed.artifacts.maps import Maps
from seedbed.cam.normalisation import Form
from seedbed.errors import SeedbedError
from seedbed.input.augmentation import Scale, Side
from seedbed.number_formats import Precision
from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage


class DumpCamsParameters(ShardedParameters):
    """How CAMs are taken from the classifier."""

    scales: tuple[Scale, ...] = Field(
        default=(0.5, 1.0, 1.5, 2.0), min_length=1, description="scales of the image"
    )
    sizes: tuple[Side, ...] = Field(
        default=(),
        description="instead of scales: sides in pixels of squares that the image is stretched to",
    )
    form: Literal["cam", "gradcam++", "pcm"] = Field(
        default="cam",
        description="ReLU of the class maps; Grad-CAM++ with each map stretched from 0 to 1; or pcm, the maps that "
        "SEAM's pixel correlation module refined",
    )
    flip: bool = Field(default=True, description="add the mirrored CAM of the mirrored image")
    keep_flips: bool = Field(default=False, description="also store the mirrored half on its own")
    normalisation: Form = Field(
        default="max",
        description="how later stages normalise the maps to [0, 1]; SEAM's is min_max",
    )
    precision: Precision = Field(
        default="32",
        description="number format of the network; bf16 is faster on processors with instructions for it, slower on "
        "others; scores are 0.01 off on average, single pixels up to 0.3",
    )

    def asks(self) -> Mapping[str, str]:
        """`pcm` needs a network with the module."""
        return {"classifier": "pcm"} if self.form == "pcm" else {}


def run(job: Job) -> Iterator[tuple[str, Maps]]:
    """Yield the CAMs of each image, only for the classes that its image-level labels name.

    Raises:
        SeedbedError: every CAM of the shard is constant.
    """
    import torch

    from seedbed.cam.inference import multi_scale_cams, resized_views
    from seedbed.input.ahead import read_ahead
    from seedbed.methods.trained import load_network

    parameters: DumpCamsParameters = job.parameters
    torch.set_num_threads(parameters.torch_threads)
    job.facts[NORMALISATION] = parameters.normalisation
    trained = load_network(job.artifact("classifier"), job.epochs.get("classifier"), job.device)
    constant = varied = 0

    def read(image_id: str) -> tuple[np.ndarray, tuple[int, ...], Sequence[np.ndarray]]:
        image = np.array(job.dataset.image(image_id))
        present = tuple(int(c) for c in np.flatnonzero(job.dataset.labels(image_id)))
        return image, present, resized_views(image, parameters.scales, parameters.sizes) if present else ()

    for image_id, (image, present, views) in read_ahead(job.image_ids, read):
        if not present:
            yield image_id, Maps((), image.shape[:2], ())
            continue
        cams = multi_scale_cams(
            trained.network,
            image,
            present,
            mean=trained.mean,
            std=trained.std,
            views=views,
            form=parameters.form,
            flip=parameters.flip,
            keep_flips=parameters.keep_flips,
            precision=parameters.precision,
            device=job.device,
        )
        flat = all(np.ptp(one) == 0 for scale in cams.maps for one in scale)
        constant, varied = constant + flat, varied + (not flat)
        yield image_id, Maps(present, image.shape[:2], cams.maps, cams.flips)
    if constant and not varied:
        raise SeedbedError(
            f"the CAMs of all {constant} images of {job.shard} with a class are constant; most likely the classifier "
            "has collapsed or is untrained: look at its history, lower its lr, train it longer"
        )


STAGE = Stage(
    name="dump_cams",
    version=3,
    summary="Dump the multi-scale class activation maps of a classifier.",
    parameters=lambda raw: DumpCamsParameters,
    inputs={"classifier": Input(("classifier",))},
    resources="inference",
    run=run,
    makes="cams",
)
