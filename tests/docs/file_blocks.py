"""The code blocks of a page that begin with `# file: PATH`."""

import re
from pathlib import Path

BLOCK = re.compile(r"^```\w+\n# file: (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def write_blocks(page: str, folder: Path) -> list[Path]:
    """Write each block to its path below a folder, as it stands.

    Returns:
        the paths, relative to the folder.
    """
    written = []
    for block in BLOCK.finditer(page):
        path = folder / block["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["text"], encoding="utf-8")
        written.append(Path(block["path"]))
    return written
