"""What `seedbed compare` compares: the results that its words name, as far as they are there and sound."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from seedbed.engines.soundness import Examiner
from seedbed.errors import SeedbedError, unknown_name
from seedbed.names import DATASET, RECIPE
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import AREAS, SCORES, Judgement, Point, judgements_at
from seedbed.report.comparison import HEADINGS, Cell, Column, Comparison, Found, Row, rngs_text
from seedbed.runtime.axes import canonical_regions
from seedbed.runtime.judging import JudgementFile, read_judgement
from seedbed.stages.evaluate import STAGE as EVALUATE

_NAME = re.compile(rf"(?:(?P<dataset>{DATASET.pattern})/)?(?P<recipe>{RECIPE.pattern})\Z")
SWEEP = "sweep"
HEADLINE = {"masks": "mean_iou", "labels": "mean_average_precision"}
AREA_MEASURES = ("neutral_ratio", "foreground_area", "labelled_without_pixel")
SAME_SCORES = (1, 2)
"""Earlier versions of `evaluate` that give the same scores; 1 keeps no counts per image."""
Key = tuple[str, str]
"""Kind and split."""


def compared(workflow: Workflow, words: Sequence[str], baseline: str = "", split: str = "") -> Comparison:
    """Read everything that is there.

    Args:
        words: `[dataset/]recipe[@rng0][@bg0.10-fg0.40]` each; `@sweep` stands for all of params.yaml's thresholds.
        baseline: one of the words; the first if empty.
        split: one split only, if not empty.

    Raises:
        SeedbedError: a word is not valid or names something unknown, two name the same results, the baseline is not
            among them, or they ask for no scores at all.
    """
    wanted = [row for word in words for row in _rows(workflow, word)]
    rows = [replace(row, number=number) for number, row in enumerate(wanted, start=1)]
    twice = [
        str(row)
        for row, count in Counter(replace(row, number=0, rngs=()) for row in rows).items()
        if count > 1
    ]
    if twice:
        raise SeedbedError(
            f"{twice[0]} is named twice; name it once, with all its random seeds (RECIPE@rng0@rng1); two "
            "seeds of one recipe are not compared with each other"
        )
    splits = {name for row in rows for name in workflow.graph(row.dataset).declaration.splits}
    if split and split not in splits:
        raise SeedbedError(unknown_name("split", split, splits))
    base = _baseline(workflow, rows, baseline) if baseline else 1
    judged = {row.number: list(_judgements(workflow, row, split)) for row in rows}
    several = _several(judged.values())
    comparison = Comparison(rows, [], {}, base)
    examiners = {row.dataset: Examiner(workflow.graph(row.dataset)) for row in rows}
    for row in rows:
        for judgement in judged[row.number]:
            _enter(comparison, row, judgement, several, examiners[row.dataset])
    if not comparison.cells:
        where = f" on split {split}" if split else ""
        raise SeedbedError(f"nothing that these recipes make is scored{where}; name recipes with `scores`")
    comparison.columns = _in_order(column for _, column in comparison.cells)
    comparison.notes = list(_notes(workflow, comparison, split))
    return comparison


def _rows(workflow: Workflow, word: str) -> Iterator[Row]:
    name, *points = word.split("@")
    match = _NAME.match(name)
    if match is None:
        raise SeedbedError(f"expected [dataset/]recipe[@rng0][@bg0.10-fg0.40], or @{SWEEP}, got {word!r}")
    dataset = match["dataset"] or workflow.config.dataset
    if dataset not in workflow.config.datasets:
        raise SeedbedError(unknown_name("data set", dataset, workflow.config.datasets))
    recipe = workflow.book.check(match["recipe"])
    rngs = [int(point.removeprefix("rng")) for point in points if re.fullmatch(r"rng\d+", point)]
    settings = [point for point in points if not re.fullmatch(r"rng\d+", point)]
    own = workflow.graph(dataset).regions_of(recipe)
    if SWEEP in settings:
        settings = [s for s in settings if s != SWEEP] + list(workflow.config.thresholds)
        if not settings:
            raise SeedbedError(
                "params.yaml names no `thresholds` for @sweep; add some, for instance bg0.10-fg0.40"
            )
    for label in map(canonical_regions, settings) if settings else [own]:
        yield Row(0, dataset, recipe.name, label, tuple(rngs or workflow.config.rngs))


def _baseline(workflow: Workflow, rows: Sequence[Row], word: str) -> int:
    chosen = list(_rows(workflow, word))
    for row in rows:
        if (row.dataset, row.recipe, row.regions) == (chosen[0].dataset, chosen[0].recipe, chosen[0].regions):
            return row.number
    raise SeedbedError(unknown_name("baseline", word, [_word(workflow, row) for row in rows]))


def _word(workflow: Workflow, row: Row) -> str:
    """What a person types for a row, without its random seeds."""
    name = row.recipe if row.dataset == workflow.config.dataset else f"{row.dataset}/{row.recipe}"
    return f"{name}@{row.regions}" if row.regions else name


def _judgements(workflow: Workflow, row: Row, split: str) -> Iterator[Judgement]:
    graph = workflow.graph(row.dataset)
    for rng in row.rngs:
        for judgement in judgements_at(graph, Point(row.recipe, rng, row.regions or None)):
            if judgement.judge in (SCORES, AREAS) and split in ("", judgement.split):
                yield judgement


def _key(judgement: Judgement) -> Key:
    return judgement.task.stage.meaning.score, judgement.split


def _several(judged: Iterable[list[Judgement]]) -> set[Key]:
    """Kinds and splits of which a row has several nodes, which are then told apart by name."""
    found: set[Key] = set()
    for one in judged:
        nodes = {(_key(judgement), judgement.task.name) for judgement in one}
        found |= {key for key, count in Counter(key for key, _ in nodes).items() if count > 1}
    return found


def _enter(
    comparison: Comparison, row: Row, judgement: Judgement, several: set[Key], examiner: Examiner
) -> None:
    kind, split = _key(judgement)
    task = judgement.task
    measures = AREA_MEASURES if judgement.judge == AREAS else (HEADLINE[judgement.task.stage.meaning.truth],)
    content, why = _sound(examiner, judgement)
    for measure in measures:
        column = Column(kind, task.name if (kind, split) in several else "", split, measure)
        cell = comparison.cells.setdefault((row.number, column), Cell(task.owner, task.name))
        if judgement.key in cell.keys.values():
            continue
        cell.keys[task.rng] = judgement.key
        if content is None:
            cell.missing[task.rng] = why
        else:
            cell.found.append(Found(judgement.key, task.rng, content))


def _sound(examiner: Examiner, judgement: Judgement) -> tuple[JudgementFile | None, str]:
    """The file, if it is what a run would write now, but for counts per image; otherwise why it is not."""
    if not judgement.path.exists():
        return None, "missing"
    try:
        found = read_judgement(judgement.path)
    except SeedbedError as error:
        return None, str(error)
    if judgement.stage.name == EVALUATE.name and found.stage_version in SAME_SCORES:
        judgement = replace(judgement, stage=replace(judgement.stage, version=found.stage_version))
    state = examiner.judgement(judgement)
    return (found, "") if state.status == "cached" else (None, f"{state.status} ({state.why})")


def _in_order(columns: Iterable[Column]) -> list[Column]:
    """By kind, as `MEANINGS` has them; of one kind in the order of appearance."""
    kinds = list(HEADINGS)
    return sorted(dict.fromkeys(columns), key=lambda column: kinds.index(column.kind))


def _notes(workflow: Workflow, comparison: Comparison, split: str) -> Iterator[str]:
    """What has no masks and what is old, one line each; what is missing, one line for each row."""
    for dataset in dict.fromkeys(row.dataset for row in comparison.rows):
        splits = workflow.graph(dataset).declaration.splits
        without = [name for name, told in splits.items() if not told.masks and split in ("", name)]
        if without:
            yield (
                f"{dataset} has no masks on {', '.join(without)}, so there is no mIoU: label maps are compared by "
                "their areas, classifiers by the labels, and CAMs not at all"
            )
    old = {
        one.key
        for cell in comparison.cells.values()
        for one in cell.found
        if one.content.stage == EVALUATE.name
        and one.content.image_counts is None
        and "counts" in one.content.content
    }
    if old:
        number = f"{len(old)} files of scores are" if len(old) > 1 else "1 file of scores is"
        yield (
            f"{number} of an older version, without counts per image, so there are no intervals; "
            "`snakemake` makes them again, and only them"
        )
    for row in comparison.rows:
        if missing := _missing(comparison, row):
            yield f"not there: {row.number} {row}: {missing}"


def _missing(comparison: Comparison, row: Row) -> str:
    """Which results of a row are not there, and why; those that an earlier row tells of are left out."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for column in comparison.columns:
        cell = comparison.cells.get((row.number, column))
        if cell is None or comparison.shared_with(row, column).isdigit():
            continue
        by_why: dict[str, list[int | None]] = {}
        for rng, why in cell.missing.items():
            by_why.setdefault(why, []).append(rng)
        for why, rngs in by_why.items():
            place = rngs_text(rngs).replace(" ", ", "), why
            found.setdefault(place, {})[f"{cell.node} on {column.split}"] = None
    return "; ".join(
        f"{', '.join(nodes)}{f' (rng {rngs})' if rngs else ''}: {why}" for (rngs, why), nodes in found.items()
    )
