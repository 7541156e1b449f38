# The workflow and the input functions that rules share; everything they know comes from seedbed.plan.
import shlex
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from seedbed.engines.data_state import look
from seedbed.engines.mtimes import settle
from seedbed.engines.tree_lock import hold_tree, refuse_unplanned, who_holds
from seedbed.errors import SeedbedError
from seedbed.names import NODE, RECIPE, SPLIT
from seedbed.plan.commands import ALL_STAGES, Workflow, index_files, input_files
from seedbed.plan.config import parse_config
from seedbed.plan.judges import JUDGES
from seedbed.plan.overrides import assigned, merged
from seedbed.recipes import RecipeBook
from seedbed.runtime.axes import PATTERN as AXES
from seedbed.runtime.paths import MASKS
from seedbed.stages.prepare_dataset import STAGE as PREPARE_DATASET
from seedbed.stages.registry import STAGES
from seedbed.stages.report import STAGE as REPORT

HELD = ""
try:
    # Values of `--config` once more, as YAML: inside lists and mappings Snakemake reads numbers as text.
    GIVEN_VALUES = map(assigned, workflow.config_settings.config_args or ())
    CONFIG = parse_config(merged([config, *GIVEN_VALUES]))
    WORKFLOW = Workflow(CONFIG, RecipeBook(Path(workflow.basedir) / "recipes"))
    NODES = WORKFLOW.nodes_by_stage
    if workflow.is_main_process:
        if HELD := who_holds(WORKFLOW):
            if IS_SILENT:
                raise SeedbedError(HELD)
            refuse_unplanned(WORKFLOW)
            logger.warning(
                f"{HELD}; this is planned with the parameters and data that were there before"
            )
        else:
            WORKFLOW.write_slices()
            DATA = look(WORKFLOW.graph(), write=True)
            for note in DATA.notes:
                logger.info(note)
            settle(WORKFLOW, DATA)
except SeedbedError as error:
    stop(error)


# One engine per tree; the claim ends with this process.
onstart:
    global CLAIM
    if workflow.is_main_process:
        if HELD:
            raise WorkflowError(f"{HELD}; then start this again")
        try:
            CLAIM = hold_tree(WORKFLOW)
        except SeedbedError as error:
            raise WorkflowError(str(error)) from None


wildcard_constraints:
    dataset="|".join(WORKFLOW.config.datasets),
    recipe=RECIPE.pattern,
    axes=AXES,
    node=NODE.pattern,
    shard=rf"{SPLIT.pattern}-\d+",
    judge="|".join(JUDGES),
    judgement="[^/]+",
    report="|".join(WORKFLOW.reports),


GRAPH = WORKFLOW.graph()
SLICE = "results/.params/{dataset}/{recipe}/{axes}/{node}.json"
JUDGEMENT = "results/{dataset}/{recipe}/{axes}/{judge}/{judgement}.json"
PAGE, *TABLES = REPORT.files
SHARDED = [name for name, stage in STAGES.items() if stage.sharded]
OPTIONS = {"index"}.union(*(stage.inputs for stage in ALL_STAGES.values()))


def in_index(name):
    """A file of the data set's index."""
    return f"results/{{dataset}}/index/{name}"


def in_node(name):
    """A file of a node."""
    return f"results/{{dataset}}/{{recipe}}/{{axes}}/{{node}}/{name}"


def in_report(name, caption):
    """A file of a report, with its caption in `snakemake --report`."""
    return report(
        f"results/{{dataset}}/reports/{{report}}/{name}",
        caption=f"../report/{caption}.rst",
        category="{report}",
    )


def nodes_of(*stages):
    """Constraint: names of the nodes of the stages."""
    return "|".join(node for stage in stages for node in NODES[stage]) or "(?!)"


def task_of(wildcards):
    """The task whose files are made."""
    graph = WORKFLOW.graph(wildcards.dataset)
    return graph.from_path(wildcards.recipe, wildcards.axes, wildcards.node)


def threads_of(wildcards, rulename):
    """How many threads the job takes. Gathering and judging take one, whatever the node's `torch_threads`."""
    if rulename == "gather" or "node" not in wildcards.keys():
        return 1
    return getattr(task_of(wildcards).parameters, "torch_threads", 1)


def judgement_of(wildcards):
    """The judgement whose file is made."""
    return WORKFLOW.judgement(Path(JUDGEMENT.format(**wildcards)))


def stage_of(wildcards):
    """The stage that makes the files."""
    if "node" in wildcards.keys():
        return task_of(wildcards).stage
    if "judge" in wildcards.keys():
        return judgement_of(wildcards).stage
    return REPORT if "report" in wildcards.keys() else PREPARE_DATASET


def script_of(wildcards):
    """The script of that stage."""
    return f"{stage_of(wildcards).name}.py"


def judge_of(wildcards):
    """The script of all judges, whose first word is the judge's stage."""
    return f"judge.py {stage_of(wildcards).name}"


def options_of(wildcards, input):
    """Options of the command, quoted: each input that a stage takes, by its first file; none for one that is not given."""
    named = [
        (name, files[0]) for name, files in input.items() if name in OPTIONS and files
    ]
    named.sort(key=lambda item: item[0] != "index")
    return shlex.join(
        word for name, file in named for word in (f"--{name.replace('_', '-')}", file)
    )


def index_of(wildcards):
    """Manifest and table of the data set's index."""
    return index_files(WORKFLOW.graph(wildcards.dataset))


def inputs_of(wildcards):
    """By name: manifest, then data files, of every input of the node."""
    graph, task = WORKFLOW.graph(wildcards.dataset), task_of(wildcards)
    return input_files(graph, task, wildcards.get("shard"))


def files_of(name):
    """Input function: manifest, then data files, of one input of the node."""
    return lambda wildcards: inputs_of(wildcards).get(name, [])


def shards_of(wildcards):
    """Data files and sidecars of all shards of the node."""
    task = task_of(wildcards)
    return [file for shard in task.shard_names for file in task.shard_files(shard)]


def judged_by(wildcards):
    """By name: manifest, then the split's data files, of what is judged; the true masks where the judge reads them."""
    judgement = judgement_of(wildcards)
    masks = [in_index(MASKS).format(**wildcards)] if judgement.stage.reads_masks else []
    return {"masks": masks} | {
        name: [task.manifest, *judgement.source_files[name]]
        for name, task in judgement.sources.items()
    }


def shown_in(wildcards):
    """Every result that the report reads."""
    return WORKFLOW.reports[wildcards.report].inputs()


def results_of(name):
    """Every file of a report's workflow, so that a lost one is made again even if the page exists."""
    try:
        return [
            path for command in WORKFLOW.commands((name,)) for path in command.writes
        ]
    except SeedbedError as error:
        stop(error)


def swept(wildcards):
    """Every file of the sweep; asked for only when the sweep is, since params.yaml may name no thresholds."""
    return results_of("sweep")
