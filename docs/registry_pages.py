"""The registry of published figures: docs/registry/PAPER.md, and the tables of docs/registry.md.

The figures stand in docs/registry/figures.csv, as printed. docs/registry/rules.yaml says of them which recipe aims at a
row and what became of it; each row is matched by exactly one rule.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from doc_tables import markdown
from pydantic import BaseModel, ConfigDict, Field

from seedbed.recipes import RecipeBook
from seedbed.yaml_files import load_yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/registry"
NOTICE = "<!-- Written by `make generate` from docs/registry/figures.csv and rules.yaml; do not edit. -->"
Status = Literal["measured", "recomputed", "not reachable", "contradicted"]
STATUSES: dict[Status, str] = {
    "measured": "measured here on other data",
    "recomputed": "recomputed",
    "contradicted": "contradicted",
    "not reachable": "not reachable here",
}
NO_RECIPE = {"quoted", "recipe"}
"""Reasons that say that no recipe aims at a row."""
MATCHED = ("method", "backbone", "stage", "dataset", "split", "metric")
Figure = dict[str, str]
"""A row of figures.csv."""


class Rule(BaseModel):
    """What holds for the rows that it matches; regular expressions are for whole values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paper: str
    table: str | list[str]
    method: str = ".*"
    backbone: str = ".*"
    stage: str = ".*"
    dataset: str = ".*"
    split: str = ".*"
    metric: str = ".*"
    recipes: list[str] = Field(default_factory=list)
    """That aim at the rows; `{backbone}`, `{epoch}`, `{input}` and `{round}` stand for the row's."""
    near: str = ""
    """A recipe of the same method, where none aims at the rows."""
    status: Status = "not reachable"
    why: list[str] = Field(default_factory=list)
    """Keys of `reasons`: why a figure is not reachable."""
    at: str = ""
    """Heading of docs/results.md under which the measurement stands."""
    by: str = ""
    """Key of `contradictions`."""

    @cached_property
    def patterns(self) -> dict[str, re.Pattern[str]]:
        return {key: re.compile(getattr(self, key)) for key in MATCHED}

    def matches(self, figure: Figure) -> bool:
        """Whether it holds for a row."""
        tables = [self.table] if isinstance(self.table, str) else self.table
        return (
            figure["paper"] == self.paper
            and figure["table"] in tables
            and all(pattern.fullmatch(figure[key]) for key, pattern in self.patterns.items())
        )

    def recipes_of(self, figure: Figure) -> tuple[str, ...]:
        """The recipes that aim at a row."""
        fields = {"backbone": figure["backbone"].removeprefix("seeds:").replace("-", "").lower()}
        for name, key, pattern in (
            ("epoch", "metric", r"@epoch(\d+)"),
            ("input", "metric", r"@input(\d+)"),
            ("round", "method", r"round (\d)"),
        ):
            if found := re.search(pattern, figure[key]):
                fields[name] = found[1]
        return tuple(recipe.format(**fields) for recipe in self.recipes)


class Paper(BaseModel):
    """One of the papers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: str
    title: str


class Contradiction(BaseModel):
    """Something that cannot all be true."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paper: str
    text: str


class Measurement(BaseModel):
    """What was measured here and points the other way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    at: str


class Registry(BaseModel):
    """The rules file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    papers: dict[str, Paper]
    reasons: dict[str, str]
    contradictions: dict[str, Contradiction]
    against: list[Measurement]
    rules: list[Rule]

    def rule_of(self, figure: Figure) -> Rule:
        """The one rule that matches a row.

        Raises:
            ValueError: none or several do.
        """
        found = [rule for rule in self.rules if rule.matches(figure)]
        if len(found) != 1:
            where = ", ".join(figure[key] for key in ("paper", "table", *MATCHED))
            raise ValueError(f"docs/registry/rules.yaml: {len(found)} rules match {where}; expected one")
        return found[0]


@cache
def registry() -> Registry:
    """The rules file."""
    return Registry.model_validate(load_yaml(FOLDER / "rules.yaml"))


@cache
def figures() -> tuple[tuple[Figure, Rule], ...]:
    """Every published figure with its rule."""
    with (FOLDER / "figures.csv").open(encoding="utf-8", newline="") as stream:
        return tuple((row, registry().rule_of(row)) for row in csv.DictReader(stream))


def registry_pages() -> dict[str, str]:
    """The pages of the papers, by file name."""
    return {f"{paper.page}.md": paper_page(key) for key, paper in registry().papers.items()}


def paper_page(key: str) -> str:
    """Every figure of a paper, with recipes and status."""
    paper = registry().papers[key]
    rows = [(figure, rule) for figure, rule in figures() if figure["paper"] == key]
    parts = [
        f"# {paper.title}: published figures",
        NOTICE,
        "[All papers, and what the statuses mean](../registry.md). Figures as printed: "
        + ("fractions." if key == "000" else "per cent."),
        counts_table([rows], ("status", "rows")),
    ]
    for table in dict.fromkeys(figure["table"] for figure, _ in rows):
        heading = f"Table {table}" if table.isdigit() else table.replace("text-", "§")
        parts += [f"## {heading}", _figures_table([row for row in rows if row[0]["table"] == table])]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _figures_table(rows: Iterable[tuple[Figure, Rule]]) -> str:
    lines: dict[tuple[str, ...], list[str]] = {}
    for figure, rule in rows:
        data = f"{figure['dataset']} {figure['split']}"
        key = (figure["method"], figure["backbone"], figure["stage"], data, *_said(figure, rule))
        lines.setdefault(key, []).append(f"{figure['metric']} {figure['value']}")
    head = ("method", "backbone", "stage", "data", "figures", "recipe", "status")
    return markdown(head, ((*key[:4], ", ".join(values), *key[4:]) for key, values in lines.items()))


def _said(figure: Figure, rule: Rule) -> tuple[str, str]:
    """Recipes and status of a row, in words and links."""
    recipes = ", ".join(_linked(name) for name in rule.recipes_of(figure))
    if not recipes:
        recipes = f"none (nearest: {_linked(rule.near)})" if rule.near else "none"
    status = STATUSES[rule.status]
    if rule.at:
        status = f"[{status}](../results.md#{rule.at})"
    elif rule.by:
        status = f"[{status}](../registry.md#contradictions): {rule.by}"
    elif rule.why:
        status += f": {', '.join(rule.why)}"
    return recipes, status


def _linked(recipe: str) -> str:
    return f"[`{recipe}`](../../recipes/{recipe}.yaml)"


def counts_table(groups: Sequence[Sequence[tuple[Figure, Rule]]], head: Sequence[str]) -> str:
    """Rows of each status, a column for each group."""
    counts = [Counter(rule.status for _, rule in rows) for rows in groups]
    lines = [(words, *(str(count[status]) for count in counts)) for status, words in STATUSES.items()]
    total = ("all", *(str(count.total()) for count in counts))
    return markdown(head, [*lines, total])


def registry_counts(_: str) -> str:
    """Rows of each status, by paper."""
    by_paper = [[one for one in figures() if one[0]["paper"] == key] for key in registry().papers]
    links = [f"[{paper.title}](registry/{paper.page}.md)" for paper in registry().papers.values()]
    return counts_table([figures(), *by_paper], ("status", "all", *links))


def registry_reasons(_: str) -> str:
    """Reasons why figures are not reachable, with the rows that have them."""
    found = Counter(reason for _, rule in figures() for reason in rule.why)
    return markdown(
        ("reason", "what it is", "rows"),
        ((f"`{key}`", text, str(found[key])) for key, text in registry().reasons.items()),
    )


def registry_unaimed(_: str) -> str:
    """Rows at which no recipe aims, by paper and table."""
    return markdown(("paper", "table", "rows of the table", "without a recipe", "whose"), _unaimed())


def _unaimed() -> Iterator[tuple[str, ...]]:
    for key, paper in registry().papers.items():
        of_paper = [one for one in figures() if one[0]["paper"] == key]
        for table in dict.fromkeys(figure["table"] for figure, _ in of_paper):
            rows = [one for one in of_paper if one[0]["table"] == table]
            without = [figure for figure, rule in rows if not rule.recipes]
            if without:
                methods = list(dict.fromkeys(figure["method"].split(" bg=")[0] for figure in without))
                whose = ", ".join(methods[:6]) + (f" and {len(methods) - 6} more" if len(methods) > 6 else "")
                yield paper.title, table.replace("text-", "§"), str(len(rows)), str(len(without)), whose


def registry_contradictions(_: str) -> str:
    """Contradictions, with the rows that they concern."""
    marked = Counter(rule.by for _, rule in figures() if rule.by)
    lines = (
        (key, registry().papers[one.paper].title, one.text.strip(), str(marked[key] or "-"))
        for key, one in registry().contradictions.items()
    )
    return markdown(("name", "paper", "what does not fit", "rows marked"), lines)


def registry_against(_: str) -> str:
    """Measurements that point the other way."""
    return "".join(f"- {one.text.strip()} [Measured](results.md#{one.at})\n" for one in registry().against)


TABLES = {
    "registry-against": registry_against,
    "registry-contradictions": registry_contradictions,
    "registry-counts": registry_counts,
    "registry-reasons": registry_reasons,
    "registry-unaimed": registry_unaimed,
}
AIMED = re.compile(r"Tables? (\d{1,2}\b(?:(?:, | and )\d{1,2}\b)*)|§(\d\.\d)")
NAMES = {
    "Pets without masks": "000",
    "ISIM": "001",
    "P-NOC paper": "002",
    "Threshold-quality paper": "003",
    "SC-CAM paper": "004",
}


def aimed_at(recipe: str, book: RecipeBook) -> set[tuple[str, str]]:
    """(paper, table) that a recipe's `aims_at` names; none if it says that there is no published row."""
    text = book[recipe].aims_at
    papers = [paper for name, paper in NAMES.items() if name in text]
    if text.startswith("no published row") or len(papers) != 1:
        return set()
    found = set()
    for numbers, section in AIMED.findall(text):
        tables = re.findall(r"\d+", numbers) if numbers else [f"text-{section}"]
        found |= {(papers[0], table) for table in tables}
    return found
