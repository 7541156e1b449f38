"""All scores as pandas tables, for a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.cam.thresholds import Regions
from seedbed.errors import SeedbedError, unknown_name
from seedbed.plan.judges import SCORES, THRESHOLDS
from seedbed.report.results import Judged, read_judged
from seedbed.runtime.paths import OWN, SHARED

if TYPE_CHECKING:
    import pandas as pd

PLACE = ("dataset", "owner", "rng", "regions", "node", "split", "kind")
COLUMNS = (*PLACE, "metric", "class", "value", "ledger")
PER_CLASS = "per_class"


def load(results: str | Path = "results") -> pd.DataFrame:
    """Every number of every scores file, one row each.

    Columns: `dataset`, `owner` (recipe), `rng` (<NA> where nothing depends on it), `regions` (empty likewise), `node`,
    `split`, `kind`, `metric`, `class` (empty for what is of all classes), `value` (NaN where it is undefined), `ledger`
    (uses of pixel ground truth in words, `nothing` where there is none). Parts of a metric are joined by a dot:
    `mean_iou_by_neutral.missed`; the best point of a threshold curve, chosen with masks, is `best.mean_iou`.

    >>> from seedbed import results
    >>> table = results.load("results")
    >>> miou = table[(table["metric"] == "mean_iou") & (table["node"] == "pseudo_masks")]
    >>> miou.groupby(["owner", "regions"])["value"].mean()
    owner  regions
    psa    bg0.10-fg0.40    0.51
           bg0.20-fg0.50    0.61
    Name: value, dtype: float64

    Args:
        results: folder of the results.

    Raises:
        SeedbedError: no such folder, or an unreadable file.
    """
    import pandas as pd

    rows = [
        {**place, "metric": metric, "class": name, "value": value, "ledger": judged.ledger}
        for judged in _read(Path(results), SCORES)
        for place in (_place(judged),)
        for metric, name, value in _numbers(judged)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"rng": "Int64", "value": "float64"})


def load_thresholds(results: str | Path = "results", form: str = OWN) -> pd.DataFrame:
    """One row a pair: where it stands, the pair, and NPR, PQS and TECM by name.

    Args:
        results: folder of the results.
        form: `own`, each pair on the refined CAMs of its own AffinityNet; or `shared`, all pairs on the refined CAMs of
            one setting, which the column `reference` names. A table holds one form only.

    Raises:
        SeedbedError: another form, no such folder, or an unreadable file.
    """
    import pandas as pd

    if form not in (OWN, SHARED):
        raise SeedbedError(unknown_name("form", form, (OWN, SHARED)))
    rows = []
    for judged in _read(Path(results), THRESHOLDS):
        if judged.form != form:
            continue
        for label, scores in judged.pairs():
            regions = Regions.parse(label)
            pair = {"bg_threshold": regions.low, "fg_threshold": regions.high}
            reference = {"reference": judged.place.regions} if form == SHARED else {}
            numbers = {metric: value for metric, _, value in _flat(scores, "")}
            place = {**_place(judged), "regions": label}
            rows.append({**place, **reference, **pair, **numbers, "ledger": judged.ledger})
    head = [*PLACE, "bg_threshold", "fg_threshold"]
    table = pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*head, "ledger"])
    return table.astype({"rng": "Int64"})


def _read(results: Path, kind: str) -> Iterator[Judged]:
    if not results.is_dir():
        raise SeedbedError(f"no folder {results}; name the folder of the results, or run something first")
    for path in sorted(results.glob(f"[!.]*/**/{kind}/*.json")):
        yield read_judged(results, str(path.relative_to(results)))


def _place(judged: Judged) -> dict[str, Any]:
    place = judged.place
    return {
        "dataset": judged.key.partition("/")[0],
        "owner": place.owner,
        "rng": place.rng,
        "regions": place.regions,
        "node": judged.node,
        "split": judged.split,
        "kind": judged.kind,
    }


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
