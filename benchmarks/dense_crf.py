"""Dense CRF: our lattice against pydensecrf, on photographs of 375×500 with the published settings.

Both work in one thread on the same unaries. Times are of all that an image needs: ours builds the bilateral
lattice in each, and finds the spatial one in its cache as it does from the second image of a size on.
"""

import time

import numpy as np
from _harness import Row, blob_cam, compare, duration, photographs, print_table

from seedbed.refine.crf.dense_crf import CRF_PRESETS, DenseCrf, unary_from_labels, unary_from_softmax
from seedbed.refine.crf.permutohedral import _kept_spatial_kernel

THRESHOLDS = tuple(np.round(np.arange(0.05, 0.801, 0.05), 2))
# 32 (background, foreground) pairs over 16 distinct thresholds, as many as the threshold paper sweeps.
PAIRS = tuple((THRESHOLDS[i], THRESHOLDS[8 + (i + j) % 8]) for i in range(8) for j in range(4))


def label_unaries(cam: np.ndarray, thresholds: tuple[float, ...], confidence: float) -> np.ndarray:
    """Unaries of argmax([threshold, cam]), one set a threshold."""
    labels = np.stack([np.argmax([np.full(cam.shape[1:], t), *cam], axis=0) for t in thresholds])
    return unary_from_labels(labels, len(cam) + 1, confidence)


def agreement(peer: list[np.ndarray], ours: list[np.ndarray]) -> str:
    """Share of pixels whose label differs, and the largest difference of a marginal."""
    different = sum(int((p.argmax(1) != o.argmax(1)).sum()) for p, o in zip(peer, ours, strict=True))
    pixels = sum(p[:, 0].size for p in peer)
    largest = max(float(abs(p - o).max()) for p, o in zip(peer, ours, strict=True))
    return f"{different} of {pixels:,} labels differ ({different / pixels:.1e}), max abs ΔQ {largest:.0e}"


def run(engine: str, preset: str, images: list[np.ndarray], unaries: list[np.ndarray]) -> list[np.ndarray]:
    parameters = CRF_PRESETS[preset]
    return [DenseCrf(i, parameters, engine).marginals(u) for i, u in zip(images, unaries, strict=True)]


def row(
    name: str, preset: str, images: list[np.ndarray], unaries: list[np.ndarray], aim: str, rounds: int
) -> Row:
    return compare(
        name,
        lambda: run("pydensecrf", preset, images, unaries),
        lambda: run("permutohedral", preset, images, unaries),
        agreement,
        aim=aim,
        rounds=rounds,
    )


def pairs_row(image: np.ndarray, cam: np.ndarray) -> Row:
    """The published way, two calls a pair, against one pass over the distinct thresholds."""
    parameters = CRF_PRESETS["irn"]

    def published() -> list[np.ndarray]:
        calls = [label_unaries(cam, (t,), parameters.label_confidence) for pair in PAIRS for t in pair]
        return [np.concatenate([DenseCrf(image, parameters, "pydensecrf").marginals(u) for u in calls])]

    def ours() -> list[np.ndarray]:
        distinct = tuple(sorted({t for pair in PAIRS for t in pair}))
        unaries = label_unaries(cam, distinct, parameters.label_confidence)
        marginals = DenseCrf(image, parameters, "permutohedral").marginals(unaries)
        return [marginals[[distinct.index(t) for pair in PAIRS for t in pair]]]

    return compare(f"32 pairs, {len(cam) + 1} labels, irn", published, ours, agreement, aim="≥ 20×", rounds=1)


def parts(image: np.ndarray) -> str:
    """Milliseconds of what happens once per size, per image and per unary."""
    parameters = CRF_PRESETS["irn"]
    height, width = image.shape[:2]
    _kept_spatial_kernel.cache_clear()
    seconds = []
    for work in (
        lambda: _kept_spatial_kernel(height, width, parameters.gaussian_sxy, parameters.gaussian_compat),
        lambda: DenseCrf(image, parameters),
    ):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return (
        f"Ours (irn): spatial lattice once per size {duration(seconds[0])}, "
        f"bilateral lattice once per image {duration(seconds[1])}; the rest is inference."
    )


def main() -> None:
    rng = np.random.default_rng(0)
    images = photographs()
    cams = {labels: [blob_cam(rng, labels - 1) for _ in images] for labels in (2, 3, 4)}
    start = time.process_time()
    for labels, count in ((2, 1), (3, 1), (4, 1), (2, 16)):
        run("permutohedral", "irn", images[:1], [label_unaries(cams[labels][0], THRESHOLDS[:count], 0.7)])
    first = time.process_time() - start

    rows = []
    for preset in ("irn", "psa"):
        for labels, aim in ((2, "≥ 2×"), (3, "≥ 2×"), (4, "")):
            unaries = [label_unaries(cam, (0.3,), 0.7) for cam in cams[labels]]
            name = f"{len(images)} images, {labels} labels, {preset}"
            rows.append(row(name, preset, images, unaries, aim, rounds=3))
    scores = [rng.dirichlet(np.ones(21), (375, 500)).transpose(2, 0, 1)[None] for _ in images[:2]]
    softmax = [unary_from_softmax(score) for score in scores]
    rows.append(row("2 images, 21 labels, deeplab-v2", "deeplab-v2", images[:2], softmax, "", rounds=1))
    for labels in (2, 3):
        unaries = [label_unaries(cams[labels][0], THRESHOLDS, 0.7)]
        rows.append(row(f"16 thresholds, {labels} labels, irn", "irn", images[:1], unaries, "≥ 5×", rounds=1))
    for labels in (2, 3):
        rows.append(pairs_row(images[0], cams[labels][0]))

    notes = [
        parts(images[0]),
        f"First calls of each kernel in this process: {duration(first)}; "
        "on a new machine numba compiles them once, which takes about 12 s more.",
    ]
    print_table("Dense CRF", rows, ("numba", "pydensecrf2", "numpy"), notes)


if __name__ == "__main__":
    main()
