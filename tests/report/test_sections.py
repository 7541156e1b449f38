"""A section costs one file: the page, its tables and the stage's declared files all come from the folder."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seedbed.report import sections
from seedbed.report.blocks import Paragraph
from seedbed.report.page import chapters, run
from seedbed.report.section import Section, all_sections
from seedbed.stages.report import METRICS, PAGE, STAGE, section_names

FOLDER = Path(sections.__file__).parent
TOY = """
import pandas as pd

from seedbed.report.blocks import Picture, Table
from seedbed.report.section import Section


def frame(page):
    return pd.DataFrame({"recipe": list(page.results.recipes)})


def blocks(page, frame):
    rows = tuple((name,) for name in frame["recipe"])
    return [Table(("name & recipe",), (False,), rows, title="Toy table"), Picture(b"bytes", "toy", "Toy figure")]


SECTION = Section("Toy chapter", 35, frame, blocks, "A toy's <i>note</i>.")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the sections that the page reads instead of its own."""
    copy = tmp_path / "sections"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sections, "__path__", [str(copy)])
    yield copy
    for name in [name for name in sys.modules if name.startswith(f"{sections.__name__}.toy")]:
        del sys.modules[name]


def test_one_file_adds_a_section(sweep, folder, products):
    before = products.files
    assert "Toy chapter" not in before[PAGE].decode()
    toy = folder / "toy.py"
    toy.write_text(TOY)
    (folder / "_helper.py").write_text("raise AssertionError('not a section')")
    made = run(sweep.job(samples=2)).files
    assert made["toy.csv"] == b"recipe\npsa\n"
    assert set(made) == {PAGE, METRICS, *(f"{name}.csv" for name in section_names(folder))}
    page = made[PAGE].decode()
    order = (
        "<h3>By class</h3>",
        "<h2>Toy chapter</h2>",
        "A toy's <i>note</i>.",
        "<h3>Toy table</h3>",
        "Toy figure",
    )
    places = [page.index(text) for text in (*order, "<h2>Threshold pairs</h2>")]
    assert places == sorted(places)
    assert "name &amp; recipe" in page
    assert '<a href="#toy">Toy chapter</a>' in page
    toy.unlink()
    assert run(sweep.job(samples=2)).files == before


def test_the_stage_declares_a_table_per_section():
    assert {f"{name}.csv" for name in all_sections()} | {PAGE, METRICS} == set(STAGE.files)


def test_places_are_distinct_and_tables_have_columns(maker):
    found = all_sections()
    assert len({section.place for section in found.values()}) == len(found)
    empty = {name: section.frame(maker.page()) for name, section in found.items()}
    assert all(len(frame) == 0 and len(frame.columns) for frame in empty.values())


def test_neighbours_of_one_title_share_heading_and_note():
    def section(title, note=""):
        return Section(title, 0, lambda page: None, lambda page, frame: [], note)

    one, two, three = Paragraph("1"), Paragraph("2"), Paragraph("3")
    shown = chapters(
        {
            "a": section("A", "note"),
            "empty": section("B", "lost"),
            "b": section("A", "note"),
            "c": section("C"),
            "d": section("A"),
        },
        {"a": [one], "empty": [], "b": [two], "c": [three], "d": [one]},
    )
    assert [(c.anchor, c.title, c.notes, c.blocks) for c in shown] == [
        ("a", "A", ["note"], [one, two]),
        ("c", "C", [], [three]),
        ("d", "A", [], [one]),
    ]


def test_equal_places_are_ordered_by_name(folder):
    for path in folder.glob("[!_]*.py"):
        path.unlink()
    for name, place in (("b", 10), ("a", 20), ("c", 10)):
        (folder / f"toy_{name}.py").write_text(TOY.replace("35", str(place)))
    assert list(all_sections()) == ["toy_b", "toy_c", "toy_a"]
