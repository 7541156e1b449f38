"""The stage `report`: one self-contained HTML page of all sections, and the table behind each as CSV."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.plan.reports import report_sources
from seedbed.report.blocks import Block
from seedbed.report.metrics import metrics_json
from seedbed.report.results import read_results
from seedbed.report.section import Page, Section, all_sections
from seedbed.runtime.contract import Job, Products
from seedbed.stages.report import METRICS, PAGE

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = Path(__file__).parent / "scripts"
SCRIPT_FILES = ("common", "theme", "tables", "gallery", "chart", "plane", "decide", "explorer")
"""What the page runs, in order; `common` is what the others share."""


@dataclass
class Chapter:
    """Neighbouring sections with the same title, as the page shows them.

    Attributes:
        anchor: name of the first section, for links within the page.
        notes: HTML, each once.
    """

    anchor: str
    title: str
    notes: list[str]
    blocks: list[Block]


def run(job: Job) -> Products:
    """The page, its tables and its metrics.

    Raises:
        SeedbedError: a file that the slice names is missing, or disagrees with its manifest.
    """
    results = read_results(job.slice, job.results)
    job.log("report: " + ", ".join(f"{len(found)} {judge}" for judge, found in results.judged.items()))
    page = Page(results, job.dataset, job.parameters, job.progress)
    sections = all_sections()
    frames = {name: section.frame(page) for name, section in sections.items()}
    shown = {name: section.blocks(page, frames[name]) for name, section in sections.items()}
    html = render(title=f"{results.dataset}: {results.name}", chapters=chapters(sections, shown))
    return Products(
        files={
            PAGE: html.encode(),
            METRICS: metrics_json(results),
            **{f"{name}.csv": csv_bytes(frame) for name, frame in frames.items()},
        },
        facts={
            "masks": "shown in samples, for judgement only",
            "sources": report_sources(job.slice, job.results),
        },
    )


def chapters(sections: Mapping[str, Section], blocks: Mapping[str, Sequence[Block]]) -> list[Chapter]:
    """What the page shows: sections that have blocks, neighbours with the same title together."""
    found: list[Chapter] = []
    for name, section in sections.items():
        if not blocks[name]:
            continue
        if not found or found[-1].title != section.title:
            found.append(Chapter(name, section.title, [], []))
        if section.note and section.note not in found[-1].notes:
            found[-1].notes.append(section.note)
        found[-1].blocks += blocks[name]
    return found


def render(**values: Any) -> str:
    """The page from its template; all text is escaped, except the notes of sections."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["data_uri"] = data_uri
    return environment.get_template("page.html").render(script=script(), **values)


def script() -> Markup:
    """The scripts of the page, which is readable without them, as one module scope."""
    from markupsafe import Markup

    files = [(SCRIPTS / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPT_FILES]
    return Markup('"use strict";\n(() => {\n' + "\n".join(files) + "})();")


def data_uri(content: bytes, kind: str) -> str:
    """A data URI that contains the picture itself."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """CSV with a heading; figures in the shortest form that restores them exactly."""
    stream = io.StringIO()
    frame.to_csv(stream, index=False, lineterminator="\n")
    return stream.getvalue().encode()
