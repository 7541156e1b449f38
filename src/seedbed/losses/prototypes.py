"""Pixel-to-prototype contrast (PPC: Du et al. 2022, arXiv:2110.07110, §3).

A prototype is the mean embedding of the pixels that show a class most clearly, in the whole batch. Each pixel's
embedding is drawn to its own class's prototype and pushed away from the others. Everything that is estimated, pixel
labels and prototypes, is detached; gradients go into the embeddings only.

A batch is that of one process: under DDP prototypes are not gathered.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from seedbed.labels import IGNORE


class Prototypes(NamedTuple):
    """One prototype per output, background first."""

    vectors: Float[Tensor, "outputs width"]
    """Of unit length; 0 where there is none."""
    exists: Bool[Tensor, "outputs"]
    """False for a class of which the batch shows nothing."""


def pixel_labels(
    scores: Float[Tensor, "batch classes h w"],
    labels: Float[Tensor, "batch classes"],
    background_score: float,
) -> Int64[Tensor, "batch h w"]:
    """Each pixel's strongest present class, c + 1, or 0 where no score is above the background's.

    Args:
        scores: in [0, 1].
        labels: image-level labels, 0 or 1.
        background_score: of every pixel.
    """
    best, which = (scores.detach() * labels[:, :, None, None]).max(1)
    return torch.where(best > background_score, which + 1, 0)


def pixel_weights(
    scores: Float[Tensor, "batch classes h w"],
    labels: Float[Tensor, "batch classes"],
    background_score: float,
    absent: Literal["left_out", "taken"] = "left_out",
    background: Literal["complement", "constant"] = "complement",
) -> Float[Tensor, "batch outputs h w"]:
    """How clearly each pixel shows each class, background first.

    Args:
        scores: in [0, 1].
        labels: image-level labels, 0 or 1.
        background_score: the constant one.
        absent: maps of classes that an image does not have are `left_out`; `taken` is the published code, in which
            they, stretched to [0, 1] as well, enter the prototypes.
        background: the `complement`, 1 − the strongest present class; or `constant` as in the published code, where
            all pixels are equal.
    """
    scores = scores.detach()
    present = scores * labels[:, :, None, None]
    if background == "complement":
        rest = 1 - present.amax(1, keepdim=True)
    else:
        rest = torch.full_like(scores[:, :1], background_score)
    return torch.cat([rest, present if absent == "left_out" else scores], dim=1)


def cells_inside(
    valid: Bool[Tensor, "batch height width"], grid: tuple[int, int]
) -> Bool[Tensor, "batch h w"]:
    """Cells of a grid over the crop at least half of which is photograph, not padding."""
    return functional.adaptive_avg_pool2d(valid[:, None].float(), grid)[:, 0] >= 0.5


def class_prototypes(
    embeddings: Float[Tensor, "batch width h w"],
    weights: Float[Tensor, "batch outputs h w"],
    count: int,
    form: Literal["weighted", "unit"] = "weighted",
) -> Prototypes:
    """The mean embedding of each output's `count` pixels of the largest weights in the batch, scaled to length 1.

    Pixels of weight 0 are not taken, and those that tie with the last one all are: the order of images, rows and
    columns makes no difference (the published code takes an arbitrary few). An output without a pixel, or whose mean is
    0, has no prototype.

    Args:
        embeddings: at least 0, of any length.
        weights: at least 0.
        count: pixels per output.
        form: mean of the embeddings, `weighted` by the weights (PPC's code); or equal mean of embeddings of `unit`
            length ("L2 normalised and averaged", in the self-training paper on pets).
    """
    pixels = embeddings.detach().permute(0, 2, 3, 1).flatten(0, 2)
    flat = weights.detach().transpose(0, 1).flatten(1)
    last = flat.topk(min(count, flat.shape[1]), dim=1).values[:, -1:]
    taken = ((flat >= last) & (flat > 0)).to(pixels.dtype)
    if form == "unit":
        pixels, flat = functional.normalize(pixels, dim=1), taken
    vectors = functional.normalize((flat * taken) @ pixels, dim=1)
    return Prototypes(vectors, (vectors != 0).any(1))


def contrast_loss(
    embeddings: Float[Tensor, "batch width h w"],
    labels: Int64[Tensor, "batch h w"],
    prototypes: Prototypes,
    temperature: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean over pixels of −log exp(v·p⁺/τ) / Σ exp(v·p/τ), the sum over all prototypes that there are.

    v is the embedding scaled to length 1. Pixels whose class has no prototype are left out; the loss is 0, with a
    gradient of 0, if none remains.

    Args:
        embeddings: before scaling.
        labels: 0 for background, c + 1 for class c, 255 for pixels that do not count.
        prototypes: what pixels are compared with.
        temperature: τ.
    """
    similarity = _unit_pixels(embeddings) @ prototypes.vectors.T
    logits = _only_existing(similarity, prototypes.exists) / temperature
    wanted, usable = _wanted(labels, prototypes)
    total = functional.cross_entropy(logits, wanted.where(usable, -100), ignore_index=-100, reduction="sum")
    return total / usable.sum().clamp(min=1)


def intra_view_loss(
    embeddings: Float[Tensor, "batch width h w"],
    labels: Int64[Tensor, "batch h w"],
    prototypes: Prototypes,
    uniform: Float[Tensor, "batch h w"],
    temperature: float = 0.1,
    ranked: Literal["negatives", "all"] = "negatives",
) -> Float[Tensor, ""]:
    """Contrast within a view, against semi-hard prototypes, over hard pixels, averaged over the classes.

    A pixel's negatives are the less similar of its most similar prototypes (`semi_hard`). Of each class's pixels a
    random half and a hard half count (`hard_pixels`). Classes of one pixel and pixels whose class has no prototype are
    left out.

    Args:
        embeddings: before scaling.
        labels: 0 for background, c + 1 for class c, 255 for pixels that do not count.
        prototypes: what pixels are compared with.
        uniform: random numbers in [0, 1) that choose the random half.
        temperature: τ.
        ranked: ranks are those among the `negatives`, or among `all` prototypes (published code), where the pixel's own
            may be ranked as a negative, and then counts twice.
    """
    wanted, usable = _wanted(labels, prototypes)
    similarity = _unit_pixels(embeddings) @ prototypes.vectors.T
    own = similarity.gather(1, wanted[:, None])
    candidates = prototypes.exists.expand_as(similarity)
    if ranked == "negatives":
        candidates = candidates & (functional.one_hot(wanted, similarity.shape[1]) == 0)
    number = int(prototypes.exists.sum()) - (ranked == "negatives")
    start, end = semi_hard(max(number, 0))
    order = _only_existing(similarity.detach(), candidates).argsort(dim=1, descending=True, stable=True)
    negatives = similarity.gather(1, order[:, start:end])
    losses = torch.cat([own, negatives], dim=1).div(temperature).logsumexp(1) - own[:, 0] / temperature
    terms = []
    for output in sorted(set(wanted.tolist())):
        pixels = ((wanted == output) & usable).nonzero()[:, 0]
        if len(pixels) > 1:
            chosen = hard_pixels(own[pixels, 0].detach(), uniform.flatten()[pixels])
            terms.append(losses[pixels[chosen]].mean())
    return torch.stack(terms).mean() if terms else losses.sum() * 0


def semi_hard(number: int) -> tuple[int, int]:
    """The ranks, from the most similar, that are negatives: half of all, at the end of the first 60 %.

    Of the published 21: 3 to 12, counted from 0.

    Args:
        number: prototypes that are ranked.

    Returns:
        first rank, and the one after the last; one negative at least if there is any.
    """
    end = -(-6 * number // 10)
    return end - min(end, max(number // 2, 1)), end


def hard_pixels(
    similarity: Float[Tensor, "pixels"], uniform: Float[Tensor, "pixels"]
) -> Int64[Tensor, "chosen"]:
    """Indices of a random half of a class's pixels, and of half of them that are hard; some pixels are in both.

    Hard pixels are the least similar 60 % to their prototype, without the hardest of them, so that half of all remain.

    Args:
        similarity: to the class's prototype.
        uniform: random numbers in [0, 1); the half with the smallest ones is the random half.
    """
    half, end = len(similarity) // 2, 3 * len(similarity) // 5
    random_half = uniform.argsort(stable=True)[:half]
    return torch.cat([random_half, similarity.argsort(stable=True)[end - half : end]])


def _wanted(
    labels: Int64[Tensor, "batch h w"], prototypes: Prototypes
) -> tuple[Int64[Tensor, "pixels"], Bool[Tensor, "pixels"]]:
    """Each pixel's output, 0 where it does not count, and whether it counts and has a prototype."""
    flat = labels.flatten()
    wanted = flat.where(flat != IGNORE, 0)
    return wanted, (flat != IGNORE) & prototypes.exists[wanted]


def _unit_pixels(embeddings: Float[Tensor, "batch width h w"]) -> Float[Tensor, "pixels width"]:
    return functional.normalize(embeddings.permute(0, 2, 3, 1).flatten(0, 2), dim=1)


def _only_existing(
    similarity: Float[Tensor, "pixels outputs"], exists: Bool[Tensor, "*pixels outputs"]
) -> Float[Tensor, "pixels outputs"]:
    """Similarities, the lowest number where there is no prototype: exp() of it is 0, and of it alone is not NaN."""
    return similarity.masked_fill(~exists, torch.finfo(similarity.dtype).min / 1e3)
