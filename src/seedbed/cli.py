"""`seedbed`: plan, recipes and data sets at a terminal. Stages have commands of their own in workflow_scripts/."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from seedbed.errors import SeedbedError, one_line
from seedbed.verbs.omitted_values import with_omitted_values
from seedbed.verbs.params_options import NO_OPTIONS, ParamsOptions
from seedbed.verbs.recipe_commands import recipe_app

app = App(
    name="seedbed",
    help="Weakly supervised semantic segmentation: image-level labels to pixel masks.",
    help_epilogue="`seedbed --install-completion` sets up completion of commands and options for this shell.",
)
app.register_install_completion_command(
    help="Install completion of seedbed's commands and options for this shell (bash, zsh, fish, powershell).",
)
app.command(recipe_app)


@app.command
def init(folder: Path, *, name: str | None = None, labels: str | None = None, force: bool = False) -> int:
    """Declare a folder of photographs in params.yaml, with settings that fit its sizes and counts and this machine.

    Labels are a CSV, or sub-folders named after the classes. Exit status 1, and nothing written, if there is a fault.

    Args:
        folder: the photographs; nothing is written there.
        name: of the data set; by default the folder's.
        labels: the CSV in the folder, or `folders`; by default what is there.
        force: replace the block and the settings of a data set of that name.
    """
    from seedbed.verbs.init import initialise

    lines, faults = initialise(folder, name, labels, force)
    for fault in faults:
        print(f"seedbed: error: {fault}", file=sys.stderr)
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if faults else 0


@app.command
def fetch(dataset: str, *, out: Path = Path("data"), keep: bool = False) -> None:
    """Download a data set from its official address, verify and unpack it; an interrupted download is resumed.

    Args:
        dataset: voc, sbd (with voc), coco, coco2014 or pets.
        out: folder below which it is unpacked.
        keep: keep the archives, in the folder `.fetch` there.
    """
    from seedbed.verbs.fetch import fetch as download

    download(dataset, out, keep)


@app.command
def plan(
    *,
    shell: bool = False,
    sweep: bool = False,
    why: bool = False,
    disk: bool = False,
    forecast: Annotated[bool, Parameter(name=("--forecast", "--hours"))] = False,
    graph: Literal["mermaid", "dot"] | None = None,
    given: ParamsOptions = NO_OPTIONS,
) -> None:
    """Print every node of the selected recipes: owner, seeds, regions settings, state.

    A state is cached, stale, partial or missing. Also writes the parameter slices that the stage commands read.

    Args:
        shell: print the commands in order instead, for a machine without Snakemake.
        sweep: the sweep over params.yaml's thresholds, instead of each recipe at its own regions.
        why: also say why something is stale, one line per reason.
        disk: also say how large what is on disk is.
        forecast: also say which jobs are left, counted as `snakemake -n` counts them, and what they will cost, by the
            median of earlier runs of each stage on this data set.
        graph: print the nodes as a graph instead, with their states; mermaid if no form is named.
    """
    from seedbed.engines.data_state import look
    from seedbed.engines.tree_lock import hold_if_free
    from seedbed.verbs.graph import FORMS, graph_of
    from seedbed.verbs.show import Columns, plan_text

    workflow = given.workflow()
    name = "sweep" if sweep else "all"
    with hold_if_free(workflow) as is_free:
        if is_free:
            workflow.write_slices()
        else:
            print(
                "seedbed: note: another command writes here, so the slices stay as they are", file=sys.stderr
            )
        data = look(workflow.graph(), write=is_free)
    if shell:
        print("set -e")
        for command in workflow.commands((name,)):
            print(command.line())
    elif graph:
        print(FORMS[graph](graph_of(workflow, (name,))))
    else:
        print(plan_text(workflow, (name,), Columns(why, disk, forecast), data))


@app.command
def scores(*, sweep: bool = False, given: ParamsOptions = NO_OPTIONS) -> None:
    """Print the scores so far of the selected recipes, and the path of their report page.

    Args:
        sweep: of the sweep over params.yaml's thresholds.
    """
    from seedbed.verbs.scores import scores_text

    print(scores_text(given.workflow(), "sweep" if sweep else "all"))


@app.command
def compare(
    *results: str,
    baseline: str = "",
    split: str = "",
    per_class: bool = False,
    csv: Path | None = None,
    page: Path | None = None,
    given: ParamsOptions = NO_OPTIONS,
) -> None:
    """Print cached results in one table: mean ± sd over random seeds, and how far they are from a baseline.

    Nothing is run: what is missing or stale is left out, and named. Differences of mIoU have an interval over images.

    Args:
        results: [dataset/]recipe[@rng0][@bg0.10-fg0.40] each, also with several seeds (@rng0@rng1); by default at
            params.yaml's rngs and the recipe's own regions setting. @sweep: at all of params.yaml's thresholds.
        baseline: the one with which the others are compared; the first by default.
        split: one split only.
        per_class: also the scores of each class, and their differences.
        csv: file to write with every number, by class too.
        page: file to write as HTML.
    """
    from seedbed.verbs.compare import compare_text, write_csv, write_page
    from seedbed.verbs.compared import compared

    workflow = given.workflow()
    comparison = compared(workflow, results or tuple(workflow.config.recipes), baseline, split)
    print(compare_text(comparison, per_class))
    if csv:
        write_csv(comparison, csv)
    if page:
        write_page(comparison, page)
    for path in (csv, page):
        if path:
            print(f"written to {path}")


@app.command
def watch(*, sweep: bool = False, once: bool = False, given: ParamsOptions = NO_OPTIONS) -> None:
    """Show how far along the run in another terminal is, under Snakemake, DVC or SLURM, until Ctrl-C.

    Args:
        sweep: also count the sweep over params.yaml's thresholds.
        once: show it once.
    """
    from seedbed.verbs.watch import watch as show

    show(given.workflow, ("all", "sweep") if sweep else ("all",), once)


@app.command
def epochs(node: str, *, split: str = "val", given: ParamsOptions = NO_OPTIONS) -> None:
    """Print the validation scores of the epochs that a trained node keeps, and the command that makes what is missing.

    Writes a recipe that has, per kept epoch, the nodes that read the trained one. To pick an epoch by mIoU is to choose
    it with masks.

    Args:
        node: recipe.node of a trained network, with `keep_epochs`.
        split: on which the epochs are compared.
    """
    from seedbed.verbs.epochs import epochs_text

    print(epochs_text(given.workflow(), node, split))


@app.command
def tensorboard(
    *recipes: str, out: Path = Path("logs/tensorboard"), given: ParamsOptions = NO_OPTIONS
) -> None:
    """Write what trainings logged and the scores so far as event files for TensorBoard, which needs its own package.

    Args:
        recipes: those selected in params.yaml by default.
        out: folder to write, for `tensorboard --logdir`.
    """
    from seedbed.verbs.tensorboard import curves, stale_runs, write_events

    workflow = given.workflow()
    runs = curves(workflow, recipes)
    if not runs:
        raise SeedbedError("nothing has been trained or scored yet; run `snakemake` first")
    if stale := stale_runs(workflow, recipes):
        are = f"{stale[0]} is" if len(stale) == 1 else f"{stale[0]} and {len(stale) - 1} more are"
        print(f"seedbed: note: {are} stale; written as they are", file=sys.stderr)
    count = write_events(runs, out)
    print(f"{out}: {count} points of {len(runs)} runs; look at them with `tensorboard --logdir {out}`")


@app.command
def gc(
    *,
    yes: bool = False,
    each: bool = False,
    every: Annotated[bool, Parameter(name="--all")] = False,
    given: ParamsOptions = NO_OPTIONS,
) -> None:
    """List what no recipe of recipes/ owns at params.yaml's rngs and thresholds: nodes, scores, work, slices, logs.

    Of the configured data set; its index and its reports stay. Refuses while a run writes.

    Args:
        yes: delete it.
        each: one line per folder or file, instead of one for all of a recipe's that are deleted for the same reason.
        every: of all data sets, also of those that params.yaml no longer declares.
    """
    from seedbed.verbs.gc import collect

    print(collect(given.workflow(), yes, each, every))


@app.command
def predict(
    *photos: Path,
    segmenter: str,
    out: Path,
    overlay: bool = False,
    device: str = "auto",
    longest: int | None = None,
    given: ParamsOptions = NO_OPTIONS,
) -> int:
    """Segment new photographs: masks (palette PNG), the share of each class (CSV), and pictures to look at.

    Exit status 1 if a photograph could not be read; the others are done.

    Args:
        photos: files, and folders that are searched for image files.
        segmenter: recipe.node[@rng0] of the configured data set, or the folder of an artifact; a `predict` node brings
            its own scales and CRF, and the classifier that it asks, if any; image-level labels it does without.
        out: folder to write: masks with the photographs' names, shares.csv, classes.csv.
        overlay: also write each mask over its photograph, into the folder `overlays`.
        device: auto, cpu or cuda.
        longest: long side in pixels to which larger photographs are shrunk for the network; by default the data set's
            longest, if its index is there. Masks have the photograph's size.
    """
    from seedbed.runtime.log import Log
    from seedbed.verbs.locate import locate
    from seedbed.verbs.predict import predict_command

    located, log = locate(segmenter, given.workflow), Log(None)
    if located.note:
        print(f"seedbed: note: {located.note}", file=sys.stderr)
    faults = predict_command(
        located,
        photos,
        out,
        overlay,
        device,
        longest,
        lambda found: log.progress(found, len(found), "predict"),
    )
    for fault in faults:
        print(f"seedbed: error: {fault}", file=sys.stderr)
    return 1 if faults else 0


@app.command
def export(
    node: str,
    *,
    out: Path,
    form: Annotated[str, Parameter(name="--format")] = "png",
    split: str | None = None,
    data_root: Annotated[Path | None, Parameter(name="--data-root")] = None,
    given: ParamsOptions = NO_OPTIONS,
) -> None:
    """Write a node's label maps, or its CAMs, as people, evaluation servers and other toolboxes expect them.

    Args:
        node: recipe.node[@rng0][@bg0.10-fg0.40] of the configured data set, or the folder of an artifact.
        out: folder to write.
        form: png; voc (the archive that its test server takes); coco (JSON); mmseg (img_dir and ann_dir); irn (.npy of
            CAMs); overlays (pictures, also of CAMs, and contact sheets).
        split: one split only.
        data_root: folder of the data set on this machine, for mmseg and overlays.
    """
    from seedbed.verbs.export import export as write
    from seedbed.verbs.locate import locate

    located = locate(node, given.workflow)
    if located.note:
        print(f"seedbed: note: {located.note}", file=sys.stderr)
    path, count = write(located, out, form, split, data_root)
    print(f"{path}: {count} images")


@app.command
def doctor(
    dataset: str | None = None,
    *,
    data_root: Annotated[Path | None, Parameter(name="--data-root")] = None,
    every: Annotated[bool, Parameter(name="--all", negative=())] = False,
    given: ParamsOptions = NO_OPTIONS,
) -> int:
    """List the classes of a data set, and the faults of it and of the selected recipes; exit status 1 if there is one.

    Args:
        dataset: data set of params.yaml; the configured one by default.
        data_root: its folder on this machine.
        every: each fault in a line of its own; by default those of one cause are together.
    """
    from seedbed.verbs.doctor import examine

    notes, faults = examine(given.workflow(), dataset, data_root, every)
    for line in (*notes, *faults):
        print(line)
    print(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}" if faults else "no faults")
    return 1 if faults else 0


@app.command
def resume(
    *snakemake: Annotated[str, Parameter(allow_leading_hyphen=True)], cancel: bool = False, queue: bool = True
) -> int:
    """Continue after Snakemake was killed: wait for the jobs that it left behind, unlock, run what is incomplete.

    Args:
        snakemake: what snakemake was called with, for instance `--workflow-profile profiles/slurm`.
        cancel: cancel the jobs that are left instead of waiting for them.
        queue: look for them in SLURM's queue, if there is one.
    """
    from seedbed.engines.resume import resume as go_on

    return go_on(snakemake, cancel_jobs=cancel, queue=queue)


@app.command
def dvc(*, sweep: bool = False, given: ParamsOptions = NO_OPTIONS) -> None:
    """Write dvc.yaml for what params.yaml and the recipes ask for, and the parameter slices that its stages read.

    Refuses while a run writes.

    Args:
        sweep: also with the sweep over params.yaml's thresholds.
    """
    from seedbed.engines.dvc_yaml import FILE, write
    from seedbed.engines.resolve import write_slices
    from seedbed.engines.tree_lock import hold_tree

    workflow = given.workflow()
    with hold_tree(workflow):
        written = write(workflow, sweep=sweep)
        write_slices(workflow)
    print(f"{FILE}: {'written' if written else 'up to date'}")


@app.command(name="sync-dvc")
def sync_dvc(*, given: ParamsOptions = NO_OPTIONS) -> int:
    """Hand DVC what Snakemake made; exit status 1 if a stage is refused: made with another slice or other inputs."""
    from seedbed.engines.sync import sync

    handover = sync(given.overrides)
    print("\n".join(handover.lines()))
    return 1 if handover.refused else 0


def main() -> None:
    """Entry point: mistakes of a user are answered with one line, and a closed pipe ends it silently."""
    try:
        try:
            sys.exit(app(with_omitted_values(sys.argv[1:])))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(128 + signal.SIGPIPE)
    except (SeedbedError, OSError, MemoryError) as error:
        print(f"seedbed: error: {one_line(error)}", file=sys.stderr)
        sys.exit(1)
