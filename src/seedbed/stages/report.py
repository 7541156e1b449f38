"""`report`: tables, figures and one self-contained page about everything that a run made.

The page has one section per table. On the page several random seeds become mean ± sample standard deviation; the tables
keep each of them. Which node was made from which is taken from the plan. The plan adds this stage, once for
`snakemake all` and once for `snakemake sweep`. `snakemake --report report.html` builds Snakemake's own report, which
includes this page and its tables.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from seedbed.runtime.contract import Parameters, Stage

PAGE, METRICS = "index.html", "metrics.json"
SECTIONS = Path(__file__).parents[1] / "report" / "sections"


def section_names(folder: Path = SECTIONS) -> tuple[str, ...]:
    """Sections of the page, one file each in the folder; each section's table has the name of its file.

    The files are listed, not imported: planning must be quick, and the page is above this layer.
    """
    return tuple(sorted(path.stem for path in folder.glob("[!_]*.py")))


class ReportParameters(Parameters):
    """How much the report page shows."""

    samples: int = Field(
        default=6, ge=0, le=1000, description="sample images per split, from its first shard"
    )
    sample_rows: int = Field(
        default=24, ge=1, le=1000, description="maximum rows of samples per split, over all settings"
    )
    thumbnail: int = Field(
        default=240,
        ge=32,
        le=320,
        description="long side of a sample picture, pixels; the page shows 150 of them",
    )
    explorer_images: int = Field(
        default=12,
        ge=0,
        le=1000,
        description="images per split whose CAMs travel with the page, for its explorer",
    )
    explorer_side: int = Field(
        default=128, ge=16, le=512, description="long side of the grid of the explorer's CAMs, pixels"
    )
    class_groups: dict[str, dict[str, tuple[str, ...]]] | None = Field(
        default=None,
        description="groups of classes whose mean IoU is shown: {kind: {group: [class, class]}}; null: those of the "
        "data set's file (`class_groups` of its declaration), or PASCAL VOC's where classes have such names",
    )


STAGE = Stage(
    name="report",
    version=9,
    summary="Tables, figures and one page of all nodes' scores.",
    parameters=lambda raw: ReportParameters,
    inputs={},
    resources="counts",
    own_files=(PAGE, METRICS, *(f"{name}.csv" for name in section_names())),
    reads_masks=True,
)
