"""Counts for evaluation: ours against torchmetrics and against numpy's bincount, on label maps of 375×500,
K = 21."""

import numpy as np
import torch
from _harness import Row, blob_cam, compare, duration, equal_integers, print_table
from torchmetrics.classification import MulticlassConfusionMatrix

from seedbed.metrics.confusion import confusion_counts

K = 21
IMAGES = 8


def label_maps(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Truth with a border of 255, and a prediction that is the truth of a slightly other image."""
    cam = blob_cam(rng, 3)
    values = rng.choice(np.arange(1, K), 3, replace=False).astype(np.uint8)
    truth = np.where(cam.max(0) > 0.2, values[cam.argmax(0)], 0).astype(np.uint8)
    shifted = np.roll(cam, 9, axis=2)
    prediction = np.where(shifted.max(0) > 0.25, values[shifted.argmax(0)], 0).astype(np.uint8)
    truth[:6] = 255
    return truth, prediction


def by_torchmetrics(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    metric = MulticlassConfusionMatrix(K, ignore_index=255)
    for truth, prediction in pairs:
        metric.update(torch.from_numpy(prediction), torch.from_numpy(truth))
    return [metric.compute().numpy()]


def by_bincount(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    counts = np.zeros((K, K), np.int64)
    for truth, prediction in pairs:
        labelled = truth != 255
        cells = K * truth[labelled].astype(np.int64) + prediction[labelled]
        counts += np.bincount(cells, minlength=K * K).reshape(K, K)
    return [counts]


def by_seedbed(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    counts = np.zeros((K, K + 1), np.int64)
    for truth, prediction in pairs:
        counts += confusion_counts(truth, prediction, K)
    return [counts[:, :K]]


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    pairs = [label_maps(rng) for _ in range(IMAGES)]
    rows: list[Row] = [
        compare(
            f"{IMAGES} images, torchmetrics",
            lambda: by_torchmetrics(pairs),
            lambda: by_seedbed(pairs),
            equal_integers,
            aim="≥ 20×",
        ),
        compare(
            f"{IMAGES} images, masked bincount",
            lambda: by_bincount(pairs),
            lambda: by_seedbed(pairs),
            equal_integers,
        ),
    ]
    per_image = rows[0].ours / IMAGES
    print_table(
        "Counts for evaluation",
        rows,
        ("torchmetrics", "torch", "numpy", "numba"),
        [
            f"{duration(per_image)} per image, {duration(1449 * per_image)} for 1,449 (VOC val); "
            "decoding is not counted."
        ],
    )


if __name__ == "__main__":
    main()
