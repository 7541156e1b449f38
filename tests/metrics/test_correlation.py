"""Coefficients by hand and against SciPy, draw by draw; RANSAC against scikit-learn, seed by seed."""

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.linear_model import RANSACRegressor

from seedbed.metrics import correlation as module
from seedbed.metrics.bootstrap import draw_weights, percentile_interval
from seedbed.metrics.correlation import FEWEST, correlation, rank_agreement
from seedbed.metrics.ransac import inlier_sets, median_deviation


def noisy(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two columns with a few ties, and outliers."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.uniform(0, 5, n), 1)
    y = np.round(x + rng.normal(0, 0.5, n), 1)
    y[rng.choice(n, n // 4, replace=False)] += 4
    return x, y


def test_coefficients_are_scipys() -> None:
    x, y = noisy(30)
    found = correlation(x, y, seeds=2)
    for name, oracle in (("pearson", pearsonr), ("spearman", spearmanr), ("kendall", kendalltau)):
        coefficient = getattr(found, name)
        expected = oracle(x, y)
        assert coefficient[:2] == pytest.approx((expected.statistic, expected.pvalue)), name
        assert coefficient.interval.low < coefficient.value < coefficient.interval.high


@pytest.mark.parametrize(
    ("drawn", "oracle"), [("_pearsons", pearsonr), ("_spearmans", spearmanr), ("_kendalls", kendalltau)]
)
def test_intervals_are_of_coefficients_of_drawn_points(drawn: str, oracle: object) -> None:
    """Every draw written out, points with their repetitions, and given to SciPy."""
    x, y = noisy(12, seed=3)
    weights = np.concatenate(list(draw_weights(12, 40, seed=7)))
    expected = [oracle(np.repeat(x, w), np.repeat(y, w)).statistic for w in weights]  # type: ignore[operator]
    assert getattr(module, drawn)(x, y, weights) == pytest.approx(expected)
    name = drawn[1:-1]
    found = getattr(correlation(x, y, seed=7, draws=40, seeds=1), name)
    assert found.interval == pytest.approx(percentile_interval(np.array(expected)))


def test_draws_of_one_point_only_are_left_out() -> None:
    weights = np.array([[5, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    x = np.arange(5.0)
    for drawn in (module._pearsons, module._spearmans, module._kendalls):
        first, second = drawn(x, x, weights)
        assert np.isnan(first)
        assert second == pytest.approx(1)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.arange(4.0), np.array([4.0, 1, 3, 2])),  # one point too few
        (np.arange(5.0), np.ones(5)),
        (np.zeros(6), np.arange(6.0)),
        (np.empty(0), np.empty(0)),
    ],
)
def test_few_points_or_a_constant_give_no_coefficient(x: np.ndarray, y: np.ndarray) -> None:
    found = correlation(x, y)
    assert (found.points, found.pearson, found.spearman, found.kendall, found.ransac) == (
        x.size,
        *(None,) * 4,
    )
    assert rank_agreement(x, y) == (None, None)
    assert FEWEST == 5


def test_columns_of_different_lengths_are_refused() -> None:
    for measure in (correlation, rank_agreement):
        with pytest.raises(ValueError, match="same length; got 6 and 5 values"):
            measure(np.arange(6.0), np.arange(5.0))


def test_rank_agreement_by_hand() -> None:
    """Of 5 points two neighbours are swapped: 1 - 6 · 2 / (5 · 24) = 0.9; Kendall 1 - 2 · 1 / 10."""
    x = np.arange(5.0)
    y = np.array([0.1, 0.7, 0.2, 9.0, 10.0])
    assert rank_agreement(x, y)[0] == pytest.approx(0.9)
    found = correlation(x, y, seeds=1)
    assert found.kendall is not None
    assert found.kendall.value == pytest.approx(0.8)


@pytest.mark.parametrize(("n", "p"), [(5, 2 / 120), (6, 2 / 720)])
def test_p_value_of_few_points_is_exact(n: int, p: float) -> None:
    """Of n! pairings one agrees in all ranks and one is its reverse."""
    x = np.arange(float(n))
    assert rank_agreement(x, np.exp(x)) == pytest.approx((1, p))
    assert rank_agreement(x, -x) == pytest.approx((-1, p))


def test_p_value_with_ties_counts_all_pairings() -> None:
    """Ranks 1 to 5 and (1.5, 1.5, 3, 4, 5): only swaps of the two equal ones, and their reverses, are as extreme."""
    found = rank_agreement(np.arange(5.0), np.array([5.0, 5, 9, 10, 11]))
    assert found == pytest.approx((9.5 / (10 * 9.5) ** 0.5, 2 * 2 / 120))


# RANSAC


@pytest.mark.parametrize(("n", "seed"), [(5, 1), (9, 2), (24, 3), (32, 4)])
def test_inliers_are_scikit_learns(n: int, seed: int) -> None:
    x, y = noisy(n, seed)
    threshold = median_deviation(y)
    found = inlier_sets(x, y, range(8), threshold)
    for number, inliers in enumerate(found):
        fit = RANSACRegressor(random_state=number).fit(x[:, None], y)
        assert inliers == tuple(np.flatnonzero(fit.inlier_mask_)), number
    other = RANSACRegressor(random_state=3, residual_threshold=0.3).fit(x[:, None], y)
    assert inlier_sets(x, y, [3], 0.3) == [tuple(np.flatnonzero(other.inlier_mask_))]


def test_ransac_finds_the_line_and_names_the_outliers() -> None:
    x = np.arange(12.0)
    y = 2 * x + 1
    y[[3, 8]] = [40.0, -30.0]
    found = correlation(x, y, seed=5, threshold=0.5, seeds=20).ransac
    assert found is not None
    assert (found.seed, found.threshold) == (5, 0.5)
    assert found.inliers == (0, 1, 2, 4, 5, 6, 7, 9, 10, 11)
    assert found.pearson == pytest.approx(1)
    assert found.spread is not None
    assert (found.spread.lowest, found.spread.highest) == pytest.approx((1, 1))
    assert (found.spread.seeds, found.spread.fewest, found.spread.most) == (20, 10, 10)


def test_the_spread_is_over_the_seeds() -> None:
    x, y = noisy(24, seed=9)
    found = correlation(x, y, seeds=30).ransac
    assert found is not None
    assert found.spread is not None
    sets = inlier_sets(x, y, range(30), median_deviation(y))
    expected = [pearsonr(x[list(s)], y[list(s)]).statistic for s in sets]
    assert len(set(sets)) > 1
    assert found.spread.coefficients == pytest.approx(expected)
    assert (found.spread.lowest, found.spread.median, found.spread.highest) == pytest.approx(
        (min(expected), np.median(expected), max(expected))
    )
    assert found.spread.inliers == tuple(map(len, sets))


def test_the_default_threshold_is_the_median_deviation() -> None:
    found = correlation(np.arange(5.0), np.array([0.0, 1, 2, 3, 10]), seeds=1).ransac
    assert found is not None
    assert found.threshold == 1.0


def test_half_of_one_value_leaves_no_threshold() -> None:
    """Segmentation networks that collapsed all have one mIoU: their median deviation is 0."""
    found = correlation(np.arange(6.0), np.array([0.117, 0.117, 0.117, 0.117, 0.3, 0.4]))
    assert found.ransac is None
    assert found.pearson is not None


def test_points_with_the_same_x_give_a_level_line() -> None:
    """As least squares of scikit-learn has it."""
    x = np.array([0.0, 0, 0, 1, 2, 2])
    y = np.array([0.0, 1, 5, 1, 2, 3])
    found = inlier_sets(x, y, range(12), 1.1)
    fits = [RANSACRegressor(random_state=n, residual_threshold=1.1).fit(x[:, None], y) for n in range(12)]
    assert found == [tuple(np.flatnonzero(fit.inlier_mask_)) for fit in fits]
