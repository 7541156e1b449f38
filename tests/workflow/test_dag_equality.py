"""One DAG: files that the stages of dvc.yaml read and declare are those of Snakemake, for every shape of recipe.

A node is one stage of DVC's; of Snakemake's it is a job per shard and one that gathers them.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from dvc.repo import Repo

from seedbed.engines.dvc_yaml import RESOLVE, stamp
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import Recipe, RecipeBook
from workflow.engine_checkout import REPOSITORY, Checkout

PARAMS = yaml.safe_load((REPOSITORY / "params.yaml").read_text())


def shape(recipe: Recipe) -> str:
    """All of a recipe on which its DAG depends: nodes, stages, inputs, and which nodes another recipe owns."""
    nodes = {
        name: (node.stage.name if node.stage else "", node.ref, sorted(node.inputs.items()))
        for name, node in recipe.nodes.items()
    }
    return repr((sorted(nodes.items()), recipe.scores)).replace(f"recipe='{recipe.name}'", "recipe=''")


def of_each_shape(book: RecipeBook) -> list[str]:
    """The first committed recipe of each shape: those that change parameters alone have equal DAGs."""
    found: dict[str, str] = {}
    for name in book.names():
        found.setdefault(shape(book[name]), name)
    return list(found.values())


def groups(book: RecipeBook, names: list[str]) -> Iterator[list[str]]:
    """The recipes, as few groups as their node names allow (one name, one stage)."""
    group: list[str] = []
    for name in names:
        if not fit_together(book, [*group, name]):
            yield group
            group = []
        group.append(name)
    yield group


def fit_together(book: RecipeBook, names: list[str]) -> bool:
    try:
        return bool(Workflow(parse_config(PARAMS | {"recipes": names}), book).nodes_by_stage)
    except SeedbedError:
        return False


# The summaries of the command line name inputs only of what was made already.
JOBS = """
import json, sys
from pathlib import Path
from snakemake.api import DAGSettings, ResourceSettings, SnakemakeApi
with SnakemakeApi() as api:
    workflow = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile"))
    workflow.dag(DAGSettings(targets={"all", "sweep"})).printd3dag()
    jobs = [([str(f) for f in j.input], [str(f) for f in j.output]) for j in workflow._workflow.dag.jobs]
Path("jobs.json").write_text(json.dumps(jobs))
"""


def by_snakemake(checkout: Checkout) -> dict[str, set[str]]:
    """What each file is made from."""
    checkout.run(sys.executable, "-c", JOBS)
    jobs = json.loads((checkout.folder / "jobs.json").read_text())
    return {output: set(inputs) for inputs, outputs in jobs for output in outputs}


def by_dvc(checkout: Checkout) -> list[tuple[set[str], set[str]]]:
    """What each stage reads and declares."""
    mark = str(stamp(Workflow.read(checkout.folder)))
    with Repo(str(checkout.folder)) as repo:
        stages = [stage for stage in repo.index.stages if stage.name != RESOLVE]
        assert all(mark in {dep.def_path for dep in stage.deps} for stage in stages)
        return [
            ({dep.def_path for dep in stage.deps} - {mark}, {out.def_path for out in stage.outs})
            for stage in stages
        ]


def test_dvc_and_snakemake_have_one_dag(tmp_path: Path) -> None:
    book = RecipeBook(REPOSITORY / "recipes")
    recipes = of_each_shape(book)
    assert len(recipes) > 10
    for number, group in enumerate(groups(book, recipes)):
        checkout = Checkout.make(
            tmp_path / str(number),
            PARAMS | {"recipes": group, "rngs": [0, 1], "thresholds": PARAMS["thresholds"][:2]},
        )
        snakemake, dvc = by_snakemake(checkout), by_dvc(checkout)
        assert {out for _, outs in dvc for out in outs} == snakemake.keys()
        assert len(snakemake) > 20 * len(group)
        for deps, outs in dvc:
            assert deps == set[str]().union(*(snakemake[out] for out in outs)) - outs, sorted(outs)[0]
