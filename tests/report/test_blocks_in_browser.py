"""The page's blocks in headless Chromium: tables, sample pictures, curves and heat maps, by mouse and by keyboard."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image

from seedbed.report.blocks import Cell, Gallery, Paragraph, Sample, Table
from seedbed.report.figures import PALETTE, ink_on
from seedbed.report.interactive import Chart, Line, Mark, Measure, Panel, Plane
from seedbed.report.overlays import jpeg
from seedbed.report.page import TEMPLATES, Chapter, render

ROWS = (
    ("pseudo_masks", "b", "0.100 ± 0.500"),
    ("cams", 'a "quoted", one', "0.90"),
    ("predictions", "c10", "–"),
    ("regions", "c9", "-0.200"),
    ("cams", "c2", "0.5 at 0.30, chosen with masks"),
)
ENTER, SPACE, RIGHT, UP = ("Enter", 13, "\r"), (" ", 32, " "), ("ArrowRight", 39), ("ArrowUp", 38)


def picture(grey: int) -> bytes:
    return jpeg(np.full((20, 30, 3), grey, np.uint8))


def sample(name: str, iou: float | None) -> Sample:
    cams = Cell(picture(60), "cams: big: cat", others=(Cell(picture(90), "dog: small"),), name="big: cat")
    lines = (("psa", (cams, Cell(picture(120), "cat", mean_iou=iou))), ("other", (None, None)))
    return Sample(name, Cell(picture(200), "cat, dog"), lines, Cell(picture(30), "cat"))


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, "PNG")
    return stream.getvalue()


PANEL = Panel(
    "",
    "threshold",
    "mean IoU",
    (
        Line("one", ((0.0, 0.1), (0.1, 0.25), (0.2, 0.5))),
        Line("two", ((0.0, 0.2), (0.2, 0.004))),
        Line("two", ((0.0, 0.9), (0.05, 0.8)), faint=True),
    ),
    (Mark("one", (0.1, 0.25), "circle", "fixed"), Mark("one", (0.2, 0.5), "star", "best")),
)
PAIRS = ((0.1, 0.3), (0.1, 0.4), (0.2, 0.4), (0.3, 0.3))
IDS = tuple(f"pair-{place}" for place in range(len(PAIRS)))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """One of each block."""
    table = Table(("node", "name", "mIoU"), (False, False, True), ROWS)
    pairs = Table(
        ("pair", "value"),
        (False, True),
        tuple((str(pair), "1") for pair in PAIRS),
        row_ids=IDS,
        summary="pairs",
    )
    gallery = Gallery(
        "train", ("CAM", "mask"), (sample("x", 0.75), sample("y", None), sample("z", 0.25), sample("w", 0.5))
    )
    plane = Plane(
        png(),
        "planes",
        "planes",
        pairs=PAIRS,
        rows=IDS,
        cached=(True, False, False, True),
        measures=(
            Measure("mIoU", (0.5, None, 0.75, 0.25), has_best=True, chooses=False),
            Measure("TECM", (0.1, 0.4, 0.2, 0.3), has_best=True, chooses=True),
        ),
    )
    chart = Chart(png(), "curves", "curves", panels=(PANEL,))
    again = replace(pairs, row_ids=())
    blocks = [Paragraph("<b>text</b>"), table, pairs, gallery, chart, plane, again]
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(render(title="blocks", chapters=[Chapter("chapter", "Chapter", [], blocks)]))
    return path


@pytest.fixture
def shown(tab, page):
    """The page, freshly loaded; its scripts fail nowhere."""
    tab.open(page)
    yield tab
    assert not tab.faults


def column(tab, number):
    return tab.run(
        f"[...document.querySelectorAll('table.sortable')[0].tBodies[0].rows].filter(r => !r.hidden)"
        f".map(r => r.cells[{number}].textContent)"
    )


def heading(number):
    return f"document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells[{number}]"


def orders(tab):
    return [tab.run(f"{heading(k)}.getAttribute('aria-sort')") for k in range(3)]


def test_figures_sort_as_numbers_by_their_mean(shown):
    original = column(shown, 2)
    shown.run(f"{heading(2)}.querySelector('button').click()")
    falling = ["0.90", "0.5 at 0.30, chosen with masks", "0.100 ± 0.500", "-0.200", "–"]
    assert column(shown, 2) == falling
    assert orders(shown) == ["none", "none", "descending"]
    shown.run(f"{heading(2)}.querySelector('button').click()")
    assert column(shown, 2) == [*falling[3::-1], "–"]
    assert orders(shown) == ["none", "none", "ascending"]
    shown.run(f"{heading(2)}.querySelector('button').click()")
    assert column(shown, 2) == original
    assert orders(shown) == ["none"] * 3


@pytest.mark.parametrize("key", [ENTER, SPACE], ids=["enter", "space"])
def test_texts_sort_by_keyboard(shown, key):
    shown.run(f"{heading(1)}.querySelector('button').focus()")
    shown.press(*key)
    assert column(shown, 1) == ['a "quoted", one', "b", "c2", "c9", "c10"]
    assert orders(shown) == ["none", "ascending", "none"]


def test_rows_are_filtered_by_all_words_and_saved_as_shown(shown):
    shown.run(f"{heading(2)}.querySelector('button').click()")
    shown.run(
        "(box => {box.value = 'CAMS 0'; box.dispatchEvent(new Event('input'))})"
        "(document.querySelector('input[type=search]'))"
    )
    assert column(shown, 2) == ["0.90", "0.5 at 0.30, chosen with masks"]
    assert shown.run("document.querySelector('.tools [role=status]').textContent") == "2 of 5 rows"
    names = shown.run(
        "(found => {HTMLAnchorElement.prototype.click = function () {found.push(this.download)};"
        "for (const b of document.querySelectorAll('button')) if (b.textContent === 'CSV') b.click();"
        "return found})([])"
    )
    assert names == ["chapter.csv", "chapter-pairs.csv", "chapter-pairs-2.csv"]
    saved = shown.run(
        "new Promise(done => {URL.createObjectURL = blob => (blob.text().then(done), 'blob:none');"
        "HTMLAnchorElement.prototype.click = () => {};"
        "[...document.querySelectorAll('button')].find(b => b.textContent === 'CSV').click()})"
    )
    assert (
        saved == 'node,name,mIoU\ncams,"a ""quoted"", one",0.90\ncams,c2,"0.5 at 0.30, chosen with masks"\n'
    )


def test_a_narrow_screen_shows_node_and_score_first(tab, page):
    tab.open(page, width=390)
    heads = "[...document.querySelector('table.sortable').tHead.rows[0].cells].map(c => c.textContent)"
    assert tab.run(heads) == ["node", "mIoU", "name"]
    assert column(tab, 1) == [row[2] for row in ROWS]
    assert tab.run("document.documentElement.scrollWidth") == 390
    tab.run(f"{heading(1)}.querySelector('button').click()")
    assert column(tab, 1)[0] == "0.90"


def test_dark_and_light(tab, page):
    paper = "getComputedStyle(document.body).backgroundColor"
    switch = "document.querySelector('.theme')"
    tab.open(page)  # a blank tab has no storage
    tab.run("localStorage.clear()")
    for dark, colours, text in (
        (False, ["rgb(255, 255, 255)", "rgb(21, 23, 27)"], "Dark mode"),
        (True, ["rgb(21, 23, 27)", "rgb(255, 255, 255)"], "Light mode"),
    ):
        tab.open(page, dark=dark)
        assert tab.run(f"{switch}.textContent") == text
        assert tab.run(paper) == colours[0]
        tab.run(f"{switch}.click()")
        assert tab.run(paper) == colours[1]
        tab.run("localStorage.clear()")


def names(tab):
    return tab.run("[...document.querySelectorAll('.gallery img.photo')].map(i => i.alt)")


def test_worst_images_come_first(shown):
    assert names(shown) == ["x", "y", "z", "w"]
    choose = "document.querySelector('.gallery select[aria-label^=order]')"
    assert shown.run(f"[...{choose}.options].map(o => o.textContent)") == [
        "in the page's order",
        "worst mask first",
    ]
    shown.run(f"({choose}.value = 2, {choose}.dispatchEvent(new Event('change')))")
    assert names(shown) == ["z", "w", "x", "y"]
    shown.run(f"({choose}.value = '', {choose}.dispatchEvent(new Event('change')))")
    assert names(shown) == ["x", "y", "z", "w"]


def test_columns_hide_classes_change_and_overlays_fade(shown):
    cell = "document.querySelectorAll('.gallery td')[1]"
    box = "document.querySelectorAll('.gallery input[type=checkbox]')[1]"
    assert shown.run(f"getComputedStyle({cell}).display") == "table-cell"
    shown.run(f"{box}.click()")
    assert shown.run(f"getComputedStyle({cell}).display") == "none"
    shown.run(f"{box}.click()")
    visible = f"[...{cell}.querySelectorAll('img.over')].filter(i => !i.hidden).map(i => i.alt)"
    assert shown.run(visible) == ["cams: big: cat"]
    assert shown.run(f"{cell}.querySelector('.caption').innerText.trim()").startswith("cams: ")
    assert shown.run(f"[...{cell}.querySelectorAll('option')].map(o => o.textContent)") == [
        "big: cat",
        "dog: small",
    ]
    select = f"{cell}.querySelector('select')"
    shown.run(f"({select}.value = 1, {select}.dispatchEvent(new Event('change')))")
    assert shown.run(visible) == ["dog: small"]
    assert shown.run(f"{cell}.querySelector('.stack').getAttribute('aria-label')") == "enlarge dog: small"
    slider = "document.querySelector('.gallery input[type=range]')"
    shown.run(f"({slider}.scrollIntoView(), {slider}.value = 40, {slider}.dispatchEvent(new Event('input')))")
    shown.wait(f"getComputedStyle({cell}.querySelector('img.over:not([hidden])')).opacity === '0.4'")
    under = f"{cell}.querySelector('img.under').src"
    assert shown.run(under) == shown.run("document.querySelector('img.photo').src")


def test_pictures_enlarge_by_keyboard(shown):
    shown.run("document.querySelectorAll('.gallery .stack')[1].focus()")
    shown.press(*ENTER)
    captions = "[...document.querySelectorAll('dialog[open] figcaption')].map(c => c.textContent)"
    assert shown.run(captions) == ["photograph", "CAM: cams: big: cat", "truth: cat"]
    shown.press(*RIGHT)
    assert shown.run(captions) == ["photograph", "mask: cat", "truth: cat"]
    assert shown.run("document.querySelector('dialog p').textContent") == "x, mIoU 0.750"
    shown.press("Escape", 27)
    assert shown.run("document.querySelector('dialog').open") is False


def test_the_slider_reads_the_curves(shown):
    slider = "document.querySelector('.chart input[type=range]')"
    readings = (
        "[...document.querySelectorAll('.readings tbody tr')]"
        ".map(r => [...r.cells].map(c => c.textContent.trim()))"
    )
    assert shown.run(f"{slider}.value") == "1"
    assert shown.run(readings) == [["one", "0.250"], ["two", "0.200"]]  # 0.1 is as near to 0 as to 0.2
    shown.run(f"({slider}.value = 2, {slider}.dispatchEvent(new Event('input')))")
    assert shown.run(readings) == [["one", "0.500"], ["two", "0.00400"]]
    box = shown.run(
        "(s => {s.scrollIntoView(); const r = s.getBoundingClientRect(); return [r.left, r.top, r.height]})"
        "(document.querySelector('.chart svg'))"
    )
    shown.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + 60, y=box[1] + box[2] / 2)
    assert shown.run(readings) == [["one", "0.100"], ["two", "0.200"]]
    assert shown.run("document.querySelectorAll('.chart polyline').length") == 3


def test_cells_of_the_plane_lead_to_their_pairs(shown):
    cells = (
        "[...document.querySelectorAll('.plane svg[role=group]')]"
        ".map(s => [...s.querySelectorAll('a')].map(a => a.getAttribute('aria-label')))"
    )
    own = ", has results of its own"
    assert shown.run(cells) == [
        [
            f"bg 0.10, fg 0.30: 0.500{own}",
            "bg 0.10, fg 0.40: undefined, chosen without masks",
            "bg 0.20, fg 0.40: 0.750, highest",
            f"bg 0.30, fg 0.30: 0.250{own}",
        ],
        [
            f"bg 0.10, fg 0.30: 0.100{own}",
            "bg 0.10, fg 0.40: 0.400, highest, chosen without masks",
            "bg 0.20, fg 0.40: 0.200",
            f"bg 0.30, fg 0.30: 0.300{own}",
        ],
    ]
    shown.run(
        "(box => {box.value = 'nothing'; box.dispatchEvent(new Event('input'))})"
        "(document.querySelectorAll('input[type=search]')[1])"
    )
    shown.run("document.querySelector('.plane a').focus()")
    shown.press(*RIGHT)
    shown.press(*UP)
    shown.press(*ENTER)
    found = (
        "(r => [r.id, r.hidden, r.closest('details').open, document.activeElement === r])"
        "(document.querySelector('.found'))"
    )
    assert shown.run(found) == ["pair-2", False, True, True]


def test_without_scripts_the_pictures_are_static(tab, page):
    alone = "[...document.querySelectorAll('figure img')].map(i => [i.alt, i.getClientRects().length])"
    tab.open(page)
    assert tab.run(alone) == []
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page)
        assert tab.run(alone) == [["curves", 1], ["planes", 1]]
        assert column(tab, 2) == [row[2] for row in ROWS]
        assert tab.run("document.querySelector('p').textContent") == "<b>text</b>"
        assert not tab.run("document.querySelectorAll('svg, button').length")
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def test_data_cannot_end_its_script():
    chart = Chart(
        b"", "", "", panels=(Panel("</script><b>", "x", "y", (Line("<!--", ((0.0, 1.0), (1.0, 2.0))),)),)
    )
    text = render(title="", chapters=[Chapter("a", "A", [], [chart])])
    data = text.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(data)["panels"][0]["title"] == "</script><b>"
    assert "<b>" not in data


def luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def palette() -> dict[str, tuple[str, str]]:
    """Light and dark value of each variable of the style sheet."""
    css = (TEMPLATES / "style.css").read_text()
    return {
        name: (light, dark)
        for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", css)
    }


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_contrast(mode):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    colours = {name: both[mode] for name, both in palette().items()}
    for text in ("ink", "soft", "link", "warning"):
        for ground in ("paper", "panel"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["ink"], colours["found"]) >= 4.5
    lines = [name for name in colours if name.startswith("line-")]
    assert len(lines) == 6
    for line in (*lines, "edge"):
        assert contrast(colours[line], colours["paper"]) >= 3, line


def test_static_heat_maps_have_readable_figures():
    for name in ("viridis", "Blues"):
        for share in range(101):
            colour = colormaps[name](share / 100)
            ink = {"black": "#000000", "white": "#ffffff"}[ink_on(colour)]
            assert contrast(to_hex(colour), ink) >= 4.5, (name, share)


def test_static_curves_have_the_colours_of_the_page():
    lines = tuple(light for name, (light, _) in palette().items() if name.startswith("line-"))
    assert lines == PALETTE
