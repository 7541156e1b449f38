"""All scores as pandas tables, for a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.errors import SeedbedError, unknown_name
from seedbed.plan.judges import SCORES, THRESHOLDS
from seedbed.report.results import Judged, read_judged
from seedbed.report.threshold_pairs import form_of, pairs_of
from seedbed.runtime.paths import OWN, SHARED

if TYPE_CHECKING:
    import pandas as pd

PLACE = ("dataset", "owner", "rng", "regions", "node", "split", "kind")
COLUMNS = (*PLACE, "metric", "class", "value", "ledger")
PER_CLASS = "per_class"


def load_scores(results: str | Path = "results") -> pd.DataFrame:
    """Every number of every scores file, one row each.

    Columns: `dataset`, `owner` (recipe), `rng` (<NA> if nothing depends on it), `regions` (likewise empty), `node`,
    `split`, `kind`, `metric`, `class` (empty for a score over all classes), `value` (NaN if undefined), `ledger`
    (uses of pixel ground truth in words, `nothing` if there are none). Parts of a metric are joined by a dot:
    `mean_iou_by_neutral.missed`; the best point of a threshold curve, chosen with masks, is `best.mean_iou`.

    >>> from seedbed.report.notebook import load_scores
    >>> table = load_scores("results")
    >>> miou = table[(table["metric"] == "mean_iou") & (table["node"] == "pseudo_masks")]
    >>> miou.groupby(["owner", "regions"])["value"].mean()
    owner  regions
    psa    bg0.10-fg0.40    0.51
           bg0.20-fg0.50    0.61
    Name: value, dtype: float64

    Args:
        results: folder of the results.

    Raises:
        SeedbedError: there is no such folder, or a file is unreadable.
    """
    import pandas as pd

    rows = [
        {**columns, "metric": metric, "class": name, "value": value, "ledger": judged.ledger}
        for dataset, judged in _read(Path(results), SCORES)
        for columns in ({"dataset": dataset} | judged.columns(),)
        for metric, name, value in _numbers(judged)
    ]
    return _with_rng(pd.DataFrame(rows, columns=list(COLUMNS)).astype({"value": "float64"}))


def load_thresholds(results: str | Path = "results", form: str = OWN) -> pd.DataFrame:
    """One row per pair: its place, the pair, and NPR, PQS and TECM by name.

    Args:
        results: folder of the results.
        form: `own`, each pair on the refined CAMs of its own AffinityNet; or `shared`, all pairs on the refined CAMs of
            one setting, which the column `reference` names. A table holds only one form.

    Raises:
        SeedbedError: the form is unknown, there is no such folder, or a file is unreadable.
    """
    import pandas as pd

    if form not in (OWN, SHARED):
        raise SeedbedError(unknown_name("form", form, (OWN, SHARED)))
    head = [*PLACE, *(["reference"] if form == SHARED else []), "bg_threshold", "fg_threshold"]
    rows = []
    for dataset, judged in _read(Path(results), THRESHOLDS):
        for pair in pairs_of(judged) if form_of(judged) == form else ():
            place = {name: pair[name] for name in head if name in pair}
            measured = {name: value for name, _, value in _flat(pair, "") if name not in place}
            rows.append({"dataset": dataset, **place, **measured, "ledger": judged.ledger})
    return _with_rng(pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*head, "ledger"]))


def _with_rng(table: pd.DataFrame) -> pd.DataFrame:
    """The random seeds as integers, <NA> if nothing depends on them."""
    return table.assign(rng=table["rng"].mask(table["rng"] == "").astype("Int64"))


def _read(results: Path, judge: str) -> Iterator[tuple[str, Judged]]:
    """Data set and content of every file of a judge."""
    if not results.is_dir():
        raise SeedbedError(f"no folder {results}; name the folder of the results, or run something first")
    for path in sorted(results.glob(f"[!.]*/**/{judge}/*.json")):
        judged = read_judged(results, str(path.relative_to(results)))
        yield judged.key.partition("/")[0], judged


def _numbers(judged: Judged) -> Iterator[tuple[str, str, float | None]]:
    """(metric, class, value) of all scores, then of the best point of a threshold curve."""
    overall = {key: value for key, value in judged.scores.items() if key != PER_CLASS}
    yield from _flat(overall, "")
    for name, values in judged.scores.get(PER_CLASS, {}).items():
        yield from ((metric, name, value) for metric, _, value in _flat(values, ""))
    yield from _flat(judged.content.get("best", {}), "best.")


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, float | None]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            yield f"{prefix}{key}", "", value
