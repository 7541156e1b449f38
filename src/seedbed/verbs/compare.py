"""`seedbed compare`: cached results in one table, and differences from a baseline; at a terminal, as CSV, as a page."""

import math
from collections.abc import Iterator
from pathlib import Path

from seedbed.artifacts.atomic import write_bytes
from seedbed.metrics.bootstrap import DRAWS, LEVEL
from seedbed.report.blocks import Block, Paragraph, Table, Warning
from seedbed.report.comparison import Cell, Column, Comparison, Difference, Row, rngs_text
from seedbed.report.page import Chapter, csv_bytes, render
from seedbed.report.tables import MISSING, spread
from seedbed.verbs.terminal import table

SHARED_NOTE = "= 1: the same result as row 1's; = psa: a result that recipe psa owns, not computed again."
INTERVAL_NOTE = (
    f"Difference of the means over the random seeds that both rows have; {100 * LEVEL:g} % interval over images "
    f"(paired bootstrap, {DRAWS:,} draws of as many images as there are, the same draws for both). "
    "It says nothing of other random seeds."
)


def score_table(comparison: Comparison) -> Table:
    """One row per row, one column per column: mean ± sd, and how many random seeds are there if not all are."""
    several = len({row.dataset for row in comparison.rows}) > 1
    columns = comparison.columns
    rows = [
        (
            str(row.number),
            *((row.dataset,) if several else ()),
            *(row.recipe, row.regions, rngs_text(row.rngs)),
            *(_cell_text(comparison, row, column) for column in columns),
        )
        for row in comparison.rows
    ]
    head = ("", *(("data set",) if several else ()), "recipe", "regions", "rngs")
    return Table((*head, *map(str, columns)), (*(False for _ in head), *(True for _ in columns)), tuple(rows))


def difference_table(comparison: Comparison, classes: bool = False) -> Table:
    """One row per cell that is not the baseline's; with `classes`, per class of it."""
    rows = [
        (
            f"{row.number} - {comparison.baseline_of(row).number}",
            *(str(row), str(column)),
            *((name,) if classes else ()),
            f"{difference.value:+.3f}",
            _interval_text(difference),
            f"{difference.rngs}" if difference.rngs else "",
            difference.without,
        )
        for row in comparison.rows
        for column in comparison.columns
        for name in (comparison.classes(row, column) if classes else [""])
        if (difference := comparison.difference(row, column, name)) is not None
    ]
    head = (
        "rows",
        "recipe",
        "score",
        *(("class",) if classes else ()),
        "difference",
        f"{100 * LEVEL:g} % interval",
        "rngs",
        "",
    )
    figures = (False, False, False, *((False,) if classes else ()), True, True, True, False)
    return Table(head, figures, tuple(rows))


def class_table(comparison: Comparison) -> Table:
    """One row per cell with scores by class."""
    names = list(
        dict.fromkeys(
            name
            for row in comparison.rows
            for column in comparison.columns
            for name in comparison.classes(row, column)
        )
    )
    rows = [
        (
            str(row.number),
            *(str(row), str(column)),
            *(spread(cell.values(column.measure, name)) for name in names),
        )
        for column in comparison.columns
        for row in comparison.rows
        if (cell := comparison.cells.get((row.number, column))) is not None
        and comparison.classes(row, column)
        and not comparison.shared_with(row, column).isdigit()
    ]
    head = ("", "recipe", "score", *names)
    return Table(head, (False, False, False, *(True for _ in names)), tuple(rows))


def warnings(comparison: Comparison) -> Iterator[str]:
    """One line for each cell that has no pixel of any class."""
    for row, column, only, rngs in comparison.without_classes():
        if not comparison.shared_with(row, column).isdigit():
            at = f" (rng {rngs_text(rngs).replace(' ', ', ')})" if rngs_text(rngs) else ""
            yield f"{row.number} {row}, {column}{at}: {only}"


def unpaired(comparison: Comparison) -> Iterator[str]:
    """One line for each row that shares no random seed with its baseline."""
    for row in comparison.rows:
        base = comparison.baseline_of(row)
        if row != base and not {*row.rngs} & {*base.rngs}:
            yield (
                f"{row.number} {row}: no random seed in common with row {base.number} ({rngs_text(row.rngs)} against "
                f"{rngs_text(base.rngs)}), so only what does not depend on it is compared"
            )


def compare_text(comparison: Comparison, per_class: bool = False) -> str:
    """For a terminal."""
    scores, differences = score_table(comparison), difference_table(comparison)
    lines = [table(scores.headings, scores.rows)]
    if differences.rows:
        lines += ["", table(differences.headings, differences.rows)]
    if per_class and (classes := class_table(comparison)).rows:
        lines += ["", table(classes.headings, classes.rows)]
        if (each := difference_table(comparison, classes=True)).rows:
            lines += ["", table(each.headings, each.rows)]
    told = [*warnings(comparison), *unpaired(comparison), *comparison.notes]
    return "\n".join([*lines, *([""] if told else []), *told])


def write_csv(comparison: Comparison, path: Path) -> None:
    """One line per cell, and per class of it, unrounded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, csv_bytes(comparison.frame()))


def write_page(comparison: Comparison, path: Path) -> None:
    """One self-contained HTML file."""
    scores: list[Block] = [Warning(line) for line in warnings(comparison)]
    scores.append(score_table(comparison))
    if any(
        comparison.shared_with(comparison.rows[number - 1], column) for number, column in comparison.cells
    ):
        scores.append(Paragraph(SHARED_NOTE))
    scores += map(Paragraph, (*unpaired(comparison), *comparison.notes))
    chapters = [Chapter("scores", "Scores", [], scores)]
    differences = difference_table(comparison)
    if differences.rows:
        chapters.append(Chapter("differences", "Differences", [INTERVAL_NOTE], [differences]))
    classes = [class_table(comparison), difference_table(comparison, classes=True)]
    if shown := [one for one in classes if one.rows]:
        chapters.append(Chapter("classes", "By class", [], list(shown)))
    title = ", ".join(dict.fromkeys(row.recipe for row in comparison.rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, render(title=f"comparison of {title}", chapters=chapters).encode())


def _cell_text(comparison: Comparison, row: Row, column: Column) -> str:
    cell = comparison.cells.get((row.number, column))
    if cell is None:
        return ""
    text = spread(cell.values(column.measure)) if cell.found else MISSING
    return text + _part(cell) + (f" = {shared}" if (shared := comparison.shared_with(row, column)) else "")


def _part(cell: Cell) -> str:
    """How many random seeds are there, if some are not."""
    return f" ({len(cell.found)} of {len(cell.keys)})" if cell.found and cell.missing else ""


def _interval_text(difference: Difference) -> str:
    if difference.interval is None or math.isnan(difference.interval.low):
        return ""
    return f"[{difference.interval.low:+.3f}, {difference.interval.high:+.3f}]"
