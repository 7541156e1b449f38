"""The shared form on the page, against values worked out by hand; the own form is tested in test_report_tables."""

import io

import pandas as pd
import pytest

from seedbed.report.page import run
from seedbed.report.sections import form_agreement, thresholds, thresholds_shared
from seedbed.report.threshold_pairs import judged_in, own_frame, shared_frame
from seedbed.stages.report import STAGE

LABELS = [f"bg0.{n}0-fg0.70" for n in (1, 2, 3, 4, 5, 6)]
REFERENCE = LABELS[1]
OWN = {"tecm": (1.5, 1.25, 1.0, 0.75, 0.5, 0.25), "pqs_pseudo": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)}
SHARED = {"tecm": (1.5, 1.0, 1.25, 0.75, 0.5, 0.25), "pqs_pseudo": (0.8, 0.7, 0.6, 0.5, 0.4, 0.3)}


def judge(maker, own=OWN, shared=SHARED, labels=LABELS):
    """Both forms of each pair at two random seeds, which lie 0.02 about the given means."""
    for rng in (0, 1):
        off = 0.01 if rng else -0.01

        def row(values, p, off=off):
            return {name: column[p] + off for name, column in values.items()}

        for p, label in enumerate(labels):
            axes = f"rng{rng}/{label}"
            maker.judged(axes, "refined_cams", "train", "threshold_quality", row(own, p), form="own")
        rows = {label: row(shared, p) for p, label in enumerate(labels)}
        axes = f"rng{rng}/{REFERENCE}"
        maker.judged(axes, "refined_cams", "train", "threshold_quality", rows, form="shared")
    return maker.page()


def test_the_forms_are_apart(maker):
    results = judge(maker).results
    assert (len(judged_in(results, "own")), len(judged_in(results, "shared"))) == (12, 2)
    own = own_frame(results)
    assert list(own["tecm"][:6]) == pytest.approx([v - 0.01 for v in OWN["tecm"]])
    frame = shared_frame(results)
    assert list(frame["regions"]) == LABELS * 2
    assert set(frame["reference"]) == {REFERENCE}
    assert list(frame["bg_threshold"][:6]) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert list(frame["tecm"][6:]) == pytest.approx([v + 0.01 for v in SHARED["tecm"]])


def test_the_shared_table_has_a_row_per_pair(maker):
    table = thresholds_shared.shared_table(thresholds_shared.frame(judge(maker)))
    rows = [dict(zip(table.headings, row, strict=True)) for row in table.rows]
    assert [row["pair"] for row in rows] == LABELS
    # 0.99 and 1.01: mean 1, sd sqrt(2 · 0.01²) = 0.0141
    assert (rows[1]["TECM (eq. 4)"], rows[1]["rngs"], rows[1]["PQS mean"]) == ("1.000 ± 0.014", "2", "–")


def test_cells_of_the_heat_maps_lead_to_the_rows_of_their_pairs(maker):
    judge(maker)
    judged = maker.slice["judgements"]
    judged["thresholds"] = [p for p in judged["thresholds"] if LABELS[3] not in p or "shared" in p]
    page = maker.page()
    frames = thresholds_shared.frame(page), own_frame(page.results)
    (plane,) = thresholds_shared.shared_planes(*frames)
    table = thresholds_shared.shared_table(frames[0])
    assert plane.pairs == tuple((bg / 10, 0.7) for bg in range(1, 7))
    assert plane.rows == table.row_ids
    assert plane.cached == (True, True, True, False, True, True)
    values = {measure.title: measure for measure in plane.measures}
    assert set(values) == {"TECM (eq. 4)", "PQS pseudo"}
    assert values["TECM (eq. 4)"].values == pytest.approx(SHARED["tecm"])
    assert [measure.chooses for measure in values.values()] == [False, True]
    (own,) = thresholds.sweep_figures(frames[1])
    assert own.rows == thresholds.threshold_table(frames[1]).row_ids
    assert own.cached == (True,) * 5
    assert len({*own.rows, *plane.rows}) == 11


def agreement(page):
    frame = form_agreement.frame(page)
    return {row["measure"]: row for row in frame.to_dict("records")}, form_agreement.agreement_table(frame)


def test_rank_agreement_of_six_pairs(maker):
    """TECM: two neighbours in the middle are swapped, 1 - 6 · (1 + 1) / (6 · 35) = 33/35; PQS is turned round, -1."""
    found, table = agreement(judge(maker))
    assert set(found) == {"tecm", "pqs_pseudo"}
    assert found["tecm"]["spearman"] == pytest.approx(33 / 35)
    assert found["pqs_pseudo"]["spearman"] == pytest.approx(-1)
    assert {(row["owner"], row["reference"], row["pairs"]) for row in found.values()} == {
        ("psa", REFERENCE, 6)
    }
    text = {row[4]: row[5:7] for row in table.rows}
    assert text == {"TECM (eq. 4)": ("6", "0.943"), "PQS pseudo": ("6", "-1.000")}


def test_four_pairs_give_no_coefficient(maker):
    found, table = agreement(judge(maker, labels=LABELS[:4]))
    assert {row["pairs"] for row in found.values()} == {4}
    assert {row[6] for row in table.rows} == {"–"}


def test_a_constant_has_no_rank(maker):
    found, _ = agreement(judge(maker, shared=SHARED | {"tecm": (1.0,) * 6}))
    assert pd.isna(found["tecm"]["spearman"])
    assert found["pqs_pseudo"]["spearman"] == pytest.approx(-1)


def test_pairs_of_one_form_only_do_not_count(maker):
    judge(maker)
    judged = maker.slice["judgements"]
    judged["thresholds"] = [path for path in judged["thresholds"] if LABELS[3] not in path]
    found, _ = agreement(maker.page())
    # ranks 1 2 3 4 5 against 1 3 2 4 5: 1 - 6 · 2 / (5 · 24) = 0.9
    assert (found["tecm"]["pairs"], found["tecm"]["spearman"]) == (5, pytest.approx(0.9))


def test_the_page_shows_both_forms_apart(sweep):
    pairs = ("bg0.10-fg0.40", "bg0.20-fg0.50")
    for rng in (0, 1):
        rows = {pair: {"tecm": 0.125, "npr_initial": 0.5} for pair in pairs}
        axes = f"rng{rng}/{pairs[0]}"
        sweep.judged(axes, "refined_cams", "train", "threshold_quality", rows, form="shared")
    files = run(sweep.job(samples=0)).files
    assert set(files) == set(STAGE.files)
    page = files["index.html"].decode()
    own, _, shared = page.partition("<h3>Shared: all pairs")
    assert "0.125 ± 0.000" in shared
    assert "0.125 ± 0.000" not in own.partition('id="thresholds"')[2]
    assert "rank the pairs alike" in shared
    assert len(pd.read_csv(io.BytesIO(files["thresholds.csv"]))) == 4
    assert len(pd.read_csv(io.BytesIO(files["thresholds_shared.csv"]))) == 4
    assert set(pd.read_csv(io.BytesIO(files["form_agreement.csv"]))["pairs"]) == {2}


def test_without_the_shared_form_the_page_has_no_such_table(sweep):
    page = run(sweep.job(samples=0)).files["index.html"].decode()
    assert "Shared: all pairs" not in page
    assert "rank the pairs alike" not in page
