"""The committed pages and schemas are fresh, their links lead somewhere, and the schemas judge as the loader does."""

import re
from collections.abc import Iterator
from pathlib import Path

import generate
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from schema_files import schemas
from stage_pages import prose, stage_page

from seedbed.plan.commands import ALL_STAGES
from seedbed.stages.registry import STAGES
from seedbed.yaml_files import load_yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def test_generated_files_are_fresh() -> None:
    fresh = generate.fresh_files()
    stale = [
        str(path.relative_to(ROOT))
        for path, content in fresh.items()
        if not path.exists() or path.read_bytes() != content
    ]
    assert not stale, f"run `make generate` and commit {', '.join(stale)}"
    left = generate.left_over(fresh)
    assert not left, f"run `make generate`: no stage has {left}"


def test_a_stale_table_is_replaced_and_nothing_else() -> None:
    page = "before\n<!-- table: kind composites -->\nold\n<!-- end -->\nafter\n"
    head, table, tail = generate.filled(page).partition("| `size` | `128` | integer ≥ 32, ≤ 1024 |")
    assert table
    assert "old" not in head + tail
    assert head.startswith("before\n<!-- table: kind composites -->\n| key |")
    assert tail.endswith("<!-- end -->\nafter\n")


def schema_judge(name: str) -> Draft202012Validator:
    """A validator that reads what the schema refers to from the files beside it, as an editor does."""
    files = ((file, DRAFT202012.create_resource(content)) for file, content in schemas().items())
    return Draft202012Validator(schemas()[name], registry=Registry().with_resources(files))


@pytest.fixture(scope="module")
def recipe_judge() -> Draft202012Validator:
    return schema_judge("recipe.json")


@pytest.fixture(scope="module")
def params_judge() -> Draft202012Validator:
    return schema_judge("params.json")


def links(page: Path) -> Iterator[str]:
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """The names that a forge gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def test_each_stage_has_a_page_that_says_what_it_is() -> None:
    assert {path.stem for path in (ROOT / "docs/stages").glob("*.md")} == set(ALL_STAGES)
    for name, stage in ALL_STAGES.items():
        text = stage_page(stage)
        assert text.startswith(f"# {name}\n")
        assert all(
            f"| `{field.alias or key}` |" in text for key, field in stage.parameters({}).model_fields.items()
        )
        assert all(f"{key}: " in text for key in stage.inputs)


def test_a_page_says_what_the_stages_docstring_says() -> None:
    page = stage_page(STAGES["random_walk"])
    assert (
        "Spread CAMs along AffinityNet's affinities, sparse, at any image size.\n\nThe scores x become"
        in page
    )
    assert "| makes | [`refined_cams`](../formats.md#artifacts) |" in page
    assert "| runs on | GPU, minutes (class `inference`), one job per shard |" in page


def test_a_docstrings_paragraphs_are_joined_and_its_lists_and_formulas_kept() -> None:
    text = "`name`: first\nline.\n\n    a = b\n    c = d\n\n`x` is\nlast.\n\n- one,\n  two"
    assert prose(text) == "First line.\n\n    a = b\n    c = d\n\n`x` is last.\n\n- one,\n  two"


def test_each_page_is_reached_from_the_index() -> None:
    reached = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in links(ROOT / "docs/index.md")}
    missing = {page for page in PAGES if page.parent.name in ("docs", "stages")} - reached
    assert {page.name for page in missing} <= {"index.md"}


def test_the_page_names_every_segmentation_network_with_its_output_strides() -> None:
    from seedbed.networks.segmenters import SEGMENTERS

    text = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    for name, architecture in SEGMENTERS.items():
        assert f"`{name}` ({', '.join(map(str, architecture.output_strides))})" in text


def test_committed_recipes_and_configuration_fit_the_schemas(
    recipe_judge: Draft202012Validator, params_judge: Draft202012Validator
) -> None:
    for path in (ROOT / "recipes").glob("*.yaml"):
        recipe_judge.validate(load_yaml(path))
        assert path.read_text().startswith("# yaml-language-server: $schema=../schemas/recipe.json\n")
    params_judge.validate(load_yaml(ROOT / "params.yaml"))
    assert "# yaml-language-server: $schema=schemas/params.json\n" in (ROOT / "params.yaml").read_text()


@pytest.mark.parametrize(
    "node",
    [
        {"stage": "dump_cam"},
        {"stag": "dump_cams"},
        {"stage": "random_walk", "from": {"cam": "cams"}},
        {"stage": "random_walk", "with": {"betta": 8}},
        {"stage": "random_walk", "with": {"beta": 0}},
        {"stage": "train_segmenter", "with": {"augmentation": {"crops": 3}}},
        {"stage": "train_segmenter", "with": {"epochs": "ten"}},
    ],
)
def test_the_recipe_schema_refuses(node: dict[str, object], recipe_judge: Draft202012Validator) -> None:
    assert not recipe_judge.is_valid({"nodes": {"node": node}})


@pytest.mark.parametrize(
    "node",
    [None, {"with": {"beta": None}}, {"ref": "psa.cams"}, {"stage": "random_walk", "with": {"beta": None}}],
)
def test_the_recipe_schema_takes_changes_and_removals(
    node: object, recipe_judge: Draft202012Validator
) -> None:
    recipe_judge.validate({"extends": "psa", "nodes": {"refined_cams": node}})


@pytest.mark.parametrize(
    "change",
    [
        {"datset": "x"},
        {"datasets": {"x": {"kind": "vocc", "splits": {"train": {}}}}},
        {"datasets": {"x": {"kind": "folder", "splits": {"train": {"mask": True}}}}},
        {"datasets": {"x": {"kind": "folder", "splits": {"train": {}}, "with": {"label": "x.csv"}}}},
        {"settings": {"x": {"dump_cam": {}}}},
        {"settings": {"x": {"dump_cams": {"scale": [1]}}}},
    ],
)
def test_the_configuration_schema_refuses(
    change: dict[str, object], params_judge: Draft202012Validator
) -> None:
    sound = {
        "dataset": "x",
        "recipes": ["psa"],
        "datasets": {"x": {"kind": "composites", "splits": {"train": {}}}},
    }
    params_judge.validate(sound)
    assert not params_judge.is_valid(sound | change)


def test_a_parameter_stands_in_its_stages_file_alone() -> None:
    assert [name for name, schema in schemas().items() if "log2_steps" in str(schema)] == [
        "stages/random_walk.json"
    ]


def test_what_several_methods_call_alike_takes_the_values_of_each() -> None:
    judge = schema_judge("stages/train_affinitynet.json")
    judge.validate({"method": "edge_affinity", "batch_norm": "frozen"})
    judge.validate({"method": "affinity", "batch_norm": "trained"})
    assert not judge.is_valid({"batch_norm": "thawed"})


def test_settings_take_what_with_takes_and_a_note_of_masks(params_judge: Draft202012Validator) -> None:
    def config(stage: dict[str, object]) -> dict[str, object]:
        return {
            "dataset": "x",
            "recipes": ["psa"],
            "datasets": {"x": {"kind": "composites", "splits": {"train": {}}}},
            "settings": {"x": {"pseudo_masks": stage}},
        }

    params_judge.validate(config({"background_score": 0.3, "inherited": {"threshold": "found on masks"}}))
    assert not params_judge.is_valid(config({"background_score": 3}))
    assert not params_judge.is_valid(config({"inherited": {"guess": "found on masks"}}))


def test_keys_explain_themselves(
    recipe_judge: Draft202012Validator, params_judge: Draft202012Validator
) -> None:
    """No key of params.yaml or of a recipe is without a word about it."""
    for judge in (recipe_judge, params_judge):
        assert all(value["description"] for value in judge.schema["properties"].values())
