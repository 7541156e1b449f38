"""Tables and sizes as people read them at a terminal."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns, two spaces apart."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def counted_states(states: Iterable[str]) -> str:
    """`2 cached, 1 stale`."""
    counts = Counter(states)
    return ", ".join(f"{counts[s]} {s}" for s in ("cached", "stale", "partial", "missing") if counts[s])


def human_size(size: int) -> str:
    """Bytes as people read them: 12 B, 3.4 kB, 1.2 GB."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; 0 if it does not exist."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
