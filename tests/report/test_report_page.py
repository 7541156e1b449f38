"""The page: all of it in one file, the same bytes each time, light to import."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import seedbed
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.report.page import run
from seedbed.report.threshold_figures import is_grid, threshold_figure
from seedbed.report.threshold_pairs import own_frame, series
from seedbed.stages.report import STAGE
from seedbed.yaml_files import load_yaml

ROOT = Path(__file__).parents[2]
DRAWN = (".theme", "th[aria-sort]", ".chart svg", ".plane svg", ".gallery input", ".explorer input")


class Links(HTMLParser):
    """Every address in the page, and every tag."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(products) -> str:
    return products.files["index.html"].decode()


def test_page_needs_nothing_but_itself(page):
    links = Links()
    links.feed(page)
    assert not links.open
    assert "link" not in links.tags
    assert len(links.addresses) > 10
    assert all(a.startswith(("data:image/", "#")) for a in links.addresses)
    assert not re.search(r"@import|url\(|https?://", page)
    assert "default-src 'none'" in page  # and the browser refuses what would slip through


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_page_fits_the_screen_and_asks_for_nothing(page, tab, tmp_path, width, dark):
    path = tmp_path / "index.html"
    path.write_text(page)
    tab.requests.clear()
    tab.open(path, width=width, dark=dark)
    assert tab.run("document.documentElement.scrollWidth") == width
    assert not [url for url in tab.requests if not url.startswith(("data:", path.as_uri()))]
    assert not tab.faults
    drawn = {name: tab.run(f"document.querySelectorAll('{name}').length") for name in DRAWN}
    assert all(drawn.values()), drawn


def test_page_says_what_ran(page):
    assert "A &amp; B &lt;2018&gt;" in page
    for text in (
        "table 1",
        "a small network",
        "nothing",
        "chosen with masks",
        "TECM (as printed)",
        "tone=calm",
    ):
        assert text in page
    for heading in ("What ran", "Scores", "Threshold pairs", "Curves", "Samples"):
        assert f"<h2>{heading}</h2>" in page


def test_equal_results_give_equal_bytes_wherever_they_lie(sweep, products):
    assert set(products.files) == set(STAGE.files)
    assert run(sweep.job(samples=2)) == products


def test_page_names_no_folder_of_the_machine(sweep):
    files = run(sweep.job(samples=0)).files
    assert not [name for name, content in files.items() if str(sweep.root).encode() in content]


def test_report_without_sweep_and_samples(sweep):
    sweep.slice["judgements"]["thresholds"] = []
    products = run(sweep.job(samples=0))
    text = products.files["index.html"].decode()
    assert "Threshold pairs" not in text
    assert "<h2>Samples</h2>" not in text
    assert products.files["thresholds.csv"].count(b"\n") == 1


def test_changed_result_is_refused(sweep):
    (sweep.root / "squares/psa/rng0/classifier/history.csv").write_text("epoch,step,lr,loss\n")
    with pytest.raises(SeedbedError, match=r"classifier/history\.csv has"):
        run(sweep.job())


def test_light_imports():
    """Importing the stage and all sections brings neither torch nor timm, pandas or matplotlib."""
    code = (
        "import sys, seedbed.stages.report, seedbed.report.page;"
        "from seedbed.report.section import all_sections; assert all_sections();"
        "print([m for m in ('torch', 'timm', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    source = str(Path(seedbed.__file__).parents[1])
    shown = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": source}, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_pairs_are_a_grid_only_when_complete():
    import pandas as pd

    def pairs(*found):
        return pd.DataFrame(found, columns=["bg_threshold", "fg_threshold"])

    assert is_grid(pairs((0.1, 0.3), (0.1, 0.4), (0.2, 0.3), (0.2, 0.4)))
    assert is_grid(pairs((0.1, 0.2), (0.1, 0.4), (0.3, 0.4)))  # (0.3, 0.2) would be crossed
    assert not is_grid(pairs((0.1, 0.3), (0.1, 0.4), (0.2, 0.3)))
    assert not is_grid(pairs((0.1, 0.3), (0.1, 0.4)))


def test_figures_are_png_without_a_program_name(sweep):
    ((_, pairs),) = series(own_frame(sweep.page().results))
    made = threshold_figure(pairs, {"pqs_mean": "PQS", "tecm": "TECM"})
    assert made.startswith(b"\x89PNG")
    assert b"Software" not in made
    assert b"matplotlib" not in made


def test_the_fixtures_have_the_shape_of_the_plans_slice(sweep):
    config = parse_config(load_yaml(ROOT / "params.yaml"))
    planned = Workflow(config, RecipeBook(ROOT / "recipes")).reports["all"].slice()
    assert set(sweep.slice) <= set(planned)
    assert set(sweep.slice["judgements"]) == set(planned["judgements"])
    for entry in planned["nodes"]:
        assert set(entry) == set(sweep.slice["nodes"][0])
