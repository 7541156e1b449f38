"""Write what docs/ and schemas/ hold of the code's own models: tables, pages, JSON schemas.

`python docs/generate.py` writes what is not fresh and names it; `make generate` writes the other generated files, too.
A table stands between `<!-- table: kind folder -->` and `<!-- end -->`: a key of `TABLES` and its argument.
"""

import re
import sys
from collections.abc import Collection
from pathlib import Path

from doc_tables import TABLES
from recipe_pages import PAGES as RECIPE_PAGES
from recipe_pages import recipe_names, recipe_page, recipe_pages_table
from registry_pages import FOLDER as REGISTRY
from registry_pages import TABLES as REGISTRY_TABLES
from registry_pages import registry_pages
from schema_files import schemas
from stage_pages import stage_page
from threshold_study import NAME as STUDY
from threshold_study import study_page

from seedbed.artifacts.manifest import to_json
from seedbed.plan.commands import ALL_STAGES

ROOT = Path(__file__).parents[1]
PAGES, SCHEMAS = ROOT / "docs/stages", ROOT / "schemas"
MARKED = re.compile(r"(<!-- table: ([a-z_ -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with fresh tables."""

    def fresh(match: re.Match[str]) -> str:
        table, _, argument = match[2].partition(" ")
        tables = TABLES | REGISTRY_TABLES | {"recipe-pages": lambda _: recipe_pages_table()}
        return f"{match[1]}{tables[table](argument)}{match[3]}"

    return MARKED.sub(fresh, text)


def fresh_files() -> dict[Path, bytes]:
    """Every generated file with what it should hold."""
    by_hand = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = {page: filled(page.read_text(encoding="utf-8")).encode() for page in by_hand}
    found |= {PAGES / f"{name}.md": stage_page(stage).encode() for name, stage in ALL_STAGES.items()}
    found |= {RECIPE_PAGES / f"{name}.md": recipe_page(name).encode() for name in recipe_names()}
    found |= {REGISTRY / name: page.encode() for name, page in registry_pages().items()}
    found[REGISTRY / STUDY] = study_page().encode()
    return found | {SCHEMAS / name: to_json(schema) for name, schema in schemas().items()}


def left_over(fresh: Collection[Path]) -> list[Path]:
    """Generated files of stages, recipes and papers that are gone: none of the fresh ones."""
    pages = [path for folder in (PAGES, RECIPE_PAGES, REGISTRY) for path in folder.glob("*.md")]
    present = [*pages, *SCHEMAS.rglob("*.json")]
    return sorted(set(present) - set(fresh))


def main() -> int:
    """Write what is not fresh, and delete what is left over."""
    fresh = fresh_files()
    for path, content in fresh.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            print(path.relative_to(ROOT))
    for path in left_over(fresh):
        path.unlink()
        print(f"{path.relative_to(ROOT)} (deleted)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
