"""The terminal while the demo runs, from a recording of it by util-linux' `script`.

`make install; script --command 'make demo' run.txt; python docs/draw_terminal.py run.txt` writes
docs/figures/terminal.png: what stood there when half of the jobs had finished.
"""

import argparse
import re
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).parent / "figures" / "terminal.png"
FONT = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
ROWS, SIZE, MARGIN, LINE = 24, 13, 12, 18
PAPER, INK, DIM = "#1e1e1e", "#e6e6e6", "#9cdcfe"
OVERWRITTEN = "\r\x1b[K"
"""What the run prints before the line of what runs now."""
FINISHED = re.compile(r" *(\d+) of (\d+)  ")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def screen(recording: str, share: float) -> list[str]:
    """The lines on the screen when a share of the jobs had finished; the last is what ran then."""
    lines: list[str] = []
    for printed in recording.replace("\r\n", "\n").split("\n"):
        states = printed.split(OVERWRITTEN)
        told = FINISHED.match(states[-1])
        if told and int(told[1]) > share * int(told[2]):
            shown = [state for state in states if " done" in state]
            return [*lines, *shown[-1:]][-ROWS:]
        lines.append(ESCAPES.sub("", states[-1]))
    raise SystemExit(f"expected a run of which {share:.0%} had finished, but the recording ends before")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="share of the jobs that had finished")
    options = parser.parse_args()
    lines = screen(options.recording.read_text(errors="replace"), options.share)
    font = ImageFont.truetype(str(FONT), SIZE)
    width = round(max(font.getlength(line) for line in lines)) + 2 * MARGIN
    picture = Image.new("RGB", (width, len(lines) * LINE + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + row * LINE), line, DIM if row == len(lines) - 1 else INK, font)
    picture.quantize(16).save(TARGET, optimize=True)
    print(f"written to docs/figures/{TARGET.name}")


if __name__ == "__main__":
    main()
