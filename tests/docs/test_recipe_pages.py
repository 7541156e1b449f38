"""Pages of recipes: what is published stands beside the recipe's own values, and no difference is left unexplained."""

from pathlib import Path

import pytest
import recipe_pages
import yaml
from recipe_pages import published, recipe_names, recipe_page

ROOT = Path(__file__).parents[2]
SALIENCY = (
    *("c2am", "c2am-h", "poolnet", "pnoc-full", "pnoc-full-coco"),
    *("puzzle-walk", "poc-walk", "poc-ls-walk", "poc-full", "poc-ls-full", "pnoc-ls-walk"),
)
"""P-NOC's pipeline, and the rows of its Table 7."""


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder for files of published values."""
    monkeypatch.setattr(recipe_pages, "SOURCES", tmp_path)

    def write(name, **content):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"paper": "p", **content}))

    return write


def test_the_recipes_of_the_methods_have_pages():
    assert set(recipe_names()) >= {"psa", "irn", "puzzle", "occse", "poc", "pnoc", "gradcampp", *SALIENCY}
    text = (ROOT / "docs/recipes.md").read_text()
    assert all(f"(recipes/{name}.md)" in text for name in recipe_names())


def test_a_row_by_hand(sources):
    """Ours is the recipe's value, or the default where the recipe is silent."""
    rows = [
        {"what": "batch_norm", "code": "frozen"},
        {"what": "epochs", "paper": 15, "code": 8, "why": "the paper's"},
        {"what": "augmentation.crop", "paper": 512},
        {"what": "seeds", "code": 1, "ours": "any", "why": "an axis"},
    ]
    sources("psa", nodes={"classifier": rows})
    lines = recipe_page("psa").splitlines()
    assert "| `batch_norm` | - | frozen | frozen |  |" in lines
    assert "| `epochs` | 15 | 8 | 15 | the paper's |" in lines
    assert "| `augmentation.crop` | 512 | - | 512 |  |" in lines
    assert "| seeds | - | 1 | any | an axis |" in lines


def test_a_node_that_refers_to_another_recipe_shows_its_values(sources):
    sources("occse", nodes={"ordinary_classifier": [{"what": "augmentation.randaugment.n", "code": 2}]})
    assert "| `augmentation.randaugment.n` | - | 2 | 2 |  |" in recipe_page("occse")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"what": "lr", "code": 0.1},
            "classifier, lr: ours is 0.01, which is not what is published; say why",
        ),
        (
            {"what": "epochs", "paper": 15, "code": 8},
            "epochs: ours is 15, which is not what is published; say why",
        ),
        (
            {"what": "seeds", "code": 1, "ours": 2},
            "seeds: ours is 2, which is not what is published; say why",
        ),
        ({"what": "epochs"}, "epochs: ours is 15, which is not what is published; say why"),
        ({"what": "learning_rate", "code": 0.1}, "learning_rate: .* has no learning_rate; give `ours`"),
        ({"what": "augmentation.size", "code": 0.1}, "Augmentation has no size; give `ours`"),
    ],
)
def test_what_is_not_explained_or_not_there_is_refused(sources, row, message):
    sources("psa", nodes={"classifier": [row]})
    with pytest.raises(ValueError, match=message):
        recipe_page("psa")


def test_a_node_that_is_null_is_left_out(sources):
    row = [{"what": "lr", "code": 1, "why": "w"}]
    sources("psa", nodes={"classifier": row, "segmenter": row})
    sources("puzzle", extends="psa", nodes={"segmenter": None})
    assert "## segmenter" in recipe_page("psa")
    assert "## classifier" in recipe_page("puzzle")
    assert "## segmenter" not in recipe_page("puzzle")


def test_a_node_that_the_recipe_lacks_is_refused(sources):
    sources("psa", nodes={"clasifier": []})
    with pytest.raises(ValueError, match="the recipe has no node clasifier"):
        recipe_page("psa")


def test_rows_are_taken_over_and_replaced(sources):
    first = [{"what": "lr", "code": 1}, {"what": "epochs", "code": 2}]
    sources("psa", nodes={"classifier": first, "cams": [{"what": "flip", "code": True}]})
    sources(
        "puzzle",
        extends="psa",
        nodes={"classifier": [{"what": "lr", "code": 3}, {"what": "tiles", "code": 2}]},
    )
    found = published("puzzle").nodes
    assert [(row.what, row.code) for row in found["classifier"]] == [("lr", 3), ("epochs", 2), ("tiles", 2)]
    assert [row.what for row in found["cams"]] == ["flip"]
