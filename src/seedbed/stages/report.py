"""`report`: tables, figures and one self-contained page of all that a run made.

The page has one section per table. On the page several random seeds become mean ± sample standard deviation; the tables
keep each of them. Which node was made from which is taken from the manifests. The plan places this stage, once for
`snakemake all` and once for `snakemake sweep`. `snakemake --report report.html` builds Snakemake's own report, which
takes up this page and its tables.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from seedbed.runtime.contract import Parameters, Stage

PAGE, METRICS = "index.html", "metrics.json"
SECTIONS = tuple(sorted(
    path.stem for path in (Path(__file__).parents[1] / "report" / "sections").glob("[!_]*.py")
))  # fmt: skip
"""Sections of the page: one file each in `seedbed/report/sections`, and one table each, named like the file."""


class ReportParameters(Parameters):
    """How much the page shows."""

    samples: int = Field(default=6, ge=0, description="sample images per split, from its first shard")
    sample_rows: int = Field(
        default=24, ge=1, description="most rows of samples per split, over all settings"
    )
    thumbnail: int = Field(default=150, ge=32, le=320, description="long side of a sample picture, pixels")


STAGE = Stage(
    name="report",
    version=3,
    summary="Tables, figures and one page of all nodes' scores.",
    parameters=lambda raw: ReportParameters,
    inputs={},
    resources="counts",
    own_files=(PAGE, METRICS, *(f"{name}.csv" for name in SECTIONS)),
    reads_masks=True,
)
