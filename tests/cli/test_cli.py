"""The `seedbed` command: plan, recipes, one-line errors."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipe_files import CONFIG, write_recipes
from seedbed import cli
from seedbed.engines import dvc_yaml
from seedbed.engines.tree_lock import hold_tree
from seedbed.plan.commands import Workflow
from seedbed.runtime.locks import output_lock

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")

CHILD = {"extends": "base", "paper": "Child 2020", "nodes": {"segmenter": {"with": {"architecture": "unet"}}}}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_recipes(tmp_path / "recipes", child=CHILD)
    configure(tmp_path, recipes=["base", "child"], thresholds=["bg0.05-fg0.30", "bg0.10-fg0.40"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(folder: Path, **changes: Any) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(CONFIG | changes))


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["seedbed", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert call(monkeypatch, *words) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert call(monkeypatch, *words) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err.removesuffix("\n")


@pytest.mark.usefixtures("checkout")
class TestPlan:
    def test_every_node_is_listed_once(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head, columns, index, masks, *rows, summary = shown(monkeypatch, capsys, "plan").splitlines()
        assert head == "data set toy"
        assert columns.split() == ["OWNER", "NODE", "RNGS", "REGIONS", "STATE"]
        assert (index.split(), masks.split()) == (["index", "missing"], ["masks", "missing"])
        nodes = [tuple(row.split()[:4]) for row in rows]
        assert len(nodes) == len(set(nodes)) == 9 + 2
        assert ("child", "segmenter", "0", "bg0.10-fg0.40") in nodes
        assert ("child", "cams") not in [node[:2] for node in nodes]
        assert summary == "11 nodes: 11 missing; a run would discard 0 B"

    def test_the_sweep_counts_every_pair(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = shown(monkeypatch, capsys, "plan", "--sweep")
        assert text.splitlines()[-1].startswith("19 nodes: ")
        assert ["base", "refined", "0", "2", "settings", "2", "missing"] in [
            x.split() for x in text.splitlines()
        ]

    def test_shell_prints_a_script(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        first, *lines = shown(monkeypatch, capsys, "plan", "--shell").splitlines()
        assert first == "set -e"
        assert lines[0] == (
            "python workflow_scripts/prepare_dataset.py --params results/.params/toy/index.json "
            "--output results/toy/index"
        )
        assert lines[-1].startswith("python workflow_scripts/report.py ")
        done = subprocess.run(
            ["bash", "-n"], input="\n".join([first, *lines]), text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert (checkout / "results/.params/toy/index.json").is_file()

    def test_shell_has_one_command_per_node(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        toy = {"kind": "folder", "root": "nowhere", "shards": 3, "splits": {"train": {}, "val": {}}}
        configure(checkout, datasets={"toy": toy})
        lines = shown(monkeypatch, capsys, "plan", "--shell").splitlines()
        assert sum("dump_cams.py" in line for line in lines) == 1
        assert not any("--shard" in line or "gather.py" in line for line in lines)

    def test_a_run_keeps_the_slices_that_it_started_with(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        shown(monkeypatch, capsys, "plan")
        slice_path = checkout / "results/.params/toy/base/rng0/cams.json"
        before = slice_path.read_bytes()
        configure(checkout, settings={"toy": {"dump_cams": {"flip": False}}})
        with output_lock(Path("results"), "run"):
            assert call(monkeypatch, "plan") == 0
        assert capsys.readouterr().err == (
            "seedbed: note: another command writes here, so the slices stay as they are\n"
        )
        assert slice_path.read_bytes() == before
        shown(monkeypatch, capsys, "plan")
        assert slice_path.read_bytes() != before

    def test_slices_are_equal_in_every_process(self, checkout: Path) -> None:
        """Another hash seed orders sets differently; nothing of it may reach a slice or a command."""
        outputs = set()
        for seed in ("1", "2"):
            environment = os.environ | {
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": str(Path(cli.__file__).parents[1]),
            }
            code = (
                "import sys; from seedbed import cli; sys.argv = ['seedbed', 'plan', '--shell']; cli.main()"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
            )
            slices = sorted((checkout / "results/.params").rglob("*.json"))
            outputs.add((done.stdout, *((str(path), path.read_bytes()) for path in slices)))
        assert len(outputs) == 1

    def test_a_sweep_without_thresholds_is_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        configure(checkout)
        line = refused(monkeypatch, capsys, "plan", "--sweep")
        assert line.startswith("seedbed: error: params.yaml names no `thresholds`")

    def test_a_mistake_is_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        configure(checkout, recipes=["chld"])
        line = refused(monkeypatch, capsys, "plan")
        assert line == "seedbed: error: unknown recipe 'chld'; did you mean child?"

    def test_outside_of_a_checkout_is_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        (checkout / "empty").mkdir()
        monkeypatch.chdir(checkout / "empty")
        assert refused(monkeypatch, capsys, "plan").startswith("seedbed: error: ")


@pytest.mark.usefixtures("checkout")
class TestDvc:
    def test_it_writes_the_file_and_what_its_stages_read(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        assert shown(monkeypatch, capsys, "dvc") == "dvc.yaml: written\n"
        assert shown(monkeypatch, capsys, "dvc") == "dvc.yaml: up to date\n"
        made = yaml.safe_load((checkout / "dvc.yaml").read_text())["stages"]
        reads = {dep for stage in made.values() for dep in stage["deps"] if ".params" in dep}
        assert "results/.params/resolved" in reads
        assert all((checkout / path).is_file() for path in reads)

    def test_the_sweep_is_an_option(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        shown(monkeypatch, capsys, "dvc")
        assert "bg0_05" not in (checkout / "dvc.yaml").read_text()
        shown(monkeypatch, capsys, "dvc", "--sweep")
        assert "bg0_05" in (checkout / "dvc.yaml").read_text()


@pytest.mark.usefixtures("checkout")
class TestRecipe:
    def test_show_prints_what_was_merged(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = shown(monkeypatch, capsys, "recipe", "show", "child")
        assert text.startswith("# child: base -> child\n")
        content = yaml.safe_load(text)
        assert content["paper"] == "Child 2020"
        assert content["nodes"]["segmenter"] == {
            "stage": "train_segmenter",
            "from": {"labels": "masks_"},
            "with": {"architecture": "unet"},
        }

    def test_what_is_shown_can_be_written_down_as_a_recipe(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkout: Path
    ) -> None:
        text = shown(monkeypatch, capsys, "recipe", "show", "child")
        (checkout / "recipes" / "copy.yaml").write_text(text)
        again = shown(monkeypatch, capsys, "recipe", "show", "copy")
        assert yaml.safe_load(again) == yaml.safe_load(text)

    def test_resolved_has_every_parameter_and_the_owner(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        nodes = yaml.safe_load(shown(monkeypatch, capsys, "recipe", "show", "child", "--resolved"))["nodes"]
        assert (nodes["cams"]["owner"], nodes["segmenter"]["owner"]) == ("base", "child")
        assert nodes["cams"]["with"]["scales"] == [0.5, 1.0, 1.5, 2.0]
        assert nodes["segmenter"]["with"]["architecture"] == "unet"

    def test_diff_names_what_differs_and_what_is_shared(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = shown(monkeypatch, capsys, "recipe", "diff", "base", "child").splitlines()[1:]
        rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
        assert rows["cams"] == ["shared", "base"]
        assert rows["segmenter"] == ["differs", "architecture deeplabv3plus -> unet"]
        assert rows["predictions"][0] == "differs"

    def test_list_names_all(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [line.split() for line in shown(monkeypatch, capsys, "recipe", "list").splitlines()]
        assert ["base", "Base", "2018"] in rows
        assert ["child", "base", "Child", "2020"] in rows

    def test_an_unknown_recipe_is_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = refused(monkeypatch, capsys, "recipe", "show", "chil")
        assert line == "seedbed: error: unknown recipe 'chil'; did you mean child?"


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("faults", "status", "text"),
    [
        ([], 0, "note\nno faults\n"),
        (["x"], 1, "note\nx\n1 fault\n"),
        (["x", "y"], 1, "note\nx\ny\n2 faults\n"),
    ],
)
def test_doctor_counts_faults(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    faults: list[str],
    status: int,
    text: str,
) -> None:
    monkeypatch.setattr(
        "seedbed.verbs.doctor.examine", lambda workflow, dataset, root, every: (["note"], faults)
    )
    assert call(monkeypatch, "doctor") == status
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    "words", [["--help"], ["plan", "--help"], ["recipe", "--help"], ["doctor", "--help"]]
)
def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert "Usage: seedbed" in shown(monkeypatch, capsys, *words)


def test_an_unknown_command_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "plann") != 0


class TestWhileARunWrites:
    """Slices that change under a run would make what it writes pass for made with them."""

    @pytest.fixture
    def slices(self, checkout: Path) -> Iterator[dict[str, bytes]]:
        """Contents of the slices, while a run holds the tree and params.yaml says something else than they do."""
        workflow = Workflow.read()
        workflow.write_slices()
        with hold_tree(workflow):
            configure(checkout, settings={"toy": {"train_segmenter": {"epochs": 3}}})
            yield self.contents(checkout)

    def contents(self, checkout: Path) -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in (checkout / "results/.params").rglob("*.json")}

    def test_plan_leaves_the_slices_alone_and_says_so(
        self,
        checkout: Path,
        slices: dict[str, bytes],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert call(monkeypatch, "plan") == 0
        told = capsys.readouterr()
        assert told.err == "seedbed: note: another command writes here, so the slices stay as they are\n"
        assert told.out.startswith("data set toy\n")
        assert self.contents(checkout) == slices

    @pytest.mark.parametrize("verb", ["dvc", "sync-dvc"])
    def test_dvc_is_refused(
        self,
        checkout: Path,
        slices: dict[str, bytes],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        verb: str,
    ) -> None:
        if verb == "sync-dvc":
            dvc_yaml.write(Workflow.read())
        told = refused(monkeypatch, capsys, verb)
        assert "(run) is being written by another run" in told
        assert (checkout / "dvc.yaml").exists() is (verb == "sync-dvc")
        assert self.contents(checkout) == slices


@pytest.mark.usefixtures("checkout")
def test_a_reader_that_has_enough_is_no_error() -> None:
    """The pipe is closed before the first line, as `head` closes it after its last."""
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-c", "from seedbed.cli import main; main()", "plan"]
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + 13, "")
