"""gc: exactly what no recipe owns is listed and deleted; expected lists are written down from the recipes by hand."""

import fcntl
from pathlib import Path
from typing import Any

import pytest

from recipe_files import write_recipes
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.verbs.gc import Leftover, collect, leftovers
from seedbed.verbs.kept import Kept

BEHIND_PAIR = ("regions", "affinitynet", "refined", "masks_", "segmenter", "predictions")
PAIRS = ("bg0.05-fg0.30", "bg0.10-fg0.40", "bg0.15-fg0.50")


def found(tree: Any, workflow: Workflow) -> list[Leftover]:
    return leftovers(workflow, {"toy": Kept.of(workflow, "toy")}, tree.logs)


def places(tree: Any, workflow: Workflow, what: str) -> dict[str, str]:
    """Where -> why."""
    return {
        str(one.where.relative_to(tree.folder)): one.why for one in found(tree, workflow) if one.what == what
    }


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_recipes_own_stays(tree: Any) -> None:
    """Also what a recipe owns that params.yaml does not select."""
    workflow = tree.workflow()
    tree.make(workflow)
    tree.judge(workflow)
    workflow.write_slices()
    assert found(tree, tree.workflow(recipes=["base"])) == []


def test_nodes_of_a_removed_recipe_seed_and_pair(tree: Any) -> None:
    tree.make(tree.workflow())
    (tree.folder / "recipes" / "unet.yaml").unlink()
    now = tree.workflow(recipes=["base"], rngs=[0], thresholds=[*PAIRS[:2]])
    expected = {
        f"results/toy/unet/rng{rng}/{pair}/{node}": "there is no recipe unet"
        for rng in (0, 1)
        for pair in PAIRS
        for node in ("segmenter", "predictions")
    }
    expected |= {
        f"results/toy/base/rng1/{node}": "rng1 is not among params.yaml's rngs"
        for node in ("classifier", "classification", "cams")
    }
    expected |= {
        f"results/toy/base/rng1/{pair}/{node}": "rng1 is not among params.yaml's rngs"
        for pair in PAIRS
        for node in BEHIND_PAIR
    }
    expected |= {
        f"results/toy/base/rng0/{PAIRS[2]}/{node}": (
            f"{PAIRS[2]} is neither the recipe's nor among params.yaml's thresholds"
        )
        for node in BEHIND_PAIR
    }
    assert places(tree, now, "node") == expected


def test_the_recipes_own_pair_stays_without_a_sweep(tree: Any) -> None:
    tree.make(tree.workflow())
    left = places(tree, tree.workflow(thresholds=[]), "node")
    assert left
    assert not any(PAIRS[1] in where for where in left)


def test_a_node_that_moved_to_another_owner_or_name(tree: Any) -> None:
    tree.make(tree.workflow())
    tree.write("results/toy/unet/rng0/cams/manifest.json")
    tree.write("results/toy/base/rng0/old_cams/train-0.zip")
    assert places(tree, tree.workflow(), "node") == {
        "results/toy/unet/rng0/cams": "recipe unet no longer owns it here",
        "results/toy/base/rng0/old_cams": "recipe base has no node old_cams",
    }


def test_a_dry_run_deletes_nothing_and_yes_deletes_what_it_listed(tree: Any) -> None:
    wanted = tree.workflow(recipes=["base"], rngs=[0])
    tree.make(wanted)
    tree.judge(wanted)
    wanted.write_slices()
    before = files(tree.folder)
    more = tree.workflow()
    tree.make(more)
    tree.judge(more)
    more.write_slices()
    tree.write("logs/toy/unet/rng0/bg0.10-fg0.40/segmenter.log")
    tree.write("results/toy/unet/rng0/bg0.10-fg0.40/segmenter/.work/train_segmenter.lock", b"")
    (tree.folder / "recipes" / "unet.yaml").unlink()
    now = tree.workflow(recipes=["base"], rngs=[0])
    everything = files(tree.folder)
    text = collect(now, yes=False, logs=tree.logs)
    assert "`seedbed gc --yes` does it" in text
    assert "any recipe of recipes/ (base) makes at rng 0" in text
    assert files(tree.folder) == everything
    collect(now, yes=True, logs=tree.logs)
    assert files(tree.folder) == before - {"recipes/unet.yaml"} | {"results/.work/run.lock"}
    assert not (tree.results / "toy" / "unet").exists()
    assert collect(now, yes=True, logs=tree.logs).endswith("nothing to delete")


def test_sizes_are_those_of_the_files(tree: Any) -> None:
    tree.make(tree.workflow())
    tree.write("results/toy/gone/shared/cams/a", b"x" * 1500)
    tree.write("results/toy/gone/shared/cams/.work/b", b"x" * 500)
    text = collect(tree.workflow(), yes=False, logs=tree.logs)
    assert "node  1      2.0 kB" in text
    assert "2.0 kB to delete" in text


def test_the_list_is_one_line_per_recipe_and_reason_or_per_folder(tree: Any) -> None:
    """Of base, seed 1: three nodes and six of each of three pairs."""
    tree.make(tree.workflow(recipes=["base"]))
    now = tree.workflow(recipes=["base"], rngs=[0])
    (line,) = [
        x.split() for x in collect(now, yes=False, logs=tree.logs).splitlines() if x.startswith("node")
    ]
    assert (line[1], line[4]) == ("21", str(tree.results / "toy/base/rng1"))
    text = collect(now, yes=False, each=True, logs=tree.logs)
    lines = [x.split() for x in text.splitlines() if x.startswith("node")]
    assert len(lines) == 21
    assert [str(tree.results / "toy/base/rng1/bg0.05-fg0.30/masks_")] in [x[4:5] for x in lines]


@pytest.mark.parametrize("yes", [False, True])
def test_it_refuses_while_an_output_is_held(tree: Any, yes: bool) -> None:
    workflow = tree.workflow()
    tree.make(workflow)
    stray = tree.write("results/toy/gone/shared/cams/a")
    lock = tree.write("results/toy/base/rng0/cams/.work/train-0.lock", b"pid 7")
    with lock.open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(
            SeedbedError, match=r"rng0/cams \(train-0\) is being written by another run \(pid 7\)"
        ):
            collect(workflow, yes=yes, logs=tree.logs)
    assert stray.exists()
    collect(workflow, yes=yes, logs=tree.logs)
    assert stray.exists() is not yes


def test_work_of_complete_nodes_goes_and_what_a_run_resumes_from_stays(tree: Any) -> None:
    workflow = tree.workflow()
    tree.make(workflow)
    tree.write("results/toy/base/rng0/cams/.work/train-0/key")
    tree.write("results/toy/base/rng0/cams/.work/train-0.lock", b"")
    tree.write("results/toy/base/rng0/cams/.work/train-1.progress", b"3/9 images")
    (tree.results / "toy/base/rng1/classifier/manifest.json").unlink()
    checkpoint = tree.write("results/toy/base/rng1/classifier/.work/train_classifier/checkpoint")
    assert places(tree, workflow, "work") == {"results/toy/base/rng0/cams/.work": "the node is complete"}
    collect(workflow, yes=True, logs=tree.logs)
    assert files(tree.results / "toy/base/rng0/cams/.work") == {"train-0.lock"}
    assert checkpoint.exists()


def test_scores_slices_logs_and_temporary_files_that_nothing_needs(tree: Any) -> None:
    workflow = tree.workflow()
    tree.make(workflow)
    tree.judge(workflow)
    workflow.write_slices()
    for log in (
        "cams-train-0.log",
        "cams-train-0.tsv",
        "cams-gather.log",
        "classifier.log",
        "scores/cams-val.log",
    ):
        tree.write(f"logs/toy/base/rng0/{log}")
    tree.write("logs/toy/base/rng0/cams-train-7.log")
    tree.write("logs/toy/index.log")
    tree.write("results/.params/toy/base/rng5/cams.json")
    tree.write("results/.params/toy/reports/all.json")
    tree.write("results/toy/base/rng0/scores/cams-test.json")
    tree.write("results/toy/base/rng0/scores/.runs/cams-test.json")
    tree.write("results/toy/base/rng0/scores/.work/cams-test.json.lock", b"")
    tree.write("results/toy/base/rng0/bg0.10-fg0.40/thresholds/cams-train.json")
    tree.write("results/toy/base/rng0/cams/.train-0.zip.abc.tmp")
    listed: dict[str, set[str]] = {}
    for one in found(tree, workflow):
        listed.setdefault(one.what, set()).update(str(path.relative_to(tree.folder)) for path in one.paths)
    assert listed == {
        "scores": {
            "results/toy/base/rng0/scores/cams-test.json",
            "results/toy/base/rng0/scores/.runs/cams-test.json",
            "results/toy/base/rng0/scores/.work/cams-test.json.lock",
        },
        "thresholds": {"results/toy/base/rng0/bg0.10-fg0.40/thresholds/cams-train.json"},
        "slices": {"results/.params/toy/base/rng5/cams.json"},
        "logs": {
            "logs/toy/base/rng0/cams-train-7.log",
            "logs/toy/base/rng0/scores/cams-val.log",
        },
        "temporary": {"results/toy/base/rng0/cams/.train-0.zip.abc.tmp"},
    }


def test_files_are_named_and_not_the_folder_in_which_others_stay(tree: Any) -> None:
    workflow = tree.workflow()
    tree.make(workflow)
    workflow.write_slices()
    for path in ("base/rng5/cams.json", "base/rng0/old.json", "unet/rng0/cams.json"):
        tree.write(f"results/.params/toy/{path}")
    first = f"{tree.results}/.params/toy/base/rng0/old.json"
    (line,) = [x for x in collect(workflow, yes=False, logs=tree.logs).splitlines() if "slices" in x[:6]]
    assert line.split(maxsplit=4) == ["slices", "3", "30", "B", f"{first} and 2 more  no node needs it"]
    text = collect(workflow, yes=False, each=True, logs=tree.logs)
    assert len([x for x in text.splitlines() if x.startswith("slices  1      10 B")]) == 3
    assert first in text


def test_it_speaks_of_the_configured_data_set_unless_asked(tree: Any) -> None:
    toy = {"kind": "folder", "root": "nowhere", "splits": {"train": {}, "val": {}}}
    workflow = tree.workflow(datasets={"toy": toy, "other": toy})
    tree.make(workflow)
    for path in (
        "results/other/gone/shared/cams/a",
        "results/.params/other/gone/shared/cams.json",
        "logs/other/gone/shared/cams.log",
        "results/other/index/.index.csv.x.tmp",
    ):
        tree.write(path)
    told = collect(workflow, yes=True, logs=tree.logs)
    assert told.endswith("on toy\nnothing to delete\nnot looked at: other; `seedbed gc --all` does")
    rows = collect(workflow, yes=True, every=True, logs=tree.logs).splitlines()[1:-1]
    assert [row.split()[0] for row in rows] == ["WHAT", "node", "slices", "logs", "temporary"]
    assert not (tree.results / "other").exists()


def test_what_is_not_ours_is_left_alone(tree: Any) -> None:
    workflow = tree.workflow()
    tree.make(workflow)
    for path in (
        "results/notes.txt",
        "results/mine/rng0/cams/a",
        "results/toy/notes/readme.txt",
        "results/toy/base/pictures/a.png",
        "results/toy/reports/mine/index.html",
        "logs/slurm/rule_a/1.log",
        "results/.params/resolved",
    ):
        tree.write(path)
    assert found(tree, workflow) == []


def test_the_index_of_a_declared_data_set_stays_and_an_undeclared_data_set_goes(tree: Any) -> None:
    workflow = tree.workflow()
    tree.make(workflow)
    for path in (
        "results/old/index/manifest.json",
        "results/old/base/rng0/cams/a",
        "results/.params/old/index.json",
        "logs/old/index.log",
    ):
        tree.write(path)
    (one,) = found(tree, workflow)
    assert (one.what, one.where, one.why) == (
        "data set",
        tree.results / "old",
        "params.yaml declares no such data set",
    )
    told = collect(workflow, yes=True, logs=tree.logs)
    assert told.endswith("nothing to delete\nnot looked at: old; `seedbed gc --all` does")
    assert (tree.results / "old/index/manifest.json").exists()
    collect(workflow, yes=True, every=True, logs=tree.logs)
    assert {path.name for path in tree.results.iterdir()} == {".work", "toy"}
    assert (tree.results / "toy/index/index.csv").exists()


def test_a_recipe_that_cannot_be_planned_here_keeps_its_folder_and_its_pinned_inputs(tree: Any) -> None:
    """Its segmenter asks for the true masks of a split that is declared without."""
    upper = {
        "nodes": {
            "cams4": {"ref": "base.cams@rng4"},
            "segmenter": {"stage": "train_segmenter", "from": {"labels": "masks"}},
        },
        "scores": [],
    }
    write_recipes(tree.folder / "recipes", upper=upper)
    toy = {"kind": "folder", "root": "nowhere", "splits": {"train": {"masks": False}, "val": {}}}
    workflow = tree.workflow(recipes=["base"], datasets={"toy": toy})
    tree.make(workflow)
    for node in ("upper/rng0/segmenter", "upper/rng9/other", "base/rng4/cams", "base/rng4/classifier"):
        tree.write(f"results/toy/{node}/manifest.json")
    tree.write("results/toy/base/rng4/scores/cams-val.json")
    tree.write("results/toy/base/rng4/scores/classifier-val.json")
    tree.write("results/toy/base/rng5/cams/manifest.json")
    tree.write("results/.params/toy/upper/rng9/other.json")
    assert set(places(tree, workflow, "node")) == {"results/toy/base/rng5/cams"}
    (scores,) = (one for one in found(tree, workflow) if one.what == "scores")
    assert [path.name for path in scores.paths] == ["classifier-val.json"]
    text = collect(workflow, yes=False, logs=tree.logs)
    assert "kept whole: toy/upper, for recipe upper, node segmenter: input labels is the true masks" in text


def test_a_recipe_that_cannot_be_loaded_stops_it(tree: Any) -> None:
    workflow = tree.workflow()
    tree.make(workflow)
    (tree.folder / "recipes" / "bad.yaml").write_text("nodes: {a: {stage: dump_camz}}")
    with pytest.raises(SeedbedError, match="did you mean dump_cams"):
        collect(tree.workflow(), yes=True, logs=tree.logs)


def test_without_results_there_is_nothing_to_delete(tree: Any) -> None:
    text = collect(tree.workflow(), yes=True, logs=tree.logs)
    assert text.endswith("on no data set\nnothing to delete")
