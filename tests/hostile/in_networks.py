"""Contents of networks that are wrong although every digest fits."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from hostile.damages import Apply, Damage, refused
from hostile.places import PAIR
from hostile.tree import Tree


def damages() -> Iterator[Damage]:
    """All of them."""
    yield from _networks()


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
