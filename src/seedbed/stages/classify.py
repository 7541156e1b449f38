"""`classify`: a classifier's output for each whole image: class probabilities, and the pooled features behind them.

`probabilities` are the sigmoid of the class logits, one per class; `features` are the mean of the last feature map, one
per channel. The classification scores are computed from the probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, UInt8
from pydantic import Field

from seedbed.runtime.contract import Input, Job, ShardedParameters, Stage

if TYPE_CHECKING:
    from seedbed.methods.trained import TrainedNetwork


class ClassifyParameters(ShardedParameters):
    """Which images are classified."""

    splits: tuple[str, ...] = Field(default=("val",), description="splits of the data set to process")


def image_vectors(
    trained: TrainedNetwork, photograph: UInt8[np.ndarray, "H W 3"], device: str
) -> dict[str, Float32[np.ndarray, _]]:
    """`probabilities` (sigmoid of the class logits) and `features` (mean of the last feature map) of an image."""
    import torch

    from seedbed.input.loaders import normalise

    network: Any = trained.network
    image = torch.from_numpy(photograph)[None]
    valid = torch.ones(image.shape[:3], dtype=torch.bool)
    pixels = normalise(image, valid, trained.mean, trained.std, device)
    with torch.no_grad():
        features = network.features(pixels)
        class_logits = network.head(features).mean((2, 3))
    vectors = {"probabilities": class_logits.sigmoid(), "features": features.mean((2, 3))}
    return {name: value[0].float().cpu().numpy() for name, value in vectors.items()}


def run(job: Job) -> Iterator[tuple[str, dict[str, Float32[np.ndarray, _]]]]:
    """Yield the vectors of each image, taken whole, at its own size."""
    import torch

    from seedbed.input.ahead import read_ahead
    from seedbed.methods.trained import load_network

    torch.set_num_threads(job.parameters.torch_threads)
    trained = load_network(job.artifact("classifier"), job.epochs.get("classifier"), job.device)
    photographs = read_ahead(job.image_ids, lambda image_id: np.array(job.dataset.image(image_id)))
    for image_id, photograph in photographs:
        yield image_id, image_vectors(trained, photograph, job.device)


STAGE = Stage(
    name="classify",
    version=2,
    summary="Class probabilities and pooled features of each image.",
    parameters=lambda raw: ClassifyParameters,
    inputs={"classifier": Input(("classifier",))},
    resources="inference",
    run=run,
    makes="classification",
)
