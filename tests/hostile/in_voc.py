"""Damages of a data set in VOC's layout: annotations, lists, published label files."""

import io
import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from hostile.damages import (
    Apply,
    Damage,
    Run,
    content,
    each,
    folder_at,
    link_loop,
    missing,
    pipe_at,
    refused,
    works,
)
from hostile.tree import Tree

XML = "data/voc/Annotations/2007_000000.xml"
LIST = "data/voc/ImageSets/Segmentation/train.txt"
NPY = "data/voc/cls_labels.npy"
NAMES = "data/voc/class_names.txt"
BODY = "<annotation><object><name>bird</name></object></annotation>"


def damages(rng: random.Random) -> Iterator[Damage]:
    """All of them."""
    yield from _annotations()
    yield from _lists()
    yield from _published(rng)
    yield from _class_names()


def _both(*parts: str, dataset: str = "voc") -> tuple[Run, ...]:
    return (refused(f"doctor {dataset}", *parts), refused(f"@{dataset}/index", *parts))


def _annotations() -> Iterator[Damage]:
    laughs = '<!DOCTYPE a [<!ENTITY b0 "x">' + "".join(
        f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 12)
    )
    outside = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
    bad: dict[str, str | bytes] = {
        "empty": "",
        "text": "bird",
        "cut off": BODY[:30],
        "of an unknown encoding": '<?xml version="1.0" encoding="foo"?>' + BODY,
        "in UTF-7": '<?xml version="1.0" encoding="utf-7"?>' + BODY,
        "in Shift-JIS that is not": b'<?xml version="1.0" encoding="shift_jis"?>'
        + BODY.encode()
        + b"\xff\xff",
        "that declares UTF-16 and is not": '<?xml version="1.0" encoding="utf-16"?>' + BODY,
        "not UTF-8": BODY.replace("bird", "b\udcffrd").encode(errors="surrogateescape"),
        "with a zero byte": BODY.replace("bird", "bi\0rd"),
        "a nest of entities": laughs + "]>" + BODY.replace("bird", "&b11;"),
        "an entity from outside": outside + BODY.replace("bird", "&b;"),
        "an unknown class": BODY.replace("bird", "brid"),
        "an object without a name": BODY.replace("<name>bird</name>", ""),
        "another root": BODY.replace("annotation", "html"),
        "an encoding that decodes no text": '<?xml version="1.0" encoding="rot13"?>' + BODY,
    }
    yield from each("annotation", ((n, content(XML, t)) for n, t in bad.items()), *_both("2007_000000.xml"))
    odd = (("a folder", folder_at(XML)), ("a link loop", link_loop(XML)), ("a named pipe", pipe_at(XML)))
    yield from each("annotation", (*odd, ("missing", missing(XML))), *_both("2007_000000"))
    yield Damage("annotation: the folder is missing", missing("data/voc/Annotations"), _both("Annotations"))
    right = {
        "UTF-16": ('<?xml version="1.0" encoding="utf-16"?>' + BODY).encode("utf-16"),
        "Latin-1": ('<?xml version="1.0" encoding="iso-8859-1"?><!-- schön -->' + BODY).encode("latin-1"),
        "a byte order mark": b"\xef\xbb\xbf" + BODY.encode(),
        "spaces around the name": BODY.replace("bird", " bird\n"),
        "nested 20,000 deep elsewhere": "<annotation>" + "<x>" * 20_000 + "</x>" * 20_000 + BODY[12:],
    }
    fine = (works("doctor voc", "class 'bird': train 4"), works("@voc/index"))
    yield from each(
        "annotation", ((f"{n}, which is right", content(XML, t)) for n, t in right.items()), *fine
    )


def _lists() -> Iterator[Damage]:
    good = "".join(f"2007_00000{n}\n" for n in range(4))
    bad: dict[str, str | bytes] = {
        "empty": "",
        "a path outside": "../../x\n" + good,
        "an absolute path": "/etc/passwd\n" + good,
        "not UTF-8": good.encode() + b"caf\xe9\n",
        "UTF-16": good.encode("utf-16"),
        "a zero byte": good + "2007\0\n",
        "an id twice": good + "2007_000000\n",
        "an id without a photograph": good + "2007_000009\n",
        "an id of the other split": good + "2007_000004\n",
        "an id of 5000 letters": good + "a" * 5000 + "\n",
        "a photograph": b"\xff\xd8\xff\xe0" + bytes(range(256)),
    }
    yield from each(
        "list", ((n, content(LIST, t)) for n, t in bad.items()), refused("doctor voc"), refused("@voc/index")
    )
    odd = (("a folder", folder_at(LIST)), ("a link loop", link_loop(LIST)), ("a named pipe", pipe_at(LIST)))
    yield from each("list", (*odd, ("missing", missing(LIST))), *_both("train.txt"))
    right = {
        "CR LF": good.replace("\n", "\r\n"),
        "a byte order mark": "\ufeff" + good,
        "blank lines": "\n" + good + "\n\n",
        "paths as PSA publishes them": "".join(
            f"/JPEGImages/{i}.jpg /SegmentationClass/{i}.png\n" for i in good.split()
        ),
    }
    fine = (works("doctor voc", "no faults"), works("@voc/index"))
    yield from each("list", ((f"{n}, which is right", content(LIST, t)) for n, t in right.items()), *fine)


class _Evil:
    def __reduce__(self) -> Any:
        return (open, ("touched", "w"))


def _published(rng: random.Random) -> Iterator[Damage]:
    ids = [f"2007_00000{n}" for n in range(6)]

    def vectors(value: Any) -> dict[Any, Any]:
        return dict.fromkeys(ids, value)

    def saved(value: Any) -> Apply:
        stream = io.BytesIO()
        np.save(stream, value, allow_pickle=True)
        return content(NPY, stream.getvalue())

    def raw(value: Any, protocol: int = 4) -> Apply:
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
        return content(NPY, stream.getvalue() + pickle.dumps(value, protocol=protocol))

    def cut(tree: Tree) -> None:
        data = tree.read(NPY)
        tree.write(NPY, data[: rng.randrange(len(data))])

    def flipped(tree: Tree) -> None:
        data = bytearray(tree.read(NPY))
        data[rng.randrange(10)] ^= 0x40
        tree.write(NPY, bytes(data))

    huge = (
        b"\x93NUMPY\x01\x00\x76\x00"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (99999999999,), }".ljust(117)
        + b"\n"
    )
    half = np.zeros(20, np.float32)
    half[2] = 0.5
    bad: dict[str, Apply] = {
        "empty": content(NPY, b""),
        "text": content(NPY, "labels"),
        "cut off": cut,
        "its head changed": flipped,
        "a plain array": saved(np.zeros(3)),
        "a list": saved(["a"]),
        "a dict of lists": saved(vectors([1, 0])),
        "vectors too short": saved(vectors(np.ones(3, np.float32))),
        "vectors of NaN": saved(vectors(np.full(20, np.nan, np.float32))),
        "a half": saved(vectors(half)),
        "negative": saved(vectors(np.full(20, -1, np.int64))),
        "objects inside": saved(vectors(np.array([{}] * 20, dtype=object))),
        "a command": raw({"2007_000000": _Evil()}),
        "a command instead": raw(_Evil()),
        "text pickled by protocol 0": raw(vectors(np.zeros(20, np.float32)), protocol=0),
        "keys that are tuples": saved({(1, 2): np.zeros(20, np.float32)}),
        "a huge shape": content(NPY, huge),
        "a header that is code": content(NPY, huge.replace(b"99999999999", b"__import__('os')".ljust(11))),
        "version 9": content(NPY, b"\x93NUMPY\x09\x00" + huge[8:]),
        "an empty dict": saved({}),
        "a negative key": saved({-5: np.zeros(20, np.float32)}),
    }
    yield from each("published", bad.items(), refused("doctor npy"), refused("@npy/index"))
    odd = (("a folder", folder_at(NPY)), ("a link loop", link_loop(NPY)), ("a named pipe", pipe_at(NPY)))
    yield from each("published", (*odd, ("missing", missing(NPY))), *_both("cls_labels.npy", dataset="npy"))


def _class_names() -> Iterator[Damage]:
    bad: dict[str, Apply] = {
        "not UTF-8": content(NAMES, b"background\ncaf\xe9\n"),
        "empty": content(NAMES, ""),
        "without the declared classes": content(NAMES, "background\ndog\n"),
        "300 names": content(
            NAMES, "background\n" + "\n".join(f"c{n}" for n in range(300)) + "\nbird\ncat\n"
        ),
        "a link loop": link_loop(NAMES),
        "a folder": folder_at(NAMES),
        "a named pipe": pipe_at(NAMES),
        "a name twice": content(NAMES, "background\nbird\ncat\nbird\n"),
    }
    yield from each("class names", bad.items(), *_both())
