"""The table of kinds of data sets, and how to open one."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

from seedbed.datasets.base import Dataset
from seedbed.datasets.declaration import DatasetDeclaration, Options, SplitDeclaration, expanded
from seedbed.datasets.mapped import MappedDataset
from seedbed.datasets.shrunk import ShrunkDataset
from seedbed.errors import SeedbedError, unknown_name
from seedbed.installed import refuse_taken, with_installed
from seedbed.validation import problems

DATASETS: dict[str, str] = {
    "coco": "seedbed.datasets.coco:CocoDataset",
    "composites": "seedbed.datasets.composites:CompositesDataset",
    "folder": "seedbed.datasets.folder:FolderDataset",
    "pets": "seedbed.datasets.pets:PetsDataset",
    "sbd": "seedbed.datasets.sbd:SbdDataset",
    "voc": "seedbed.datasets.voc:VocDataset",
}
"""Kind → module and class, imported when a data set is opened."""
GROUP = "seedbed.datasets"
"""Another package adds a kind with an entry point in this group that names its class."""


@runtime_checkable
class DatasetKind(Protocol):
    """What an entry of `DATASETS` must be: a class whose instances are `Dataset`s."""

    Options: ClassVar[type[Options]]
    needs_root: ClassVar[bool]

    def __call__(
        self, name: str, root: Path | None, options: Any, splits: Mapping[str, SplitDeclaration]
    ) -> Dataset:
        """Open a data set. Reads no photographs; `faults` reports what is wrong with the data."""
        ...


@cache
def installed_kinds() -> Mapping[str, object]:
    """`DATASETS`, and the classes of installed packages.

    Raises:
        SeedbedError: an entry point cannot be imported, is not the class of a kind, or takes one of our names.
    """
    own: dict[str, object] = dict(DATASETS)
    expected = "a class with `Options` and `needs_root`"
    return with_installed(own, GROUP, "kind of data set", expected, _is_kind)


@cache
def _refuse_taken() -> None:
    refuse_taken(DATASETS, GROUP, "kind of data set")


def _is_kind(entry: object) -> bool:
    return isinstance(entry, type) and isinstance(entry, DatasetKind)


def dataset_kind(kind: str) -> DatasetKind:
    """The class of a kind.

    Raises:
        SeedbedError: an unknown kind, or an installed package that adds one is broken or takes one of our names.
    """
    if kind in DATASETS:
        _refuse_taken()
        module, _, attribute = DATASETS[kind].partition(":")
        return cast(DatasetKind, getattr(import_module(module), attribute))
    if kind not in installed_kinds():
        raise SeedbedError(unknown_name("kind of data set", kind, installed_kinds()))
    return cast(DatasetKind, installed_kinds()[kind])


def dataset_options(name: str, declaration: DatasetDeclaration) -> Options:
    """The checked options of a declaration.

    Raises:
        SeedbedError: an unknown kind, an unknown option, or a value of the wrong type; one line.
    """
    model = dataset_kind(declaration.kind).Options
    for key in declaration.options:
        if key not in model.model_fields:
            what = f"option of data sets of kind {declaration.kind!r} (datasets.{name}.with)"
            raise SeedbedError(unknown_name(what, key, model.model_fields))
    if found := problems(model, declaration.options):
        where = f"datasets.{name}.with"
        raise SeedbedError("; ".join(f"{where}{'.' if p.location else ': '}{p.text}" for p in found))
    return model.model_validate(declaration.options)


def dataset_root(name: str, declaration: DatasetDeclaration, root: str | Path | None = None) -> Path:
    """The folder of a data set on this machine.

    Args:
        name: name of the data set, for the message.
        declaration: contains the root, unless `root` is given.
        root: overrides the declared root (`--data-root`).

    Raises:
        SeedbedError: no root is given, a variable in it is not set, or there is no such folder.
    """
    remedy = f"--data-root, or datasets.{name}.root in params.yaml"
    given = root if root is not None else declaration.root
    if given is None:
        raise SeedbedError(
            f"data set {name!r} of kind {declaration.kind!r} needs the folder of its files; set {remedy}"
        )
    text = expanded(given, f"data set {name!r}: root", remedy)
    path = Path(text)
    try:
        is_folder = path.is_dir()
    except OSError:  # too long to be a path
        is_folder = False
    if not is_folder:
        raise SeedbedError(
            f"data set {name!r}: expected a folder at {text[:300]}, but there is none; set {remedy}"
        )
    return path.resolve()


def open_dataset(name: str, declaration: DatasetDeclaration, root: str | Path | None = None) -> Dataset:
    """Open a declared data set.

    Args:
        name: its key under `datasets:`.
        declaration: its value there.
        root: overrides the declared root (`--data-root`).

    Raises:
        SeedbedError: an unknown kind or option, no root, or a class map that does not fit; one line.
    """
    kind = dataset_kind(declaration.kind)
    options = dataset_options(name, declaration)
    folder = dataset_root(name, declaration, root) if kind.needs_root else None
    whole = kind(name, folder, options, declaration.splits)
    if declaration.class_map is not None:
        whole = MappedDataset(whole, declaration.class_map)
    return whole if declaration.longest is None else ShrunkDataset(whole, declaration.longest)
