"""`seedbed fetch`: published data sets from their official addresses, verified and unpacked."""

import shutil
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from seedbed.artifacts.atomic import write_bytes, writing
from seedbed.datasets.sources import PUBLISHED, Published, Source
from seedbed.errors import SeedbedError, one_line, unknown_name
from seedbed.regular_files import read_regular
from seedbed.runtime.locks import output_lock
from seedbed.verbs.download import download

WORK = ".fetch"
"""Folder below the target for archives, and for notes of what was unpacked."""
DONE = ".unpacked"
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


def fetch(
    name: str,
    out: Path,
    keep: bool = False,
    tell: Callable[[str], None] = print,
    published: dict[str, Published] = PUBLISHED,
    pause: float = 1.0,
) -> None:
    """Download, verify and unpack a data set; what an earlier call did is not done again.

    Args:
        name: a key of `published`.
        out: folder below which it is unpacked.
        keep: keep the archives.
        tell: gets each line.
        published: the table of addresses.
        pause: see `download`.

    Raises:
        SeedbedError: an unknown name, or whatever `download` and unpacking refuse.
    """
    if name not in published:
        raise SeedbedError(unknown_name("data set to fetch", name, published))
    found = published[name]
    tell(f"licence: {found.licence}")
    work = out / WORK
    with writing(work):
        work.mkdir(parents=True, exist_ok=True)
    for source in found.sources:
        with output_lock(work, source.name):
            tell(f"{source.url}: {_fetch_one(source, out, keep, pause)}")
    tell(
        f"declare it in params.yaml, under `datasets:`\n  {name}: {found.declaration.replace('{out}', str(out))}"
    )


def _fetch_one(source: Source, out: Path, keep: bool, pause: float) -> str:
    """Fetch one archive; what was done, in words."""
    archive, done = out / WORK / source.name, out / WORK / f"{source.name}{DONE}"
    if (
        done.is_file()
        and read_regular(done).decode().strip() == source.md5
        and (out / source.folder / source.makes).exists()
    ):
        return "is there already"
    with tqdm(unit="B", unit_scale=True, desc=source.name, disable=None, file=sys.stderr) as bar:

        def show(come: int, total: int | None) -> None:
            bar.total = total
            bar.update(come - bar.n)

        download(source.url, archive, source.md5, show, pause)
    unpack(archive, out / source.folder)
    write_bytes(done, f"{source.md5}\n".encode())
    if not keep:
        archive.unlink()
    return "downloaded, " + ("MD5 verified" if source.md5 else "no checksum is published") + ", unpacked"


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip file; nothing is written outside of the folder.

    Raises:
        SeedbedError: the archive is damaged, names a path outside of the folder, or the disk is full.
    """
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if archive.suffix == ".zip":
                with zipfile.ZipFile(archive) as zipped:
                    _check_space(archive, folder, sum(entry.file_size for entry in zipped.infolist()))
                    zipped.extractall(folder)
            else:
                with tarfile.open(archive) as packed:
                    packed.extractall(folder, filter="data")
    except _DAMAGED as error:
        raise SeedbedError(
            f"{archive}: cannot be unpacked ({one_line(error)}); remove it and run the command again"
        ) from None


def _check_space(archive: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SeedbedError(
            f"{archive.name} needs {needed / 1e9:.1f} GB unpacked, but {folder} has {free / 1e9:.1f} GB; "
            "free some space"
        )
