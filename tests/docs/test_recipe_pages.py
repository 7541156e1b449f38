"""Pages of recipes: what is published stands beside the recipe's own values, and no difference is left unexplained."""

from pathlib import Path

import pytest
import recipe_pages
import yaml
from recipe_pages import published, recipe_names, recipe_page

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder for files of published values."""
    monkeypatch.setattr(recipe_pages, "SOURCES", tmp_path)

    def write(name, **content):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"paper": "p", **content}))

    return write


def test_each_recipe_has_a_page():
    """Its own, or a section on that of a recipe that it extends; and only one of them."""
    own, varied = recipe_names(), [one for name in recipe_names() for one in published(name).variants]
    shipped = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
    assert sorted([*own, *varied]) == shipped
    text = (ROOT / "docs/recipes.md").read_text()
    assert all(f"(recipes/{name}.md)" in text for name in own)
    assert all(f"`{name}`" in text for name in varied)


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


VARIED = {"what": "crf", "code": "psa"}, {"what": "regions", "paper": "alpha4-24"}


def test_a_variant_by_hand(sources):
    sources("psa", nodes={}, variants={"psa-alpha": {"confident_regions": list(VARIED)}, "regions-only": {}})
    page = recipe_page("psa")
    alpha, only = page.split("## Recipe ")[1:]
    assert "[The recipe](../../recipes/psa-alpha.yaml): psa with other values, for VOC 2012 train" in alpha
    assert "| confident_regions | `crf` | - | psa | psa |  |" in alpha
    assert "| confident_regions | `regions` | alpha4-24 | - | alpha4-24 |  |" in alpha
    assert (
        "Without `affinitynet`, `refined_cams`, `pseudo_masks`. `segmenter` reads `confident_regions`."
        in only
    )


def test_a_variant_is_compared_with_the_nearest_recipe_on_the_page(sources):
    """seam extends psa-alpha, which extends psa; ppc-resnet101-epoch3 changes inputs only."""
    changed = {"confident_regions": list(VARIED)}
    sources("psa", variants={"psa-alpha": changed, "seam": {}})
    with pytest.raises(
        ValueError, match="seam: classifier: output_stride is not that of psa-alpha; give a row"
    ):
        recipe_page("psa")
    sources("ppc-resnet101", variants={"ppc-resnet101-epoch3": {}})
    assert "`cams` reads `classifier@epoch3`." in recipe_page("ppc-resnet101")


@pytest.mark.parametrize(
    ("variant", "rows", "message"),
    [
        ("psa-alpha", {"confident_regions": [VARIED[0]]}, "regions is not that of psa; give a row"),
        ("psa-alpha", {"confidence": [VARIED[0]]}, "the recipe has no node confidence"),
        ("supervised", {}, "does not extend psa; give it a file of its own"),
        (
            "psa-alpha",
            {"confident_regions": [{"what": "crf", "code": "irn"}, VARIED[1]]},
            "psa.yaml, variants, psa-alpha, confident_regions, crf: ours is 'psa', which is not what is published",
        ),
    ],
)
def test_a_variant_that_does_not_fit_is_refused(sources, variant, rows, message):
    sources("psa", variants={variant: rows})
    with pytest.raises(ValueError, match=message):
        recipe_page("psa")
