"""Curves and heat maps in headless Chromium: what they read and mark, on a page that is never resized."""

import re

import pytest

from report.test_blocks_in_browser import contrast
from seedbed.report.interactive import Chart, Line, Mark, Measure, Panel, Plane
from seedbed.report.page import Chapter, render

LONG = Panel(
    "",
    "step",
    "loss",
    (
        Line("long", ((0.0, 0.5001), (1000.0, 0.5002), (12345.0, 0.5004))),
        Line("short", ((0.0, 0.5001), (1000.0, 0.5003))),
        Line("of epochs", ((0.0, 0.5001), (1000.0, 0.5002), (12345.0, 0.5003)), faint=True),
        Line("of epochs", ((500.0, 0.5002), (1000.0, 0.5001))),
        Line("late", ((12000.0, 0.5001),)),
    ),
    (Mark("long", (12345.0, 0.5004), "star", "best"),),
)
SMALL = Panel("", "step", "rate", (Line("run", ((0.0, 0.0), (9.0, 9e-6), (10.0, 1.1e-5))),))
MANY = Panel(
    "",
    "x",
    "y",
    tuple(
        Line(f"{run}", ((0.0, 0.1 * run), (1.0, 0.1 * run)), dashed=dashed)
        for run in range(20)
        for dashed in (False, True)
    ),
)
SHARES = tuple(share / 100 for share in range(101))
PAIRS = tuple((float(share // 11), float(share % 11)) for share in range(101))


def measure(title: str, values: tuple[float, ...], chooses: bool = False) -> Measure:
    return Measure(title, values, has_best=True, chooses=chooses)


@pytest.fixture(scope="module")
def shown(tab, tmp_path_factory):
    """The page in a browser that reports no sizes, as before its first layout."""
    plane = Plane(
        b"",
        "",
        "",
        pairs=PAIRS,
        rows=tuple(f"pair-{place}" for place in range(101)),
        cached=(True,) * 101,
        measures=(
            measure("TECM", (0.25,) * 101, chooses=True),
            measure("mIoU", SHARES),
            measure("PQS", (*SHARES[:-1], 0.99)),
        ),
    )
    blocks = [
        Chart(b"", "", "", panels=(LONG,)),
        Chart(b"", "", "", panels=(MANY,)),
        Chart(b"", "", "", panels=(SMALL,)),
        plane,
    ]
    path = tmp_path_factory.mktemp("drawings") / "index.html"
    path.write_text(render(title="drawings", chapters=[Chapter("chapter", "Chapter", [], blocks)]))
    deaf = "window.ResizeObserver = class { observe() {} }"
    script = tab.call("Page.addScriptToEvaluateOnNewDocument", source=deaf)["identifier"]
    tab.open(path)
    yield tab
    tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
    assert not tab.faults


def read_at(tab, place: int) -> tuple[str, dict[str, str]]:
    slider = "document.querySelector('.chart input[type=range]')"
    tab.run(f"({slider}.value = {place}, {slider}.dispatchEvent(new Event('input')))")
    rows = tab.run(
        "[...document.querySelector('.readings').tBodies[0].rows].map(r => [...r.cells].map(c => c.textContent.trim()))"
    )
    return tab.run("document.querySelector('.chart output').textContent"), dict(rows)


def test_lines_are_read_only_where_they_reach(shown):
    assert read_at(shown, 0) == ("0", {"long": "0.500", "short": "0.500", "of epochs": "0.500", "late": ""})
    assert read_at(shown, 3) == (
        "12000",
        {"long": "0.500", "short": "", "of epochs": "0.500", "late": "0.500"},
    )
    assert read_at(shown, 4)[1]["late"] == ""


def test_a_step_is_read_whole(shown):
    assert read_at(shown, 4)[0] == "12345"
    assert (
        shown.run("document.querySelector('.chart polygon title').textContent") == "long: best 12345, 0.500"
    )


def test_ticks_differ(shown):
    texts = shown.run(
        "[...document.querySelectorAll('.chart .axes')]"
        ".map(g => [...g.querySelectorAll('text')].map(e => e.textContent))"
    )
    assert texts[2][:6] == ["0", "5.0e-6", "1.0e-5", "0", "2", "4"]
    assert texts[0] == ["0.5001", "0.5002", "0.5003", "0.5004", "0", "5000", "10000", "step", "loss"]


def test_every_line_has_a_look_of_its_own(shown):
    looks = shown.run(
        "[...document.querySelectorAll('.chart')[1].querySelectorAll('polyline')]"
        ".map(l => l.getAttribute('stroke') + l.getAttribute('stroke-dasharray'))"
    )
    assert len(looks) == len(set(looks)) == 40


def test_nothing_is_marked_among_equals(shown):
    labels = shown.run(
        "[...document.querySelectorAll('.plane svg[role=group]')]"
        ".map(s => [...s.querySelectorAll('a')].map(a => a.getAttribute('aria-label')))"
    )
    assert [sum("highest" in label for label in of_one) for of_one in labels] == [0, 1, 0]
    assert not any("chosen" in label for of_one in labels for label in of_one)


def test_marks_stand_out_from_every_colour(shown):
    cells = shown.run(
        "[...document.querySelectorAll('.plane svg')[1].querySelectorAll('a')]"
        ".map(a => [a.querySelector('rect').getAttribute('fill'), a.querySelector('circle')?.getAttribute('fill')])"
    )
    assert len(cells) == 101
    for fill, ink in cells[:-1]:  # the last has a star
        red, green, blue = map(int, re.findall(r"\d+", fill))
        assert contrast(f"#{red:02x}{green:02x}{blue:02x}", ink) >= 4.5, fill
    assert {ink for _, ink in cells[:-1]} == {"#000000", "#ffffff"}
