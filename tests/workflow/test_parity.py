"""Two engines and pasted commands: equal bytes, and after any change exactly the stages concerned run.

Stage calls are counted through SEEDBED_CALLS. Expected calls are written out by hand from the recipes.
"""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
import yaml

from workflow.engine_checkout import TINY, Checkout, two_shards, with_settings

pytestmark = pytest.mark.slow

REGIONS = "psa/rng0/bg0.10-fg0.40/confident_regions"
JUDGED = "psa/rng0/bg0.10-fg0.40/scores"


SHARDED = {
    "classify": "val",
    "dump_cams": "train",
    "confident_regions": "train",
    "random_walk": "train",
    "pseudo_masks": "train",
    "predict": "val",
}
"""Split of the nodes of each stage that is sharded."""

PSA = [
    "prepare_dataset index",
    "prepare_masks index/masks.csv",
    "train_classifier psa/rng0/classifier",
    "classify psa/rng0/classification",
    "dump_cams psa/rng0/cams",
    f"confident_regions {REGIONS}",
    "train_affinitynet psa/rng0/bg0.10-fg0.40/affinitynet",
    "random_walk psa/rng0/bg0.10-fg0.40/refined_cams",
    "pseudo_masks psa/rng0/bg0.10-fg0.40/pseudo_masks",
    "train_segmenter psa/rng0/bg0.10-fg0.40/segmenter",
    "predict psa/rng0/bg0.10-fg0.40/predictions",
    "evaluate psa/rng0/scores/classification-val.json",
    "evaluate psa/rng0/scores/cams-train.json",
    f"evaluate {JUDGED}/confident_regions-train.json",
    f"evaluate {JUDGED}/refined_cams-train.json",
    f"evaluate {JUDGED}/pseudo_masks-train.json",
    f"evaluate {JUDGED}/predictions-val.json",
    "threshold_choice psa/rng0/choices/cams-train.json",
    "threshold_choice psa/rng0/bg0.10-fg0.40/choices/refined_cams-train.json",
    "report reports/all",
]
REGIONS_ON = [
    f"confident_regions {REGIONS}",
    f"evaluate {JUDGED}/confident_regions-train.json",
    "report reports/all",
]
OWN_REGIONS = [call.replace("psa/", "cut/") for call in REGIONS_ON]


def by_shard(calls: list[str]) -> list[str]:
    """The calls of Snakemake for these: of a node in two shards one per shard, and one that gathers them."""
    found = []
    for call in calls:
        stage, folder = call.split()
        if stage not in SHARDED:
            found.append(call)
            continue
        found += [f"{call} {SHARDED[stage]}-{number}" for number in (0, 1)] + [f"gather {folder}"]
    return found


CHANGED_RECIPE = "\n".join(["  confident_regions: {with: {regions: bg0.10-fg0.40, crf: none}}", ""])


def test_three_ways_give_equal_bytes(by_snakemake, by_dvc, by_shell) -> None:
    assert sorted(by_snakemake.calls) == sorted(by_shard(PSA))
    for made in (by_dvc, by_shell):
        assert sorted(made.calls) == sorted(PSA)
    expected = by_shell.checkout.artifacts()
    assert len(expected) > 40
    assert by_snakemake.checkout.artifacts() == expected
    assert by_dvc.checkout.artifacts() == expected


def test_a_second_engine_says_so_and_stops(by_snakemake, by_dvc) -> None:
    assert "resolve: error:" in by_snakemake.intruder
    for told in (by_snakemake.intruder, by_dvc.intruder):
        assert "is being written by" in told
        assert "wait for it, or stop it" in told
    assert "Traceback" not in by_dvc.intruder


class Table:
    """Rows: change made; stages run by each engine, expected."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = [("CHANGE", "SNAKEMAKE", "DVC")]
        self.wrong: list[str] = []

    def row(self, change: str, expected: dict[str, list[str]], calls: dict[str, list[str]]) -> None:
        cells = []
        for engine in ("snakemake", "dvc"):
            if engine not in calls:
                cells.append("")
                continue
            cells.append(f"{len(calls[engine])} (expected {len(expected[engine])})")
            if sorted(calls[engine]) != sorted(expected[engine]):
                self.wrong.append(f"{change}, {engine}: {calls[engine]}, expected {expected[engine]}")
        self.rows.append((change, cells[0], cells[1]))

    def __str__(self) -> str:
        widths = [max(len(row[i]) for row in self.rows) for i in range(3)]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in self.rows)


def test_exactly_the_stages_concerned_run(by_snakemake, by_dvc, tmp_path: Path, capsys) -> None:
    snake, dvc = by_snakemake.checkout, by_dvc.checkout
    table = Table()

    def both(change: str, expected: list[str], from_cache: bool = False) -> None:
        calls = {"snakemake": snake.snakemake(), "dvc": dvc.repro()}
        table.row(change, {"snakemake": by_shard(expected), "dvc": [] if from_cache else expected}, calls)

    def crossed(change: str) -> None:
        """The other engine in each tree: nothing is left to do."""
        snake.seedbed("sync-dvc")
        calls = {"dvc": snake.repro(), "snakemake": dvc.snakemake()}
        table.row(f"{change}, then the other engine", {"snakemake": [], "dvc": []}, calls)

    def write(params: dict) -> None:
        for tree in (snake, dvc):
            tree.write_params(params)
            tree.seedbed("dvc")

    table.row(
        "first run",
        {"snakemake": by_shard(PSA), "dvc": PSA},
        {"snakemake": by_snakemake.calls, "dvc": by_dvc.calls},
    )
    both("nothing", [])
    crossed("nothing")

    cut = {**two_shards(TINY), "recipes": ["cut"]}
    write(cut)
    both("recipe cut instead of psa", ["report reports/all"])

    changed = with_settings(cut, "confident_regions", crf="none")
    write(changed)
    both("changed parameter", REGIONS_ON)
    assert snake.artifacts() == dvc.artifacts()
    crossed("changed parameter")

    write(cut)
    both("parameter changed back (DVC: from its cache)", REGIONS_ON, from_cache=True)
    assert snake.artifacts() == dvc.artifacts()
    crossed("parameter changed back")

    for tree in (snake, dvc):
        with (tree.folder / "recipes" / "cut.yaml").open("a") as recipe:
            recipe.write(CHANGED_RECIPE)
    told = dvc.run("dvc", "repro", status=255)
    assert "dvc.yaml does not match params.yaml and recipes/" in told
    assert "run `seedbed dvc`" in told
    assert dvc.calls() == []
    write(cut)
    both("changed recipe", OWN_REGIONS)
    crossed("changed recipe")

    own = Path("composites") / OWN_REGIONS[0].split()[1] / "train-1.zip"
    for tree in (snake, dvc):
        (tree.results / own).unlink()
    one_shard_on = [call for call in by_shard(OWN_REGIONS) if not call.endswith("train-0")]
    calls = {"snakemake": snake.snakemake(), "dvc": dvc.repro()}
    table.row("deleted shard (DVC: from its cache)", {"snakemake": one_shard_on, "dvc": []}, calls)
    digest = hashlib.md5((dvc.results / own).read_bytes(), usedforsecurity=False).hexdigest()
    (dvc.results / own).unlink()
    (dvc.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]).unlink()
    table.row("deleted shard, and its cached copy", {"dvc": OWN_REGIONS[:1]}, {"dvc": dvc.repro()})
    crossed("deleted shard")
    assert snake.artifacts() == dvc.artifacts()

    snake.commit("Made by Snakemake, handed to DVC")
    clone = snake.clone(tmp_path / "clone")
    clone.run("dvc", "checkout", "--quiet")
    calls = {"snakemake": clone.snakemake(), "dvc": clone.repro()}
    table.row("fresh clone, dvc checkout", {"snakemake": [], "dvc": []}, calls)

    with capsys.disabled():
        print(f"\n{table}")
    assert not table.wrong, "\n".join(table.wrong)


def test_sync_refuses_what_is_not_as_it_would_be_made(by_shell, tmp_path: Path) -> None:
    tree = Checkout(tmp_path / "tree")
    shutil.copytree(by_shell.checkout.folder, tree.folder, symlinks=True)
    tree.write_params(with_settings(two_shards(TINY), "predict", scales=[0.5]))
    scores = tree.results / "composites" / REGIONS / "train-0.zip"
    scores.write_bytes(scores.read_bytes()[:-1] + b"!")
    told = tree.seedbed("sync-dvc", status=1)
    name = "composites--psa--rng0--bg0_10-fg0_40"
    assert f"refused {name}--confident_regions: " in told
    assert "SHA-256" in told
    assert f"refused {name}--affinitynet: input confident_regions is stale" in told
    assert f"refused {name}--predictions: scales default -> [0.5]" in told
    locked = yaml.safe_load((tree.folder / "dvc.lock").read_text())["stages"]
    assert "composites--psa--rng0--cams" in locked
    assert f"{name}--confident_regions" not in locked
    assert f"{name}--predictions" not in locked
    assert os.path.exists(tree.results / "composites/psa/rng0/cams/manifest.json")
