"""Writing that never leaves half a file under a final name: temporary file in the same folder, fsync, rename."""

import errno
import glob
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from seedbed.errors import SeedbedError
from seedbed.regular_files import read_regular

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "it would exceed the limit on file sizes; raise the limit (`ulimit -f`), or use more shards",
    errno.EACCES: "no permission to write there; change the folder's owner or mode, or choose another one",
    errno.EPERM: "no permission to write there; change the folder's owner or mode, or choose another one",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOTDIR: "part of the path is a file, not a folder; move that file away",
    errno.EISDIR: "there is a folder where the file should go; move that folder away",
    errno.ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
    errno.ELOOP: "part of the path is a link that leads to itself; remove the link",
    errno.EINVAL: "the file system does not take such a name; choose another one",
    errno.EILSEQ: "the file system does not take such a name; choose another one",
    errno.EEXIST: "there is a file where a folder should go; move that file away",
}

LONGEST_NAME = 240
"""Bytes of a name to which the marks of a temporary file can be added."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into one line that says what to do.

    Raises:
        SeedbedError: the disk is full, permission is missing, or the path cannot hold a file.
    """
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0)
        if advice is None:
            raise
        raise SeedbedError(f"cannot write {path}: {advice}") from error


@contextmanager
def atomic_file(path: Path, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` for binary writing; it is renamed to `path` only if all goes well.

    Args:
        path: the final name; its folder is made if it is missing.
        durable: wait until it is on disk, so that not even a loss of power leaves an empty file.

    Raises:
        SeedbedError: see `writing`.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=_prefix(path), suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                if durable:
                    stream.flush()
                    os.fsync(stream.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
            if durable:
                _sync_folder(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_file(path) as stream:
        stream.write(content)


def write_if_changed(path: Path, content: bytes) -> bool:
    """Write `content` unless `path` holds it already, so that an equal file keeps its modification time.

    For small derived files such as slices: after a loss of power the next call repairs them, so this does not wait for
    the disk.

    Returns:
        Whether the file was written.
    """
    try:
        if read_regular(path) == content:
            return False
    except OSError:
        pass
    with atomic_file(path, durable=False) as stream:
        stream.write(content)
    return True


def _prefix(path: Path) -> str:
    """Beginning of the names of a file's temporary files; of a name that is nearly too long, only the beginning."""
    name = os.fsencode(path.name)
    if len(name) <= LONGEST_NAME:
        return f".{path.name}."
    return f".{hashlib.sha256(name).hexdigest()}."


def remove_left(folder: Path, name: str = "") -> None:
    """Remove temporary files that killed writers left; the caller is the only writer.

    Args:
        folder: where the files lie.
        name: beginning of the names of the files; all files if empty.
    """
    for left in folder.glob(f".{glob.escape(name)}*.tmp"):
        with suppress(OSError):
            left.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
