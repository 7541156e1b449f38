"""PQS and TECM counts of a threshold sweep: one pass over the data against a loop over pairs.

Initial and refined CAMs of 375×500 with 3 classes, K = 21. Both sides give, for every pair: confusion
counts and neutral pixels of the initial and of the refined CAMs, N-to-B and N-to-F.
"""

import time
from collections.abc import Sequence

import numpy as np
from _harness import Row, blob_cam, compare, duration, equal_integers, print_table

from seedbed.metrics.segmentation import mean_ious
from seedbed.metrics.threshold_tables import ThresholdTable
from seedbed.metrics.transition_table import TransitionTable

K = 21
IMAGES = 8
Pair = tuple[float, float]
Image = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

PAPER_PAIRS = [(bg / 100, (bg + width) / 100) for bg in range(5, 45, 5) for width in (0, 10, 25, 40)]
"""The 32 pairs of the threshold-quality paper: 8 background thresholds, 4 widths."""
GRID = [threshold / 100 for threshold in range(1, 101)]
ALL_PAIRS = [(bg, fg) for bg in GRID for fg in GRID if bg <= fg]
"""5,050 pairs."""


def images(number: int) -> list[Image]:
    """Initial CAM, refined CAM, class ids, truth with a border of 255."""
    result = []
    for seed in range(number):
        rng = np.random.default_rng(seed)
        initial = blob_cam(rng, 3)
        refined = np.maximum(initial, np.roll(initial, 7, axis=2)) ** np.float32(0.8)
        class_ids = np.sort(rng.choice(K - 1, 3, replace=False))
        values = (class_ids + 1).astype(np.uint8)
        truth = np.where(initial.max(0) > 0.22, values[np.roll(initial, 5, axis=1).argmax(0)], 0).astype(
            np.uint8
        )
        truth[:6] = 255
        result.append((initial, refined, class_ids, truth))
    return result


def label(score: np.ndarray, winner: np.ndarray, pair: Pair) -> np.ndarray:
    """Mask under one pair, as the pipeline writes it."""
    bg, fg = np.float32(pair[0]), np.float32(pair[1])
    return np.where(score >= fg, winner, np.where(score <= bg, 0, 255)).astype(np.uint8)


def bincount(truth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    labelled = truth != 255
    column = np.where(mask == 255, K, mask)[labelled]
    cells = (K + 1) * truth[labelled].astype(np.int64) + column
    return np.bincount(cells, minlength=K * (K + 1)).reshape(K, K + 1)


def by_loop(data: Sequence[Image], pairs: Sequence[Pair], cached: bool) -> list[np.ndarray]:
    """The published way: every pair thresholds, counts and compares the masks anew; `cached` keeps max and
    arg-max."""
    confusion = np.zeros((2, len(pairs), K, K + 1), np.int64)
    moved = np.zeros((4, len(pairs)), np.int64)
    for initial, refined, class_ids, truth in data:
        strongest = (
            [(cam.max(0), (class_ids + 1)[cam.argmax(0)]) for cam in (initial, refined)] if cached else None
        )
        for p, pair in enumerate(pairs):
            if strongest is None:
                masks = [
                    label(cam.max(0), (class_ids + 1)[cam.argmax(0)], pair) for cam in (initial, refined)
                ]
            else:
                masks = [label(*both, pair) for both in strongest]
            for side, mask in enumerate(masks):
                confusion[side, p] += bincount(truth, mask)
            before, after = masks
            neutral = before == 255
            moved[:, p] += [
                neutral.sum(),
                (after == 255).sum(),
                (neutral & (after == 0)).sum(),
                (neutral & (after != 0) & (after != 255)).sum(),
            ]
    return [*confusion, *moved]


def by_tables(data: Sequence[Image], pairs: Sequence[Pair]) -> list[np.ndarray]:
    thresholds = sorted({threshold for pair in pairs for threshold in pair})
    tables = [ThresholdTable.empty(thresholds, K) for _ in range(2)]
    transitions = TransitionTable.empty(thresholds)
    for initial, refined, class_ids, truth in data:
        tables[0].add(initial, class_ids, truth)
        tables[1].add(refined, class_ids, truth)
        transitions.add(initial, refined)
    moved = transitions.transitions(pairs)
    return [
        *(table.confusion(pairs) for table in tables),
        moved.neutral_initial,
        moved.neutral_refined,
        moved.neutral_to_background,
        moved.neutral_to_foreground,
    ]


def cpu_seconds(data: Sequence[Image], pairs: Sequence[Pair], rounds: int = 5) -> float:
    """Median CPU time of tables, derivation and mean IoU of every pair."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        initial, refined, *_ = by_tables(data, pairs)
        mean_ious(initial), mean_ious(refined)
        times.append(time.process_time() - start)
    return float(np.median(times))


def main() -> None:
    data = images(IMAGES)
    rows: list[Row] = [
        compare(
            f"32 pairs, {IMAGES} images, {name}",
            lambda cached=cached: by_loop(data, PAPER_PAIRS, cached),
            lambda: by_tables(data, PAPER_PAIRS),
            equal_integers,
            aim=aim,
            rounds=3,
        )
        for name, cached, aim in (
            ("plain loop", False, "≥ 50×"),
            ("loop, max and arg-max cached", True, "≥ 20×"),
        )
    ]
    spot = ALL_PAIRS[::421]
    equal_integers(by_loop(data[:1], spot, True), [array[::421] for array in by_tables(data[:1], ALL_PAIRS)])
    many = [data[i % IMAGES] for i in range(100)]
    one, all_pairs = cpu_seconds(many, [(0.1, 0.4)]), cpu_seconds(many, ALL_PAIRS)
    print_table(
        "Threshold tables",
        rows,
        ("numpy", "numba"),
        [
            f"100 images: one pair {duration(one)}, 5,050 pairs {duration(all_pairs)} with mean IoU of each: "
            f"{all_pairs / one:.2f}× (aim: ≤ 2×); {len(spot)} of the 5,050 checked against the loop."
        ],
    )


if __name__ == "__main__":
    main()
