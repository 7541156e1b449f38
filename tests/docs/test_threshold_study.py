"""The published figures on thresholds, recomputed: the numbers that the generated page states."""

import numpy as np
import pytest
from registry_pages import FOLDER, figures
from scipy.stats import pearsonr
from sklearn.linear_model import RANSACRegressor
from threshold_study import (
    CLAIMS,
    NAME,
    choices,
    inlier_pairs,
    points_of_p,
    printed,
    recomputed,
    shares_of,
    study_page,
    tecm_readings,
)

from seedbed.cam.thresholds import SWEEPS, Regions


def test_every_column_is_whole() -> None:
    assert {name: len(column) for name, column in printed().items()} == {
        **dict.fromkeys(("PQS", "mIoU", "PQS difference", "mIoU difference"), 32),
        **dict.fromkeys(("PQS average", "TECM", "NPR initial", "NPR refined", "ratio"), 24),
    }
    stated = [
        float(row["value"]) for row, _ in figures() if row["table"] == "text-4.2" and row["paper"] == "003"
    ]
    assert sorted(stated) == sorted(claim.printed for claim in CLAIMS)


def test_the_named_sweep_has_the_printed_pairs() -> None:
    pairs = (Regions.parse(label) for label in SWEEPS["threshold-quality"])
    assert [f"bg={pair.low:g} fg={pair.high:g}" for pair in pairs] == list(printed()["PQS"])


def test_the_printed_variant_gives_all_rows_and_formula_4_none() -> None:
    assert [(one.rows, one.of) for one in tecm_readings().values()] == [(0, 24), (7, 24), (24, 24)]


def test_coefficients_on_all_rows() -> None:
    found = [recomputed()[claim.name][0] for claim in CLAIMS]
    assert [one.points for one in found] == [32, 32, 24]
    assert [round(one.pearson.value, 3) for one in found if one.pearson] == [0.490, 0.566, -0.053]
    for claim, (forward, backward) in zip(CLAIMS, recomputed().values(), strict=True):
        x, y = (
            np.array([printed()[name][pair] for pair in printed()[claim.x]]) for name in (claim.x, claim.y)
        )
        assert forward.pearson is not None
        assert backward.pearson is not None
        assert forward.pearson[:2] == pytest.approx(tuple(pearsonr(x, y)))
        assert forward.pearson.value == pytest.approx(backward.pearson.value)


def test_ransac_over_1000_seeds() -> None:
    """As reference calculations with scikit-learn's regressor gave them: least, median, greatest; inliers."""
    spreads = [recomputed()[claim.name][0].ransac.spread for claim in CLAIMS]  # type: ignore[union-attr]
    found = [
        (round(s.lowest, 2), round(s.median, 2), round(s.highest, 2), s.fewest, s.most) for s in spreads if s
    ]
    assert found == [(-0.13, 0.67, 0.99, 14, 20), (0.68, 0.91, 0.97, 15, 22), (-0.89, 0.53, 0.94, 10, 13)]
    assert {s.seeds for s in spreads if s} == {1000}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.x)
def test_inliers_are_scikit_learns(claim: object) -> None:
    for line, names in enumerate(((claim.x, claim.y), (claim.y, claim.x))):  # type: ignore[attr-defined]
        x, y = (np.array([printed()[name][pair] for pair in printed()[names[0]]]) for name in names)
        spread = recomputed()[claim.name][line].ransac.spread  # type: ignore[attr-defined, union-attr]
        for seed in (0, 1, 500, 999):
            mask = RANSACRegressor(random_state=seed).fit(x[:, None], y).inlier_mask_
            assert spread is not None
            assert spread.coefficients[seed] == pytest.approx(pearsonr(x[mask], y[mask]).statistic)
            assert spread.inliers[seed] == mask.sum()


def test_numbers_of_rows_behind_the_printed_p_values() -> None:
    assert [points_of_p(claim) for claim in CLAIMS] == [[19, 20], [21], [10]]
    assert shares_of(CLAIMS[2], 0) == 0


def test_what_the_measures_choose() -> None:
    assert list(choices()) == [
        ("mIoU", "bg=0.2 fg=0.3", 56.06),
        ("PQS", "bg=0.2 fg=0.2", 53.57),
        ("PQS average", "bg=0.15 fg=0.25", 53.88),
        ("TECM", "bg=0.4 fg=0.8", 29.56),
    ]


def test_the_page_states_them() -> None:
    page = study_page()
    assert page == (FOLDER / NAME).read_text(encoding="utf-8")
    for text in (
        "gives 24 of 24 rows within rounding; formula (4) as it stands gives none",
        "| PQS against mIoU | 32 | 0.490 (",
        "| PQS difference against mIoU difference | 32 | 0.566 (",
        "| TECM against PQS average | 24 | -0.053 (",
        "-0.13 / 0.67 / 0.99",
        f"Seed 0 of PQS average over TECM leaves {', '.join(inlier_pairs(CLAIMS[2]))}.",
    ):
        assert text in page
