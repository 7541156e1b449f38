"""Damages of params.yaml and of recipes."""

from collections.abc import Iterator
from typing import Any

from hostile.damages import Damage, Run, content, each, folder_at, link_loop, missing, pipe_at, refused, works
from hostile.tree import RECIPE, Tree

P = "params.yaml"
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


def damages() -> Iterator[Damage]:
    """All of them."""
    yield from _files()
    yield from _values()
    yield from _recipes()


def _all(*parts: str) -> tuple[Run, ...]:
    return tuple(refused(verb, *parts) for verb in ("plan", "doctor", "scores"))


def _files() -> Iterator[Damage]:
    whole = {
        "a list": "[1, 2]",
        "a number": "7",
        "a word": "hello",
        "empty": "",
        "null": "null",
        "not UTF-8": b"dataset: \xff\xfe\n",
        "a zero byte": b"dataset: a\0b\n",
        "UTF-16": "dataset: birds\n".encode("utf-16"),
        "tabs": "dataset:\n\tbirds\n",
        "a key twice": "dataset: birds\ndataset: voc\n",
        "nest of anchors": LAUGHS,
        "an alias of itself": "dataset: &a [*a]\n",
        "merge of itself": "dataset: &a {<<: *a}\n",
        "deep nesting": "dataset: " + "[" * 5000,
        "deep nesting that closes": "dataset: " + "[" * 3000 + "]" * 3000,
        "a Python object": "dataset: !!python/object/apply:os.system ['true']\n",
        "two documents": "dataset: birds\n---\ndataset: voc\n",
        "3 MB": "x" * 3_000_000,
        "200,000 values": "dataset: [" + "1, " * 200_000 + "]",
        "an impossible date": "dataset: 2024-99-99\n",
        "a huge integer": "dataset: " + "9" * 5000 + "\n",
        "a list as key": "? [a, b]\n: 1\n",
    }
    yield from each("params", ((n, content(P, text)) for n, text in whole.items()), *_all(P))
    odd = (("a folder", folder_at(P)), ("a link loop", link_loop(P)), ("missing", missing(P)))
    yield from each("params", odd, *_all(P))
    yield from each("params", [("a named pipe", pipe_at(P))], refused("plan", P))


def _values() -> Iterator[Damage]:
    inf, nan = float("inf"), float("nan")
    birds = "datasets.birds"
    settings = "settings.birds.train_classifier"
    node = "nodes.classifier.with"
    bad: list[tuple[str, list[Any]]] = [
        ("dataset", [None, [], "../up", "nobody", 3, {}]),
        ("recipes", [[], {}, [None], ["../x"], ["a b"], ["nobody"], None, 3]),
        ("rngs", [[-1], [1.5], [nan], ["x"], [inf], [10**30], [], [[]], None]),
        ("thresholds", [["bg.nan-fg0.4"], ["bg0.9-fg0.1"], [inf], ["bg1e400-fg2"], ["x"], [None], {}]),
        ("datasets", [None, [], {}, {"../up": {"kind": "folder", "splits": {"train": {}}}}]),
        (f"{birds}.kind", ["nobody", None, [], "../x"]),
        (f"{birds}.shards", [0, -1, 1_000_000_000, 1.5, inf, nan, "many", 10**400]),
        (
            f"{birds}.splits",
            [{}, [], {"../x": {}}, {"": {}}, {"a-b": {}}, {"train": []}, {"train": {"x": 1}}],
        ),
        (f"{birds}.splits.train", [{"masks": "perhaps"}, {"list": 5}]),
        (f"{birds}.with", [[], {"masks": 5}, {"nobody": 1}, {"classes": []}, {"mask_indices": {"robin": 0}}]),
        (f"{birds}.with.mask_indices", [{"robin": 254}, {"robin": -1}, {"robin": nan}, {"robin": inf}, [1]]),
        (f"{settings}.lr", [nan, inf, -inf, -1, "abc", None, [], 10**400]),
        (f"{node}.epochs", [0, -5, inf, 1.5, 10**30, "many"]),
        (f"{node}.batch_size", [0, -1, inf, 10**30]),
        (
            f"{node}.augmentation",
            [{"crop": 0}, {"crop": -1}, {"crop": 1_000_000_000}, {"resize_long": [0, 0]}],
        ),
        (
            "nodes.cams.with",
            [{"scales": []}, {"scales": [0]}, {"scales": [-1]}, {"scales": [1e9]}, {"scales": 1}],
        ),
        (f"{settings}.keep_epochs", [[-1], [0], [nan], 3]),
        (
            "settings",
            [[], {"nobody": {}}, {"birds": []}, {"birds": {"nobody": {}}}, {"birds": {"evaluate": 3}}],
        ),
        ("settings.birds", [{"train_classifier": {"nobody": 1}}, {"evaluate": {"inherited": 5}}]),
        ("settings.birds.dump_cams", [{"sizes": [10**9]}, {"sizes": [0]}, {"sizes": [nan]}]),
        ("settings.birds.evaluate", [{"curve_step": 0}, {"curve_step": 1e-300}, {"background_score": nan}]),
        ("settings.birds.random_walk", [{"beta": nan}, {"log2_steps": 10**6}, {"image_scale": 1e9}]),
        ("settings.birds.report", [{"samples": -1}, {"samples": 10**30}, {"thumbnail": 0}]),
        ("nobody", [1, None]),
    ]
    for key, values in bad:
        for value in values:
            shown = str(value)[:40]
            parts = [] if isinstance(value, dict) or key == "recipes" else [key.split(".")[-1]]
            runs = [refused("plan", *parts), refused("doctor", *parts)]
            yield Damage(f"params: {key} = {shown}", _setting(key, value), tuple(runs))
    roots = [None, 5, "nowhere", "$UNSET/x", P, "", "/dev/null", "a\0b", "~nobody/x", "x" * 5000]
    for root in roots:
        runs = (works("plan"), refused("doctor")) if root != 5 else _all(P)
        if root is None or isinstance(root, str):
            runs = (*runs, refused("@birds/index"))
        yield Damage(f"params: root = {str(root)[:20]!r}", _rooted(root), runs)
    fine = [
        ("recipes", ["tiny", "tiny"]),
        ("recipes", "tiny"),
        ("rngs", 0),
        ("rngs", "0"),
        ("thresholds", []),
    ]
    for key, value in fine:
        yield Damage(
            f"params: {key} = {value!r}, which is right",
            _setting(key, value),
            (works("plan"), works("scores")),
        )


def _setting(key: str, value: Any) -> Any:
    def change(params: dict[str, Any]) -> None:
        *above, last = key.split(".")
        inner = params
        for name in above:
            inner = inner.setdefault(name, {})
        inner[last] = value

    if key.startswith("nodes."):
        return lambda tree: tree.yaml("recipes/tiny.yaml", change)
    return lambda tree: tree.yaml(P, change)


def _rooted(root: Any) -> Any:
    def apply(tree: Tree) -> None:
        tree.yaml(P, lambda p: p["datasets"]["birds"].__setitem__("root", root))
        import json

        roots = json.loads(tree.read("results/.params/roots.json")) | {"birds": root}
        tree.write("results/.params/roots.json", json.dumps(roots))

    return apply


def _recipes() -> Iterator[Damage]:
    import copy

    import yaml

    name = "recipes/tiny.yaml"
    whole = {
        "a list": "[1]",
        "a word": "hello",
        "empty": "",
        "not UTF-8": b"\xff\xfe\xff",
        "nest of anchors": LAUGHS,
        "extends itself": "extends: tiny\n",
        "extends nobody": "extends: nobody\n",
        "extends a list": "extends: [a, b]\n",
        "nodes are a list": "nodes: [a]\n",
        "a node is a word": "nodes: {classifier: train}\n",
        "no nodes": "nodes: {}\n",
    }
    yield from each("recipe", ((n, content(name, text)) for n, text in whole.items()), *_all("tiny"))
    odd = (("a folder", folder_at(name)), ("a link loop", link_loop(name)), ("missing", missing(name)))
    yield from each("recipe", odd, *_all("tiny"))
    changes: list[tuple[str, str, Any]] = [
        ("cams", "from", {"classifier": "cams"}),
        ("cams", "from", {"classifier": "nobody"}),
        ("cams", "from", {}),
        ("cams", "from", []),
        ("cams", "from", {"classifier": "classifier@epoch99999999999"}),
        ("cams", "from", {"classifier": "classifier@epoch-1"}),
        ("cams", "from", {"classifier": 5}),
        ("cams", "stage", "nobody"),
        ("cams", "stage", None),
        ("cams", "with", []),
        ("cams", "with", {"scales": float("nan")}),
        ("segmenter", "from", {"labels": "cams"}),
    ]
    for node, key, value in changes:
        recipe = copy.deepcopy(RECIPE)
        recipe["nodes"][node][key] = value
        yield Damage(
            f"recipe: {node}.{key} = {value!r}",
            content(name, yaml.safe_dump(recipe)),
            (refused("plan", "tiny"), refused("doctor", "tiny")),
        )
    for score in (["nobody"], [None], 5, {"a": 1}, ["regions@x"]):
        text = yaml.safe_dump(RECIPE | {"scores": score})
        yield Damage(f"recipe: scores = {score!r}", content(name, text), _all("tiny"))
