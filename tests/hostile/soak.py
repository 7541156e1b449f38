"""Run damaged inputs, all or a sample, and count how the commands took them.

`PYTHONPATH=src:tests python -m hostile.soak [--sample N] [--seed S] [--only TEXT,TEXT] [--json FILE]`
"""

import argparse
import gc
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hostile import (
    in_folder,
    in_maps,
    in_networks,
    in_params,
    in_planning,
    in_results,
    in_tables,
    in_use,
    in_voc,
)
from hostile.damages import Damage, Run
from hostile.running import Ended, preload, run_forked, run_words
from hostile.tree import COMMANDS, Tree, build

SOUND = "as expected"
OUTCOMES = (
    "traceback",
    "internal",
    "accepted wrong",
    "refused wrong",
    "hang",
    "crash",
    "slow",
    "memory",
    "outside",
)

TRAINS = "workflow_scripts/train_"
WARM = [
    ["seedbed", *words.split()]
    for words in (
        "doctor",
        "doctor voc",
        "plan --hours",
        "scores",
        "dvc",
        "recipe list",
        "predict photos --segmenter tiny.segmenter --out out",
        "export tiny.pseudo --out out",
    )
]


def all_damages(seed: int) -> list[Damage]:
    """Every damaged input; `seed` says where bytes are flipped and cut."""
    rng = random.Random(seed)
    modules: Sequence[Any] = (
        in_params,
        in_folder,
        in_voc,
        in_results,
        in_maps,
        in_networks,
        in_tables,
        in_planning,
        in_use,
    )
    found: list[Damage] = []
    for module in modules:
        made = module.damages(rng) if "rng" in module.damages.__code__.co_varnames else module.damages()
        found += made
    names = Counter(damage.name for damage in found)
    assert max(names.values()) == 1, [name for name, count in names.items() if count > 1]
    return found


def judge(run: Run, ended: Ended, tree: Tree) -> str:
    """How a command took its input."""
    if fault := ended.fault():
        return fault
    if run.refused is None:
        if ended.status != 0:
            return "refused wrong"
        try:
            right = run.check is None or run.check(tree, ended)
        except OSError:
            right = False
        return SOUND if right else "accepted wrong"
    if ended.status == 0:
        return "accepted wrong"
    lines = ended.told.splitlines()
    if any(all(part in line for part in run.refused) for line in lines):
        return SOUND
    return "internal"


def examine(
    damage: Damage, base: Path, commands: dict[str, list[str]], keep: bool = False
) -> list[dict[str, Any]]:
    """Run one damage in a copy of its own."""
    folder = Path(tempfile.mkdtemp(prefix="case-", dir=base.parent))
    tree = Tree.copy(base, folder / "tree")
    results = []
    try:
        damage.apply(tree)
        for run in damage.runs:
            words = _words(run, commands)
            ended = run_forked(words, tree.folder)
            outcome = judge(run, ended, tree)
            strange = {path.name for path in folder.iterdir()} != {"tree", "outside"}
            if strange or [(p.name, p.read_text()) for p in tree.outside.iterdir()] != [("kept", "kept")]:
                outcome = "outside"
            told = ended.told[-1500:]
            results.append(
                {
                    "damage": damage.name,
                    "command": " ".join(run.words),
                    "outcome": outcome,
                    "cpu_s": round(ended.cpu_s, 2),
                    "memory_mb": round(ended.memory_mb),
                    "told": told,
                }
            )
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return results


def _words(run: Run, commands: dict[str, list[str]]) -> list[str]:
    first, *rest = run.words
    if not first.startswith("@"):
        return ["seedbed", *run.words]
    unit = next(unit for unit in commands if f"/{unit}".endswith(f"/{first[1:]}"))
    return [*commands[unit], *rest]


def main() -> int:
    """Run and count; status 1 if anything was not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="so many, of every kind in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", default="", help="those whose name contains one of these, with commas between"
    )
    parser.add_argument("--json", type=Path, help="file for all results")
    parser.add_argument("--work", type=Path, help="folder to work in, with the checkout of an earlier call")
    options = parser.parse_args()
    told_in = options.json and options.json.absolute()
    wanted = options.only.split(",")
    chosen = [d for d in all_damages(options.seed) if any(text in d.name for text in wanted)]
    if not chosen:
        parser.error(f"no damage has a name with any of {', '.join(wanted)}")
    if options.sample:
        chosen = sample(chosen, options.sample, options.seed)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        preload()
        base, commands = _checkout(work)
        gc.freeze()  # a collection in a child would otherwise copy every page of the parent
        results = []
        for damage in chosen:
            for result in examine(damage, base, commands):
                results.append(result)
                _tell(result)
    gc.unfreeze()
    if told_in:
        told_in.write_text(json.dumps(results, indent=1))
    counts = Counter(r["outcome"] for r in results)
    shown = ", ".join(
        f"{counts[name]} {name}" for name in (SOUND, *OUTCOMES) if counts[name] or name != SOUND
    )
    print(
        f"{len(chosen)} damaged inputs, {len(results)} commands, {time.monotonic() - started:.0f} s: {shown}"
    )
    return 0 if counts.total() == counts[SOUND] else 1


def _checkout(work: Path) -> tuple[Path, dict[str, list[str]]]:
    """The checkout in `work`, made if it is not there, and its stage commands by unit.

    Its commands then have run once in this process, so that children find loaded what a first call loads.
    """
    base, listed = work.absolute() / "base/tree", work.absolute() / "base" / COMMANDS
    is_there = listed.exists()
    with _silence():
        if not is_there:
            shutil.rmtree(work / "base", ignore_errors=True)
            build(base)
        commands: dict[str, list[str]] = json.loads(listed.read_text())
        with tempfile.TemporaryDirectory(dir=work) as spare:
            os.chdir(Tree.copy(base, Path(spare) / "tree").folder)
            stages = list(commands.values()) if is_there else []
            for words in (*WARM, *(words for words in stages if not words[0].startswith(TRAINS))):
                run_words(words)
            os.chdir(work)
    return base, commands


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing reaches the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, descriptor in enumerate(saved, 1):
            os.dup2(descriptor, stream)
            os.close(descriptor)


def _tell(result: dict[str, Any]) -> None:
    """Print a command that did not end as expected, and its last line."""
    if result["outcome"] == SOUND:
        return
    told = result["told"].strip().splitlines() or [""]
    print("{outcome}: {damage} | {command} | {cpu_s} s, {memory_mb} MB".format(**result))
    print(f"    {told[-1][:300]}", flush=True)


def sample(damages: Sequence[Damage], number: int, seed: int) -> list[Damage]:
    """A number of damages, of every kind in turn."""
    rng = random.Random(seed)
    kinds: dict[str, list[Damage]] = {}
    for damage in rng.sample(list(damages), len(damages)):
        kinds.setdefault(damage.kind, []).append(damage)
    queues = [kinds[kind] for kind in sorted(kinds)]
    chosen: list[Damage] = []
    while queues and len(chosen) < number:
        for queue in queues:
            chosen.append(queue.pop())
        queues = [queue for queue in queues if queue]
    return chosen[:number]


if __name__ == "__main__":
    sys.exit(main())
