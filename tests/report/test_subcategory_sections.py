"""Sections on SC-CAM: scores by round, and examples of each sub-category, from rounds written by hand."""

import re
from pathlib import Path

import pytest

from report.conftest import CLASSES, Maker, cams_of, history, mask_scores, network
from seedbed.artifacts.tables import TABLE, encode_table
from seedbed.report.page import run
from seedbed.report.section import all_sections

ROWS = [
    *(("t0", 0, 0), ("t3", 0, 1), ("t3", 1, 0), ("t6", 0, 1), ("t1", 1, 0), ("t4", 1, 0), ("t7", 1, 1)),
    *(("t2", 2, 0), ("t5", 2, 0)),
]


def write_rounds(maker: Maker) -> Maker:
    """A plain classifier and two rounds at two random seeds; CAMs of round r and seed s score 0.3 + 0.1·r + 0.02·s."""
    for s in (0, 1):
        axes = f"rng{s}"
        files = {"model.safetensors": network(), "history.csv": history()}
        source = maker.node(axes, "classifier", "classifier", files)
        score(maker, axes, source, 0, s, "psa")
        for number in (1, 2):
            owner = f"sccam-{number}"
            table = encode_table(("image_id", "class", "cluster"), sorted(ROWS))
            found = maker.node(
                axes, f"subcategories_{number}", "subcategories", {TABLE: table}, {"features": source},
                owner=owner, facts={"clusters": 2},
            )  # fmt: skip
            source = maker.node(
                axes, f"classifier_{number}", "classifier", files, {"subcategories": found}, owner=owner
            )
            score(maker, axes, source, number, s, owner)
    return maker


def score(maker: Maker, axes: str, classifier: str, number: int, seed: int, owner: str) -> None:
    """CAMs of a classifier with their scores."""
    maker.node(axes, "cams", "cams", cams_of(["train"]), {"classifier": classifier}, ("train",), owner=owner)
    scores = mask_scores(0.3 + 0.1 * number + 0.02 * seed) | {"mean_f1": 0.5 + 0.1 * number}
    best = {"threshold": 0.1, "mean_iou": 0.75, "chosen_with": "masks"}
    maker.judged(axes, "cams", "train", "cam", scores, owner=owner, best=best, fixed_threshold=0.25, curve=[])


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return write_rounds(Maker(tmp_path_factory.mktemp("rounds") / "results"))


def test_scores_by_round_over_seeds(rounds: Maker) -> None:
    section = all_sections()["rounds"]
    frame = section.frame(rounds.page())
    assert list(frame["round"]) == [0, 0, 1, 1, 2, 2]
    assert list(frame["subcategories"]) == ["", "", 2, 2, 2, 2]
    assert list(frame["mean_f1"]) == [0.5, 0.5, 0.6, 0.6, 0.7, 0.7]
    (table,) = section.blocks(rounds.page(), frame)
    assert table.rows == (
        ("0", "", "psa", "", "cams", "train", "2", "0.310 ± 0.014", "0.500 ± 0.000", "0.750 ± 0.000"),
        ("1", "2", "sccam-1", "", "cams", "train", "2", "0.410 ± 0.014", "0.600 ± 0.000", "0.750 ± 0.000"),
        ("2", "2", "sccam-2", "", "cams", "train", "2", "0.510 ± 0.014", "0.700 ± 0.000", "0.750 ± 0.000"),
    )


def test_subcategories_by_size(rounds: Maker) -> None:
    frame = all_sections()["subcategories"].frame(rounds.page())
    one = frame[(frame["rng"] == 1) & (frame["node"] == "subcategories_2")]
    assert one[["owner", "class", "cluster", "images", "examples"]].values.tolist() == [
        ["sccam-2", "cat", 1, 2, "t3 | t6"],
        ["sccam-2", "cat", 0, 1, "t0"],
        ["sccam-2", "dog", 0, 3, "t1 | t3 | t4"],
        ["sccam-2", "dog", 1, 1, "t7"],
        ["sccam-2", "cow", 0, 2, "t2 | t5"],
    ]
    assert len(frame) == 4 * len(one)


def test_galleries_show_the_lowest_seed_with_examples(rounds: Maker) -> None:
    section = all_sections()["subcategories"]
    page = rounds.page()
    first, second = section.blocks(page, section.frame(page))
    assert [first.title, second.title] == ["subcategories_1 (sccam-1)", "subcategories_2 (sccam-2)"]
    shown = {sample.image_id: sample for sample in first.samples}
    assert list(shown) == ["cat 1", "cat 0", "dog 0", "dog 1", "cow 0"]
    assert shown["dog 0"].photo.caption == "3 images: t1"
    assert shown["dog 1"].photo.caption == "1 image: t7"
    ((_, cells),) = shown["dog 0"].lines
    assert [cell and cell.caption for cell in cells] == ["t3", "t4", None, None]
    assert section.blocks(rounds.page(samples=0), section.frame(page)) == []


def test_many_subcategories_are_cut_to_the_largest(tmp_path: Path) -> None:
    """Nine of one class, number k with k + 1 images: with 3 classes and 12 rows, 4 of them are shown."""
    maker = Maker(tmp_path)
    ids = [f"t{k % 8}" for k in range(45)]
    rows = [(ids[k * (k + 1) // 2 + n], 0, k) for k in range(9) for n in range(k + 1)]
    table = encode_table(("image_id", "class", "cluster"), rows)
    maker.node("rng0", "subcategories_1", "subcategories", {TABLE: table}, facts={"clusters": 9})
    section = all_sections()["subcategories"]
    page = maker.page(sample_rows=12)
    (gallery,) = section.blocks(page, section.frame(page))
    assert [sample.image_id for sample in gallery.samples] == ["cat 8", "cat 7", "cat 6", "cat 5"]
    ((_, cells),) = gallery.samples[0].lines
    assert len(cells) == 4
    assert None not in cells


def test_the_page_shows_both_under_one_heading(rounds: Maker) -> None:
    made = run(rounds.job(samples=1)).files
    page = made["index.html"].decode()
    assert page.count("<h2>Sub-categories</h2>") == 1
    assert page.index("CAMs by round") < page.index("subcategories_1 (sccam-1)")
    assert re.search(r"<b>dog 0</b><br>3 images: t1", page)
    assert made["rounds.csv"].startswith(
        b"round,subcategories,owner,rng,regions,node,split,kind,mean_iou,mean_f1,"
    )
    assert b"\n1,2,sccam-1,0,," in made["rounds.csv"]
    assert set(CLASSES) == {
        line.split(",")[4] for line in made["subcategories.csv"].decode().splitlines()[1:]
    }


def test_without_rounds_there_is_nothing_to_show(sweep: Maker) -> None:
    page = sweep.page()
    for section in (all_sections()["rounds"], all_sections()["subcategories"]):
        frame = section.frame(page)
        assert len(frame) == 0
        assert section.blocks(page, frame) == []
