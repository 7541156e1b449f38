"""`thresholds` of params.yaml: names for several settings, and what is refused, in one line each."""

from pathlib import Path
from typing import Any

import pytest

from recipe_files import BASE, make_workflow
from seedbed.cam.thresholds import SWEEPS
from seedbed.errors import SeedbedError

SAME_PAIR = {
    "extends": "base",
    "nodes": {
        "masks_": {"with": {"decide": "same_pair"}},
        "initial": {
            "stage": "pseudo_masks",
            "from": {"cams": "cams"},
            "with": {"decide": "same_pair"},
            "inherited": {"threshold": "of the recipe"},
        },
    },
    "scores": ["masks_", "initial"],
}
SAID_BY_SETTINGS = {
    "toy": {
        "confident_regions": {"regions": "bg0.30-fg0.60"},
        "pseudo_masks": {"background_score": 0.5, "inherited": {"threshold": "of the settings"}},
    }
}
SILENT = BASE | {"nodes": BASE["nodes"] | {"regions": BASE["nodes"]["regions"] | {"with": {}}}}
"""The base recipe, whose regions name no pair."""


def test_the_papers_pairs_by_one_name(tmp_path: Path) -> None:
    config = make_workflow(tmp_path, {"thresholds": "threshold-quality"}).config
    assert len(config.thresholds) == len(set(config.thresholds)) == 32
    assert config.thresholds[:4] == ("bg0.05-fg0.05", "bg0.05-fg0.15", "bg0.05-fg0.30", "bg0.05-fg0.45")
    assert config.thresholds[-1] == "bg0.40-fg0.80"


def test_further_pairs_stand_beside_a_name(tmp_path: Path) -> None:
    workflow = make_workflow(tmp_path, {"thresholds": ["bg0.2-fg0.55", "threshold-quality", "alpha4-24"]})
    paper = SWEEPS["threshold-quality"]
    assert workflow.config.thresholds == ("bg0.20-fg0.55", *paper, "alpha4-24")
    planned = {task.regions for task in workflow.reports["sweep"].tasks} - {None}
    assert planned == {*workflow.config.thresholds, "bg0.10-fg0.40"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["bg0.50-fg0.40"], "at most the foreground's, got 'bg0.50-fg0.40'; did you mean bg0.40-fg0.50?"),
        (["bg0.10-fg1.40"], "expected a threshold from 0 to 1, got '1.40'; write it like 0.30"),
        (["bg-0.10-fg0.40"], "expected a threshold from 0 to 1, got '-0.10'; write it like 0.30"),
        (["bg10-fg40"], "expected a threshold from 0 to 1, got '10'; write it like 0.30"),
        (["bg0.105-fg0.40"], "at most two decimals, got '0.105'; write it like 0.30"),
        (
            ["bg0.1-fg0.4", "bg0.20-fg0.50", "bg0.10-fg0.40"],
            "expected each setting once, got bg0.10-fg0.40 twice (bg0.1-fg0.4 and bg0.10-fg0.40); leave one out",
        ),
        (
            ["threshold-quality", "bg0.20-fg0.30"],
            "got bg0.20-fg0.30 twice (threshold-quality and bg0.20-fg0.30); leave one out",
        ),
        (
            ["threshold-qualty"],
            "unknown sweep 'threshold-qualty'; did you mean threshold-quality? Or write pairs",
        ),
        ({"preset": "paper"}, "expected a list, got {'preset': 'paper'}"),
        ([0.1, 0.4], "expected text, got 0.1"),
    ],
)
def test_what_is_refused_is_one_line(tmp_path: Path, given: Any, told: str) -> None:
    with pytest.raises(SeedbedError) as caught:
        make_workflow(tmp_path, {"thresholds": given})
    line = str(caught.value)
    assert line.startswith("params.yaml: thresholds")
    assert told in line
    assert "\n" not in line


def test_equal_thresholds_are_a_pair(tmp_path: Path) -> None:
    config = make_workflow(tmp_path, {"thresholds": ["bg0.3-fg0.30"]}).config
    assert config.thresholds == ("bg0.30-fg0.30",)


# Nodes that name no pair take the recipe's


@pytest.mark.parametrize(
    ("settings", "pair", "note"),
    [({}, "bg0.10-fg0.40", "of the recipe"), (SAID_BY_SETTINGS, "bg0.30-fg0.60", "of the settings")],
)
def test_masks_at_the_same_pair_follow_the_regions(
    tmp_path: Path, settings: Any, pair: str, note: str
) -> None:
    """The recipe's confident regions say bg0.10-fg0.40, or a data set's settings do; the default is not counted."""
    asked = {"recipes": ["child"], "settings": settings, "thresholds": ["bg0.20-fg0.50"]}
    base = {"base": SILENT} if settings else {}
    graph = make_workflow(tmp_path, asked, child=SAME_PAIR, **base).graph()
    for name in ("masks_", "initial"):
        assert graph.task("child", name, 0).axes == f"rng0/{pair}"
    assert graph.task("child", "initial", 0).inherited == {"threshold": note}
    swept = graph.task("child", "initial", 0, "bg0.20-fg0.50")
    assert (swept.axes, swept.inherited) == ("rng0/bg0.20-fg0.50", {})


def test_two_pairs_in_one_recipe_are_still_refused(tmp_path: Path) -> None:
    nodes = {"masks_": {"with": {"decide": "same_pair", "regions": "bg0.20-fg0.50"}}}
    workflow = make_workflow(tmp_path, {"recipes": ["child"]}, child={"extends": "base", "nodes": nodes})
    with pytest.raises(
        SeedbedError, match=r"expected one regions setting per recipe, got .*regions bg0\.10-fg0\.40"
    ):
        _ = workflow.tasks
