"""Damages of a user's folder of photographs: labels, lists, masks, photographs."""

import os
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from hostile.damages import (
    Apply,
    Damage,
    Run,
    content,
    each,
    equal_to_base,
    folder_at,
    link_loop,
    missing,
    pipe_at,
    refused,
    works,
)
from hostile.tree import Tree

CSV, MASK, PHOTO = "data/birds/labels.csv", "data/birds/masks/a.png", "data/birds/images/a.jpg"
INDEX = "results/birds/index/index.csv"
HEADER = "image_id,split,robin,wren\n"
ROWS = "".join(
    f"{i}.jpg,{s},1,{n % 2}\n"
    for n, (i, s) in enumerate(zip("abcdef", ["train"] * 4 + ["val"] * 2, strict=True))
)
SAME = (works("doctor", "no faults"), works("@birds/index", check=equal_to_base(INDEX)))


def damages(rng: random.Random) -> Iterator[Damage]:
    """All of them."""
    yield from _labels()
    yield from _masks(rng)
    yield from _photographs(rng)


def _both(*parts: str) -> tuple[Run, ...]:
    return (refused("doctor", *parts), refused("@birds/index", *parts))


def _rows(old: str, new: str) -> Apply:
    return lambda tree: tree.write(CSV, (HEADER + ROWS).replace(old, new))


def _labels() -> Iterator[Damage]:
    whole: dict[str, str | bytes] = {
        "empty": "",
        "a header only": HEADER,
        "semicolons": (HEADER + ROWS).replace(",", ";"),
        "tabs": (HEADER + ROWS).replace(",", "\t"),
        "not UTF-8": (HEADER + ROWS).encode() + "schön.jpg,train,1,0\n".encode("latin-1"),
        "UTF-16": (HEADER + ROWS).encode("utf-16"),
        "a zero byte": HEADER + "a\0.jpg,train,1,0\n" + ROWS,
        "an open quote": HEADER + '"a.jpg,train,1,0\n' + ROWS,
        "a cell of 200 kB": HEADER + "a" * 200_000 + ",train,1,0\n" + ROWS,
        "no column image_id": (HEADER + ROWS).replace("image_id", "file"),
        "a photograph": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4,
        "one byte": b"\x00",
        "300 classes": "image_id,split,"
        + ",".join(f"c{n}" for n in range(300))
        + "\n"
        + "a.jpg,train"
        + ",1" * 300
        + "\n",
        "a file of commas": "," * 5000 + "\n",
    }
    yield from each("labels", ((n, content(CSV, text)) for n, text in whole.items()), *_both("labels.csv"))
    odd = (("a folder", folder_at(CSV)), ("a link loop", link_loop(CSV)), ("missing", missing(CSV)))
    yield from each("labels", (*odd, ("a named pipe", pipe_at(CSV))), *_both("labels.csv"))
    cells: dict[str, tuple[str, str]] = {
        "too few cells": ("a.jpg,train,1,0", "a.jpg,train,1"),
        "too many cells": ("a.jpg,train,1,0", "a.jpg,train,1,0,1"),
        "an empty cell": ("a.jpg,train,1,0", "a.jpg,train,,0"),
        "a two": ("a.jpg,train,1,0", "a.jpg,train,2,0"),
        "minus one": ("a.jpg,train,1,0", "a.jpg,train,-1,0"),
        "NaN": ("a.jpg,train,1,0", "a.jpg,train,nan,0"),
        "1e400": ("a.jpg,train,1,0", "a.jpg,train,1e400,0"),
        "another digit": ("a.jpg,train,1,0", "a.jpg,train,¹,0"),
        "no split": ("a.jpg,train,", "a.jpg,,"),
        "a split of another name": ("a.jpg,train,", "a.jpg,tarin,"),
        "an id twice": ("b.jpg", "a.jpg"),
        "a file under two ids": ("b.jpg", "a"),
        "a path outside": ("a.jpg", "../../x.jpg"),
        "an absolute path": ("a.jpg", "/etc/passwd"),
        "an empty id": ("a.jpg", ""),
        "an id of 300 bytes": ("a.jpg", "a" * 300 + ".jpg"),
        "a device": ("a.jpg", "/dev/zero"),
        "a trailing comma": ("robin,wren\n", "robin,wren,\n"),
        "a column twice": ("robin,wren", "robin,robin"),
        "a column background": ("robin,wren", "robin,background"),
        "a column Unnamed: 0": ("robin,wren", "robin,Unnamed: 0"),
        "classes in two cases": ("robin,wren", "Robin,robin"),
        "a class that is a formula": ("robin,wren", "robin,=1+1"),
        "a class that is a command": ("robin,wren", "robin,@SUM(A1)"),
        "a class with a minus": ("robin,wren", "robin,-2+3"),
        "a class with a plus": ("robin,wren", "robin,+cmd|' /C calc'!A0"),
        "a class with a control character": ("robin,wren", "robin,w\x07en"),
        "a class of 5000 letters": ("robin,wren", "robin," + "w" * 5000),
    }
    for name, (old, new) in cells.items():
        yield Damage(f"labels: {name}", _rows(old, new), _both("labels.csv"))
    yield Damage("labels: no such photograph", _rows("a.jpg", "z.jpg"), _both("z.jpg"))
    yield Damage("labels: a class without a photograph", _rows(",1\n", ",0\n"), (refused("doctor", "wren"),))
    right = {
        "CR LF": (HEADER + ROWS).replace("\n", "\r\n"),
        "a byte order mark": "\ufeff" + HEADER + ROWS,
        "no newline at the end": (HEADER + ROWS).strip(),
        "quoted cells": (HEADER + ROWS).replace("a.jpg", '"a.jpg"'),
        "blank lines": (HEADER + "\n" + ROWS + "\n\n"),
        "spaces around cells": (HEADER + ROWS).replace(",", " , "),
        "1.0 for 1": (HEADER + ROWS).replace(",1,", ",1.0,"),
    }
    yield from each("labels", ((f"{n}, which is right", content(CSV, t)) for n, t in right.items()), *SAME)
    names = "image_id,split,labels\n"
    filled = ["cat,train,robin", "b.jpg,train,robin;wren"]
    yield Damage(
        "labels: a name with a comma",
        content(CSV, names + '"a.jpg",train,"robin,wren"\n' + filled[1] + "\n"),
        _both("labels.csv"),
    )
    yield Damage(
        "labels: one name in two cases",
        content(CSV, names + "a.jpg,train,Robin;wren\n" + filled[1] + "\n"),
        _both("labels.csv"),
    )


def _masks(rng: random.Random) -> Iterator[Damage]:
    with_two = np.zeros((48, 56), np.uint8)
    with_two[8:24, 8:24] = 255
    name = "a.png"
    good = bytearray()

    def picture(array: np.ndarray, **options: object) -> Apply:
        return lambda tree: tree.image(MASK, array, **options)

    def cut(tree: Tree) -> None:
        data = tree.read(MASK)
        tree.write(MASK, data[: rng.randrange(20, len(data) - 20)])

    def jpeg(tree: Tree) -> None:
        tree.image("data/birds/masks/b.jpg", np.zeros((48, 56, 3), np.uint8))
        data = tree.read("data/birds/masks/b.jpg")
        tree.remove("data/birds/masks/b.jpg")
        tree.write(MASK, data)

    del good
    bad: dict[str, Apply] = {
        "0 and 255 only": picture(with_two),
        "all 255": picture(np.full((48, 56), 255, np.uint8)),
        "colours": picture(np.zeros((48, 56, 3), np.uint8)),
        "16 bits": picture(np.ones((48, 56), np.uint16)),
        "another size": picture(np.zeros((20, 20), np.uint8)),
        "an unknown index": picture(np.full((48, 56), 9, np.uint8)),
        "index 254": picture(np.full((48, 56), 254, np.uint8)),
        "a class that the label lacks": picture(np.full((48, 56), 2, np.uint8)),
        "cut off": cut,
        "empty": content(MASK, b""),
        "a JPEG": jpeg,
        "text": content(MASK, "mask"),
        "missing": missing(MASK),
        "a folder": folder_at(MASK),
        "a link loop": link_loop(MASK),
        "a named pipe": pipe_at(MASK),
        "a device": lambda tree: tree.remove(MASK).symlink_to("/dev/zero"),
        "13,000 x 13,000": content(MASK, large_png(13_000, 13_000, 0)),
        "60,000 x 60,000": content(MASK, large_png(60_000, 60_000, 0)),
    }
    yield from each("mask", bad.items(), *_both(name))
    yield Damage("mask: the folder is missing", missing("data/birds/masks"), _both("masks"))
    yield Damage(
        "mask: two of one name",
        lambda t: t.write("data/birds/masks/a.jpg.png", t.read(MASK)),
        _both("a.jpg.png"),
    )

    def right(tree: Tree, mode: str) -> None:
        image = Image.open(tree.path(MASK)).copy()
        if mode == "P":
            image.putpalette([0, 0, 0, 255, 0, 0] + [0] * 750)
        tree.remove(MASK)
        if mode == "jpg.png":
            image.save(tree.path("data/birds/masks/a.jpg.png"))
        elif mode == "PNG":
            image.save(tree.path("data/birds/masks/a.PNG"))
        elif mode == "bits":
            image.save(tree.path(MASK), bits=2)
        else:
            image.save(tree.path(MASK))

    for mode in ("P", "jpg.png", "PNG", "bits"):
        yield Damage(f"mask: {mode}, which is right", lambda tree, mode=mode: right(tree, mode), SAME)


def large_png(width: int, height: int, colour_type: int) -> bytes:
    """A black PNG of any size, in few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    row = bytes(1 + width * (3 if colour_type == 2 else 1))
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(min(height, 13_000))) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(touched) print showpage\n"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
GIF0 = b"GIF89a\0\0\0\0\0\0\0;"


def _photographs(rng: random.Random) -> Iterator[Damage]:
    name = "a.jpg"

    def cut(tree: Tree) -> None:
        data = tree.read(PHOTO)
        tree.write(PHOTO, data[: rng.randrange(100, len(data) - 100)])

    def picture(image: Image.Image | np.ndarray, form: str, **options: object) -> Apply:
        return lambda tree: tree.image(PHOTO, image, format=form, **options)

    noise = np.random.default_rng(3).integers(0, 256, (48, 56, 3), dtype=np.uint8)
    bad: dict[str, Apply] = {
        "cut off": cut,
        "empty": content(PHOTO, b""),
        "text": content(PHOTO, "photograph"),
        "EPS": content(PHOTO, EPS),
        "SVG": content(PHOTO, SVG),
        "HEIC": content(PHOTO, HEIC),
        "GIF of 0 x 0": content(PHOTO, GIF0),
        "missing": missing(PHOTO),
        "a folder": folder_at(PHOTO),
        "a link loop": link_loop(PHOTO),
        "a named pipe": pipe_at(PHOTO),
        "a device": lambda tree: tree.remove(PHOTO).symlink_to("/dev/zero"),
        "a broken link": lambda tree: tree.remove(PHOTO).symlink_to("nowhere.jpg"),
        "12 bits in 16": picture(np.full((48, 56), 4000, np.uint16), "PNG"),
        "32-bit numbers": picture(Image.fromarray(np.full((48, 56), 1.5, np.float32)), "TIFF"),
        "ICO": picture(Image.fromarray(noise).resize((48, 48)), "ICO"),
        "PPM": picture(noise, "PPM"),
        "PDF": picture(noise, "PDF"),
        "13,000 x 13,000": content(PHOTO, large_png(13_000, 13_000, 2)),
        "60,000 x 60,000": content(PHOTO, large_png(60_000, 60_000, 2)),
        "a PNG whose text unpacks to 100 MB": content(PHOTO, _text_bomb()),
    }
    yield from each("photograph", bad.items(), *_both(name))

    def two_names(tree: Tree) -> None:
        tree.write("data/birds/images/g.jpg", tree.read(PHOTO))
        tree.write("data/birds/masks/g.png", tree.read(MASK))
        tree.write(CSV, HEADER + ROWS + "g.jpg,train,1,0\n")

    yield Damage("photograph: one under two names", two_names, (works("doctor", "'g.jpg'", "no faults"),))
    right: dict[str, Apply] = {
        "CMYK": picture(Image.fromarray(noise).convert("CMYK"), "JPEG"),
        "grey": picture(noise[..., 0], "JPEG"),
        "PNG with alpha": picture(Image.fromarray(noise).convert("RGBA"), "PNG"),
        "palette": picture(Image.fromarray(noise).convert("P"), "PNG"),
        "one pixel bits": picture(Image.fromarray(noise).convert("1"), "PNG"),
        "16-bit grey": picture((noise[..., 0].astype(np.uint16) * 257), "PNG"),
        "WEBP": picture(noise, "WEBP"),
        "BMP": picture(noise, "BMP"),
        "GIF": picture(noise, "GIF"),
        "broken EXIF": picture(noise, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xff" + b"\xff" * 40),
        "bytes after its end": lambda tree: tree.write(PHOTO, tree.read(PHOTO) + b"x" * 1000),
    }
    fine = (works("doctor", "no faults"), works("@birds/index"))
    yield from each("photograph", ((f"{n}, which is right", a) for n, a in right.items()), *fine)

    def linked(tree: Tree) -> None:
        tree.write("data/birds/images/real/a.jpg", tree.read(PHOTO))
        tree.remove(PHOTO).symlink_to("real/a.jpg")

    yield Damage("photograph: a link to it, which is right", linked, SAME)

    def changed(tree: Tree) -> None:
        tree.image(PHOTO, noise, format="JPEG")

    stale = ("a.jpg", "changed")
    runs = (refused("@cams", *stale), refused("@classifier", *stale), refused("@reports/all", *stale))
    yield Damage("photograph: another since the index", changed, runs)

    def loop_above(tree: Tree) -> None:
        os.symlink("..", tree.path("data/birds/images/up"))

    yield Damage("photograph: a link to the folder above", loop_above, _both("images/up"))
    yield Damage("photograph: named pipe beside", pipe_at("data/birds/images/z.jpg"), SAME)
    yield Damage("photograph: a file with a name that is not UTF-8 beside", _undecodable, SAME)


def _undecodable(tree: Tree) -> None:
    with open(os.fsencode(tree.path("data/birds/images")) + b"/caf\xe9.jpg", "wb") as stream:
        stream.write(b"x")


def _text_bomb() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 56, 48, 8, 2, 0, 0, 0)
    text = b"Comment\0\0" + zlib.compress(b"x" * 100_000_000)
    pixels = zlib.compress(bytes((1 + 56 * 3) * 48))
    parts = (chunk(b"IHDR", head), chunk(b"zTXt", text), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
