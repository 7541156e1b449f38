"""Contents of indexes, manifests, scores and histories that are wrong although every digest fits."""

from collections.abc import Iterator
from typing import Any

from hostile.damages import Damage, Run, refused, works
from hostile.places import NODE
from hostile.tree import Tree


def damages() -> Iterator[Damage]:
    """All of them."""
    yield from _indexes()
    yield from _manifests()
    yield from _judgements()
    yield from _histories()


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


def _histories() -> Iterator[Damage]:
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
