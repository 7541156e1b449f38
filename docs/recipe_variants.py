"""Sections of docs/recipes for recipes that vary another in a few values.

Such a recipe shares the page of a recipe that it extends, and is compared with the nearest one on that page. What it
changes is found here, and each changed value needs a row in `variants` of docs/published/NAME.yaml.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from doc_tables import markdown
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python
from recipe_pages import COLUMNS, Row, node_parameters, table_rows

from seedbed.recipes import RecipeBook, Reference


def variant_section(
    book: RecipeBook, page: str, variant: str, variants: Mapping[str, Mapping[str, list[Row]]]
) -> str:
    """The section of a recipe on the page of one that it extends.

    Args:
        page: name of that recipe.
        variants: rows of all recipes on the page but that one, by recipe and node.

    Raises:
        ValueError: it does not extend that recipe, has no such node, changes a value that no row gives, or as
            `table_rows`.
    """
    recipe, rows = book[variant], variants[variant]
    where = f"docs/published/{page}.yaml, variants, {variant}"
    above = [one for one in recipe.chain[:-1] if one == page or one in variants]
    if page not in above:
        raise ValueError(f"{where}: the recipe does not extend {page}; give it a file of its own")
    name = above[-1]
    base = book[name]
    if missing := rows.keys() - recipe.nodes.keys():
        raise ValueError(f"{where}: the recipe has no node {', '.join(sorted(missing))}")
    for node in recipe.nodes:
        given = [row.what for row in rows.get(node, [])]
        for what in changed(book, name, variant, node):
            if not any(one == what or one.startswith(f"{what}.") for one in given):
                raise ValueError(f"{where}: {node}: {what} is not that of {name}; give a row")
    parts = [
        f"## Recipe {variant}",
        f"[The recipe](../../recipes/{variant}.yaml): {name} with other values"
        + (f", for {recipe.aims_at}." if recipe.aims_at not in ("", base.aims_at) else "."),
        recipe.differs[:1].upper() + recipe.differs[1:] if recipe.differs != base.differs else "",
        " ".join(_structure(book, name, variant)),
    ]
    lines = [
        (node, *line)
        for node in recipe.nodes
        for line in table_rows(book, variant, node, rows.get(node, []), where)
    ]
    if lines:
        parts.append(markdown(("node", "number", *COLUMNS), lines))
    return "\n\n".join(part.strip() for part in parts if part.strip())


def changed(book: RecipeBook, name: str, variant: str, node: str) -> Iterator[str]:
    """Parameters of a variant's node, with dots, that are not those of the recipe, or of the stage if it has none."""
    before = node_parameters(book, name, node) if node in book[name].nodes else None
    yield from _differing(before, node_parameters(book, variant, node), "")


def _differing(before: BaseModel | None, after: BaseModel, prefix: str) -> Iterator[str]:
    for key, field in type(after).model_fields.items():
        new = getattr(after, key)
        old: Any = getattr(before, key, PydanticUndefined)
        if old is PydanticUndefined:
            old = field.get_default(call_default_factory=True)
        if isinstance(new, BaseModel) and type(old) is type(new):
            yield from _differing(old, new, f"{prefix}{key}.")
        elif old is PydanticUndefined or to_jsonable_python(old) != to_jsonable_python(new):
            yield prefix + key


def _structure(book: RecipeBook, name: str, variant: str) -> Iterator[str]:
    """Sentences about nodes that are not there, and inputs that are others."""
    base, recipe = book[name].nodes, book[variant].nodes
    if gone := [f"`{node}`" for node in base if node not in recipe]:
        yield f"Without {', '.join(gone)}."
    for node, found in recipe.items():
        if found.ref is not None:
            if node not in base or base[node].ref != found.ref:
                yield f"`{node}` is {_shown(found.ref, variant)}."
            continue
        before = base[node].inputs if node in base else {}
        others = {
            key: one
            for key, one in found.inputs.items()
            if _shown_in(before, key, name) != _shown(one, variant)
        }
        if others:
            yield f"`{node}` reads {', '.join(_shown(one, variant) for one in others.values())}."


def _shown_in(inputs: Mapping[str, Reference], key: str, recipe: str) -> str:
    return _shown(inputs[key], recipe) if key in inputs else ""


def _shown(reference: Reference, recipe: str) -> str:
    of = "" if reference.recipe == recipe else f"{reference.recipe}."
    rng = "" if reference.rng is None else f"@rng{reference.rng}"
    epoch = "" if reference.epoch is None else f"@epoch{reference.epoch}"
    return f"`{of}{reference.node}{rng}{epoch}`"
