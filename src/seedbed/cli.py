"""`seedbed`: plan, recipes and data sets at a terminal. Stages have commands of their own in workflow_scripts/."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow

app = App(
    name="seedbed",
    help="Weakly supervised semantic segmentation: image-level labels to pixel masks.",
    help_epilogue="`seedbed --install-completion` sets up completion of commands and options for this shell.",
)
app.register_install_completion_command(
    help="Install completion of seedbed's commands and options for this shell (bash, zsh, fish, powershell).",
)
recipe_app = App(name="recipe", help="Show and compare recipes.")
app.command(recipe_app)


@app.command
def plan(
    *, shell: bool = False, sweep: bool = False, why: bool = False, disk: bool = False, hours: bool = False
) -> None:
    """Print every node of the selected recipes: owner, seeds, regions settings, state (cached, stale, missing).

    Also writes the parameter slices that the stage commands read.

    Args:
        shell: print the commands in order instead, for a machine without Snakemake.
        sweep: the sweep over params.yaml's thresholds, instead of each recipe at its own regions.
        why: also say why something is stale, one line a reason.
        disk: also say how large what is on disk is.
        hours: also say what a run will cost, by the median of earlier runs of each stage on this data set.
    """
    from seedbed.verbs.show import Columns, plan_text

    workflow = Workflow.read()
    name = "sweep" if sweep else "all"
    workflow.write_slices()
    if shell:
        print("set -e")
        for command in workflow.commands((name,)):
            print(command.line())
    else:
        print(plan_text(workflow, (name,), Columns(why, disk, hours)))


@app.command
def scores(*, sweep: bool = False) -> None:
    """Print the scores that are there for the selected recipes, and where their page lies.

    Args:
        sweep: of the sweep over params.yaml's thresholds.
    """
    from seedbed.verbs.show import scores_text

    print(scores_text(Workflow.read(), "sweep" if sweep else "all"))


@recipe_app.command
def show(name: str, *, resolved: bool = False) -> None:
    """Print a recipe with all that it extends merged in.

    Args:
        name: recipe.
        resolved: with every parameter's value for the configured data set, and the owner of each node.
    """
    from seedbed.verbs.show import recipe_text

    workflow = Workflow.read()
    print(recipe_text(workflow.book.check(name), resolved, workflow.graph()), end="")


@recipe_app.command
def diff(first: str, second: str) -> None:
    """Print what the second recipe changes against the first, and which nodes they share.

    Args:
        first: recipe.
        second: recipe.
    """
    from seedbed.verbs.show import recipe_difference

    print(recipe_difference(Workflow.read(), first, second))


@recipe_app.command(name="list")
def list_() -> None:
    """Print all recipes with their papers."""
    from seedbed.verbs.show import table

    book = Workflow.read().book
    print(
        table(
            ("RECIPE", "EXTENDS", "PAPER"),
            [(n, *_parents(book[n].chain), book[n].paper) for n in book.names()],
        )
    )


def _parents(chain: tuple[str, ...]) -> tuple[str]:
    return (chain[-2] if len(chain) > 1 else "",)


@app.command
def gc(*, yes: bool = False, each: bool = False) -> None:
    """List what no recipe of recipes/ owns at params.yaml's rngs and thresholds: nodes, scores, work, slices, logs.

    Indexes and reports of the declared data sets stay. Refuses while a run writes.

    Args:
        yes: delete it.
        each: a line for each folder, instead of one for all of a recipe's that go for one reason.
    """
    from seedbed.verbs.gc.clearing import collect

    print(collect(Workflow.read(), yes, each))


@app.command
def predict(
    *photos: Path,
    segmenter: str,
    out: Path,
    overlay: bool = False,
    device: str = "auto",
    longest: int | None = None,
) -> int:
    """Segment new photographs: masks (palette PNG), the share of each class (CSV), and pictures to look at.

    Exit status 1 where a photograph could not be read; the others are done.

    Args:
        photos: files, and folders that are searched for image files.
        segmenter: recipe.node[@rng0] of the configured data set, or the folder of an artifact; a `predict` node brings
            its own scales and CRF.
        out: folder to write.
        overlay: also write each mask over its photograph.
        device: auto, cpu or cuda.
        longest: long side in pixels to which larger photographs are shrunk for the network; by default the data set's
            longest. Masks have the photograph's size.
    """
    from seedbed.runtime.options import Log
    from seedbed.verbs.locate import locate
    from seedbed.verbs.predict import predict_command

    located, log = locate(segmenter), Log(None)
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
) -> None:
    """Write a node's label maps as PNGs with the images' ids, or as the archive that VOC's test server takes.

    Args:
        node: recipe.node[@rng0][@bg0.10-fg0.40] of the configured data set, or the folder of an artifact.
        out: folder to write.
        form: png or voc.
        split: one split only.
    """
    from seedbed.verbs.export import export as write
    from seedbed.verbs.locate import locate

    located = locate(node)
    if located.note:
        print(f"seedbed: note: {located.note}", file=sys.stderr)
    path, count = write(located, out, form, split)
    print(f"{path}: {count} label maps")


@app.command
def doctor(
    dataset: str | None = None, *, data_root: Annotated[Path | None, Parameter(name="--data-root")] = None
) -> int:
    """List every fault of a data set and of the selected recipes at once; exit status 1 where there is one.

    Args:
        dataset: data set of params.yaml; the configured one by default.
        data_root: its folder on this machine.
    """
    from seedbed.verbs.doctor import examine

    faults = examine(Workflow.read(), dataset, data_root)
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults" if faults else "no faults")
    return 1 if faults else 0


@app.command
def resume(
    *snakemake: Annotated[str, Parameter(allow_leading_hyphen=True)], cancel: bool = False, queue: bool = True
) -> int:
    """Go on after Snakemake was killed: wait for the jobs that it left behind, unlock, run what is incomplete.

    Args:
        snakemake: what snakemake was called with, for instance `--workflow-profile profiles/slurm`.
        cancel: cancel the jobs that are left in place of waiting for them.
        queue: look for them in SLURM's queue, where there is one.
    """
    from seedbed.engines.resume import resume as go_on

    return go_on(snakemake, cancel_jobs=cancel, queue=queue)


@app.command
def dvc() -> None:
    """Write dvc.yaml for what params.yaml and the recipes ask for."""
    from seedbed.engines.dvc_yaml import FILE, write

    print(f"{FILE}: {'written' if write(Workflow.read()) else 'up to date'}")


@app.command(name="sync-dvc")
def sync_dvc() -> int:
    """Hand DVC what Snakemake made; exit status 1 where a stage is refused: made with another slice or other inputs."""
    from seedbed.engines.sync import sync

    handover = sync()
    print("\n".join(handover.lines()))
    return 1 if handover.refused else 0


def main() -> None:
    """Entry point: failures of a user's making are one line."""
    try:
        sys.exit(app())
    except SeedbedError as error:
        print(f"seedbed: error: {error}", file=sys.stderr)
        sys.exit(1)
