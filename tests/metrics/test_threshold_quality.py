import csv
from itertools import product
from pathlib import Path

import pytest

from seedbed.metrics.threshold_quality import TECM_VARIANTS, neutral_pixel_ratio, pqs, tecm

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
    assert TECM_VARIANTS[0] == "equation-4"
