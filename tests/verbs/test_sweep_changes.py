"""A sweep that changes: a pair more runs its own nodes, a pair less runs none; and one of which nothing exists."""

from typing import Any

import pytest

from seedbed.engines.jobs import jobs_left
from seedbed.engines.soundness import Examiner
from seedbed.plan.commands import Workflow
from seedbed.verbs.compare import compare_text
from seedbed.verbs.compared import compared
from seedbed.verbs.scores import scores_text
from verbs.conftest import PAIRS

MORE = "bg0.20-fg0.60"
ONE = {"recipes": ["base"], "rngs": [0]}
ABOUT_ALL = {"toy/base/rng0/bg0.10-fg0.40/thresholds/refined-train-shared", "toy/reports/sweep"}
"""What a change of the list of pairs makes again: the table of all pairs on one reference, and the page."""


@pytest.fixture
def made(tree: Any) -> Any:
    """The sweep over `PAIRS`, finished."""
    workflow = tree.workflow(**ONE)
    workflow.write_slices()
    tree.make(workflow)
    tree.judge(workflow)
    tree.report(workflow, "sweep")
    return tree


def left(workflow: Workflow) -> set[str]:
    """What a sweep would run, by key."""
    return {command.unit for command in jobs_left(workflow, ["sweep"], Examiner(workflow.graph()))}


def test_a_pair_more_runs_its_own_nodes(made: Any) -> None:
    assert left(made.workflow(**ONE)) == set()
    units = left(made.workflow(**ONE, thresholds=[*PAIRS, MORE]))
    own = {unit for unit in units if f"/{MORE}/" in unit}
    assert units - own == ABOUT_ALL
    nodes = {"regions", "affinitynet", "refined", "masks_", "segmenter", "predictions"}
    assert {unit.split("/")[4] for unit in own if unit.startswith(f"toy/base/rng0/{MORE}")} == nodes | {
        "scores",
        "thresholds",
        "choices",
    }


@pytest.mark.parametrize("gone", PAIRS)
def test_a_pair_less_runs_no_node(made: Any, gone: str) -> None:
    """Also where it is the recipe's own, on which all pairs are judged together: that one stays."""
    assert left(made.workflow(**ONE, thresholds=[pair for pair in PAIRS if pair != gone])) == ABOUT_ALL


def test_the_order_of_the_pairs_runs_the_page_alone(made: Any) -> None:
    assert left(made.workflow(**ONE, thresholds=PAIRS[::-1])) == {"toy/reports/sweep"}


def test_of_a_sweep_of_which_nothing_exists_each_line_says_so(tree: Any) -> None:
    workflow = tree.workflow(**ONE)
    head, *lines, page = scores_text(workflow, "sweep").splitlines()
    assert head.split()[:2] == ["OWNER", "AXES"]
    assert all(line.endswith("missing") for line in lines)
    assert {line.split()[1] for line in lines if " refined " in line} == {f"rng0/{pair}" for pair in PAIRS}
    assert page == (f"no page yet at {workflow.results}/toy/reports/sweep/index.html; run snakemake sweep")
    told = [
        line for line in compare_text(compared(workflow, ["base@sweep"])).splitlines() if "not there" in line
    ]
    assert [line.split()[2:5] for line in told] == [
        [str(number), "base", f"{pair}:"] for number, pair in enumerate(PAIRS, 1)
    ]
