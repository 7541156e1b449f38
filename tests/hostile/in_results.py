"""Raw damages of what commands made, which digests must catch; and damages of slices."""

import json
import random
from collections.abc import Iterator
from typing import Any

from hostile.damages import (
    Apply,
    Damage,
    content,
    equal_to_base,
    folder_at,
    link_loop,
    missing,
    refused,
    works,
)
from hostile.places import NODE, PAIR
from hostile.tree import Tree

READERS: dict[str, tuple[str, ...]] = {
    "results/birds/index/index.csv": ("@cams", "@classifier", "@scores/pseudo-train"),
    "results/birds/index/masks.csv": ("@scores/pseudo-train", "@reports/all"),
    "results/birds/index/manifest.json": ("@cams", "@reports/all"),
    f"{NODE}/classifier/manifest.json": ("@cams",),
    f"{NODE}/classifier/model.safetensors": ("@cams", "@classification", "@reports/all"),
    f"{NODE}/classifier/history.csv": ("@reports/all",),
    f"{NODE}/cams/manifest.json": ("@regions", "@scores/cams-train"),
    f"{NODE}/cams/train-0.safetensors": ("@regions", "@scores/cams-train"),
    f"{NODE}/classification/val-0.safetensors": ("@scores/classification-val", "@reports/all"),
    f"{NODE}/scores/cams-train.json": ("scores", "@reports/all"),
    f"{PAIR}/affinitynet/model.safetensors": ("@refined",),
    f"{PAIR}/pseudo/train-0.zip": ("@segmenter", "@scores/pseudo-train", "export tiny.pseudo --out out"),
    f"{PAIR}/pseudo/manifest.json": ("@segmenter", "export tiny.pseudo --out out"),
    f"{PAIR}/segmenter/model.safetensors": (
        "@predictions",
        "predict photos --segmenter tiny.segmenter --out out",
    ),
    f"{PAIR}/segmenter/manifest.json": ("predict photos --segmenter tiny.segmenter --out out",),
}
"""Files of results and the commands that read them."""


def damages(rng: random.Random) -> Iterator[Damage]:
    """All of them."""
    yield from _raw(rng)
    yield from _slices()


def _raw(rng: random.Random) -> Iterator[Damage]:
    for name, readers in READERS.items():
        last = name.rpartition("/")[2]

        def flip(tree: Tree, name: str = name) -> None:
            data = bytearray(tree.read(name))
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            tree.write(name, bytes(data))

        def cut(tree: Tree, name: str = name) -> None:
            data = tree.read(name)
            tree.write(name, data[: rng.randrange(len(data))])

        done: dict[str, Apply] = {
            "a bit flipped": flip,
            "cut off": cut,
            "empty": content(name, b""),
            "a folder": folder_at(name),
            "a link loop": link_loop(name),
            "missing": missing(name),
        }
        if name.endswith(".json"):
            more = {
                "a list": "[]",
                "a number": "7",
                "nested deeply": "[" * 200_000,
                "not UTF-8": b'{"a": "\xff"}',
            }
            more |= {"a huge number": '{"a": ' + "9" * 6000 + "}", "NaN": '{"a": NaN}'}
            done |= {n: content(name, text) for n, text in more.items()}
        for how, apply in done.items():
            runs = [refused(reader, last) for reader in readers]
            if how in ("missing", "a link loop") and readers[0] == "scores":
                runs = [works("scores", "missing"), refused("@reports/all", last)]
            elif how in ("missing",) and last == "manifest.json" and not readers[0].startswith("@"):
                runs = [refused(readers[0], "not been made")]
            elif how == "missing" and last == "manifest.json":
                runs = [refused(reader) for reader in readers]
            state = works("plan") if how == "missing" or "scores/" in name else works("plan", "stale")
            if "/index/" in name and how not in ("missing", "a folder"):
                state = works("plan", f"{last} was damaged and is restored", check=equal_to_base(name))
            yield Damage(f"results: {'/'.join(name.split('/')[-2:])} {how}", apply, (*runs, state))


def _slices() -> Iterator[Damage]:
    name = "results/.params/birds/tiny/rng0/cams.json"
    good = {"stage": "dump_cams", "stage_version": 1, "dataset": "birds", "parameters": {}, "shards": 1}
    odd: dict[str, Any] = {
        "a list": [],
        "a number": 7,
        "null": None,
        "no parameters": {k: v for k, v in good.items() if k != "parameters"},
        "parameters are a list": good | {"parameters": [1]},
        "of no stage": good | {"stage": "nobody"},
        "of a list": good | {"stage": []},
        "of another version": good | {"stage_version": 99},
        "a million shards": good | {"shards": 10**9},
        "minus one shard": good | {"shards": -1},
        "half a shard": good | {"shards": 0.5},
        "of a data set that is a list": good | {"dataset": []},
        "of a data set outside": good | {"dataset": "../../x"},
        "an unknown key of parameters": good | {"parameters": {"nobody": 1}},
        "epochs are a list": good | {"epochs": [1]},
        "a seed that is a word": good | {"rng": "x"},
        "inherited is a number": good | {"inherited": 5},
    }
    for how, value in odd.items():
        yield Damage(
            f"slice: {how}", content(name, json.dumps(value)), (refused("@cams", "cams.json"), works("plan"))
        )
    for how, text in {
        "not JSON": "{",
        "nested deeply": "[" * 200_000,
        "not UTF-8": b"\xff",
        "empty": "",
    }.items():
        yield Damage(f"slice: {how}", content(name, text), (refused("@cams", "cams.json"), works("plan")))
    yield Damage("slice: a link loop", link_loop(name), (refused("@cams", "cams.json"),))
    yield Damage(
        "slice: a folder", folder_at(name), (refused("@cams", "cams.json"), refused("plan", "cams.json"))
    )
    roots = "results/.params/roots.json"
    for how, text in {
        "a list": "[]",
        "not JSON": "{",
        "a number inside": '{"birds": 5}',
        "nested": "[" * 99_999,
    }.items():
        yield Damage(
            f"slice: roots.json {how}", content(roots, text), (refused("@cams", "roots.json"), works("plan"))
        )
    yield Damage("slice: roots.json a folder", folder_at(roots), (refused("@cams", "roots.json"),))
