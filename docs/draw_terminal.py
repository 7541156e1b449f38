"""The terminal while a run goes on, from a recording: by util-linux' `script`, or what the run writes into a file.

`make demo 2> run.txt; python docs/draw_terminal.py run.txt` writes docs/figures/terminal.png: the lines that were there
when a share of the jobs had finished, and below them what ran then.
"""

import argparse
import re
import sys
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).parent / "figures" / "terminal.png"
FONT = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
ROWS, SIZE, MARGIN, LINE = 24, 13, 12, 18
PAPER, INK, DIM = "#1e1e1e", "#e6e6e6", "#9cdcfe"
OVERWRITTEN = "\r\x1b[K"
"""What a run prints, at a terminal, before the line of what runs now."""
RUNS = re.compile(r"\d+ of \d+ done")
FINISHED = re.compile(r" *(\d+) of (\d+)  ")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def screen(recording: str, share: float) -> list[str]:
    """The lines on the screen when a share of the jobs had finished; the last is what ran then."""
    lines: list[str] = []
    now = ""
    for printed in recording.replace("\r\n", "\n").split("\n"):
        *states, line = printed.split(OVERWRITTEN)
        now = next((state for state in reversed([*states, line]) if RUNS.match(state)), now)
        finished = FINISHED.match(line)
        if finished and int(finished[1]) > share * int(finished[2]):
            break
        if line and not RUNS.match(line):
            lines.append(ESCAPES.sub("", line))
    return [*lines, now][-ROWS:]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="share of the jobs that had finished")
    options = parser.parse_args()
    lines = screen(options.recording.read_text(errors="replace"), options.share)
    if not any(lines):
        sys.exit(f"{options.recording}: no line of a run in it")
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
