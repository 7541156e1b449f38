"""Damages of what commands made: raw ones, which digests must catch, and sealed ones, whose digests fit."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load, save

from hostile.damages import Apply, Damage, Run, content, folder_at, link_loop, missing, refused, works
from hostile.in_folder import _large_png
from hostile.tree import Tree

NODE = "results/birds/tiny/rng0"
PAIR = f"{NODE}/bg0.10-fg0.40"
READERS: dict[str, tuple[str, ...]] = {
    "results/birds/index/index.csv": ("@cams", "@classifier", "@scores/pseudo-train"),
    "results/birds/index/masks.csv": ("@scores/pseudo-train", "@reports/all"),
    "results/birds/index/manifest.json": ("@cams", "@reports/all"),
    f"{NODE}/classifier/manifest.json": ("@cams",),
    f"{NODE}/classifier/model.safetensors": ("@cams", "@classification"),
    f"{NODE}/classifier/history.csv": ("@reports/all",),
    f"{NODE}/cams/manifest.json": ("@regions", "@scores/cams-train"),
    f"{NODE}/cams/train-0.safetensors": ("@regions", "@scores/cams-train"),
    f"{NODE}/classification/val-0.safetensors": ("@scores/classification-val",),
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
    yield from _maps()
    yield from _label_maps()
    yield from _networks()
    yield from _vectors()
    yield from _indexes()
    yield from _manifests()
    yield from _judgements()


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
            if how == "missing" and readers[0] == "scores":
                runs = [works("scores", "missing"), refused("@reports/all", last)]
            elif how in ("missing",) and last == "manifest.json" and not readers[0].startswith("@"):
                runs = [refused(readers[0], "not been made")]
            elif how == "missing" and last == "manifest.json":
                runs = [refused(reader) for reader in readers]
            state = works("plan") if how == "missing" or "scores/" in name else works("plan", "stale")
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


def _maps() -> Iterator[Damage]:
    name = f"{NODE}/cams/train-0.safetensors"
    users = ("@regions", "@scores/cams-train", "@reports/all")

    def header(change: Callable[[dict[str, Any]], None], body: bytes | None = None) -> Apply:
        def apply(tree: Tree) -> None:
            data = tree.read(name)
            (length,) = struct.unpack("<Q", data[:8])
            head = json.loads(data[8 : 8 + length])
            change(head)
            text = json.dumps(head).encode()
            tree.sealed(
                name, struct.pack("<Q", len(text)) + text + (data[8 + length :] if body is None else body)
            )

        return apply

    def facts(change: Callable[[dict[str, Any]], object]) -> Apply:
        def inner(head: dict[str, Any]) -> None:
            told = json.loads(head["__metadata__"]["seedbed"])
            change(told)
            head["__metadata__"]["seedbed"] = json.dumps(told)

        return header(inner)

    def tensors(change: Callable[[dict[str, np.ndarray]], object]) -> Apply:
        def apply(tree: Tree) -> None:
            data = tree.read(name)
            (length,) = struct.unpack("<Q", data[:8])
            told = json.loads(data[8 : 8 + length])["__metadata__"]
            arrays = load(data)
            change(arrays)
            tree.sealed(name, save(arrays, metadata=told))

        return apply

    def entry(key: str, value: Any) -> Apply:
        return facts(lambda told: told["a.jpg"].__setitem__(key, value))

    key = "a.jpg/s0"

    def put(array: np.ndarray) -> Apply:
        return tensors(lambda t: t.__setitem__(key, array))

    nan = np.full((1, 2, 2), np.nan, np.float32)
    done: dict[str, Apply] = {
        "overlapping offsets": header(
            lambda h: h[key].__setitem__("data_offsets", h["b.jpg/s0"]["data_offsets"])
        ),
        "offsets beyond the end": header(lambda h: h[key].__setitem__("data_offsets", [0, 10**12])),
        "negative offsets": header(lambda h: h[key].__setitem__("data_offsets", [-8, 0])),
        "an unknown type": header(lambda h: h[key].__setitem__("dtype", "X9")),
        "no metadata": header(lambda h: h.pop("__metadata__")),
        "metadata without the key": header(lambda h: h.__setitem__("__metadata__", {"a": "b"})),
        "metadata that are not JSON": header(lambda h: h["__metadata__"].__setitem__("seedbed", "{")),
        "metadata that are a list": header(lambda h: h["__metadata__"].__setitem__("seedbed", "[1]")),
        "metadata nested deeply": header(lambda h: h["__metadata__"].__setitem__("seedbed", "[" * 99_999)),
        "a header of 2^60 bytes": lambda t: t.sealed(name, struct.pack("<Q", 1 << 60) + b"{}"),
        "no header": lambda t: t.sealed(name, b"\0" * 4),
        "an image is missing": facts(lambda told: told.pop("a.jpg")),
        "a tensor is missing": tensors(lambda t: t.pop(key)),
        "a negative class": entry("classes", [-1]),
        "a surplus class": entry("classes", [7]),
        "a class twice": entry("classes", [0, 0]),
        "a class that is a word": entry("classes", ["robin"]),
        "classes that are a number": entry("classes", 5),
        "more classes than maps": entry("classes", [0, 1]),
        "a size of 0": entry("size", [0, 0]),
        "a negative size": entry("size", [-5, 5]),
        "20,000 x 20,000": entry("size", [20_000, 20_000]),
        "a size of one number": entry("size", [5]),
        "a size of words": entry("size", ["a", "b"]),
        "another size": entry("size", [47, 56]),
        "a million maps": entry("maps", 10**6),
        "minus one map": entry("maps", -1),
        "no map": entry("maps", 0),
        "an entry that is a list": facts(lambda told: told.__setitem__("a.jpg", [])),
        "an entry without size": facts(lambda told: told["a.jpg"].pop("size")),
        "NaN": put(nan),
        "infinity": put(np.full((1, 2, 2), np.inf, np.float32)),
        "negative": put(np.full((1, 2, 2), -1, np.float32)),
        "64 bits": put(np.ones((1, 2, 2))),
        "whole numbers": put(np.ones((1, 2, 2), np.int32)),
        "two axes": put(np.ones((2, 2), np.float32)),
        "no pixels": put(np.ones((1, 0, 2), np.float32)),
        "three classes": put(np.ones((3, 2, 2), np.float32)),
    }
    for how, apply in done.items():
        runs = tuple(refused(user, "train-0.safetensors") for user in users)
        if how == "an image is missing":
            runs = (refused(users[0], "a.jpg"), refused(users[1], "a.jpg"))
        yield Damage(f"maps: {how}", apply, runs)


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def _label_maps() -> Iterator[Damage]:
    name = f"{PAIR}/pseudo/train-0.zip"
    users = ("@segmenter", "@scores/pseudo-train", "export tiny.pseudo --out out")

    def packed(
        change: Callable[[dict[str, bytes]], object], method: int = 0, attributes: int = 0o644
    ) -> Apply:
        def apply(tree: Tree) -> None:
            with zipfile.ZipFile(tree.path(name)) as archive:
                members = {n: archive.read(n) for n in archive.namelist()}
            change(members)
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w", method) as archive:
                for member, data in members.items():
                    info = zipfile.ZipInfo(member)
                    info.compress_type = method
                    info.external_attr = (attributes if member == "a.jpg.png" else 0o644) << 16
                    archive.writestr(info, data)
            tree.sealed(name, stream.getvalue())

        return apply

    def put(data: bytes) -> Apply:
        return packed(lambda m: m.__setitem__("a.jpg.png", data))

    def patched(old: bytes, new: bytes) -> Apply:
        return lambda tree: tree.sealed(name, tree.read(name).replace(old, new))

    def flags(tree: Tree) -> None:
        data = bytearray(tree.read(name))
        at = data.find(b"PK\x01\x02")
        data[at + 8] |= 1
        data[6] |= 1
        tree.sealed(name, bytes(data))

    zeros = np.zeros((48, 56), np.uint8)
    done: dict[str, Apply] = {
        "a link": packed(lambda m: m.__setitem__("a.jpg.png", b"/etc/passwd"), attributes=0o120777),
        "a folder": packed(lambda m: m.__setitem__("a.jpg.png/", m.pop("a.jpg.png") and b"")),
        "encrypted": flags,
        "not a PNG": put(b"mask"),
        "empty": put(b""),
        "a JPEG": put(_jpeg()),
        "colours": put(_png(np.zeros((48, 56, 3), np.uint8))),
        "16 bits": put(_png(np.zeros((48, 56), np.uint16))),
        "two bits": put(_two_bits()),
        "another size": put(_png(np.zeros((5, 5), np.uint8))),
        "a surplus class": put(_png(zeros + 77)),
        "13,000 x 13,000": put(_large_png(13_000, 13_000, 0)),
        "60,000 x 60,000": put(_large_png(60_000, 60_000, 0)),
        "unpacks to 300 MB": packed(
            lambda m: m.__setitem__("a.jpg.png", bytes(300_000_000)), zipfile.ZIP_DEFLATED
        ),
        "a wrong checksum": patched(b"IDAT", b"IDAU"),
        "an image is missing": packed(lambda m: m.pop("a.jpg.png")),
        "cut off": lambda t: t.sealed(name, t.read(name)[:-30]),
        "text": lambda t: t.sealed(name, b"labels"),
        "nothing": lambda t: t.sealed(name, b""),
    }
    for how, apply in done.items():
        part = "a.jpg" if how == "an image is missing" else "train-0.zip"
        runs = tuple(refused(user, part) for user in users)
        yield Damage(f"label maps: {how}", apply, runs if how != "an image is missing" else runs[:2])
    outside = {"a path outside": "../../outside/x.png", "an absolute path": "/tmp/hostile/x.png"}
    for how, member in outside.items():
        apply = packed(lambda m, member=member: m.__setitem__(member, _png(zeros)))
        yield Damage(f"label maps: {how}", apply, (refused(users[2]),))


def _jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((48, 56), np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def _two_bits() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ones((48, 56), np.uint8)).convert("1").save(stream, "PNG")
    return stream.getvalue()


def _networks() -> Iterator[Damage]:
    name, manifest = f"{PAIR}/segmenter/model.safetensors", f"{PAIR}/segmenter/manifest.json"
    users = ("@predictions", "predict photos --segmenter tiny.segmenter --out out")

    def weights(change: Callable[[dict[str, np.ndarray]], object]) -> Apply:
        def apply(tree: Tree) -> None:
            arrays = load(tree.read(name))
            change(arrays)
            tree.sealed(name, save(arrays))

        return apply

    def first(arrays: dict[str, np.ndarray], make: Callable[[np.ndarray], np.ndarray]) -> None:
        key = next(k for k in sorted(arrays) if arrays[k].ndim == 4)
        arrays[key] = make(arrays[key])

    def told(key: str, value: Any) -> Apply:
        return lambda tree: tree.json(manifest, lambda c: c["facts"].__setitem__(key, value))

    model: dict[str, Apply] = {
        "cut off": lambda t: t.sealed(name, t.read(name)[:1000]),
        "empty": lambda t: t.sealed(name, b""),
        "a pickle": lambda t: t.sealed(name, b"\x80\x04]."),
        "NaN": weights(lambda a: first(a, lambda x: np.full_like(x, np.nan))),
        "infinity": weights(lambda a: first(a, lambda x: np.full_like(x, np.inf))),
        "another shape": weights(lambda a: first(a, lambda x: x[:1])),
        "64 bits": weights(lambda a: first(a, lambda x: x.astype(np.float64))),
        "a tensor is missing": weights(lambda a: a.pop(min(a))),
        "a tensor too many": weights(lambda a: a.__setitem__("nobody", np.zeros(3, np.float32))),
        "no tensors": weights(lambda a: a.clear()),
    }
    for how, apply in model.items():
        yield Damage(f"network: {how}", apply, tuple(refused(user, "model.safetensors") for user in users))
    facts: dict[str, tuple[str, Any]] = {
        "of no method": ("method", "nobody"),
        "of a method that is a list": ("method", []),
        "parameters are a list": ("parameters", []),
        "of another architecture": ("parameters", {"backbone": "test_resnet", "architecture": "nobody"}),
        "of no player": ("player", "nobody"),
        "a mean of NaN words": ("mean", ["a", "b", "c"]),
        "a mean of one number": ("mean", [0.5]),
        "a deviation of 0": ("std", [0, 0, 0]),
        "a negative deviation": ("std", [-1, -1, -1]),
        "classes are a number": ("classes", 5),
        "a class too many": ("classes", ["a", "b", "c", "d"]),
        "no meaning": ("meaning", None),
        "another meaning": ("meaning", "cams"),
        "a meaning that is a list": ("meaning", []),
    }
    for how, (key, value) in facts.items():
        yield Damage(f"network: {how}", told(key, value), tuple(refused(user, "segmenter") for user in users))
    for key in ("method", "mean", "classes", "player"):

        def gone(tree: Tree, key: str = key) -> None:
            tree.json(manifest, lambda c: c["facts"].pop(key))

        yield Damage(
            f"network: its manifest has no {key}", gone, tuple(refused(user, "segmenter") for user in users)
        )


def _vectors() -> Iterator[Damage]:
    name = f"{NODE}/classification/val-0.safetensors"

    def made(ids: Any, **arrays: np.ndarray) -> Apply:
        told = {"seedbed": json.dumps(ids)}
        return lambda tree: tree.sealed(name, save(arrays, metadata=told))

    both, half = ["e.jpg", "f.jpg"], np.full((2, 2), 0.5, np.float32)
    done: dict[str, Apply] = {
        "NaN": made(both, probabilities=half * np.nan),
        "three classes": made(both, probabilities=np.full((2, 3), 0.5, np.float32)),
        "one row": made(both, probabilities=half[:1]),
        "one axis": made(both, probabilities=half[0]),
        "above 1": made(both, probabilities=half * 9),
        "below 0": made(both, probabilities=-half),
        "whole numbers": made(both, probabilities=np.ones((2, 2), np.int32)),
        "no probabilities": made(both, other=half),
        "an id twice": made(["e.jpg", "e.jpg"], probabilities=half),
        "ids are a number": made(5, probabilities=half),
        "ids are lists": made([[1], [2]], probabilities=half),
        "cut off": lambda t: t.sealed(name, t.read(name)[:40]),
    }
    for how, apply in done.items():
        yield Damage(f"vectors: {how}", apply, (refused("@scores/classification-val", "val-0.safetensors"),))
    yield Damage(
        "vectors: an image is missing",
        made(["e.jpg", "g.jpg"], probabilities=half),
        (refused("@scores/classification-val", "f.jpg"),),
    )


def _indexes() -> Iterator[Damage]:
    name = "results/birds/index/index.csv"
    done = {
        "a negative size": (",56,48,", ",-56,48,"),
        "a size of words": (",56,48,", ",a,b,"),
        "another size": ("train,56,48,", "train,57,48,"),
        "a size of NaN": (",56,48,", ",nan,48,"),
        "a size of 10^30": (",56,48,", f",{10**30},48,"),
        "a label of 2": (",1,0\n", ",2,0\n"),
        "a path outside": ("a.jpg", "../../x.jpg"),
        "an absolute path": ("a.jpg", "/etc/passwd"),
        "an id twice": ("b.jpg", "a.jpg"),
        "no such photograph": ("a.jpg", "z.jpg"),
        "other columns": ("width", "breadth"),
        "other classes": ("wren", "owl"),
        "a row too short": (",1,0\n", ",1\n"),
        "no rows": (None, None),
        "a zero byte": ("a.jpg", "a\0.jpg"),
        "a cell of 200 kB": ("a.jpg", "a" * 200_000),
        "an open quote": ("a.jpg", '"a.jpg'),
    }
    for how, (old, new) in done.items():

        def apply(tree: Tree, old: str | None = old, new: str | None = new) -> None:
            text = tree.read(name).decode()
            changed = text.replace(old, new or "") if old else text.splitlines()[0] + "\n"
            tree.sealed(name, changed.encode())

        yield Damage(f"index: {how}", apply, (refused("@cams"), refused("@classifier"), works("plan")))
    yield Damage(
        "index: not UTF-8", lambda t: t.sealed(name, b"\xff" + t.read(name)), (refused("@cams", "index.csv"),)
    )


def _manifests() -> Iterator[Damage]:
    name = f"{NODE}/cams/manifest.json"
    done: dict[str, tuple[str, Any]] = {
        "of another data set": ("dataset", "others"),
        "of a data set outside": ("dataset", "../../x"),
        "parameters are empty": ("parameters", {}),
        "of no stage": ("stage", "nobody"),
        "inputs are a list": ("inputs", []),
        "other inputs": ("inputs", {"index": ["0" * 64]}),
        "no files": ("files", {}),
        "a file outside": ("files", {"../../../../../../outside/kept": {"size": 4, "sha256": "0" * 64}}),
        "a negative file size": ("files", {"train-0.safetensors": {"size": -1, "sha256": "0" * 64}}),
        "images are negative": ("images", {"train": -1}),
        "a split outside": ("images", {"../x": 4}),
        "facts are empty": ("facts", {}),
        "classes are a word": ("facts", {"meaning": "cams", "classes": "robin", "normalisation": "max"}),
        "other classes": ("facts", {"meaning": "cams", "classes": ["a"], "normalisation": "max"}),
        "of no normalisation": (
            "facts",
            {"meaning": "cams", "classes": ["robin", "wren"], "normalisation": "x"},
        ),
        "of a normalisation that is a list": (
            "facts",
            {"meaning": "cams", "classes": ["robin", "wren"], "normalisation": []},
        ),
        "an unknown ledger": ("ledger", [{"use": "nothing", "stage": "x", "note": "y"}]),
        "a schema of the future": ("schema_version", 99),
        "an unknown key": ("nobody", 1),
    }
    for how, (key, value) in done.items():
        apply = lambda tree, key=key, value=value: tree.json(name, lambda c: c.__setitem__(key, value))  # noqa: E731
        runs: tuple[Run, ...] = (refused("@regions", "cams"), works("plan", "stale"))
        if how in (
            "of another data set",
            "parameters are empty",
            "other inputs",
            "images are negative",
            "a split outside",
        ):
            runs = (works("plan", "stale"),)
        yield Damage(f"manifest: {how}", apply, runs)


def _judgements() -> Iterator[Damage]:
    name = f"{NODE}/scores/cams-train.json"
    done: dict[str, tuple[str, Any]] = {
        "a score of 99": ("scores", {"mean_iou": 99}),
        "a negative score": ("scores", {"mean_iou": -1}),
        "a score that is a word": ("scores", {"mean_iou": "good"}),
        "a score that is a list": ("scores", {"mean_iou": [0.5]}),
        "scores are a list": ("scores", []),
        "scores are empty": ("scores", {}),
        "another node": ("node", "pseudo"),
        "a node outside": ("node", "../x"),
        "a node of HTML": ("node", "<b>"),
        "a split of HTML": ("split", "<b>"),
        "the best is empty": ("best", {}),
        "the best is a list": ("best", [1]),
        "the best threshold is a word": ("best", {"mean_iou": 0.5, "threshold": "x", "chosen_with": "masks"}),
        "the curve is a number": ("curve", 5),
        "the curve is of words": ("curve", [{"threshold": "x", "mean_iou": 0.5}]),
        "counts are negative": ("counts", [[-1] * 4] * 3),
        "counts are ragged": ("counts", [[1], [1, 2]]),
        "counts are a word": ("counts", "many"),
        "classes are a number": ("classes", 5),
        "a ledger of words": ("ledger", ["x"]),
        "a kind of HTML": ("kind", "<script>"),
    }
    for how, (key, value) in done.items():
        apply = lambda tree, key=key, value=value: tree.json(name, lambda c: c.__setitem__(key, value))  # noqa: E731
        yield Damage(
            f"scores: {how}", apply, (refused("scores", "cams-train"), refused("@reports/all", "cams-train"))
        )
    history = f"{NODE}/classifier/history.csv"
    tables = {
        "empty": "",
        "words": "epoch,step,lr,loss\na,b,c,d\n",
        "other columns": "x,y\n1,2\n",
        "not UTF-8": b"\xff\xfe\x00",
    }
    for how, text in tables.items():
        data = text if isinstance(text, bytes) else text.encode()
        yield Damage(
            f"history: {how}",
            lambda t, data=data: t.sealed(history, data),
            (refused("@reports/all", "history.csv"),),
        )
