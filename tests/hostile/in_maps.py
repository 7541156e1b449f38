"""Contents of maps, label maps and vectors that are wrong although every digest fits."""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load, save

from hostile.damages import Apply, Damage, refused
from hostile.in_folder import large_png
from hostile.places import NODE, PAIR
from hostile.tree import Tree


def damages() -> Iterator[Damage]:
    """All of them."""
    yield from _maps()
    yield from _label_maps()
    yield from _vectors()


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
        "13,000 x 13,000": put(large_png(13_000, 13_000, 0)),
        "60,000 x 60,000": put(large_png(60_000, 60_000, 0)),
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
        part = "a.jpg" if how in ("an image is missing", "another size") else "train-0.zip"
        runs = tuple(refused(user, part) for user in users)
        yield Damage(f"label maps: {how}", apply, runs if how != "an image is missing" else runs[:2])
    outside = {"a path outside": "../../outside/x.png", "an absolute path": "/outside/x.png"}
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
        in_values = ("above 1", "below 0", "three classes", "no probabilities")
        part = "classification" if how in in_values else "val-0.safetensors"
        yield Damage(f"vectors: {how}", apply, (refused("@scores/classification-val", part),))
    yield Damage(
        "vectors: an image is missing",
        made(["e.jpg", "g.jpg"], probabilities=half),
        (refused("@scores/classification-val", "f.jpg"),),
    )
