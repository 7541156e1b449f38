"""The workflow: commands in an order that runs, slices that keep their times, judgements and reports."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from recipe_files import BASE, CONFIG, make_workflow
from seedbed.errors import SeedbedError
from seedbed.plan.commands import ALL_STAGES, Command, Workflow
from seedbed.plan.config import parse_config
from seedbed.runtime.options import parser

TWO = {"toy": {"kind": "folder", "shards": 2, "splits": {"train": {}, "val": {}}}}
SWEEP = {"thresholds": ["bg0.05-fg0.30", "bg0.10-fg0.40"], "datasets": TWO, "rngs": [0, 1]}


@pytest.fixture
def sweep(tmp_path: Path) -> Workflow:
    return make_workflow(tmp_path, SWEEP)


def commands(workflow: Workflow, *names: str, by_shard: bool = True) -> list[Command]:
    return workflow.commands(names or ("all", "sweep"), by_shard)


@pytest.mark.parametrize("by_shard", [True, False])
def test_every_file_is_written_before_it_is_read(sweep: Workflow, by_shard: bool) -> None:
    there = set()
    for command in commands(sweep, by_shard=by_shard):
        missing = [p for p in command.reads if p not in there and ".params" not in p.parts]
        assert not missing, command.line()
        there |= set(command.writes)
    assert sweep.results / "toy/reports/all/index.html" in there
    assert sweep.results / "toy/reports/sweep/index.html" in there


def test_every_file_is_written_once_whatever_the_commands(sweep: Workflow) -> None:
    found = []
    for by_shard in (True, False):
        written = [path for command in commands(sweep, by_shard=by_shard) for path in command.writes]
        assert len(written) == len(set(written))
        found.append(set(written))
    assert found[0] == found[1]


def test_every_slice_that_is_read_is_written_by_the_plan(sweep: Workflow) -> None:
    sweep.write_slices()
    slices = {path for command in commands(sweep) for path in command.reads if ".params" in path.parts}
    assert slices
    assert all(path.is_file() for path in slices)


def test_the_commands_accept_their_own_lines(sweep: Workflow) -> None:
    """Every printed line is understood by the command that it calls."""
    for command in (*commands(sweep), *commands(sweep, by_shard=False)):
        python, script, *options = shlex.split(command.line())
        name = Path(script).stem
        assert (python, script) == ("python", f"workflow_scripts/{name}.py")
        if name == "judge":
            name, *options = options
        if name != "gather":
            parser(ALL_STAGES[name]).parse_args(options)


def test_a_sharded_node_has_a_command_per_shard_and_then_gathers(sweep: Workflow) -> None:
    units = [command.unit for command in commands(sweep, "all")]
    place = units.index("toy/base/rng0/cams/train-0")
    assert units[place : place + 3] == [
        "toy/base/rng0/cams/train-0",
        "toy/base/rng0/cams/train-1",
        "toy/base/rng0/cams",
    ]


def test_one_command_makes_all_shards_of_a_node(sweep: Workflow) -> None:
    by_unit = {command.unit: command for command in commands(sweep, "all", by_shard=False)}
    assert "toy/base/rng0/cams/train-0" not in by_unit
    cams = by_unit["toy/base/rng0/cams"]
    assert {path.name for path in cams.writes} == {
        "manifest.json",
        *(f"train-{k}.{suffix}" for k in range(2) for suffix in ("safetensors", "json")),
    }
    assert "--shard" not in cams.words


def test_a_shard_reads_only_its_own_shard(sweep: Workflow) -> None:
    by_unit = {command.unit: command for command in commands(sweep, "all")}
    reads = {path.name for path in by_unit["toy/base/rng0/bg0.10-fg0.40/masks_/train-1"].reads}
    assert "train-1.safetensors" in reads
    assert "train-0.safetensors" not in reads


def test_a_training_stage_reads_all_shards(sweep: Workflow) -> None:
    by_unit = {command.unit: command for command in commands(sweep, "all")}
    reads = {path.name for path in by_unit["toy/base/rng0/bg0.10-fg0.40/segmenter"].reads}
    assert {"train-0.zip", "train-1.zip"} <= reads


def test_the_true_masks_are_a_file_that_is_read(tmp_path: Path) -> None:
    nodes = {"segmenter": {"from": {"labels": "masks"}}}
    workflow = make_workflow(tmp_path, {"recipes": ["child"]}, child={"extends": "base", "nodes": nodes})
    command = next(c for c in commands(workflow, "all") if c.unit == "toy/child/rng0/segmenter")
    masks = workflow.results / "toy/index/masks.csv"
    assert masks in command.reads
    assert f"--labels {masks}" in command.line()


def test_slices_are_written_once_and_keep_their_times(sweep: Workflow, tmp_path: Path) -> None:
    written = sweep.write_slices()
    assert len(written) == len(set(written))
    for path in written:
        os.utime(path, ns=(1, 1))
    assert make_workflow(tmp_path, SWEEP).write_slices() == []
    assert {path.stat().st_mtime_ns for path in written} == {1}


def test_only_slices_whose_content_changed_are_rewritten(tmp_path: Path) -> None:
    make_workflow(tmp_path).write_slices()
    changed = {"settings": {"toy": {"random_walk": {"beta": 10}}}}
    written = make_workflow(tmp_path, changed).write_slices()
    place = tmp_path / "results/.params/toy/base/rng0/bg0.10-fg0.40"
    assert written == [place / "refined.json"]
    assert json.loads(written[0].read_text())["parameters"] == {"beta": 10.0}


def test_roots_of_data_sets_stand_apart_from_the_slices(tmp_path: Path) -> None:
    workflow = make_workflow(tmp_path)
    written = workflow.write_slices()
    assert json.loads((tmp_path / "results/.params/roots.json").read_text()) == {"toy": "nowhere"}
    assert [path.name for path in written if "nowhere" in path.read_text()] == ["roots.json"]


def test_moving_a_data_set_rewrites_no_slice(tmp_path: Path) -> None:
    make_workflow(tmp_path).write_slices()
    moved = {"toy": {"kind": "folder", "root": "elsewhere", "splits": {"train": {}, "val": {}}}}
    written = make_workflow(tmp_path, {"datasets": moved}).write_slices()
    assert [path.name for path in written] == ["roots.json"]


def test_slices_do_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    make_workflow(tmp_path).write_slices()
    turned = {
        "nodes": dict(reversed(BASE["nodes"].items())),
        "scores": BASE["scores"],
        "paper": BASE["paper"],
    }
    written = make_workflow(tmp_path, base=turned).write_slices()
    assert {path.name for path in written} <= {"all.json"}


# Judgements


def judged(workflow: Workflow, report: str) -> set[str]:
    return set(workflow.reports[report].judgements)


def test_scores_are_planned_for_the_named_nodes_on_splits_with_masks(tmp_path: Path) -> None:
    assert judged(make_workflow(tmp_path), "all") == {
        "toy/base/rng0/scores/classification-val",
        "toy/base/rng0/scores/cams-train",
        "toy/base/rng0/bg0.10-fg0.40/scores/refined-train",
        "toy/base/rng0/bg0.10-fg0.40/scores/masks_-train",
        "toy/base/rng0/bg0.10-fg0.40/scores/predictions-val",
        "toy/base/rng0/choices/cams-train",
        "toy/base/rng0/bg0.10-fg0.40/choices/refined-train",
    }


def test_a_split_without_masks_is_scored_by_its_labels_and_by_what_needs_no_mask(tmp_path: Path) -> None:
    toy = {"kind": "folder", "splits": {"train": {"masks": False}, "val": {"masks": False}}}
    found = judged(make_workflow(tmp_path, {"datasets": {"toy": toy}}), "all")
    assert found == {
        "toy/base/rng0/scores/classification-val",
        "toy/base/rng0/bg0.10-fg0.40/areas/masks_-train",
        "toy/base/rng0/bg0.10-fg0.40/areas/predictions-val",
        "toy/base/rng0/bg0.10-fg0.40/thresholds/refined-train",
        "toy/base/rng0/choices/cams-train",
        "toy/base/rng0/bg0.10-fg0.40/choices/refined-train",
    }


def test_background_scores_are_chosen_beside_the_regions_of_the_affinitynet(tmp_path: Path) -> None:
    """On train alone if there is one, otherwise on every split that the node has."""
    cams, walk = {"with": {"splits": ["train", "val"]}}, {"from": {"cams": "cams"}}
    recipe = {
        "extends": "base",
        "nodes": {"cams": cams, "refined": walk | cams},
        "scores": ["cams", "refined"],
    }
    found = make_workflow(tmp_path, {"recipes": ["both"]}, both=recipe).reports["all"].judged_by("choices")
    assert {j.name: set(j.sources) for j in found} == {
        "cams-train": {"target"},
        "refined-train": {"target", "regions"},
    }
    only = {"with": {"splits": ["val"]}}
    classifier = BASE["nodes"]["classifier"]
    recipe = {"nodes": {"classifier": classifier, "cams": BASE["nodes"]["cams"] | only}, "scores": ["cams"]}
    (one,) = make_workflow(tmp_path, {"recipes": ["both"]}, both=recipe).reports["all"].judged_by("choices")
    assert one.name == "cams-val"


def test_the_sweep_judges_each_pair(sweep: Workflow) -> None:
    found = {j.key for j in sweep.reports["sweep"].judged_by("thresholds") if not j.suffix}
    assert found == {
        f"toy/base/rng{rng}/{pair}/thresholds/refined-train" for rng in (0, 1) for pair in SWEEP["thresholds"]
    }


def shared_of(workflow: Workflow) -> dict[str, dict[str, Any]]:
    return {j.key: j.slice() for j in workflow.reports["sweep"].judged_by("thresholds") if j.suffix}


def test_the_sweep_judges_all_pairs_on_the_recipes_own_refined_cams(tmp_path: Path) -> None:
    """One file per recipe, random seed and refined node, at the recipe's own setting, even where the sweep lacks it."""
    workflow = make_workflow(
        tmp_path, SWEEP | {"thresholds": ["bg0.20-fg0.50", "alpha4-24", "bg0.05-fg0.30"]}
    )
    found = shared_of(workflow)
    place = "bg0.10-fg0.40/thresholds/refined-train-shared"
    assert set(found) == {f"toy/base/rng0/{place}", f"toy/base/rng1/{place}"}
    for content in found.values():
        assert (content["form"], content["regions"]) == ("shared", "bg0.10-fg0.40")
        assert content["pairs"] == ["bg0.05-fg0.30", "bg0.20-fg0.50"]
    made = {path for command in workflow.commands(("sweep",)) for path in command.writes}
    assert workflow.results / f"toy/base/rng0/{place}.json" in made
    assert workflow.results / "toy/base/rng0/bg0.10-fg0.40/refined/manifest.json" in made


def test_recipes_that_share_their_refined_cams_share_the_file(tmp_path: Path) -> None:
    other = {"segmenter": {"with": {"epochs": 1}}}
    child = {"extends": "base", "nodes": other}
    workflow = make_workflow(tmp_path, SWEEP | {"rngs": [0], "recipes": ["base", "child"]}, child=child)
    assert set(shared_of(workflow)) == {"toy/base/rng0/bg0.10-fg0.40/thresholds/refined-train-shared"}


def test_one_more_pair_rewrites_one_slice_and_adds_its_own(tmp_path: Path) -> None:
    one = SWEEP | {"rngs": [0]}
    make_workflow(tmp_path, one).write_slices()
    turned = {"thresholds": ["bg0.20-fg0.50", *reversed(SWEEP["thresholds"])]}
    place = tmp_path / "results/.params/toy"
    written = make_workflow(tmp_path, one | turned).write_slices()
    added = {path for path in written if path.is_relative_to(place / "base/rng0/bg0.20-fg0.50")}
    changed = {str(path.relative_to(place)) for path in written if path not in added}
    assert place / "base/rng0/bg0.20-fg0.50/thresholds/refined-train.json" in added
    assert changed == {"base/rng0/bg0.10-fg0.40/thresholds/refined-train-shared.json", "reports/sweep.json"}
    again = make_workflow(tmp_path, one | {"thresholds": turned["thresholds"][::-1]}).write_slices()
    assert {path.name for path in again} == {"sweep.json"}


def test_psas_alphas_are_no_pair_to_judge(tmp_path: Path) -> None:
    workflow = make_workflow(tmp_path, {"thresholds": ["alpha4-24"]})
    assert workflow.reports["sweep"].judged_by("thresholds") == []
    assert "toy/base/rng0/alpha4-24/scores/refined-train" in judged(workflow, "sweep")


def test_a_judgement_is_found_by_its_path(sweep: Workflow) -> None:
    assert sweep.judgements
    for path, judgement in sweep.judgements.items():
        assert sweep.judgement(path) is judgement
        assert judgement.path == path


def test_a_judgement_that_nobody_asked_for_is_refused(sweep: Workflow) -> None:
    with pytest.raises(
        SeedbedError, match=r"asks for no results/x\.json; select its recipe, or add the node"
    ):
        sweep.judgement(Path("results/x.json"))


def test_settings_reach_the_judgements(tmp_path: Path) -> None:
    workflow = make_workflow(tmp_path, {"settings": {"toy": {"evaluate": {"curve_step": 0.05}}}})
    scores = [j for j in workflow.judgements.values() if j.judge == "scores"]
    assert {j.slice()["parameters"]["curve_step"] for j in scores} == {0.05}


# Names


def test_one_name_for_two_stages_is_refused(tmp_path: Path) -> None:
    nodes = {"refined": {"stage": "pseudo_masks", "from": {"cams": "cams"}}, "masks_": {"ref": "base.masks_"}}
    child = {"extends": "base", "nodes": nodes}
    workflow = make_workflow(tmp_path, {"recipes": ["base", "child"]}, child=child)
    with pytest.raises(
        SeedbedError, match="node name refined is used for stages random_walk and pseudo_masks"
    ):
        _ = workflow.nodes_by_stage


def test_nodes_by_stage(sweep: Workflow) -> None:
    assert sweep.nodes_by_stage["dump_cams"] == ["cams"]
    assert sweep.nodes_by_stage["pseudo_masks"] == ["masks_"]


def test_without_thresholds_there_is_no_sweep(tmp_path: Path) -> None:
    assert set(make_workflow(tmp_path).reports) == {"all"}


# Configuration


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"dataset": "toi"}, "params.yaml: unknown dataset 'toi'; did you mean toy?"),
        ({"recipe": ["x"]}, "params.yaml: unknown key 'recipe'; did you mean recipes?"),
        ({"recipes": []}, "params.yaml: recipes: expected at least 1 of them, got []"),
        ({"thresholds": ["0.10-0.40"]}, "params.yaml: thresholds: expected "),
        ({"thresholds": ["bg0.50-fg0.40"]}, "params.yaml: thresholds: "),
        ({"settings": {"tou": {}}}, "params.yaml: unknown dataset 'tou'; did you mean toy?"),
        (
            {"settings": {"toy": {"dump_cam": {}}}},
            "params.yaml, settings.toy: unknown stage 'dump_cam'; did you mean dump_cams",
        ),
        (
            {"datasets": {"toy": {"kind": "folder", "splits": {"train": {"lst": "x"}}}}},
            "params.yaml: datasets.toy.splits.train: unknown key 'lst'; did you mean list?",
        ),
        (
            {"datasets": {"toy": {"kind": "folder", "shard": 2, "splits": {"train": {}}}}},
            "params.yaml: datasets.toy: unknown key 'shard'; did you mean shards?",
        ),
        ({"datasets": {"toy": {"kind": "folder", "splits": {}}}}, "params.yaml: datasets.toy.splits: "),
        (
            {"datasets": {"my birds": TWO["toy"]}},
            "params.yaml: datasets: data set name 'my birds' does not match [A-Za-z0-9][A-Za-z0-9_-]{0,63}; "
            "for instance my-birds",
        ),
        (
            {"datasets": {"toy": {"kind": "folder", "splits": {"train-aug": {}}}}},
            "params.yaml: datasets.toy.splits: split name 'train-aug' does not match [A-Za-z0-9][A-Za-z0-9_]{0,63}; "
            "for instance train_aug",
        ),
        (
            {"settings": {"toy": {"dump_cams": {"x": [1, float("nan")]}}}},
            "params.yaml: settings.toy.dump_cams.x.1: expected ",
        ),
        ({"rngs": [float("inf")]}, "params.yaml: rngs.0: expected a finite number, got inf"),
        ({"rngs": [0, -1]}, "params.yaml: rngs.1: expected at least 0, got -1"),
        (
            {"datasets": {"toy": TWO["toy"] | {"shards": 1_000_000_000}}},
            "params.yaml: datasets.toy.shards: expected at most 4096, got 1000000000",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line(
    tmp_path: Path, config: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SeedbedError) as caught:
        make_workflow(tmp_path, config)
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raw", [["a"], "composites", 3, None])
def test_a_configuration_that_is_no_mapping_is_one_line(raw: Any) -> None:
    with pytest.raises(SeedbedError, match=r"^params\.yaml: expected a mapping of keys, got \w+$"):
        parse_config(raw)


WRONG_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": (
        {"dump_cams": {"scale": [1]}},
        r"settings\.toy \(stage dump_cams\): unknown key 'scale'; did you mean scales\?$",
    ),
    "hidden by the recipe": (
        {"train_classifier": {"lr": "fast"}},
        r"\(stage train_classifier\): lr: .*got 'fast'",
    ),
    "hidden and out of range": ({"train_classifier": {"epochs": 0, "lr": -1}}, r"epochs: .*; lr: .*got -1$"),
    "not finite": ({"train_classifier": {"lr": float("inf")}}, r"lr: expected a finite number, got inf$"),
    "of a stage that no recipe has": ({"train_saliency": {"batchsize": 4}}, r"did you mean batch_size "),
    "of another method": ({"train_classifier": {"first_labels": 0}}, r"first_labels: .*got 0$"),
    "of a nested mapping": (
        {"train_classifier": {"augmentation": {"crop": "big"}}},
        r"augmentation\.crop: .*'big'",
    ),
    "of an unknown method": (
        {"train_classifier": {"method": "camm"}},
        r"unknown method .*did you mean cam ",
    ),
    "of another stage's method": (
        {"train_classifier": {"method": "affinity"}},
        r"is for stage train_affinitynet",
    ),
    "of a judge": ({"evaluate": {"curve_steps": 0.1}}, r"did you mean curve_step\?"),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_setting_is_refused_whether_a_recipe_meets_it_or_not(case: str, tmp_path: Path) -> None:
    """The base recipe sets `lr` and `epochs` itself, and has no saliency."""
    settings, told = WRONG_SETTINGS[case]
    with pytest.raises(SeedbedError, match=told):
        make_workflow(tmp_path, {"settings": {"toy": settings}})


@pytest.mark.parametrize(
    "settings",
    [
        {"train_classifier": {"lr": 0.5, "first_labels": 30, "decoder": "unet", "label_scales": [1.0]}},
        {"train_classifier": {"augmentation": {"crop": 64}, "inherited": {"threshold": "found on val"}}},
        {"train_classifier": {"regenerate": {"counted_from": "zero"}}},
        {"train_classifier": {"method": "isim", "epochs": 4}},
        {"confident_regions": {"crf": "irn"}},
    ],
)
def test_settings_that_only_some_recipes_complete_are_accepted(settings: Any, tmp_path: Path) -> None:
    """Keys of several methods, and values that do not go together without a recipe's."""
    make_workflow(tmp_path, {"settings": {"toy": settings}})


def test_settings_of_other_data_sets_are_checked_too(tmp_path: Path) -> None:
    other = {"kind": "folder", "root": "elsewhere", "splits": {"train": {}}}
    config = {
        "datasets": CONFIG["datasets"] | {"other": other},
        "settings": {"other": {"predict": {"flipp": 1}}},
    }
    with pytest.raises(SeedbedError, match=r"settings\.other \(stage predict\): unknown key 'flipp'"):
        make_workflow(tmp_path, config)


@pytest.mark.parametrize("given", ["base,child", "base, child", ["base", "child"]])
def test_lists_may_come_from_a_command_line(tmp_path: Path, given: Any) -> None:
    """`snakemake --config recipes=base,child rngs=1` gives text and a number."""
    raw = {"recipes": given, "rngs": 1, "thresholds": "bg0.1-fg0.4"}
    config = make_workflow(tmp_path, raw, child={"extends": "base"}).config
    assert config.recipes == ("base", "child")
    assert config.rngs == (1,)
    assert config.thresholds == ("bg0.10-fg0.40",)


def test_thresholds_that_are_equal_are_one(tmp_path: Path) -> None:
    workflow = make_workflow(tmp_path, {"thresholds": ["bg0.1-fg0.4", "bg0.10-fg0.40"]})
    assert workflow.config.thresholds == ("bg0.10-fg0.40",)
