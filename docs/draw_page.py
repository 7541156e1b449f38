"""The README's picture of the report page: its top, as headless Chromium draws it.

`make demo && python docs/draw_page.py` writes docs/figures/page.png; it needs `chromium` on the path.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from seedbed.plan.commands import Workflow
from seedbed.stages.report import PAGE

WIDTH, HEIGHT = 1330, 1108
FIGURE = Path(__file__).parent / "figures" / "page.png"


def draw(page: Path, target: Path) -> None:
    """Write the top of a page as a PNG of few colours.

    Args:
        page: an HTML file.
        target: the picture to write.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("expected chromium on the path, found none")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
        ]
        options += [f"--screenshot={shot}", f"--window-size={WIDTH},{HEIGHT}"]
        subprocess.run(
            [chromium, *options, page.resolve().as_uri()], check=True, capture_output=True, timeout=300
        )
        Image.open(shot).convert("RGB").quantize(128).save(target, optimize=True)


if __name__ == "__main__":
    draw(Workflow.read().reports["all"].folder / PAGE, FIGURE)
    print(f"written to docs/figures/{FIGURE.name}")
