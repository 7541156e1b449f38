"""The pages of docs/recipes: for each number of a paper or its code, the published value, ours, and why they differ.

Published values stand in docs/published/NAME.yaml, by node of the recipe NAME; ours are the recipe's own, without the
settings of a data set. A file that `extends` another takes over its rows; a row of the same node and name replaces one,
and a node that is null is left out: another recipe's page has it, or the recipe lacks it. Recipes that vary this one in
a few values stand on its page (`recipe_variants`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from doc_tables import markdown
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_jsonable_python

from seedbed.recipes import RecipeBook
from seedbed.runtime.contract import Parameters
from seedbed.yaml_files import load_yaml

ROOT = Path(__file__).parents[1]
SOURCES, PAGES = ROOT / "docs/published", ROOT / "docs/recipes"
COLUMNS = ("paper", "code", "ours", "why")
NOTICE = "<!-- Written by `make generate` from recipes/ and docs/published/; do not edit. -->"


class Row(BaseModel):
    """One number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    """A parameter of the node's stage, with dots into models inside; or, with `ours`, anything else."""
    paper: Any = None
    code: Any = None
    ours: Any = None
    why: str = ""
    """Needed where ours is not what paper and code say, or they say nothing."""


class Published(BaseModel):
    """A file of published values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    extends: str | None = None
    paper: str = ""
    """Empty if the recipe follows none."""
    code: str = ""
    origin: str = ""
    """Where the values in the columns are from, if not from the paper and the code themselves."""
    variants: dict[str, dict[str, list[Row]]] = Field(default_factory=dict)
    """Rows of recipes that extend this one, by recipe and node: at least of every value that they change."""
    nodes: dict[str, list[Row] | None] = Field(default_factory=dict)

    @property
    def rows(self) -> dict[str, list[Row]]:
        """The rows of the nodes that are there."""
        return {node: rows for node, rows in self.nodes.items() if rows is not None}


def published(name: str) -> Published:
    """The values of a recipe's paper and code, with those that the file extends."""
    file = Published.model_validate(load_yaml(SOURCES / f"{name}.yaml"))
    if file.extends is None:
        return file
    found = {node: {row.what: row for row in rows} for node, rows in published(file.extends).rows.items()}
    for node, rows in file.rows.items():
        found[node] = found.get(node, {}) | {row.what: row for row in rows}
    joined = {
        node: list(rows.values()) for node, rows in found.items() if file.nodes.get(node, []) is not None
    }
    return file.model_copy(update={"nodes": joined})


def recipe_names() -> list[str]:
    """Recipes with published values."""
    return sorted(path.stem for path in SOURCES.glob("*.yaml"))


def recipe_page(name: str) -> str:
    """The page of a recipe.

    Raises:
        ValueError: a node or parameter that the recipe does not have, or a difference that nothing explains.
    """
    from recipe_variants import variant_section

    book = RecipeBook(ROOT / "recipes")
    found, recipe = published(name), book[name]
    parts = [
        f"# {name}",
        NOTICE,
        _beside(name, found)
        + "Values are the recipe's own; the [settings](../params.md#settings) of a data set "
        "replace those that the recipe leaves open.",
        found.origin,
        recipe.differs,
    ]
    order = [node for node in recipe.nodes if node in found.rows]
    if missing := found.rows.keys() - recipe.nodes.keys():
        raise ValueError(f"docs/published/{name}.yaml: the recipe has no node {', '.join(sorted(missing))}")
    for node in order:
        parts += [
            f"## {node}",
            markdown(("number", *COLUMNS), table_rows(book, name, node, found.rows[node])),
        ]
    parts += [variant_section(book, name, variant, found.variants) for variant in found.variants]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _beside(name: str, found: Published) -> str:
    recipe = f"[The recipe](../../recipes/{name}.yaml)"
    if not found.paper:
        return f"{recipe} follows no paper. A dash: nothing is published. "
    code = f" and its code ({found.code}) have" if found.code else " has"
    return f"{recipe} beside what its paper ({found.paper}){code}. A dash: it does not say. "


def table_rows(
    book: RecipeBook, recipe: str, node: str, rows: Iterable[Row], where: str | None = None
) -> Iterator[tuple[str, ...]]:
    """Number, paper, code, ours and why of each row.

    Args:
        where: file in which the rows stand, if it is not the recipe's own.
    """
    parameters = node_parameters(book, recipe, node)
    place = where or f"docs/published/{recipe}.yaml"
    for row in rows:
        where = f"{place}, {node}, {row.what}"
        is_ours = "ours" in row.model_fields_set
        value = row.ours if is_ours else _value(parameters, row.what, where)
        said = [getattr(row, key) for key in ("paper", "code") if key in row.model_fields_set]
        if not row.why and not (said and all(one == value for one in said)):
            raise ValueError(f"{where}: ours is {value!r}, which is not what is published; say why")
        yield (
            row.what if is_ours else f"`{row.what}`",
            *(_shown(getattr(row, key)) if key in row.model_fields_set else "-" for key in ("paper", "code")),
            _shown(value),
            row.why,
        )


def node_parameters(book: RecipeBook, recipe: str, node: str) -> Parameters:
    """The parameters of a node, or of what it refers to, without the settings of a data set."""
    found = book[recipe].nodes[node]
    if found.ref is not None:
        return node_parameters(book, found.ref.recipe, found.ref.node)
    return found.parameters({}, f"recipe {recipe}, node {node}")


def _value(parameters: Parameters, what: str, where: str) -> Any:
    value: Any = parameters
    for part in what.split("."):
        if not isinstance(value, BaseModel) or part not in type(value).model_fields:
            raise ValueError(f"{where}: {type(value).__name__} has no {part}; give `ours`")
        value = getattr(value, part)
    return to_jsonable_python(value)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(one)}" for key, one in value.items())
    return json.dumps(value)


def recipe_pages_table() -> str:
    """The pages, for docs/recipes.md."""
    files = {name: published(name) for name in recipe_names()}
    rows = [
        (
            f"[`{name}`](recipes/{name}.md)",
            file.paper or "none",
            ", ".join(f"`{one}`" for one in file.variants),
        )
        for name, file in files.items()
    ]
    return markdown(("recipe", "paper", "also on its page"), rows)
