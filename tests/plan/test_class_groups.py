"""A data set's own groups of classes: read from its file, refused in one line, and of no node's identity."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from seedbed.errors import SeedbedError
from seedbed.plan.class_groups import report_parameters
from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.verbs.doctor import examine

ROOT = Path(__file__).parents[2]
CLASSES = ("cat", "cup", "flower", "motorcycle", "person", "rocket")
SOUND = "alive:\n  is: [cat, flower, person]\n  other: [cup, motorcycle, rocket]\n"


def config_of(file: str | None = None, report: dict[str, Any] | None = None) -> dict[str, Any]:
    options = {"size": 32, "images": {"train": 3, "val": 3}}
    declared: dict[str, Any] = {"kind": "composites", "splits": {"train": {}, "val": {}}, "with": options}
    return {
        "dataset": "toys",
        "recipes": ["psa"],
        "datasets": {"toys": declared | ({} if file is None else {"class_groups": file})},
        "settings": {"toys": {"report": report}} if report else {},
    }


def workflow_of(raw: dict[str, Any], folder: Path) -> Workflow:
    return Workflow(parse_config(raw), RecipeBook(ROOT / "recipes"), folder / "results")


@pytest.fixture
def groups_file(tmp_path: Path) -> Path:
    path = tmp_path / "groups.yaml"
    path.write_text(SOUND)
    return path


def test_only_the_report_depends_on_the_file(groups_file: Path, tmp_path: Path) -> None:
    """Identities and slices of all nodes and judges, without a file and with two; the report's slice has the groups."""

    def slices(raw: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        workflow = workflow_of(raw, tmp_path)
        graph, (report,) = workflow.graph("toys"), workflow.reports.values()
        nodes = {name: task.identity for name, task in graph.recipe_tasks("psa", 0).items()}
        judged = {key: judgement.slice() for key, judgement in report.judgements.items()}
        return {"nodes": nodes, "judged": judged, "index": graph.index_slice()}, report.slice()

    without, report = slices(config_of())
    assert "class_groups" not in report["parameters"]
    for text in (SOUND, SOUND.replace("alive", "living")):
        groups_file.write_text(text)
        same, report = slices(config_of(str(groups_file)))
        assert same == without
        (kind,) = report["parameters"]["class_groups"]
        assert kind == text.split(":")[0]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "groups.yaml: expected groups of classes, {kind: {group: [class, class]}}, got nothing"),
        ("- cat\n", "got a list"),
        ("alive: [cat, cup]\n", "groups.yaml: class_groups.alive: expected a mapping of keys"),
        ("alive: {a: cat}\n", "groups.yaml: class_groups.alive.a: expected a list"),
        ("alive: {a: [1]}\n", "groups.yaml: class_groups.alive.a.0: "),
        ("alive: {a: []}\n", "groups.yaml: alive: group 'a' has no classes; name some, or remove it"),
        ("alive: {a: [cat, cat]}\n", "groups.yaml: alive: class 'cat' is twice in group 'a'; name it once"),
        (
            "alive: {a: [cat], b: [cat]}\n",
            "alive: class 'cat' is in two groups, 'a' and 'b'; leave it in one",
        ),
        ("alive: {a: [cat]\n", "groups.yaml, line "),
    ],
)
def test_a_file_that_is_no_groups_stops_planning(groups_file: Path, text: str, fault: str) -> None:
    groups_file.write_text(text)
    with pytest.raises(SeedbedError, match=re.escape(fault)) as told:
        report_parameters(parse_config(config_of(str(groups_file))), "toys")
    assert "\n" not in str(told.value)


def test_a_class_may_be_in_groups_of_two_kinds(groups_file: Path) -> None:
    groups_file.write_text("one: {a: [cat]}\nother: {b: [cat]}\n")
    found = report_parameters(parse_config(config_of(str(groups_file))), "toys").class_groups
    assert found == {"one": {"a": ("cat",)}, "other": {"b": ("cat",)}}


def test_missing_file_variable_and_groups_given_twice(
    groups_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline = {"class_groups": {"alive": {"a": ["cat"]}}}
    for raw, fault in (
        (
            config_of("absent.yaml"),
            "datasets.toys.class_groups: there is no file absent.yaml; give the path",
        ),
        (
            config_of("$NOWHERE/groups.yaml"),
            "uses $NOWHERE, which is not set; set datasets.toys.class_groups",
        ),
        (
            config_of(str(groups_file), inline),
            "given twice: remove settings.toys.report.class_groups or datasets",
        ),
        (
            config_of(report={"class_groups": {"alive": {"a": ["cat"], "b": ["cat"]}}}),
            "settings.toys.report.class_groups: alive: class 'cat' is in two groups",
        ),
    ):
        with pytest.raises(SeedbedError, match=re.escape(fault)):
            report_parameters(parse_config(raw), "toys")
    monkeypatch.setenv("GROUPS", str(groups_file.parent))
    assert report_parameters(parse_config(config_of("$GROUPS/groups.yaml")), "toys").class_groups is not None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "rocket",
            "rocked",
            "groups.yaml: alive: group 'other': unknown class 'rocked'; did you mean rocket?",
        ),
        (", rocket", "", "groups.yaml: alive: no group has 'rocket'; add what is missing to a group"),
        (
            "cat, flower, person",
            "cat",
            "groups.yaml: alive: no group has 'flower', 'person'; add what is missing",
        ),
    ],
)
def test_doctor_knows_the_classes(groups_file: Path, tmp_path: Path, old: str, new: str, fault: str) -> None:
    workflow = workflow_of(config_of(str(groups_file)), tmp_path)
    assert not [line for line in examine(workflow).faults if "groups.yaml" in line]
    groups_file.write_text(SOUND.replace(old, new))
    (told,) = (line for line in examine(workflow).faults if "groups.yaml" in line)
    assert fault in told


def test_the_pages_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/adding-a-dataset.md").read_text(encoding="utf-8")
    text = dict(re.findall(r"<!-- tested: ([^\n]+) -->\n```yaml\n(.*?)```", page, re.DOTALL))
    monkeypatch.chdir(tmp_path)
    Path("birds-groups.yaml").write_text(text["birds-groups.yaml"])
    found = report_parameters(parse_config(yaml.safe_load(text["params groups"])), "birds").class_groups
    assert found is not None
    assert found["size"] == {"small": ("robin", "wren"), "large": ("crane",)}
