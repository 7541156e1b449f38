"""dvc.yaml: one stage per node, every file declared, fresh for the committed params.yaml; the stage `resolve`."""

import dataclasses
import os
import string
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipe_files import CONFIG, make_workflow, write_recipes
from seedbed.engines.dvc_yaml import RESOLVE, check_fresh, pipeline, stage_name, stages, stamp, text, write
from seedbed.engines.resolve import main, resolve
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.runtime.locks import output_lock

ROOT = Path(__file__).parents[2]
SWEEP = {"thresholds": ["bg0.05-fg0.30", "bg0.10-fg0.40"]}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    child = {"extends": "base", "nodes": {"segmenter": {"with": {"architecture": "unet"}}}}
    write_recipes(tmp_path / "recipes", child=child)
    configure(tmp_path)
    monkeypatch.chdir(tmp_path)
    write(Workflow.read())
    return tmp_path


def configure(folder: Path, **changes: Any) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(CONFIG | changes))


def outs(stage: dict[str, Any]) -> list[str]:
    """Paths that a stage declares: outs, metrics and plots."""
    entries = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_the_committed_file_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert (ROOT / "dvc.yaml").read_text() == text(Workflow.read()), "run `seedbed dvc` and commit dvc.yaml"


def test_a_stage_reads_and_declares_what_its_command_does(tmp_path: Path) -> None:
    workflow = make_workflow(tmp_path, SWEEP)
    made = pipeline(workflow, ("all", "sweep"))["stages"]
    commands = workflow.commands(("all", "sweep"))
    assert len(made) == len(commands) + 1
    for command in commands:
        stage = made[stage_name(command.unit)]
        assert stage["cmd"] == command.line()
        assert sorted(outs(stage)) == sorted(map(str, command.writes))
        assert stage["deps"][0] == str(stamp(workflow))
        assert set(stage["deps"][1:]) == set(map(str, command.reads))


def test_names_hold_only_what_dvc_allows(tmp_path: Path) -> None:
    assert stage_name("toy/base/rng0/bg0.10-fg0.40/cams") == "toy--base--rng0--bg0_10-fg0_40--cams"
    allowed = set(string.ascii_letters + string.digits + "-_")
    made = pipeline(make_workflow(tmp_path, SWEEP), ("all", "sweep"))["stages"]
    assert all(set(name) <= allowed for name in made)


def test_a_sharded_node_is_one_stage_with_all_its_shards(tmp_path: Path) -> None:
    toy = {"kind": "folder", "shards": 3, "splits": {"train": {}, "val": {}}}
    made = pipeline(make_workflow(tmp_path, {"datasets": {"toy": toy}}))["stages"]
    assert list(made) == [
        *("resolve", "toy--index", "toy--masks", "toy--base--rng0--classifier"),
        *("toy--base--rng0--classification", "toy--base--rng0--cams"),
        *(f"toy--base--rng0--bg0_10-fg0_40--{n}" for n in ("regions", "affinitynet", "refined", "masks_")),
        *(f"toy--base--rng0--bg0_10-fg0_40--{n}" for n in ("segmenter", "predictions")),
        "toy--base--rng0--scores--classification-val",
        "toy--base--rng0--scores--cams-train",
        *(f"toy--base--rng0--bg0_10-fg0_40--scores--{n}-train" for n in ("refined", "masks_")),
        "toy--base--rng0--bg0_10-fg0_40--scores--predictions-val",
        "toy--base--rng0--choices--cams-train",
        "toy--base--rng0--bg0_10-fg0_40--choices--refined-train",
        "toy--reports--all",
    ]
    cams = made["toy--base--rng0--cams"]
    assert "--shard" not in cams["cmd"]
    assert [Path(path).name for path in cams["outs"]] == [
        "manifest.json",
        *(f"train-{k}{suffix}" for k in range(3) for suffix in (".safetensors", ".json")),
    ]


def test_a_node_reads_of_a_sharded_input_what_its_own_shards_need(tmp_path: Path) -> None:
    child = {"extends": "base", "nodes": {"cams": {"with": {"splits": ["train", "val"]}}}}
    workflow = make_workflow(tmp_path, {"recipes": ["child"]}, child=child)
    made = pipeline(workflow)["stages"]
    cams = str(tmp_path / "results/toy/child/rng0/cams")
    deps = made["toy--child--rng0--bg0_10-fg0_40--regions"]["deps"]
    assert [dep for dep in deps if dep.startswith(cams)] == [
        f"{cams}/manifest.json",
        f"{cams}/train-0.safetensors",
    ]


def test_the_sweep_comes_only_where_it_is_asked_for(tmp_path: Path) -> None:
    workflow = make_workflow(tmp_path, SWEEP)
    without, with_sweep = (set(pipeline(workflow, r)["stages"]) for r in (("all",), ("all", "sweep")))
    assert without < with_sweep
    assert not any("bg0_05" in name for name in without)
    assert "toy--reports--sweep" in with_sweep - without
    with pytest.raises(SeedbedError, match="names no `thresholds` to sweep"):
        write(make_workflow(tmp_path), tmp_path, sweep=True)


def test_two_units_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = make_workflow(tmp_path, {})
    first, *rest = workflow.commands()
    twin = dataclasses.replace(first, unit=first.unit.replace("/", "--"))
    monkeypatch.setattr(workflow, "commands", lambda names: [first, *rest, twin])
    with pytest.raises(SeedbedError, match="would be one DVC stage, toy--index; rename"):
        stages(workflow, ("all",))


def test_the_reports_numbers_are_metrics_and_histories_are_plots(tmp_path: Path) -> None:
    made = pipeline(make_workflow(tmp_path, SWEEP), ("all", "sweep"))["stages"]
    metrics = [path for stage in made.values() for path in stage.get("metrics", [])]
    reports = tmp_path / "results/toy/reports"
    assert metrics == [str(reports / name / "metrics.json") for name in ("all", "sweep")]
    scores = [path for stage in made.values() for path in stage.get("outs", []) if "/scores/" in path]
    assert str(tmp_path / "results/toy/base/rng0/scores/cams-train.json") in scores
    plots = {
        Path(p).parent.name: v
        for stage in made.values()
        for one in stage.get("plots", [])
        for p, v in one.items()
    }
    assert plots == {
        name: {"x": "step", "y": f"{name}/loss"} for name in ("classifier", "affinitynet", "segmenter")
    }


def test_resolve_always_runs_and_leaves_a_stamp_that_is_not_cached(tmp_path: Path) -> None:
    workflow = make_workflow(tmp_path, {})
    stage = pipeline(workflow)["stages"][RESOLVE]
    assert stage["always_changed"] is True
    assert stage["outs"] == [{str(stamp(workflow)): {"cache": False}}]
    assert stage["params"] == [{"params.yaml": None}]


def test_resolve_writes_the_slices_that_changed_and_no_others(checkout: Path) -> None:
    first = resolve().written
    assert Path("results/.params/toy/base/rng0/cams.json") in first
    mark = Path("results/.params/resolved")
    content = mark.read_bytes()
    before = {path: path.stat().st_mtime_ns for path in first}
    configure(checkout, settings={"toy": {"dump_cams": {"flip": False}}})
    assert resolve().written == [Path("results/.params/toy/base/rng0/cams.json")]
    assert mark.read_bytes() == content
    changed = [path for path in first if path.stat().st_mtime_ns != before[path]]
    assert changed == [Path("results/.params/toy/base/rng0/cams.json")]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rngs": [0, 1]}, "lacks toy--base--rng1--classifier and "),
        ({"recipes": ["base", "child"]}, "lacks toy--child--rng0--bg0_10-fg0_40--segmenter and "),
        (
            {"datasets": {"toy": {"kind": "folder", "shards": 2, "splits": {"train": {}, "val": {}}}}},
            "differs in ",
        ),
    ],
)
def test_another_set_of_stages_is_refused_in_one_line(
    checkout: Path, changes: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(checkout, **changes)
    assert main([]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("resolve: error: dvc.yaml does not match params.yaml and recipes/ (")
    assert told in error
    assert error.endswith("): run `seedbed dvc`, then again\n")
    assert not Path("results").exists()


def test_too_many_stages_are_refused(checkout: Path) -> None:
    configure(checkout, rngs=[0, 1])
    write(Workflow.read())
    configure(checkout)
    with pytest.raises(SeedbedError, match="has too many toy--base--rng1--"):
        check_fresh(Workflow.read())


def test_a_file_with_and_without_the_sweep_is_fresh(checkout: Path) -> None:
    configure(checkout, **SWEEP)
    assert check_fresh(Workflow.read()) == ("all",)
    write(Workflow.read(), sweep=True)
    assert resolve().reports == ("all", "sweep")
    assert Path("results/.params/toy/base/rng0/bg0.05-fg0.30/regions.json").is_file()


def test_a_file_with_another_sweep_is_refused(checkout: Path) -> None:
    configure(checkout, **SWEEP)
    write(Workflow.read(), sweep=True)
    configure(checkout, thresholds=[*SWEEP["thresholds"], "bg0.20-fg0.50"])
    with pytest.raises(
        SeedbedError, match=r"lacks toy--base--rng0--bg0_20-fg0_50--.*run `seedbed dvc --sweep`, then again"
    ):
        check_fresh(Workflow.read())
    configure(checkout)
    with pytest.raises(SeedbedError, match=r"has too many toy--base--.*run `seedbed dvc`, then again"):
        check_fresh(Workflow.read())


@pytest.mark.parametrize(
    "content",
    [b"", b"- 1\n", b"stages: {", b"stages: {}\n", b"stages: [a]\n", b"\xff\xfe\xff", b"a: 2024-99-99\n"],
)
def test_a_broken_file_is_refused(checkout: Path, content: bytes) -> None:
    Path("dvc.yaml").write_bytes(content)
    with pytest.raises(SeedbedError, match=r"does not match .*\(lacks resolve and \d+ more"):
        check_fresh(Workflow.read())


def test_a_missing_file_is_named(checkout: Path) -> None:
    Path("dvc.yaml").unlink()
    with pytest.raises(SeedbedError, match=r"no dvc\.yaml here; run `seedbed dvc`"):
        check_fresh(Workflow.read())


def test_resolve_stops_where_another_run_writes(checkout: Path) -> None:
    resolve()
    slice_path = Path("results/.params/toy/base/rng0/cams.json")
    before = slice_path.read_bytes()
    configure(checkout, settings={"toy": {"dump_cams": {"flip": False}}})
    with (
        output_lock(Path("results/toy/base/rng0/cams"), "train-0"),
        pytest.raises(
            SeedbedError, match=rf"rng0/cams \(train-0\) is being written by another run \(pid {os.getpid()}"
        ),
    ):
        resolve()
    assert slice_path.read_bytes() == before


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["surplus"], 2)])
def test_help_of_the_first_stage_writes_nothing(checkout: Path, arguments: list[str], status: int) -> None:
    before = sorted(checkout.rglob("*"))
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    assert sorted(checkout.rglob("*")) == before
