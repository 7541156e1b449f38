"""`report`: tables, figures and one self-contained page of all that a run made."""

from __future__ import annotations

from pydantic import Field

from seedbed.runtime.contract import Parameters, Stage


class ReportParameters(Parameters):
    """How much the page shows."""

    samples: int = Field(default=6, ge=0, description="sample images a split, from its first shard")
    sample_rows: int = Field(default=24, ge=1, description="most rows of samples a split, over all settings")
    thumbnail: int = Field(default=150, ge=32, le=320, description="long side of a sample picture, pixels")


STAGE = Stage(
    name="report",
    version=2,
    summary="Tables, figures and one page of all nodes' scores.",
    kind="label_maps",
    parameters=lambda raw: ReportParameters,
    inputs={},
    function="seedbed.report.page:run",
    files=(
        *("index.html", "scores.csv", "per_class.csv", "thresholds.csv", "correlations.csv"),
        *("thresholds_shared.csv", "form_agreement.csv"),
    ),
    node=False,
    reads_masks=True,
)
