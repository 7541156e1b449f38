# Paths and input functions that all rules share; everything they know comes from seedbed.plan.
from pathlib import Path

from snakemake.exceptions import WorkflowError

from seedbed.errors import SeedbedError
from seedbed.engines.tree_lock import has_company, hold_tree
from seedbed.plan.config import parse_config
from seedbed.engines.mtimes import settle
from seedbed.plan.commands import Workflow, index_files, input_files
from seedbed.recipes import RecipeBook
from seedbed.stages.registry import STAGES

try:
    WORKFLOW = Workflow(
        parse_config(config), RecipeBook(Path(workflow.basedir) / "recipes")
    )
    NODES = WORKFLOW.nodes_by_stage()
    if workflow.is_main_process and not has_company(WORKFLOW):
        WORKFLOW.write_slices()
        settle(WORKFLOW)
except SeedbedError as error:
    raise WorkflowError(str(error)) from None

SLICE = "results/.params/{dataset}/{recipe}/{axes}/{node}.json"


# One engine a tree; the claim ends with this process.
onstart:
    global CLAIM
    if workflow.is_main_process:
        try:
            CLAIM = hold_tree(WORKFLOW)
        except SeedbedError as error:
            raise WorkflowError(str(error)) from None


wildcard_constraints:
    dataset="|".join(WORKFLOW.config.datasets),
    recipe="[a-z][a-z0-9-]*",
    axes=r"shared|rng\d+(/[^/]+)?|(bg|alpha)[^/]+",
    node="[a-z][a-z0-9_]*",
    split="[A-Za-z0-9_]+",
    form="(-shared)?",
    shard=r"[A-Za-z0-9_]+-\d+",


def in_index(name):
    """A file of the data set's index."""
    return f"results/{{dataset}}/index/{name}"


def in_axes(name):
    """A file beside the nodes of one point of the axes."""
    return f"results/{{dataset}}/{{recipe}}/{{axes}}/{name}"


def in_node(name):
    """A file of a node."""
    return in_axes(f"{{node}}/{name}")


def nodes_of(stage):
    """Constraint: names of the nodes of a stage."""
    return "|".join(NODES[stage]) or "(?!)"


def task_of(wildcards):
    graph = WORKFLOW.graph(wildcards.dataset)
    return graph, graph.from_path(wildcards.recipe, wildcards.axes, wildcards.node)


def index_of(wildcards):
    """Manifest and table of the data set's index."""
    return index_files(WORKFLOW.graph(wildcards.dataset))


def files_of(name):
    """Input function: manifest, then data files, of an input of the node; nothing where it has no such input."""

    def files(wildcards):
        graph, task = task_of(wildcards)
        return input_files(graph, task, wildcards.get("shard")).get(name, [])

    return files


def shards_of(wildcards):
    """Data files and sidecars of all shards of the node."""
    _, task = task_of(wildcards)
    return [file for shard in task.shard_names for file in task.shard_files(shard)]


def judged_files(kind, name):
    """Input function: manifest, then the split's data files, of an input of a scores or thresholds file."""

    def files(wildcards):
        form = wildcards.get("form", "")
        judgement = WORKFLOW.judgement(
            in_axes(f"{kind}/{{node}}-{{split}}{form}.json").format(**wildcards)
        )
        return [judgement.sources[name].manifest, *judgement.source_files[name]]

    return files


def results_of(report):
    """Every file of a report's workflow, so that a lost one is made again though the page is there.

    Empty where params.yaml names no thresholds to sweep.
    """
    if report not in WORKFLOW.reports:
        return []
    return [path for command in WORKFLOW.commands((report,)) for path in command.writes]


def report_inputs(wildcards):
    return WORKFLOW.reports[wildcards.report].inputs()


def gpu_memory(wildcards, attempt):
    """Main memory of a GPU job in MB; more at each attempt."""
    return 8000 * attempt


def cpu_memory(wildcards, attempt):
    """Main memory of a CPU job in MB; more at each attempt."""
    return 3000 * attempt
