import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from seedbed.metrics.threshold_quality import (
    TECM_VARIANTS,
    correlation,
    neutral_pixel_ratio,
    pqs,
    rank_agreement,
    tecm,
)

with (Path(__file__).parent / "data" / "threshold_quality_table2.csv").open() as file:
    TABLE_2 = list(csv.DictReader(line for line in file if not line.startswith("#")))


def attainable(row, moved, variant):
    """Range of TECM·100 over what rounds to the printed values; `moved`: ratio to (N-to-B, N-to-F)."""
    half = 0.005
    values = [
        100 * tecm((i + a) / 100, (r + b) / 100, *moved(ratio + c), variant=variant)
        for i, r, ratio in [
            (
                float(row["npr_initial_percent"]),
                float(row["npr_refined_percent"]),
                float(row["transition_ratio"]),
            )
        ]
        for a, b, c in product((-half, half), repeat=3)
    ]
    return min(values) - half, max(values) + half


def share_of_background(ratio):
    return ratio, 1 - ratio


def imbalance(ratio):
    return (1 + ratio) / 2, (1 - ratio) / 2


def test_table_2_has_all_rows():
    assert len(TABLE_2) == 24


@pytest.mark.parametrize("row", TABLE_2, ids=lambda row: f"{row['bg_threshold']}-{row['fg_threshold']}")
def test_printed_variant_gives_table_2(row):
    low, high = attainable(row, imbalance, "printed")
    assert low <= float(row["tecm_x100"]) <= high
    assert high - low < 2  # the rounding interval says something


def test_equation_4_gives_no_row_of_table_2():
    inside = 0
    for row in TABLE_2:
        low, high = attainable(row, share_of_background, "equation-4")
        inside += low <= float(row["tecm_x100"]) <= high
    assert inside == 0


@pytest.mark.parametrize(
    ("npr_initial", "npr_refined", "moved", "equation_4", "printed"),
    [
        (0.4, 0.2, (30, 10), (1 + 0.5) * 0.5, 2 * 0.5),  # imbalance 20/40
        (0.2, 0.4, (10, 10), 0.0, 0.5),  # 1 - 1 = 0: NPR doubled
        (0.1, 0.4, (10, 10), 0.0, 0.25),  # 1 - 3 clipped to 0
        (0.4, 0.1, (10, 10), 1.75, 2.0),  # 4 clipped to 2
        (0.4, 0.4, (7, 0), 0.0, 0.0),  # all to background: no balance
        (0.4, 0.2, (0, 0), 1.5, 2.0),  # no transition: balanced
        (0.4, 0.0, (5, 5), 2.0, 2.0),
        (0.0, 0.0, (0, 0), 1.0, 1.0),  # §3.3.1: equal thresholds score 1
        (0.0, 0.2, (0, 0), 0.0, 0.0),
    ],
)
def test_tecm_by_hand(npr_initial, npr_refined, moved, equation_4, printed):
    assert tecm(npr_initial, npr_refined, *moved) == pytest.approx(equation_4, abs=1e-6)
    assert tecm(npr_initial, npr_refined, *moved, variant="printed") == pytest.approx(printed, abs=1e-6)


def test_pqs_and_npr_by_hand():
    assert neutral_pixel_ratio(25, 100) == 0.25
    assert pqs(0.6, 0.25) == pytest.approx(0.45)
    assert pqs(0.6, 0.0) == 0.6


def test_errors():
    with pytest.raises(ValueError, match="unknown TECM variant 'equation-5'; did you mean equation-4"):
        tecm(0.1, 0.1, 1, 1, variant="equation-5")
    with pytest.raises(
        ValueError,
        match=r"expected NPR of the initial CAMs as a fraction .* got 23.4; divide per cent by 100",
    ):
        tecm(23.4, 0.1, 1, 1)
    with pytest.raises(ValueError, match="N-to-B -1"):
        tecm(0.2, 0.1, -1, 1)
    with pytest.raises(ValueError, match="expected mean IoU as a fraction"):
        pqs(56.9, 0.1)
    with pytest.raises(ValueError, match="0 neutral of 0 pixels"):
        neutral_pixel_ratio(0, 0)
    with pytest.raises(ValueError, match="at least 3; got 2 and 2"):
        correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="got 3 and 4"):
        correlation(np.arange(3.0), np.arange(4.0))
    assert TECM_VARIANTS[0] == "equation-4"


def test_correlation_finds_the_line_and_names_the_outliers():
    x = np.arange(12.0)
    y = 2 * x + 1
    y[[3, 8]] = [40.0, -30.0]
    result = correlation(x, y, seed=5, threshold=0.5)
    assert result.ransac_inliers == (0, 1, 2, 4, 5, 6, 7, 9, 10, 11)
    assert result.ransac_pearson == pytest.approx(1)
    assert (result.ransac_seed, result.ransac_threshold, result.points) == (5, 0.5, 12)
    assert (result.pearson, result.pearson_p) == pytest.approx(tuple(pearsonr(x, y)))
    assert (result.spearman, result.spearman_p) == pytest.approx(tuple(spearmanr(x, y)))


def test_correlation_default_threshold_is_the_median_deviation():
    assert correlation(np.arange(5.0), np.array([0.0, 1, 2, 3, 10])).ransac_threshold == 1.0


def test_rank_agreement():
    """Of 4 points two neighbours are swapped: 1 - 6 · 2 / (4 · 15) = 0.8; two points or a constant have none."""
    x = np.array([1.0, 2.0, 3.0, 4.0])
    y = np.array([0.1, 0.7, 0.2, 9.0])
    assert rank_agreement(x, y)[0] == pytest.approx(0.8)
    assert rank_agreement(x, np.ones(4)) == rank_agreement(x[:2], y[:2]) == (None, None)
    with pytest.raises(ValueError, match="same length; got 4 and 3 values"):
        rank_agreement(x, y[:3])


@pytest.mark.parametrize(("n", "p"), [(3, 2 / 6), (4, 2 / 24)])
def test_p_value_of_few_points_is_exact(n, p):
    """Of n! pairings one agrees in all ranks and one is its reverse."""
    x = np.arange(float(n))
    assert rank_agreement(x, np.exp(x)) == pytest.approx((1, p))
    assert rank_agreement(x, -x) == pytest.approx((-1, p))


def test_p_value_with_ties_counts_all_pairings():
    """Ranks (1, 2, 3) and (1.5, 1.5, 3): 2 of 6 pairings give sqrt(3)/2, 2 give 0, 2 its negative."""
    found = rank_agreement(np.array([1.0, 2, 3]), np.array([5.0, 5, 9]))
    assert found == pytest.approx((3**0.5 / 2, 2 * 2 / 6))


def test_correlation_of_a_constant_is_undefined():
    result = correlation(np.arange(4.0), np.ones(4), threshold=0.1)
    assert result.pearson is None
    assert result.spearman_p is None
