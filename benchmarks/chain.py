"""CPU seconds of each stage of `psa`, of an older commit and of the last one, command by command in turn.

    python benchmarks/chain.py [--before 57d7220] [--images 60] [--keep FOLDER]

On some photographs of voc-animals with the budget of params.yaml's voc-animals-300, one process per job as the engines
start them (`seedbed plan --shell`), so start-up is included. Needs SEEDBED_TEST_DATA and the repository's history.
57d7220 is the last commit before networks were channels-last and folded.
"""

import argparse
import io
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import yaml
from _harness import machine

ROOT = Path(__file__).resolve().parents[1]
LISTS = Path("ImageSets") / "Segmentation"
NAME, LIKE = "photographs", "voc-animals-300"
TRAINING = ("train_classifier", "train_affinitynet", "train_segmenter")


def checkout(commit: str, folder: Path, data: Path) -> list[list[str]]:
    """Take out a commit, let it run `psa` on the data, and return the commands."""
    found = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        sys.exit(
            f"expected commit {commit} in the history: {found.stderr.decode().strip()}; git fetch --unshallow"
        )
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as files:
        files.extractall(folder, filter="data")
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())["settings"][LIKE]
    params = {
        "dataset": NAME,
        "recipes": ["psa"],
        "rngs": [0],
        "thresholds": [],
        "datasets": {
            NAME: {
                "kind": "voc",
                "root": str(data),
                "splits": {"train": {"list": "some"}, "val": {"list": "others"}},
                "with": {"labels": "csv"},
            }
        },
        "settings": {NAME: {stage: settings[stage] for stage in TRAINING}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    plan = "import sys; from seedbed.cli import main; sys.argv = ['seedbed', 'plan', '--shell']; sys.exit(main())"
    printed = subprocess.run(
        [sys.executable, "-c", plan],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [shlex.split(line) for line in printed.splitlines() if "workflow_scripts/" in line]


def environment(folder: Path) -> dict[str, str]:
    """What a job needs to import the checkout's own package."""
    return {
        **os.environ,
        "PYTHONPATH": str(folder / "src"),
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": "1",
    }


def seconds_of(command: Sequence[str], folder: Path) -> float:
    """CPU seconds of a command.

    Raises:
        SystemExit: it failed; what it printed is shown.
    """
    with (folder / "printed.txt").open("w+b") as printed:
        job = subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=printed, stderr=printed)
        _, status, usage = os.wait4(job.pid, 0)
        if status:
            printed.seek(0)
            sys.exit(f"{shlex.join(command)} failed:\n{printed.read().decode()}")
    return usage.ru_utime + usage.ru_stime


def subset(target: Path, images: int) -> None:
    """The photographs and masks of voc-animals, with lists of every n-th image."""
    source = Path(os.environ["SEEDBED_TEST_DATA"]) / "voc-animals"
    shutil.copytree(source, target, copy_function=shutil.copyfile, dirs_exist_ok=True)
    for split, name, count in (("train300", "some", images), ("val", "others", images // 2)):
        ids = (source / LISTS / f"{split}.txt").read_text().split()
        (target / LISTS / f"{name}.txt").write_text(
            "\n".join(ids[:: max(1, len(ids) // count)][:count]) + "\n"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", default="57d7220", metavar="COMMIT")
    parser.add_argument(
        "--images", type=int, default=60, help="for training; half as many are for validation"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave checkouts and results there")
    options = parser.parse_args()
    if "SEEDBED_TEST_DATA" not in os.environ:
        sys.exit("SEEDBED_TEST_DATA is not set: it is the folder that holds voc-animals")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        data = folder / "data"
        subset(data, options.images)
        folders = {commit: folder / name for commit, name in ((options.before, "before"), ("HEAD", "after"))}
        plans = [[(at, one) for one in checkout(commit, at, data)] for commit, at in folders.items()]
        spent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for at, command in (job for both in zip_longest(*plans) for job in both if job):
            spent[Path(command[1]).stem][at.name] += seconds_of(command, at)
    print("## CPU seconds of psa, stage by stage")
    print(f"\n{machine()}; {options.images} images, {options.before} against HEAD.\n")
    print("| stage | before | after | ratio |\n| --- | --- | --- | --- |")
    whole = {name: sum(stage[name] for stage in spent.values()) for name in ("before", "after")}
    for stage, found in [*spent.items(), ("all", whole)]:
        before, after = found["before"], found["after"]
        print(f"| {stage} | {before:.1f} | {after:.1f} | {f'{after / before:.2f}' if before else ''} |")


if __name__ == "__main__":
    main()
