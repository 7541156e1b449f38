"""The stage `report`: one self-contained HTML page and the tables behind it as CSV."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import report_sources
from seedbed.report import figures, samples, scores, shared_thresholds, thresholds
from seedbed.report.results import LEDGER_SEPARATOR, Node, Results, ledger_text, read_results
from seedbed.report.tables import Table, with_notes
from seedbed.runtime.contract import Job, Products

if TYPE_CHECKING:
    import pandas as pd

TEMPLATE = "page.html"
SWEEP_FIGURE = ("pqs_initial", "pqs_pseudo", "pqs_mean", "tecm", "tecm_printed")


def run(job: Job) -> Products:
    """The page and its tables.

    Raises:
        SeedbedError: a file that the slice names is missing, or disagrees with its manifest.
    """
    results = read_results(job.slice, job.results)
    score_frame = scores.score_frame(results.scores)
    class_frame = scores.class_frame(results.scores)
    threshold_frame = thresholds.threshold_frame(results)
    correlations = thresholds.correlation_frame(threshold_frame)
    shared_frame = shared_thresholds.shared_frame(results)
    agreements = shared_thresholds.agreement_frame(threshold_frame, shared_frame)
    files = len(results.thresholds) + len(results.shared)
    job.log(f"report: {len(results.scores)} scores, {files} threshold files")
    page = render(
        title=f"{results.dataset}: {results.name}",
        dataset=results.dataset,
        recipes=results.recipes,
        nodes=with_notes(node_table(results), LEDGER_SEPARATOR),
        classifier_scores=with_notes(scores.classifier_table(score_frame), LEDGER_SEPARATOR),
        mask_scores=with_notes(scores.mask_table(score_frame), LEDGER_SEPARATOR),
        class_scores=scores.class_table(class_frame, ["background", *job.dataset.classes]),
        curves=curve_figures(results),
        pairs=thresholds.threshold_table(threshold_frame),
        pair_figures=sweep_figures(threshold_frame),
        correlations=thresholds.correlation_table(correlations),
        shared_pairs=shared_thresholds.shared_table(shared_frame),
        agreements=shared_thresholds.agreement_table(agreements),
        histories=history_figures(results),
        galleries=galleries(results, job),
        legend=legend(job.dataset.classes),
    )
    frames = {
        "scores.csv": score_frame,
        "per_class.csv": class_frame,
        "thresholds.csv": threshold_frame,
        "correlations.csv": correlations,
        "thresholds_shared.csv": shared_frame,
        "form_agreement.csv": agreements,
    }
    return Products(
        files={"index.html": page.encode()} | {name: csv_bytes(frame) for name, frame in frames.items()},
        facts={
            "masks": "shown in samples, for judgement only",
            "sources": report_sources(job.slice, job.results),
        },
    )


def render(**values: Any) -> str:
    """The page from its template; all text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["png"] = lambda content: _data_uri("png", content)
    environment.filters["jpeg"] = lambda content: _data_uri("jpeg", content)
    return environment.get_template(TEMPLATE).render(**values)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """CSV with a heading; figures in the shortest form that gives them back exactly."""
    stream = io.StringIO()
    frame.to_csv(stream, index=False, lineterminator="\n")
    return stream.getvalue().encode()


def node_table(results: Results) -> Table:
    """What ran: every node with the parameters that differ from their stage's defaults."""
    rows = []
    for node in results.nodes.values():
        manifest = node.artifact.manifest
        images = ", ".join(f"{split} {count}" for split, count in manifest.images.items())
        size = sum(entry.size for entry in manifest.files.values()) / 1e6
        parameters = manifest.parameters.get("parameters", {})
        rows.append(
            (
                *(node.name, node.stage, str(node.place)),
                " ".join(f"{key}={_plain(value)}" for key, value in sorted(parameters.items())),
                *(images, f"{size:.1f}", ledger_text(manifest.ledger)),
            )
        )
    return Table(
        headings=(
            "node",
            "stage",
            "recipe (owner), axes",
            "parameters set",
            "images",
            "MB",
            "ground truth used",
        ),
        figures=(False, False, False, False, False, True, False),
        rows=tuple(rows),
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def curve_figures(results: Results) -> list[tuple[str, bytes]]:
    """(split, PNG): threshold curves of all scored CAMs; of several random seeds each has its line."""
    curves = [judged for judged in results.scores if "curve" in judged.content]
    splits = dict.fromkeys(judged.split for judged in curves)
    return [(split, figures.curve_figure([j for j in curves if j.split == split])) for split in splits]


def sweep_figures(frame: pd.DataFrame) -> list[tuple[str, bytes]]:
    """(owner and split, PNG) of each series with at least two pairs."""
    found = []
    for (owner, _, split), pairs in thresholds.series(frame):
        titles = {
            name: title
            for name, title in thresholds.MEASURES.items()
            if name in SWEEP_FIGURE and name in pairs
        }
        titles |= {
            name: f"mIoU {name.removeprefix(thresholds.DOWNSTREAM)}"
            for name in thresholds.downstream_columns(pairs)
        }
        if len(pairs) > 1 and titles:
            found.append((f"{owner}, {split}", figures.threshold_figure(pairs, titles)))
    return found


def history_figures(results: Results) -> list[tuple[str, bytes]]:
    """(node, PNG) of each trained node; its instances at several random seeds and settings share a figure."""
    import pandas as pd

    runs: dict[tuple[str, str], dict[str, Node]] = {}
    for node in results.nodes.values():
        if "history.csv" in node.artifact.manifest.files:
            runs.setdefault((node.place.owner, node.name), {})[str(node.place)] = node
    return [
        (
            f"{name} ({owner})",
            figures.history_figure(
                {run: pd.read_csv(node.artifact.file("history.csv")) for run, node in nodes.items()}
            ),
        )
        for (owner, name), nodes in runs.items()
    ]


def galleries(results: Results, job: Job) -> list[samples.Gallery]:
    """The samples of each split that some node has."""
    shown = job.parameters
    splits = dict.fromkeys(split for node in results.nodes.values() for split in node.splits)
    found = [
        samples.gallery(results, job.dataset, split, shown.samples, shown.sample_rows, shown.thumbnail)
        for split in job.progress(splits, len(splits), "report")
    ]
    return [one for one in found if one is not None]


def legend(classes: Sequence[str]) -> list[tuple[str, str]]:
    """(class, colour as #rrggbb) of the label maps' colours."""
    from seedbed.artifacts.label_maps import voc_palette

    palette = voc_palette()
    return [
        (name, "#{:02x}{:02x}{:02x}".format(*palette[3 * k : 3 * k + 3]))
        for k, name in enumerate(classes, start=1)
    ]
