"""Loading, extending and checking recipes."""

from pathlib import Path
from typing import Any

import pytest

from recipe_files import BASE, write_recipes
from seedbed.errors import SeedbedError
from seedbed.recipes import Recipe, RecipeBook, Reference


def extended(folder: Path, nodes: dict[str, Any], **keys: Any) -> Recipe:
    return write_recipes(folder, child={"extends": "base", "nodes": nodes, **keys}).check("child")


def refusal(book: RecipeBook, name: str = "child") -> str:
    with pytest.raises(SeedbedError) as caught:
        book.check(name)
    text = str(caught.value)
    assert "\n" not in text
    return text


# Merging


def test_a_recipe_stands_for_itself(tmp_path: Path) -> None:
    recipe = write_recipes(tmp_path).check("base")
    assert recipe.chain == ("base",)
    assert list(recipe.nodes) == list(BASE["nodes"])
    assert recipe.nodes["refined"].inputs == {
        "cams": Reference("base", "cams"),
        "affinitynet": Reference("base", "affinitynet"),
    }
    assert recipe.nodes["classifier"].raw == {"lr": 0.1, "epochs": 3}
    assert recipe.scores == tuple(BASE["scores"])


def test_with_is_merged_by_key(tmp_path: Path) -> None:
    node = extended(tmp_path, {"classifier": {"with": {"epochs": 9, "momentum": 0.5}}}).nodes["classifier"]
    assert node.raw == {"lr": 0.1, "epochs": 9, "momentum": 0.5}
    assert node.stage is not None
    assert node.stage.name == "train_classifier"


def test_null_removes_a_parameter_an_input_and_a_node(tmp_path: Path) -> None:
    book = write_recipes(
        tmp_path,
        child={
            "extends": "base",
            "nodes": {
                "classifier": {"with": {"lr": None}},
                "segmenter": {"from": {"labels": None}},
                "masks_": None,
                "refined": None,
                "affinitynet": None,
            },
        },
        grandchild={"extends": "child", "nodes": {"segmenter": {"from": {"labels": "regions"}}}},
    )
    assert "stage train_segmenter needs `from: {labels: NODE}` with these parameters, got none" in refusal(
        book
    )
    recipe = book.check("grandchild")
    assert recipe.nodes["classifier"].raw == {"epochs": 3}
    assert recipe.nodes["segmenter"].inputs == {"labels": Reference("grandchild", "regions")}
    assert set(recipe.nodes) == {
        "classifier",
        "classification",
        "cams",
        "regions",
        "segmenter",
        "predictions",
    }


def test_from_is_merged_by_key(tmp_path: Path) -> None:
    node = extended(tmp_path, {"refined": {"from": {"cams": "base.cams"}}}).nodes["refined"]
    assert node.inputs == {
        "cams": Reference("base", "cams"),
        "affinitynet": Reference("child", "affinitynet"),
    }


def test_another_stage_starts_from_nothing(tmp_path: Path) -> None:
    """Parameters and inputs of the stage before would make no sense."""
    child = {
        "regions": {"stage": "pseudo_masks", "from": {"cams": "cams"}, "with": {"crf": "none"}},
        "refined": {"stage": "dump_cams", "from": {"classifier": "classifier"}},
    }
    nodes = extended(tmp_path, child).nodes
    assert nodes["regions"].raw == {"crf": "none"}
    assert nodes["refined"].inputs == {"classifier": Reference("child", "classifier")}


def test_the_same_stage_written_again_keeps_what_it_had(tmp_path: Path) -> None:
    node = extended(tmp_path, {"classifier": {"stage": "train_classifier", "with": {"epochs": 9}}}).nodes[
        "classifier"
    ]
    assert node.raw == {"lr": 0.1, "epochs": 9}


def test_facts_are_inherited_where_they_are_not_given(tmp_path: Path) -> None:
    recipe = extended(tmp_path, {}, differs="much", aims_at="table 2")
    assert (recipe.paper, recipe.differs, recipe.aims_at) == ("Base 2018", "much", "table 2")


def test_a_recipe_can_have_no_paper_though_the_one_that_it_extends_has(tmp_path: Path) -> None:
    recipe = extended(tmp_path, {}, paper="", differs="")
    assert (recipe.paper, recipe.differs) == ("", "")


def test_null_takes_back_a_note_on_masks(tmp_path: Path) -> None:
    noted = {"extends": "base", "nodes": {"cams": {"inherited": {"threshold": "theirs", "epoch": "theirs"}}}}
    taken = {
        "extends": "noted",
        "nodes": {"cams": {"with": {"flip": False}, "inherited": {"threshold": None}}},
    }
    book = write_recipes(tmp_path, noted=noted, taken=taken)
    assert book["noted"].nodes["cams"].inherited == {"threshold": "theirs", "epoch": "theirs"}
    assert book["taken"].nodes["cams"].inherited == {"epoch": "theirs"}


def test_the_chain_runs_from_the_root(tmp_path: Path) -> None:
    book = write_recipes(tmp_path, b={"extends": "base"}, c={"extends": "b"}, d={"extends": "c"})
    assert book["d"].chain == ("base", "b", "c", "d")


def test_scores_of_a_removed_node_go_with_it(tmp_path: Path) -> None:
    nodes = {"segmenter": None, "predictions": None}
    assert extended(tmp_path, nodes).scores == ("classification", "cams", "refined", "masks_")


def test_scores_are_replaced_as_a_whole(tmp_path: Path) -> None:
    assert extended(tmp_path, {}, scores=["cams"]).scores == ("cams",)


def test_scores_that_name_a_removed_node_are_refused(tmp_path: Path) -> None:
    book = write_recipes(
        tmp_path, child={"extends": "base", "nodes": {"predictions": None}, "scores": ["cams", "predictions"]}
    )
    assert refusal(book).startswith("recipe child, scores: unknown node 'predictions'; ")


def test_a_node_can_be_made_again_after_its_removal(tmp_path: Path) -> None:
    book = write_recipes(
        tmp_path,
        middle={"extends": "base", "nodes": {"predictions": None}},
        child={
            "extends": "middle",
            "nodes": {"predictions": {"stage": "predict", "from": {"segmenter": "segmenter"}}},
        },
    )
    assert book.check("child").nodes["predictions"].raw == {}


# References and pins


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cams", Reference("child", "cams")),
        ("base.cams", Reference("base", "cams")),
        ("base.cams@rng0", Reference("base", "cams", rng=0)),
        ("classifier@epoch30", Reference("child", "classifier", epoch=30)),
        ("base.classifier@rng12@epoch3", Reference("base", "classifier", rng=12, epoch=3)),
    ],
)
def test_references_are_read(tmp_path: Path, text: str, expected: Reference) -> None:
    stage = "dump_cams" if "classifier" in text else "pseudo_masks"
    key = "classifier" if "classifier" in text else "cams"
    recipe = extended(tmp_path, {"extra": {"stage": stage, "from": {key: text}}})
    assert recipe.nodes["extra"].inputs == {key: expected}


@pytest.mark.parametrize(
    "text", ["Cams", "a.b.c", "cams@epoch", "cams@rng-1", "cams@epoch3@rng0", "", "base."]
)
def test_a_reference_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    book = write_recipes(
        tmp_path, child={"extends": "base", "nodes": {"cams": {"from": {"classifier": text}}}}
    )
    assert refusal(book) == (
        f"recipe child, node cams: expected a node as [recipe.]node[@rng0][@epoch30], got {text!r}"
    )


def test_a_ref_is_followed_to_its_end_with_the_pins_on_the_way(tmp_path: Path) -> None:
    book = write_recipes(
        tmp_path,
        middle={"extends": "base", "nodes": {"classifier": {"ref": "base.classifier@rng3"}}},
        child={"extends": "base", "nodes": {"classifier": {"ref": "middle.classifier"}}},
    )
    book.check("child")
    found, node, pins = book.follow(Reference("child", "classifier", rng=7, epoch=2), "test")
    assert (found.name, node.name) == ("base", "classifier")
    assert pins == Reference("base", "classifier", rng=3, epoch=2)


def test_a_ref_replaces_a_node_and_a_stage_replaces_a_ref(tmp_path: Path) -> None:
    book = write_recipes(
        tmp_path,
        middle={"extends": "base", "nodes": {"classifier": {"ref": "base.classifier"}}},
        child={
            "extends": "middle",
            "nodes": {"classifier": {"stage": "train_classifier", "with": {"lr": 0.5}}},
        },
    )
    assert book.check("middle").nodes["classifier"].ref == Reference("base", "classifier")
    assert book.check("child").nodes["classifier"].raw == {"lr": 0.5}


# Refusals


def child(**nodes: Any) -> dict[str, Any]:
    return {"extends": "base", "nodes": nodes}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"extend": "base"}, "recipe child: unknown key 'extend'; did you mean extends?"),
        ({"extends": "bse"}, "recipe child: unknown recipe 'bse'; did you mean base?"),
        (child(cams={"stag": "x"}), "recipe child: nodes.cams: unknown key 'stag'; did you mean stage?"),
        (child(cams={"form": {}}), "recipe child: nodes.cams: unknown key 'form'; did you mean from?"),
        (
            child(new={"stage": "dump_cam"}),
            "recipe child, node new: unknown stage 'dump_cam'; did you mean dump_cams",
        ),
        (
            child(cams={"with": {"scale": [1]}}),
            "recipe child, node cams (stage dump_cams): unknown key 'scale'; did you mean scales",
        ),
        (
            child(masks_={"with": {"decide": "argmx"}}),
            "recipe child, node masks_ (stage pseudo_masks): decide: expected 'argmax' or 'same_pair', got",
        ),
        (
            child(masks_={"with": {"crf": "irm"}}),
            "recipe child, node masks_ (stage pseudo_masks): crf: unknown CRF preset 'irm'; did you mean irn",
        ),
        (
            child(classifier={"with": {"method": "cams"}}),
            "recipe child, node classifier (stage train_classifier): unknown method of train_classifier 'cams'; "
            "did you mean cam",
        ),
        (
            child(classifier={"with": {"augmentation": {"corp": 3}}}),
            "recipe child, node classifier (stage train_classifier): augmentation: unknown key 'corp'; "
            "did you mean crop?",
        ),
        (
            child(regions={"with": {"regions": "bg0.50-fg0.40"}}),
            "recipe child, node regions (stage confident_regions): regions: ",
        ),
        (
            child(cams={"from": {"clasifier": "x"}}),
            "recipe child, node cams: unknown input 'clasifier'; did you mean ",
        ),
        (
            child(cams={"from": {"classifier": "clasifier"}}),
            "recipe child, node cams: unknown node 'clasifier'; did ",
        ),
        (
            child(cams={"from": {"classifier": "bas.x"}}),
            "recipe child, node cams: unknown recipe 'bas'; did you mean ",
        ),
        (
            child(cams={"from": {"classifier": "base.clasifier"}}),
            "recipe child, node cams: unknown node 'clasifier'; did you mean classifier or classification? "
            "(in recipe base)",
        ),
        (child(camz=None), "recipe child removes unknown node 'camz'; did you mean cams?"),
        (
            child(new={"ref": "base.camz"}),
            "recipe child, node new: unknown node 'camz'; did you mean cams? (in recipe base)",
        ),
        (child(new={}), "recipe child, node new: expected `stage` (or `ref`), got neither; known: "),
        (
            child(new={"ref": "cams"}),
            "recipe child, node new: `ref` names another recipe's node as recipe.node",
        ),
        (
            child(new={"ref": "base.cams", "with": {"flip": False}}),
            "recipe child, node new: `ref` stands alone; ",
        ),
        (
            child(new={"stage": "dump_cams"}),
            "recipe child, node new: stage dump_cams needs `from: {classifier: NODE}`",
        ),
        (child(masks={"stage": "dump_cams"}), "recipe child: node name 'masks' has a meaning of its own"),
        (
            child(Cams={"stage": "dump_cams"}),
            "recipe child: node name 'Cams' does not match [a-z][a-z0-9_]{0,63}; for instance cams",
        ),
        (
            child(cams={"inherited": {"thresholds": "x"}}),
            "recipe child, node cams: unknown use of ground truth 'thresholds'; did you mean threshold?",
        ),
        ("- a\n- b\n", "recipe child: expected a mapping of keys, got list"),
        ({"extends": "base", "nodes": []}, "recipe child: nodes: expected a mapping of keys, got []"),
    ],
)
def test_a_mistake_is_one_line_with_near_names(tmp_path: Path, content: Any, problem: str) -> None:
    assert refusal(write_recipes(tmp_path, child=content)).startswith(problem)


def test_an_unknown_recipe_is_answered_with_near_names(tmp_path: Path) -> None:
    assert refusal(write_recipes(tmp_path), "bose") == "unknown recipe 'bose'; did you mean base?"


def test_a_mistake_in_a_parent_names_the_parent(tmp_path: Path) -> None:
    book = write_recipes(tmp_path, middle={"extends": "bse"}, child={"extends": "middle"})
    assert refusal(book).startswith("recipe middle: unknown recipe 'bse'")


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        (
            {"cams": {"from": {"classifier": "regions"}}},
            "recipe child, node cams: input classifier takes classifier, got regions "
            "(stage confident_regions makes regions)",
        ),
        (
            {"segmenter": {"from": {"labels": "base.cams"}}},
            "recipe child, node segmenter: input labels takes label_maps or masks, got cams "
            "(stage dump_cams makes cams)",
        ),
        (
            {"cams": {"from": {"classifier": "masks"}}},
            "recipe child, node cams: input classifier takes classifier, got the true masks",
        ),
        (
            {"masks_": {"from": {"cams": "cams@epoch3"}}},
            "recipe child, node masks_: only trained networks keep epochs, cams is cams",
        ),
        (
            {"old": {"ref": "base.cams@epoch3"}, "masks_": {"from": {"cams": "old"}}},
            "recipe child, node masks_: only trained networks keep epochs, old is cams",
        ),
        (
            {"cams": {"with": {"form": "pcm"}}},
            "recipe child, node cams: these parameters need pcm from input classifier, which the method of classifier "
            "does not offer; change them, or its method",
        ),
        (
            {"refined": {"with": {"start": "off_edges"}}},
            "recipe child, node refined: these parameters need edges from input affinitynet, which the method of "
            "affinitynet does not offer; change them, or its method",
        ),
    ],
)
def test_a_wrong_kind_is_refused_with_recipe_and_node(
    tmp_path: Path, nodes: dict[str, Any], problem: str
) -> None:
    assert refusal(write_recipes(tmp_path, child={"extends": "base", "nodes": nodes})) == problem


def test_true_masks_are_taken_where_the_stage_takes_them(tmp_path: Path) -> None:
    recipe = extended(tmp_path, {"segmenter": {"from": {"labels": "masks"}}})
    assert recipe.nodes["segmenter"].inputs["labels"].node == "masks"


# Circles


def test_recipes_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    book = write_recipes(tmp_path, child={"extends": "b"}, b={"extends": "c"}, c={"extends": "child"})
    assert refusal(book) == "recipes extend each other in a circle: child -> b -> c -> child"


def test_a_recipe_that_extends_itself_is_refused(tmp_path: Path) -> None:
    assert refusal(write_recipes(tmp_path, child={"extends": "child"})).endswith("child -> child")


def test_refs_in_a_circle_are_refused(tmp_path: Path) -> None:
    book = write_recipes(
        tmp_path, child=child(cams={"ref": "other.cams"}), other=child(cams={"ref": "child.cams"})
    )
    assert refusal(book) == (
        "recipes refer to each other in a circle: child.cams -> other.cams -> child.cams"
    )


def test_nodes_in_a_circle_are_refused(tmp_path: Path) -> None:
    walk = {"stage": "random_walk", "from": {"cams": "b", "affinitynet": "affinitynet"}}
    book = write_recipes(
        tmp_path, child=child(b={**walk, "from": {"cams": "c", "affinitynet": "affinitynet"}}, c=walk)
    )
    assert refusal(book) == "nodes need each other in a circle: child.b -> child.c -> child.b"


def test_nodes_in_a_circle_across_recipes_are_refused(tmp_path: Path) -> None:
    book = write_recipes(
        tmp_path,
        child=child(affinitynet={"from": {"regions": "other.masks_"}}),
        other=child(refined={"from": {"affinitynet": "child.affinitynet"}}),
    )
    assert refusal(book) == (
        "nodes need each other in a circle: child.affinitynet -> other.masks_ -> other.refined -> child.affinitynet"
    )


def test_recipes_that_refer_to_each_other_without_a_circle_of_nodes_are_fine(tmp_path: Path) -> None:
    book = write_recipes(
        tmp_path,
        child=child(affinitynet={"from": {"regions": "other.regions"}}),
        other=child(masks_={"from": {"cams": "child.refined"}}),
    )
    assert set(book.check("child").nodes) == set(book.check("other").nodes) == set(BASE["nodes"])


# YAML


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nodes: {a: [1\n", r"child\.yaml, line 2, column 1: not YAML: "),
        ("paper: x\n\tnodes: 1\n", r"child\.yaml, line 2, column 1: not YAML: "),
        (
            "paper: x\nnodes: {}\npaper: y\n",
            r"child\.yaml, line 3, column 1: not YAML: key 'paper' is given twice",
        ),
        ("paper: \x07\n", r"child\.yaml: not readable YAML: "),
    ],
    ids=["bracket", "tab", "doubled key", "control character"],
)
def test_a_fault_of_syntax_is_one_line_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SeedbedError, match=problem) as caught:
        write_recipes(tmp_path, child=text).check("child")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "came"), [(".inf", "inf"), (".nan", "nan"), ("1e400", "inf"), ("-.inf", "-inf")]
)
def test_a_number_that_is_not_finite_is_one_line(tmp_path: Path, written: str, came: str) -> None:
    text = f"extends: base\nnodes: {{classifier: {{with: {{lr: {written}}}}}}}\n"
    told = refusal(write_recipes(tmp_path, child=text))
    assert told.startswith("recipe child")
    assert told.endswith(f"lr: expected a finite number, got {came}")


def test_a_file_name_that_no_path_could_carry_is_refused(tmp_path: Path) -> None:
    book = write_recipes(tmp_path, Child={"extends": "base"})
    assert refusal(book, "Child") == (
        "Child.yaml: recipe name 'Child' does not match [a-z][a-z0-9-]{0,63}; for instance child"
    )


@pytest.mark.parametrize("name", ["index", "reports"])
def test_a_recipe_is_not_named_like_a_folder_beside_the_recipes(tmp_path: Path, name: str) -> None:
    book = write_recipes(tmp_path, **{name: {"extends": "base"}})
    assert refusal(book, name) == (
        f"{name}.yaml: recipe name '{name}' has a meaning of its own; choose another name"
    )


@pytest.mark.parametrize("content", ["", "paper: x\n", "nodes: {}\n"])
def test_a_recipe_without_nodes_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "empty.yaml").write_text(content)
    with pytest.raises(SeedbedError, match="recipe empty: expected `nodes`, but it has none"):
        RecipeBook(tmp_path)["empty"]
