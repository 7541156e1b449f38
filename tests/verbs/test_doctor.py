"""`seedbed doctor`: every fault at once."""

import re
from pathlib import Path

import pytest
from PIL import Image

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.verbs.doctor import backbone_faults, crf_faults, examine

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def workflow(tmp_path):
    """A workflow on a folder of a user, with recipes written by the test."""

    def make(
        recipes: dict[str, str], labels: str = "image,labels\na.png,cat\n", selected: list[str] | None = None
    ):
        folder = tmp_path / "recipes"
        folder.mkdir()
        for path in RECIPES.glob("*.yaml"):
            (folder / path.name).write_text(path.read_text())
        for name, text in recipes.items():
            (folder / f"{name}.yaml").write_text(text)
        root = tmp_path / "data"
        (root / "images").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / "images" / "a.png")
        (root / "labels.csv").write_text(labels)
        config = parse_config(
            {
                "dataset": "composites",
                "recipes": selected or ["psa", *recipes],
                "datasets": {
                    "composites": {"kind": "composites", "splits": {"train": {}, "val": {}}},
                    "mine": {"kind": "folder", "root": str(root), "splits": {"train": {"masks": False}}},
                },
            }
        )
        return Workflow(config, RecipeBook(folder), tmp_path / "results")

    return make


def test_sound(workflow):
    assert examine(workflow({})).faults == []


def test_files_of_others_that_are_missing(workflow, tmp_path, monkeypatch):
    monkeypatch.delenv("THEIRS", raising=False)
    cams = "cams: {stage: import_cams, with: {folder: $THEIRS/x}}"
    saliency = f"saliency: {{stage: import_saliency, with: {{folder: {tmp_path / 'maps'}}}}}"
    recipe = f"nodes: {{{cams}, {saliency}}}\n"
    made = workflow({"theirs": recipe}, labels="image_id,labels\na.png,cat\n", selected=["theirs"])
    (tmp_path / "maps").mkdir()
    first, second = examine(made, "mine").faults
    assert first.startswith("recipe theirs, node cams: $THEIRS/x: expected the folder of the files, but")
    assert "node saliency: " in second
    assert second.endswith("(files missing: 1 of 1)")


def test_others_files_that_may_have_been_made_with_masks(workflow):
    theirs = "cams: {stage: import_cams, with: {folder: .}, inherited: {epoch: best mIoU}}"
    unsaid = "saliency: {stage: import_saliency, with: {folder: .}}"
    made = workflow({"theirs": f"nodes: {{{theirs}, {unsaid}}}\n"}, selected=["theirs"])
    (note,) = (note for note in examine(made).notes if "inherited" in note)
    assert note.startswith(
        "recipe theirs, node saliency: nothing says what masks were used in making these files, so the ledger says"
    )


@pytest.mark.parametrize(
    ("said", "uses"),
    [
        ("", ["training"]),
        ("}, inherited: {epoch: best", ["epoch"]),
        (", made_without_masks: true", []),
    ],
)
def test_the_ledger_of_others_files(workflow, said, uses):
    """Nothing said is not the same as no masks used."""
    made = workflow(
        {"theirs": f"nodes: {{saliency: {{stage: import_saliency, with: {{folder: .{said}}}}}}}\n"},
        selected=["theirs"],
    )
    assert list(made.graph().task("theirs", "saliency", 0).inherited) == uses


def test_a_name_for_two_stages(workflow):
    theirs = "nodes: {cams: {stage: import_cams, with: {folder: .}}}\n"
    faults = examine(workflow({"theirs": theirs})).faults
    assert (
        "node name cams is used for stages dump_cams and import_cams in the selected recipes; rename one"
        in faults
    )


def test_all_faults_of_recipes_at_once(workflow):
    bent = {
        "one": "extends: psa\nnodes:\n  classifier: {with: {backbone: resnet5O, weights: none}}\n",
        "two": "extends: psa\nnodes:\n  segmenter: {with: {architecture: unett}}\n",
        "three": "extends: psa\nnodes:\n  cams: {with: {scale: [1]}}\n",
    }
    faults = examine(workflow(bent)).faults
    assert len(faults) == 3
    assert faults[0].startswith(
        "recipe one, node classifier (stage train_classifier): backbone: unknown backbone 'resnet5O'; did you mean "
        "resnet50"
    )
    assert faults[1].startswith(
        "recipe two, node segmenter (stage train_segmenter): architecture: unknown segmenter 'unett'; did you mean unet"
    )
    assert "recipe three, node cams" in faults[2]
    assert "unknown key 'scale'" in faults[2]


def test_faults_of_the_data_set(workflow):
    """Two photographs are missing, two nodes of psa work on a split that the data set lacks, three need a batch."""
    labels = "image_id,labels\na.png,cat\nb.png,dog\nc.png,cat\n"
    faults = examine(workflow({}, labels, selected=["psa"]), "mine").faults
    assert len(faults) == 7
    assert "expected a photograph for 'b.png'" in faults[0]
    assert "expected a photograph for 'c.png'" in faults[1]
    for node, fault in zip(("classification", "predictions"), faults[2:4], strict=True):
        assert fault == f"recipe psa, node {node}: unknown split 'val'; known: train."
    for node, fault in zip(("classifier", "affinitynet", "segmenter"), faults[4:], strict=True):
        assert fault.startswith(f"recipe psa, node {node}: expected at least 16 images in split 'train'")


def test_unknown_data_set_and_root(workflow, tmp_path):
    made = workflow({})
    assert examine(made, "composits").faults == [
        "params.yaml: unknown dataset 'composits'; did you mean composites?"
    ]
    faults = examine(made, "mine", tmp_path / "nowhere").faults
    assert any("expected a folder at" in fault for fault in faults)


@pytest.mark.parametrize(
    ("backbone", "weights", "fault"),
    [
        ("resnet18", "embedded", "embedded weights exist for tf_efficientnet_lite0, "),
        ("resnet18", "timm:a1_in1", "unknown weights tag of resnet18 'a1_in1'; did you mean a1_in1k"),
        ("resnet18", "file:/nowhere/w.pth", "no file /nowhere/w.pth"),
        ("resnet18", "imagenet", "unknown initial weights 'imagenet'"),
    ],
)
def test_weights(backbone, weights, fault):
    (found,) = backbone_faults(backbone, weights)
    assert fault in found


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        (
            "segmenter: {with: {batch_size: 1}}",
            "expected a batch_size of at least 2 for deeplabv3plus, .*, got 1",
        ),
        (
            "segmenter: {with: {architecture: unet, output_stride: 16}}",
            "expected output stride 32 for unet, got 16",
        ),
        ("classifier: {with: {backbone: resnet18}}", "embedded weights exist for tf_efficientnet_lite0, "),
    ],
)
def test_values_that_do_not_go_together(workflow, node, fault):
    made = workflow({"bent": f"extends: psa\nnodes:\n  {node}\n"}, selected=["bent"])
    found = examine(made).faults
    assert re.search(fault, found[0])
    with pytest.raises(SeedbedError, match=fault):
        made.graph().recipe_tasks("bent", 0)


def test_a_batch_of_one_is_sound_where_no_pooled_map_is_normalised(workflow):
    unet = "extends: psa\nnodes:\n  segmenter: {with: {architecture: unet, batch_size: 1}}\n"
    assert examine(workflow({"unet": unet}, selected=["unet"])).faults == []


def test_sound_weights():
    assert list(backbone_faults("tf_efficientnet_lite0", "embedded")) == []
    assert list(backbone_faults("resnet18", "none")) == []


def test_crf_engines(monkeypatch):
    assert list(crf_faults("permutohedral")) == []
    (unknown,) = crf_faults("permutohedra")
    assert unknown.startswith("unknown CRF engine 'permutohedra'; did you mean permutohedral")
    monkeypatch.setitem(__import__("sys").modules, "pydensecrf.densecrf", None)
    (lacking,) = crf_faults("pydensecrf")
    assert "pip install" in lacking
