"""`seedbed plan --graph`: boxes and edges written down by hand from the recipes of the toy tree."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from recipe_files import write_recipes
from seedbed import cli
from seedbed.verbs.graph import dot, graph_of, mermaid

CHAIN = {
    ("classifier", "classification", "classifier"),
    ("classifier", "cams", "classifier"),
    ("cams", "regions", "cams"),
    ("regions", "affinitynet", "regions"),
    ("cams", "refined", "cams"),
    ("affinitynet", "refined", "affinitynet"),
    ("refined", "masks_", "cams"),
}
EDGES = {(f"base.{a}", f"base.{b}", label) for a, b, label in CHAIN}
EDGES |= {("base.masks_", f"{owner}.segmenter", "labels") for owner in ("base", "unet")}
EDGES |= {(f"{owner}.segmenter", f"{owner}.predictions", "segmenter") for owner in ("base", "unet")}


def test_a_box_per_node_and_an_edge_per_input(tree: Any) -> None:
    """Two seeds and three pairs are one box."""
    graph = graph_of(tree.workflow(), ["all", "sweep"])
    names = {box.number: f"{box.owner}.{box.name}" for box in graph.boxes}
    assert len(graph.boxes) == len(set(names.values())) == 11
    drawn = [(names[edge.source], names[edge.target], edge.label) for edge in graph.edges]
    assert len(drawn) == len(EDGES)
    assert set(drawn) == EDGES


def test_shared_nodes_name_the_recipes_beside_their_owner(tree: Any) -> None:
    boxes = {f"{box.owner}.{box.name}": box for box in graph_of(tree.workflow(), ["all"]).boxes}
    assert boxes["base.cams"].users == ["base", "unet"]
    assert boxes["base.cams"].lines == ["cams", "(dump_cams)", "2 missing", "also in unet"]
    assert boxes["unet.segmenter"].lines == ["segmenter", "(train_segmenter)", "2 missing"]


def test_the_worst_state_gives_the_colour(tree: Any) -> None:
    workflow = tree.workflow(thresholds=[])
    tree.make(workflow)
    (tree.results / "toy/base/rng1/classifier/model.safetensors").write_bytes(b"1")
    boxes = {f"{box.owner}.{box.name}": box for box in graph_of(workflow, ["all"]).boxes}
    assert boxes["base.classifier"].status == "stale"
    assert boxes["base.classifier"].lines[2] == "1 cached, 1 stale"
    single = tree.workflow(rngs=[0], thresholds=[])
    assert {box.lines[2] for box in graph_of(single, ["all"]).boxes} == {"cached"}


def test_both_forms_draw_every_box_and_edge(tree: Any) -> None:
    upper = {
        "extends": "base",
        "nodes": {
            "classifier": {"with": {"keep_epochs": [2]}},
            "cams": {"from": {"classifier": "classifier@epoch2"}},
            "segmenter": {"from": {"labels": "masks"}},
        },
    }
    tree.workflow()
    write_recipes(tree.folder / "recipes", upper=upper)
    graph = graph_of(tree.workflow(recipes=["upper", "unet"], rngs=[0], thresholds=[]), ["all"])
    flow, digraph = mermaid(graph), dot(graph)
    boxes = {str(box.number) for box in graph.boxes}
    assert set(re.findall(r'^    n(\d+)\["', flow, re.MULTILINE)) == boxes
    assert set(re.findall(r"^    n(\d+) \[label", digraph, re.MULTILINE)) == boxes
    edges = {(str(e.source), e.label, str(e.target)) for e in graph.edges}
    assert set(re.findall(r"^  n(\d+) -- (\S+) --> n(\d+)$", flow, re.MULTILINE)) == edges
    told = re.findall(r'^  n(\d+) -> n(\d+) \[label="(\S+)"\]$', digraph, re.MULTILINE)
    assert {(a, label, b) for a, b, label in told} == edges
    assert any(label == "classifier@epoch2" for _, label, _ in edges)
    assert 'n0(["true masks"])' in flow
    assert 'n0 [label="true masks", shape=ellipse]' in digraph
    assert flow.count("subgraph") == digraph.count("subgraph") == flow.count("  end")
    assert digraph.count("{") == digraph.count("}")
    assert "classDef missing fill:#f2f2f2" in flow


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["--graph"], "flowchart LR"),
        (["--graph", "dot"], "digraph plan {"),
        (["--graph=mermaid"], "flowchart LR"),
    ],
)
def test_mermaid_is_the_default_form(
    tree: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    first: str,
) -> None:
    import yaml

    from recipe_files import CONFIG

    tree.workflow()
    Path(tree.folder / "params.yaml").write_text(yaml.safe_dump(CONFIG))
    monkeypatch.chdir(tree.folder)
    monkeypatch.setattr(sys, "argv", ["seedbed", "plan", *words, "--set", "rngs=[0]"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert (left.value.code or 0) == 0
    assert capsys.readouterr().out.splitlines()[0] == first
