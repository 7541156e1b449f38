"""The maps by t-SNE: what is drawn of features and class weights, and the line where nothing is."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from report.conftest import SPLITS, Maker, history
from seedbed.artifacts.vectors import pack_vectors
from seedbed.report.blocks import Paragraph, Picture
from seedbed.report.sections import tsne
from seedbed.report.sections.tsne import SECTION, clouds, embedded


def vectors(split: str, values: np.ndarray) -> dict[str, bytes]:
    """Pooled features of a split's images."""
    of = {
        i: {"features": row, "probabilities": row[:3]} for i, row in zip(SPLITS[split], values, strict=False)
    }
    return {f"{split}-0.safetensors": pack_vectors(of)}


def noise(rows: int, channels: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, channels)).astype(np.float32)


def add(maker: Maker, axes: str = "rng0", **tensors: np.ndarray) -> str:
    """A classifier of these weights."""
    named = {name.replace("__", "."): value for name, value in tensors.items()}
    return maker.node(
        axes, "classifier", "classifier", {"model.safetensors": save(named), "history.csv": history()}
    )


def test_groups_that_are_apart_stay_apart() -> None:
    """Two groups of ten vectors, five times as far from each other as wide; a map of five points is defined, too."""
    points = noise(20, 8)
    points[10:] += 20
    found = embedded(points)
    centres = found[:10].mean(0), found[10:].mean(0)
    for place, centre in enumerate(found):
        near, far = np.linalg.norm(centre - centres[0]), np.linalg.norm(centre - centres[1])
        assert (near < far) == (place < 10)
    assert np.array_equal(found, embedded(points))
    assert np.isfinite(embedded(noise(5))).all()


def test_features_of_each_split_with_their_classes(maker: Maker) -> None:
    """Eight images make a map; two are too few."""
    for rng in ("rng0", "rng1"):
        files = vectors("train", noise(8)) | vectors("val", noise(2))
        maker.node(rng, "classification", "classification", files, {}, ("train", "val"))
    page = maker.page()
    frame = SECTION.frame(page)
    assert frame["name"].tolist() == list(SPLITS["train"])
    assert frame["classes"].tolist()[:4] == ["cat", "dog", "cow", "cat | dog"]
    assert set(frame["rng"]) == {0}
    drawn, why = SECTION.blocks(page, frame)
    assert isinstance(drawn, Picture)
    assert drawn.png.startswith(b"\x89PNG")
    assert "8 images" in drawn.caption
    assert why == Paragraph(
        "No map of features of classification (psa rng0) on val: 2 points, and a map needs at least 5."
    )
    assert SECTION.blocks(page, frame)[0] == drawn


def test_weights_and_sub_categories_are_in_one_map(maker: Maker) -> None:
    add(
        maker,
        head__weight=noise(3).reshape(3, 4, 1, 1),
        subcategory_head__weight=noise(6).reshape(6, 4, 1, 1),
    )
    page = maker.page()
    frame = SECTION.frame(page)
    assert frame["name"].tolist() == [
        "cat",
        "dog",
        "cow",
        "cat/0",
        "cat/1",
        "dog/0",
        "dog/1",
        "cow/0",
        "cow/1",
    ]
    assert frame["classes"].tolist()[3:] == ["cat", "cat", "dog", "dog", "cow", "cow"]
    (drawn,) = SECTION.blocks(page, frame)
    assert isinstance(drawn, Picture)
    assert "Squares are classes" in drawn.caption


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.ones((8, 4), np.float32), "all vectors are equal"),
        (noise(4), "4 points, and a map needs at least 5"),
        (noise(8, 1), "a vector has a single value, which is a line and not a map"),
    ],
)
def test_why_nothing_is_drawn(maker: Maker, values: np.ndarray, why: str) -> None:
    maker.node("rng0", "classification", "classification", vectors("train", values), {}, ("train",))
    page = maker.page()
    frame = SECTION.frame(page)
    assert frame.empty
    (line,) = SECTION.blocks(page, frame)
    assert isinstance(line, Paragraph)
    assert line.text.endswith(f"{why}.")


def test_images_of_one_class_have_no_groups(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(maker.dataset), "labels", lambda self, image_id: np.array([True, False, False]))
    maker.node("rng0", "classification", "classification", vectors("train", noise(8)), {}, ("train",))
    (line,) = SECTION.blocks(maker.page(), SECTION.frame(maker.page()))
    assert isinstance(line, Paragraph)
    assert "all images have the same classes" in line.text


def test_weights_of_few_classes_and_of_a_diverged_classifier(maker: Maker) -> None:
    broken = np.full((6, 4, 1, 1), np.nan, np.float32)
    add(maker, "rng0", head__weight=noise(3).reshape(3, 4, 1, 1))
    add(maker, "shared", head__weight=noise(3).reshape(3, 4, 1, 1), subcategory_head__weight=broken)
    lines = [block.text for block in SECTION.blocks(maker.page(), SECTION.frame(maker.page()))]
    assert ["3 points" in lines[0], "not finite" in lines[1]] == [True, True]


def test_a_node_without_a_seed_is_not_of_seed_0(maker: Maker) -> None:
    for axes in ("shared", "rng3", "rng4"):
        add(maker, axes, head__weight=noise(3))
    assert [str(cloud.node.place.axes) for cloud in clouds(maker.page())] == ["shared", "rng3"]


def test_too_many_classes_for_a_legend(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tsne, "MOST_NAMES", 2)
    maker.node("rng0", "classification", "classification", vectors("train", noise(8)), {}, ("train",))
    (picture,) = SECTION.blocks(maker.page(), SECTION.frame(maker.page()))
    assert picture.caption.endswith(
        "There are 3 classes, too many for a legend: tsne.csv has those of each point."
    )


def test_other_networks_and_vectors_are_passed_over(maker: Maker) -> None:
    """A network whose layer has another name or number of rows, and probabilities without features."""
    add(maker, "rng0", fc__weight=noise(3))
    add(maker, "shared", head__weight=noise(4))
    only = {i: {"probabilities": np.zeros(3, np.float32)} for i in SPLITS["val"]}
    files = {"val-0.safetensors": pack_vectors(only)}
    maker.node("rng0", "classification", "classification", files, {}, ("val",))
    assert list(clouds(maker.page())) == []


def test_a_classifiers_weights_are_among_the_files_of_the_page() -> None:
    from seedbed.plan.config import read_config
    from seedbed.plan.judges import Point
    from seedbed.plan.reports import ALL, Report
    from seedbed.plan.tasks import TaskGraph
    from seedbed.recipes import RecipeBook

    root = Path(__file__).parents[2]
    graph = TaskGraph(read_config(root / "params.yaml"), RecipeBook(root / "recipes"))
    files = {str(path) for path in Report(graph, ALL, (Point("psa", 0),)).inputs()}
    assert any(name.endswith("psa/rng0/classifier/model.safetensors") for name in files)
    assert not any(name.endswith("segmenter/model.safetensors") for name in files)
