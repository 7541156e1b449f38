"""Damages around the commands: photographs for `predict`, names for `export`, DVC's lock file."""

import csv
import os
from collections.abc import Iterator

import numpy as np
from PIL import Image

from hostile.damages import Apply, Damage, Run, content, folder_at, link_loop, pipe_at, refused, works
from hostile.in_folder import EPS, HEIC, large_png
from hostile.running import Ended
from hostile.tree import Tree

PREDICT = "predict photos --segmenter tiny.segmenter --out out"
LOCK = ".dvc/tmp/rwlock"


def damages() -> Iterator[Damage]:
    """All of them."""
    yield from _photographs()
    yield from _outputs()
    yield from _locks()


def _done(*names: str) -> Run:
    """The other photographs must be done though one is refused."""

    return Run(("predict", "photos", "--segmenter", "tiny.segmenter", "--out", "out"), names)


def _others(tree: Tree, _: Ended) -> bool:
    rows = list(csv.DictReader(tree.path("out/shares.csv").open()))
    return all(tree.path(f"out/{n}.png").is_file() for n in ("one", "two")) and len(rows) >= 2


def _photographs() -> Iterator[Damage]:
    good = "photos/one.jpg"
    bad: dict[str, tuple[Apply, str]] = {
        "text": (content("photos/bad.jpg", "x"), "bad.jpg"),
        "EPS": (content("photos/bad.jpg", EPS), "bad.jpg"),
        "HEIC": (content("photos/bad.heic", HEIC), "bad.heic"),
        "HEIC called JPEG": (content("photos/bad.jpg", HEIC), "bad.jpg"),
        "camera raw": (content("photos/bad.cr2", b"II*\0\x10\0\0\0CR\x02\0" + bytes(100)), "bad.cr2"),
        "camera raw of another maker": (content("photos/bad.NEF", b"MM\0*" + bytes(100)), "bad.NEF"),
        "a link loop": (link_loop("photos/bad.jpg"), "bad.jpg"),
        "a broken link": (lambda t: t.remove("photos/bad.jpg").symlink_to("nowhere"), "bad.jpg"),
        "a named pipe": (pipe_at("photos/bad.jpg"), "bad.jpg"),
        "a device": (lambda t: t.remove("photos/bad.jpg").symlink_to("/dev/zero"), "bad.jpg"),
        "13,000 x 13,000": (content("photos/bad.png", large_png(13_000, 13_000, 2)), "bad.png"),
        "60,000 x 60,000": (content("photos/bad.png", large_png(60_000, 60_000, 2)), "bad.png"),
        "a mask's folder in the way": (_in_the_way, "one"),
    }
    for how, (apply, name) in bad.items():
        runs = (
            (_done(name),)
            if how == "a mask's folder in the way"
            else (_done(name), Run(("recipe", "list"), None, _others))
        )
        yield Damage(f"predict: {how}", apply, runs)
    right: dict[str, Apply] = {
        "a name that is not UTF-8": _copied(b"caf\xe9.jpg"),
        "a name of 245 bytes": _copied(b"n" * 241 + b".jpg"),
        "a name of 255 bytes": _copied(b"n" * 251 + b".jpg"),
        "a name with a newline": _copied(b"a\nb.jpg"),
        "a name that is a formula": _copied(b"=1+1.jpg"),
        "a name with quotes": _copied(b"a\"b'c.jpg"),
        "upper case": _copied(b"THREE.JPG"),
        "a text file beside": content("photos/notes.txt", "x"),
        "a folder called a.jpg": folder_at("photos/a.jpg"),
        "a link to the folder above": lambda t: os.symlink("..", t.path("photos/up")),
        "one pixel": lambda t: t.image("photos/p.png", np.zeros((1, 1, 3), np.uint8)),
        "CMYK": lambda t: t.image("photos/p.jpg", Image.new("CMYK", (40, 40))),
    }
    for how, apply in right.items():
        yield Damage(f"predict: {how}, which is right", apply, (works(PREDICT, check=_plain),))
    yield Damage(
        "predict: an empty folder", lambda t: t.remove("photos").mkdir(), (refused(PREDICT, "photos"),)
    )
    yield Damage(
        "predict: a pipe by name",
        pipe_at("pipe.jpg"),
        (refused("predict pipe.jpg --segmenter tiny.segmenter --out out", "pipe.jpg"),),
    )
    for name in (
        "../x.node",
        "tiny",
        "tiny.nobody",
        "tiny.segmenter@rng99999999999999999999",
        "tiny.segmenter@epoch3",
        "/dev/null",
        "a\nb",
    ):
        words = ("predict", good, "--segmenter", name, "--out", "out")
        yield Damage(f"predict: by the segmenter {name!r}", lambda t: None, (Run(words, ("",)),))
    for longest in ("0", "-5", "x", "1e9"):
        words = ("predict", good, "--segmenter", "tiny.segmenter", "--out", "out", "--longest", longest)
        yield Damage(f"predict: longest {longest}", lambda t: None, (Run(words, ("",)),))


def _plain(tree: Tree, ended: Ended) -> bool:
    """All are done, and no cell of a table begins as a formula does."""
    rows = [cell for row in csv.reader(tree.path("out/shares.csv").open(newline="")) for cell in row]
    return _others(tree, ended) and not any(cell.startswith(tuple("=+-@\t\r")) for cell in rows)


def _copied(name: bytes) -> Apply:
    def apply(tree: Tree) -> None:
        with open(os.fsencode(tree.path("photos")) + b"/" + name, "wb") as stream:
            stream.write(tree.read("photos/one.jpg"))

    return apply


def _in_the_way(tree: Tree) -> None:
    tree.path("out/one.png").mkdir(parents=True)


def _outputs() -> Iterator[Damage]:
    words = "predict photos/one.jpg --segmenter tiny.segmenter --out"
    export = "export tiny.predictions --out"
    for verb, command in (("predict", words), ("export", export)):
        yield Damage(f"{verb}: out is a file", content("out", "x"), (refused(f"{command} out", "out"),))
        yield Damage(f"{verb}: out is a link loop", link_loop("out"), (refused(f"{command} out", "out"),))
        yield Damage(
            f"{verb}: out is a device", lambda t: None, (refused(f"{command} /dev/null", "/dev/null"),)
        )
        yield Damage(f"{verb}: out is too long", lambda t: None, (refused(f"{command} {'o' * 300}", "ooo"),))
    for form in ("nobody", ""):
        run = Run(("export", "tiny.predictions", "--out", "out", "--format", form), ("png",))
        yield Damage(f"export: format {form!r}", lambda t: None, (run,))
    run = Run(("export", "tiny.predictions", "--out", "out", "--split", "../x"), ("split",))
    yield Damage("export: a split outside", lambda t: None, (run,))
    yield Damage(
        "export: networks", lambda t: None, (refused("export tiny.segmenter --out out", "label maps"),)
    )
    yield Damage(
        "export: VOC's server without its classes",
        lambda t: None,
        (refused(f"{export} out --format voc", "VOC"),),
    )


def _locks() -> Iterator[Damage]:
    texts = {
        "a list": "[]",
        "empty": "",
        "null": "null",
        "no writers": "{}",
        "writers are a list": '{"write": []}',
        "a writer without pid": '{"write": {"a": {}}}',
        "a pid that is a word": '{"write": {"a": {"pid": "x"}}}',
        "a negative pid": '{"write": {"a": {"pid": -1}}}',
        "a huge pid": '{"write": {"a": {"pid": 1e400}}}',
        "a pid of 30 digits": '{"write": {"a": {"pid": ' + "9" * 30 + "}}}",
        "the pid of a stranger": '{"write": {"a": {"pid": 1, "cmd": "/usr/bin/dvc repro"}}}',
        "not UTF-8": b'{"write": "\xff"}',
        "nested deeply": "[" * 200_000,
    }
    for how, text in texts.items():
        yield Damage(f"lock: {how}", content(LOCK, text), (works("plan", check=_silent), works("dvc")))
    yield Damage("lock: a folder", folder_at(LOCK), (works("plan", check=_silent), works("dvc")))
    yield Damage("lock: a link loop", link_loop(LOCK), (works("plan", check=_silent), works("dvc")))


def _silent(tree: Tree, ended: Ended) -> bool:
    return "another command writes here" not in ended.err
