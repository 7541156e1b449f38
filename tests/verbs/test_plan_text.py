"""The text of `seedbed plan`: one line per node, and what a run costs by earlier runs, added up by hand."""

from typing import Any

from seedbed.engines.run_seconds import run_seconds
from seedbed.plan.commands import Workflow
from seedbed.verbs.show import Columns, plan_text

BOTH = ("all", "sweep")
TOY = {"kind": "folder", "root": "nowhere", "shards": 2, "splits": {"train": {}, "val": {}}}
SECONDS = {
    "prepare_dataset": [5],
    "prepare_masks": [1],
    "train_classifier": [100, 200, 900],
    "dump_cams": [10, 20],
    "confident_regions": [4],
    "train_affinitynet": [60],
    "random_walk": [30],
    "pseudo_masks": [2],
    "train_segmenter": [300],
    "predict": [8],
    "classify": [6],
    "evaluate": [1],
    "threshold_choice": [1],
    "report": [3],
}


def rows(text: str) -> dict[str, list[str]]:
    """Cells by owner and node."""
    table = [line.split() for line in text.splitlines()[2:] if line.startswith(("base", "unet"))]
    return {" ".join(cells[:2]): cells[2:] for cells in table}


def remember(tree: Any, stages: dict[str, list[int]] = SECONDS) -> None:
    """Facts of earlier runs, in a folder of another seed."""
    for stage, seconds in stages.items():
        for number, took in enumerate(seconds):
            tree.ran(tree.results / "toy/base/rng9" / stage, stage, f"u{number}", took)


def base_only(tree: Any, **more: Any) -> Workflow:
    """One recipe, one seed, its own pair, two shards, no sweep."""
    return tree.workflow(recipes=["base"], rngs=[0], thresholds=[], datasets={"toy": TOY}, **more)


def test_seeds_and_pairs_of_a_node_are_one_line(tree: Any) -> None:
    workflow = tree.workflow(rngs=[0, 1, 2, 5])
    assert plan_text(workflow, BOTH).splitlines()[1].split() == ["OWNER", "NODE", "RNGS", "REGIONS", "STATE"]
    shown = rows(plan_text(workflow, BOTH))
    assert list(shown) == [
        *(f"base {n}" for n in ("classifier", "classification", "cams", "regions")),
        *(f"base {n}" for n in ("affinitynet", "refined", "masks_")),
        *(f"{owner} {node}" for owner in ("base", "unet") for node in ("segmenter", "predictions")),
    ]
    assert shown["base cams"] == ["0-2,5", "4", "missing"]
    assert shown["unet segmenter"] == ["0-2,5", "3", "settings", "12", "missing"]


def test_one_pair_is_named_and_one_instance_is_not_counted(tree: Any) -> None:
    shown = rows(plan_text(base_only(tree), ("all",)))
    assert shown["base refined"] == ["0", "bg0.10-fg0.40", "missing"]


def test_states_are_counted_and_why_splits_them(tree: Any) -> None:
    workflow = tree.workflow(recipes=["base"])
    tree.make(workflow)
    (tree.results / "toy/base/rng1/classifier/model.safetensors").write_bytes(b"1")
    plain = plan_text(workflow, BOTH)
    assert rows(plain)["base classifier"] == ["0-1", "1", "cached,", "1", "stale"]
    why = plan_text(workflow, BOTH, Columns(why=True)).splitlines()
    lines = [line.split() for line in why if line.startswith("base") and line.split()[1] == "classifier"]
    assert lines == [
        ["base", "classifier", "0", "cached"],
        [
            "base",
            "classifier",
            "1",
            "stale",
            "model.safetensors",
            "does",
            "not",
            "agree",
            "with",
            "the",
            "manifest",
        ],
    ]
    assert "input cams is stale" in "\n".join(why)
    assert "model.safetensors" not in plain


def test_disk_is_added_up(tree: Any) -> None:
    workflow = tree.workflow(recipes=["base"])
    for rng in (0, 1):
        tree.write(f"results/toy/base/rng{rng}/cams/train-0.safetensors", b"x" * 1500)
    text = plan_text(workflow, BOTH, Columns(disk=True))
    assert rows(text)["base cams"] == ["0-1", "2", "missing", "3.0", "kB"]
    assert "3.0 kB on disk" in text


def test_the_median_of_a_stage_counts_and_what_is_no_run_does_not(tree: Any) -> None:
    remember(tree)
    command = b'"command": ["dump_cams.py"]'
    odd = [b"null", b"1e400", b"NaN", b"-1", b"9" * 400, b'"x"', b"[]"]
    contents = [b"{" + command + b', "seconds": ' + seconds + b"}" for seconds in odd]
    contents += [b"{", b"\xff", b"[" * 99_999, b"[]", b'{"command": {}, "seconds": 1}', b'{"command": [[]]}']
    for number, content in enumerate(contents):
        tree.write(f"results/toy/base/rng8/cams/.runs/{number}.json", content)
    tree.ran(tree.results / "toy/base/rng8/x", "another_tool", "x", 1e9)
    tree.ran(tree.results / "other/base/rng8/x", "dump_cams", "x", 1e9)
    seconds = run_seconds(tree.results, "toy")
    assert seconds == {stage: sum(v) / len(v) for stage, v in SECONDS.items()} | {"train_classifier": 200}


def test_a_run_from_nothing(tree: Any) -> None:
    """Index 5, masks 1, classifier 200, affinity 60, segmenter 300; two shards each of CAMs 15, regions 4, walk 30,
    masks 2, predictions 8, classification 6: 130; scores of five nodes on one split: 5; choices for two of
    them: 2; the report 3. Sum 706 s."""
    remember(tree)
    workflow = base_only(tree)
    assert len(workflow.judgements) == 5 + 2
    text = plan_text(workflow, ("all",), Columns(forecast=True))
    shown = rows(text)
    assert shown["base classifier"][-2:] == ["3", "min"]
    assert shown["base cams"][-2:] == ["30", "s"]
    assert text.endswith(
        "a run takes about 12 min on one worker including all scores, by the median of earlier runs"
    )


def test_what_is_there_costs_nothing_and_missing_shards_are_counted(tree: Any) -> None:
    """One of two shards of CAMs is done: 15 s; all behind is stale (60 + 300 + 88), what judges and report 9: 472 s."""
    remember(tree)
    workflow = base_only(tree)
    tree.make(workflow)
    tree.judge(workflow)
    only_the_report = plan_text(workflow, ("all",), Columns(forecast=True))
    assert "a run takes about 3 s on one worker" in only_the_report
    tree.report(workflow)
    assert plan_text(workflow, ("all",), Columns(forecast=True)).endswith("a run has nothing to do")
    (tree.results / "toy/base/rng0/cams/manifest.json").unlink()
    (tree.results / "toy/base/rng0/cams/train-1.json").unlink()
    text = plan_text(workflow, ("all",), Columns(forecast=True))
    assert rows(text)["base cams"] == ["0", "partial", "15", "s"]
    assert "about 8 min" in text
    assert rows(text)["base classifier"] == ["0", "cached"]


def test_a_score_of_other_parameters_is_due(tree: Any) -> None:
    remember(tree)
    workflow = base_only(tree)
    tree.make(workflow)
    tree.judge(workflow)
    (tree.results / "toy/base/rng0/scores/cams-train.json").write_text('{"parameters": {}, "inputs": {}}')
    assert "about 4 s on one worker" in plan_text(workflow, ("all",), Columns(forecast=True))


def test_stages_that_never_ran_are_unknown(tree: Any) -> None:
    """Their commands are counted: a segmenter, and two shards of predictions."""
    remember(tree, {k: v for k, v in SECONDS.items() if k not in ("train_segmenter", "predict")})
    text = plan_text(base_only(tree), ("all",), Columns(forecast=True))
    assert rows(text)["base segmenter"][-1] == "unknown"
    assert text.endswith("not counting what has not run on this data set: 1 x train_segmenter, 2 x predict")


def test_nothing_is_known_at_first(tree: Any) -> None:
    text = plan_text(base_only(tree), ("all",), Columns(forecast=True)).splitlines()[-1]
    assert text.startswith(
        "the time of a run is unknown, since none of its stages has run on this data set: "
    )
