"""What a folder of photographs looks like: where its labels, splits and masks are."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from PIL import Image

from seedbed.datasets.class_names import BACKGROUND
from seedbed.datasets.files import FORMATS, SUFFIXES, UNREADABLE
from seedbed.datasets.finder import Finder
from seedbed.datasets.folder import LISTS
from seedbed.datasets.label_csv import read_label_csv
from seedbed.datasets.label_folders import FOLDERS
from seedbed.datasets.labels import LabelTable
from seedbed.errors import SeedbedError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Split → what columns, files and folders call it, in lower case."""
MASK_NAMES = re.compile(r"mask|segm|label|annot|truth|^gt$", re.IGNORECASE)
IMAGE_NAMES = frozenset({"images", "imgs", "photos", "photographs", "pictures", "jpegimages"})
NEGATIVES = re.compile(
    r"negatives?|none|nothing|others?|rest|(?:no|not|non|without)[-_ ](?P<name>.+)", re.IGNORECASE
)


@dataclass
class Layout:
    """How a folder is declared.

    Attributes:
        splits: `list` of each split, if it is not named like the split.
        options: of kind `folder`, without masks.
        masks: folder of masks, below the folder; None if there is none.
        notes: what was found, in words, by what it is about.
    """

    splits: dict[str, dict[str, Any]]
    options: dict[str, Any]
    masks: str | None = None
    notes: dict[str, str] = field(default_factory=dict)


def look(folder: Path, labels: str | None = None) -> Layout:
    """Find labels, splits and masks.

    Args:
        folder: the folder of photographs.
        labels: its CSV, or `folders`; None to look for either.

    Raises:
        SeedbedError: there are no photographs, or nothing says what they show; one line.
    """
    try:
        if not folder.is_dir():
            what = "but that is a file" if folder.is_file() else "but there is none"
            raise SeedbedError(f"{folder}: expected a folder of photographs, {what}")
        return _look(folder, labels)
    except OSError as error:
        raise SeedbedError(
            f"{error.filename or folder}: not readable ({error.strerror}); change its mode"
        ) from None


def _look(folder: Path, labels: str | None) -> Layout:
    if (folder / "JPEGImages").is_dir() and (folder / "ImageSets").is_dir():
        raise SeedbedError(f"{folder}: this is VOC's layout; declare it with `kind: voc` (docs/params.md)")
    masks = _mask_folder(folder)
    photographs = _visible(folder, Finder(folder, SUFFIXES, without=masks).paths)
    if not photographs:
        raise SeedbedError(
            f"{folder}: expected photographs ({', '.join(FORMATS)}), but there are none{_others(folder)}"
        )
    csv = None if labels == FOLDERS else _csv_files(folder, labels)
    layout = _by_csv(folder, photographs, csv, masks) if csv else _by_folders(folder, photographs)
    if masks:
        layout.masks = masks.relative_to(folder).as_posix()
    return layout


def _visible(folder: Path, paths: Sequence[Path]) -> list[Path]:
    """Files that neither are hidden nor lie in a hidden folder."""
    return [p for p in paths if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


def _others(folder: Path) -> str:
    """What there is instead of photographs."""
    others = sorted(p.name for p in folder.rglob("*") if p.is_file())
    if not others:
        return ""
    raw = next((name for name in others if Path(name).suffix.lower() in UNREADABLE), None)
    return f"; convert files such as {raw} to JPEG" if raw else f", only files such as {others[0]}"


def _mask_folder(folder: Path) -> Path | None:
    """The first sub-folder that is called like masks and holds PNGs of indices, or files that mirror photographs."""
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), key=lambda p: (len(p.parts), p)):
        if MASK_NAMES.search(path.name):
            files = _visible(path, Finder(path, SUFFIXES).paths)
            are_pngs = all(f.suffix.lower() == ".png" for f in files)
            if files and ((are_pngs and all(map(_is_indices, files[:5]))) or _mirrors(path, files, folder)):
                return path
    return None


def _mirrors(masks: Path, files: Sequence[Path], folder: Path) -> bool:
    """Whether each file has the name and the sub-folders of a photograph elsewhere, as masks of a wrong kind do."""
    photographs = set()
    for path in _visible(folder, Finder(folder, SUFFIXES, without=masks).paths):
        parts = path.relative_to(folder).with_suffix("").parts
        photographs |= {parts, parts[1:] if parts[0].lower() in IMAGE_NAMES else parts}
    return all(f.relative_to(masks).with_suffix("").parts in photographs for f in files)


def _is_indices(path: Path) -> bool:
    try:
        with Image.open(path, formats=("PNG",)) as file:
            return file.mode in ("P", "L", "1")
    except (OSError, SyntaxError, ValueError):
        return False


def _csv_files(folder: Path, labels: str | None) -> list[Path]:
    """The CSV of labels, or one for each split; none if there is no CSV."""
    if labels is not None:
        if not (folder / labels).is_file():
            raise SeedbedError(f"{folder / labels}: expected a CSV of labels, but there is no such file")
        return [folder / labels]
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".csv" and not p.name.startswith("."))
    usual = [p for p in found if p.name == "labels.csv"]
    if usual or len(found) < 2:
        return usual or found
    if all(_split_name(p.stem) for p in found):
        return found
    names = ", ".join(p.name for p in found)
    raise SeedbedError(f"{folder}: which of {names} holds the labels? Name it with --labels")


def _split_name(name: str) -> str | None:
    """The split that goes by a name."""
    return next((split for split, names in SPLIT_NAMES.items() if name.lower() in names), None)


def _splits(called: Sequence[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Declarations of splits in the order of `SPLIT_NAMES`, from their names and what lists them."""
    found: dict[str, str] = {}
    for name, listed in called:
        split = _split_name(name)
        if split:
            found.setdefault(split, listed)
    return {s: {} if found[s] == s else {"list": found[s]} for s in SPLIT_NAMES if s in found}


def _by_csv(folder: Path, photographs: Sequence[Path], files: Sequence[Path], masks: Path | None) -> Layout:
    tables = [read_label_csv(path) for path in files]
    for table in tables:
        if not table.readable:
            raise SeedbedError(table.faults[0])
    table, path = tables[0], files[0]
    named = [p for p in sorted(folder.iterdir()) if p.is_file() and _split_name(p.stem)]
    lists = [(p.stem, p.name) for p in named if p.suffix.lower() == ".txt"]
    unread = [p.name for p in named if p.suffix.lower() not in LISTS | SUFFIXES]
    if _split_name(path.stem):
        splits = _splits([(p.stem, p.name) for p in files])
        said = f"one CSV for each: {', '.join(p.name for p in files)}"
    elif any(table.splits.values()):
        splits, said = _splits([(s, s) for s in table.splits.values()]), f"column `split` of {path.name}"
    elif len(lists) > 1:
        splits, said = _splits(lists), f"lists {', '.join(name for _, name in lists)}"
    else:
        splits, said = {"train": {}}, f"{path.name} has no column `split`; all photographs are trained on"
    if "train" not in splits:
        known = ", ".join(dict.fromkeys(table.splits.values())) or ", ".join(splits)
        raise SeedbedError(f"{path}: expected a split `train`, but the splits are {known}; write train")
    options: dict[str, Any] = (
        {} if path.name == "labels.csv" or _split_name(path.stem) else {"labels": path.name}
    )
    images = _image_folder(folder, photographs, tables, masks)
    options |= {"images": images} if images else {}
    unnamed = len(photographs) - len({i for t in tables for i in t.lines})
    notes = {"labels": ", ".join(p.name for p in files), "splits": said}
    if unread:
        notes["not read"] = (
            f"{', '.join(unread)}; a list of a split is a .txt with one id per line, or a .csv"
        )
    if unnamed > 0:
        notes["left out"] = f"{unnamed} photographs, which no row names"
    if denied := _denied(folder, photographs, tables):
        are = "photograph is" if len(denied) == 1 else "photographs are"
        told = f"{len(denied)} {are} in a folder of a class that the row says is not shown"
        notes["sub-folders"] = f"{told}, first {denied[0]}; the CSV counts"
    return Layout(splits, options, notes=notes)


def _denied(folder: Path, photographs: Sequence[Path], tables: Sequence[LabelTable]) -> list[str]:
    """Photographs in a folder that is named after a class, which their row says they do not show."""
    found = []
    for path in photographs:
        if path.parent == folder:
            continue
        below = path.relative_to(folder)
        keys = (below.as_posix(), below.with_suffix("").as_posix(), below.name, below.stem)
        for table in tables:
            key = next((key for key in keys if key in table.rows), None)
            of_folder = [
                k for k, name in enumerate(table.classes) if name.lower() == path.parent.name.lower()
            ]
            if key and of_folder and not table.rows[key][of_folder[0]]:
                found.append(below.as_posix())
    return found


def _image_folder(
    folder: Path, photographs: Sequence[Path], tables: Sequence[LabelTable], masks: Path | None
) -> str | None:
    """The one sub-folder that holds all photographs, if masks mirror it and the ids are paths below it."""
    tops = {p.relative_to(folder).parts[0] if p.parent != folder else "" for p in photographs}
    top = tops.pop()
    if tops or not top or masks is None:
        return None
    finder = Finder(folder / top, SUFFIXES, without=masks)
    for image_id in (i for table in tables for i in table.lines):
        try:
            finder.find(image_id, "photograph")
        except SeedbedError:
            continue
        return top
    return None


def _by_folders(folder: Path, photographs: Sequence[Path]) -> Layout:
    base = folder
    tops = {p.relative_to(folder).parts[0] for p in photographs}
    if len(tops) == 1 and (top := folder / tops.pop()).name.lower() in IMAGE_NAMES and top.is_dir():
        base = top
    parts = [p.relative_to(base).parts for p in photographs]
    around = {p[0] for p in parts}
    if len(around) == 1 and all(len(p) > 2 for p in parts) and not _split_name(parts[0][0]):
        inner = _named({p[1] for p in parts})
        raise SeedbedError(
            f"{base}: expected one sub-folder per class, but all photographs are in {parts[0][0]}, in its sub-folders"
            f" {inner}; if these are the classes, run `seedbed init {quote(str(base / parts[0][0]))}`"
        )
    if all(len(p) == 1 for p in parts):
        raise SeedbedError(
            f"{base}: nothing says what the photographs show; add labels.csv (columns image_id and one 0/1"
            " column per class), or sort them into one sub-folder per class"
        )
    firsts = sorted({p[0] for p in parts if len(p) > 1})
    in_splits = all(_split_name(name) for name in firsts)
    level = int(in_splits)
    names = sorted({p[level] for p in parts if len(p) > level + 1})
    if not names:
        raise SeedbedError(
            f"{base}: the sub-folders {', '.join(firsts)} are splits, and nothing says what the photographs in them"
            " show; add labels.csv, or sort them into one sub-folder per class"
        )
    splits = _splits([(name, name) for name in firsts]) if in_splits else {"train": {}}
    if "train" not in splits:
        raise SeedbedError(
            f"{base}: expected a sub-folder `train`, but the splits are {', '.join(firsts)}; rename one"
        )
    options: dict[str, Any] = {"labels": FOLDERS}
    options |= {"images": base.relative_to(folder).as_posix()} if base != folder else {}
    said = "sub-folders" if in_splits else "none found; all photographs are trained on"
    notes = {"labels": "sub-folders", "splits": said}
    negative = negatives(names)
    if negative:
        options["classes"] = [n for n in names if n not in negative and n.lower() not in BACKGROUND]
        notes["no class"] = f"photographs in {', '.join(negative)} count as showing no class"
    return Layout(splits, options, notes=notes)


def _named(names: Iterable[str]) -> str:
    """`cat, dog, …`, at most five."""
    first, *more = sorted(names)
    return ", ".join([first, *more[:4], *(["…"] if len(more) > 4 else [])])


def negatives(names: Sequence[str]) -> list[str]:
    """Sub-folders of photographs that show no class, by their names: `negatives`, `others`, `no_cat` beside `cat`."""
    found = []
    for name in names:
        match = NEGATIVES.fullmatch(name)
        if match and (match["name"] is None or match["name"] in names):
            found.append(name)
    return found if len(found) < len(names) else []


def masks_per_split(
    folder: Path, layout: Layout, images: Mapping[str, Sequence[Path]]
) -> dict[str, tuple[int, int]]:
    """Photographs of each split that have a mask, and all of them.

    Args:
        folder: the folder that was looked at.
        images: files of each split.
    """
    if not layout.masks:
        return {}
    finder = Finder(folder / layout.masks, frozenset({".png"}))
    base = folder / layout.options.get("images", ".")

    def is_masked(path: Path) -> bool:
        below = path.relative_to(base)
        return bool(finder.mirrored(below.as_posix()) or finder.mirrored(below.with_suffix("").as_posix()))

    return {split: (sum(map(is_masked, paths)), len(paths)) for split, paths in images.items()}
