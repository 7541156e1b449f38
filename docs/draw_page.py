"""Pictures of the report page, as headless Chromium draws it; they need `chromium` on the path.

`make demo && PYTHONPATH=src:tests python docs/draw_page.py` writes docs/figures/page.png, the top of the demo's page;
`PYTHONPATH=src:tests python docs/draw_page.py --views PAGE` the pictures of docs/page.md, from a page of a sweep.
"""

import argparse
import io
import sys
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from browser import Tab, browser, find
from seedbed.plan.commands import Workflow
from seedbed.stages.report import PAGE

FIGURES = Path(__file__).parent / "figures"
SETTLED = 1500
"""Milliseconds for pictures to be decoded and charts to be drawn."""


class View(NamedTuple):
    """A window, and what it shows at its top."""

    width: int
    height: int
    dark: bool
    selector: str = "body"


TOP = View(1330, 1108, dark=False)
VIEWS = {
    "page-wide-light.png": View(1400, 900, dark=False, selector="#thresholds"),
    "page-wide-dark.png": View(1400, 900, dark=True, selector="#explorer"),
    "page-narrow-light.png": View(390, 844, dark=False, selector="#scores"),
    "page-narrow-dark.png": View(390, 844, dark=True, selector="#explorer .tools"),
}


def draw(tab: Tab, page: Path, view: View, target: Path) -> None:
    """Write a part of a page as a PNG of few colours."""
    tab.open(page, view.width, view.height, view.dark)
    tab.run(f"document.querySelector('{view.selector}').scrollIntoView()")
    tab.run(f"new Promise(done => setTimeout(done, {SETTLED}))")
    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    picture.quantize(128).save(target, optimize=True)
    print(f"written to docs/figures/{target.name}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--views", type=Path, metavar="PAGE", help="an index.html with a sweep and CAMs")
    views = parser.parse_args().views
    command = find()
    if command is None:
        sys.exit("expected chromium on the path, found none")
    with browser(command) as tab:
        if views:
            for name, view in VIEWS.items():
                draw(tab, views, view, FIGURES / name)
        else:
            draw(tab, Workflow.read().reports["all"].folder / PAGE, TOP, FIGURES / "page.png")


if __name__ == "__main__":
    main()
