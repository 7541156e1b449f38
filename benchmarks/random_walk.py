"""Random walk of 256 transitions: the sparse stencil against dense squaring and against scipy's CSR products.

Affinities of radius 5 from a photograph, β = 8, two classes; 47×63 nodes are stride 8, 94×125 stride 4 of a
375×500 image. Dense squaring at stride 4 takes minutes and gigabytes: it runs once, and only with
--dense-stride4.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse
import torch
from _harness import Row, compare, photographs, print_table

from seedbed.networks.affinitynet import feature_affinity
from seedbed.refine.affinity_labels import pair_offsets
from seedbed.refine.random_walk import chebyshev_expansion, walk
from seedbed.refine.random_walk_torch import walk_torch

OFFSETS = pair_offsets(5)
BETA, LOGT = 8.0, 8
STEPS = 2**LOGT
CHANNELS, CLASSES, BATCH = 32, 2, 16


def example(stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and affinities on the grid of a stride: mixed colours of a photograph as features."""
    image = photographs()[0][::stride, ::stride].astype(np.float32) / 255
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(CHANNELS, 3, generator=generator)
    features = torch.einsum("ci,hwi->chw", mixing, torch.from_numpy(image))[None]
    affinity = feature_affinity(features, OFFSETS)[0].numpy()
    scores = np.random.default_rng(0).random((CLASSES, *image.shape[:2]), dtype=np.float32)
    return scores, affinity


def pairs(affinity: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of both pixels and A^β of every pair."""
    _, h, w = affinity.shape
    index = np.arange(h * w).reshape(h, w)
    one, two, values = [], [], []
    for k, (dy, dx) in enumerate(OFFSETS):
        left, right = max(0, -dx), min(w, w - dx)
        one.append(index[: h - dy, left:right].ravel())
        two.append(index[dy:, left + dx : right + dx].ravel())
        values.append(affinity[k, : h - dy, left:right].ravel() ** np.float32(BETA))
    return np.concatenate(one), np.concatenate(two), np.concatenate(values)


def dense_squaring(scores: np.ndarray, affinity: np.ndarray, device: str = "cpu") -> np.ndarray:
    """The published way: T as a dense matrix, squared LOGT times, then one product."""
    classes, h, w = scores.shape
    one, two, values = (torch.from_numpy(part).to(device) for part in pairs(affinity))
    matrix = torch.eye(h * w, device=device)
    matrix[one, two] = values
    matrix[two, one] = values
    matrix /= matrix.sum(dim=0, keepdim=True)
    for _ in range(LOGT):
        matrix = matrix @ matrix
    refined = torch.from_numpy(scores.reshape(classes, -1)).to(device) @ matrix
    return refined.cpu().numpy().reshape(scores.shape)


def sparse_products(
    scores: np.ndarray, affinity: np.ndarray, dtype: type[np.floating] = np.float32
) -> np.ndarray:
    """STEPS products with T as a CSR matrix."""
    classes, h, w = scores.shape
    one, two, values = pairs(affinity)
    loops = np.arange(h * w)
    matrix = scipy.sparse.csr_array(
        (
            np.concatenate([values, values, np.ones(h * w)]).astype(dtype),
            (np.concatenate([one, two, loops]), np.concatenate([two, one, loops])),
        )
    )
    columns = np.asarray(matrix.sum(axis=0)).ravel()
    refined = scores.reshape(classes, -1).T.astype(dtype)
    # Row j of A holds column j of T but for its divisor: A is symmetric.
    matrix = scipy.sparse.csr_array(scipy.sparse.diags_array((1 / columns).astype(dtype)) @ matrix)
    for _ in range(STEPS):
        refined = matrix @ refined
    return refined.T.reshape(scores.shape)


def off(exact: np.ndarray) -> Callable[[np.ndarray, np.ndarray], str]:
    """Distance of both results from float64, as a share of the maximum."""

    def text(peer: np.ndarray, ours: np.ndarray) -> str:
        distances = [np.abs(result - exact).max() / exact.max() for result in (peer, ours)]
        return "off float64: peer {:.1e}, ours {:.1e} of the maximum".format(*distances)

    return text


def on_a_gpu(scores: np.ndarray, affinity: np.ndarray, exact: np.ndarray) -> Row:
    """A batch of equal images on the GPU against as many dense squarings there."""
    batch_scores = torch.from_numpy(np.stack([scores] * BATCH)).cuda()
    batch_affinity = torch.from_numpy(np.stack([affinity] * BATCH)).cuda()

    def ours() -> np.ndarray:
        return walk_torch(batch_scores, batch_affinity, OFFSETS, beta=BETA, steps=STEPS)[0].cpu().numpy()

    def peer() -> np.ndarray:
        results = [dense_squaring(scores, affinity, "cuda") for _ in range(BATCH)]
        return results[0]

    name = f"GPU, 94×125, {BATCH} images: dense squaring"
    return compare(name, peer, ours, off(exact), rounds=3, clock=time.perf_counter)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dense-stride4", action="store_true", help="run dense squaring at 94×125 once")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows, notes = [], []
    for stride in (8, 4):
        scores, affinity = example(stride)
        exact = sparse_products(scores, affinity, np.float64)
        size = "×".join(str(length) for length in scores.shape[1:])

        def ours(scores: np.ndarray = scores, affinity: np.ndarray = affinity) -> np.ndarray:
            return walk(scores, affinity, OFFSETS, beta=BETA, steps=STEPS)

        def power(scores: np.ndarray = scores, affinity: np.ndarray = affinity) -> np.ndarray:
            return walk(scores, affinity, OFFSETS, beta=BETA, steps=STEPS, method="power")

        def sparse(scores: np.ndarray = scores, affinity: np.ndarray = affinity) -> np.ndarray:
            return sparse_products(scores, affinity)

        def dense(scores: np.ndarray = scores, affinity: np.ndarray = affinity) -> np.ndarray:
            return dense_squaring(scores, affinity)

        if stride == 8:
            rows.append(compare(f"{size}: dense squaring", dense, ours, off(exact), aim="≥ 500×", rounds=2))
        aim = "≥ 30×" if stride == 4 else ""
        rows.append(compare(f"{size}: scipy CSR, {STEPS} products", sparse, ours, off(exact), aim=aim))
        rows.append(compare(f"{size}: our own {STEPS} products", power, ours, off(exact)))
        if stride == 4 and options.dense_stride4:
            start = time.process_time()
            result = dense()
            once = time.process_time() - start
            name = f"{size}: dense squaring, one run"
            rows.append(Row(name, once, rows[-1].ours, off(exact)(result, ours()), "≥ 5,000×"))
        elif stride == 4:
            nodes = [scores[0].size, example(8)[0][0].size]
            once = rows[0].peer * (nodes[0] / nodes[1]) ** 3
            notes.append(
                f"Dense squaring at {size}, not run: {once:,.0f} s by the cube of the nodes from stride 8, "
                f"{once / rows[-1].ours:,.0f} times ours. `--dense-stride4` runs it."
            )
    if torch.cuda.is_available():
        rows.append(on_a_gpu(scores, affinity, exact))
    tail = chebyshev_expansion(STEPS, 84).tail
    notes.append(f"Ours: Chebyshev, 84 products, tail {tail:.1e}; affinity of half-plane weights included.")
    notes.append(
        f"Memory of the transitions at stride 4: dense {(94 * 125) ** 2 * 4 / 2**20:,.0f} MiB a matrix, "
        f"stencil {len(OFFSETS) * 94 * 125 * 4 / 2**20:.1f} MiB."
    )
    print_table("Random walk", rows, ("numpy", "numba", "scipy", "torch"), notes)


if __name__ == "__main__":
    main()
