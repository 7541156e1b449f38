"""Download one file: what a cut connection left is resumed, and a checksum tells whether all of it came."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from seedbed.artifacts.atomic import writing
from seedbed.errors import SeedbedError
from seedbed.regular_files import open_regular
from seedbed.verbs.terminal import human_size

PART = ".part"
"""Ending of a file of which not all has come."""
CHUNK = 1 << 20
ATTEMPTS = 5
"""Connections in a row that bring nothing new, after which the download is given up."""
PARTIAL, NOT_SATISFIABLE = 206, 416
Progress = Callable[[int, int | None], None]
"""Gets how many bytes have come, and how many there are, if the server tells."""


def download(
    url: str,
    path: Path,
    md5: str = "",
    progress: Progress | None = None,
    pause: float = 1.0,
    timeout: float = 60.0,
) -> Path:
    """Download `url` to `path`; what an earlier call left in `path.part` is resumed.

    Args:
        url: http or https.
        path: the file to write; one that is there with this checksum stays.
        md5: hexadecimal; the file is not verified if empty.
        progress: is told how far along it is.
        pause: seconds before the second attempt; each further one waits twice as long.
        timeout: seconds without a byte after which a connection counts as cut.

    Raises:
        SeedbedError: the server refuses, the connection was cut too often, the disk is full, or the checksum is
            another one.
    """
    if path.is_file() and (not md5 or md5_of(path) == md5):
        return path
    part = path.with_name(path.name + PART)
    with writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while True:
        before = _size(part)
        try:
            _go_on(url, part, progress or _silent, timeout)
            break
        except (HTTPException, URLError, TimeoutError, ConnectionError, ssl.SSLError) as error:
            failures = failures + 1 if _size(part) <= before else 1
            reason = _reason(url, error)
            if failures >= ATTEMPTS:
                raise SeedbedError(
                    f"{url}: {reason} after {human_size(_size(part))}; run the command again, which resumes from there"
                ) from None
        time.sleep(pause * 2 ** (failures - 1))
    if md5 and (found := md5_of(part)) != md5:
        part.unlink()
        raise SeedbedError(
            f"{url}: expected a file with MD5 {md5}, got {found}; it was removed: run the command again; if that "
            "does not help, the file at this address has since been replaced"
        )
    with writing(path):
        part.replace(path)
    return path


def md5_of(path: Path) -> str:
    """MD5 of a file, hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with open_regular(path) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _go_on(url: str, part: Path, progress: Progress, timeout: float) -> None:
    """Append what is missing.

    Raises:
        ConnectionError: the server closed the connection early; or what urllib raises.
        SeedbedError: there is not enough space.
    """
    start = _size(part)
    headers = {"User-Agent": "seedbed", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        if error.code == NOT_SATISFIABLE and start:
            error.close()
            if _length_of_all(error.headers.get("Content-Range", "")) == start:
                return  # all of it had come
            part.unlink()
            raise ConnectionError("the file has since changed length") from None
        raise
    with response:
        if response.status != PARTIAL:
            start = 0  # the server sends all of it again
        left = response.headers.get("Content-Length")
        total = start + int(left) if left is not None and left.isdecimal() else None
        with writing(part):
            _check_space(part, total, start)
            with part.open("r+b" if start else "wb") as stream:
                stream.seek(start)
                come = _copy(response, stream.write, start, total, progress)
                stream.truncate(come)
    if total is not None and come < total:
        raise ConnectionError("the connection was cut")


def _copy(
    response: HTTPResponse, write: Callable[[bytes], object], come: int, total: int | None, progress: Progress
) -> int:
    while True:
        try:
            chunk = response.read(CHUNK)
        except (HTTPException, TimeoutError, ConnectionError) as error:
            write(getattr(error, "partial", b""))
            raise
        except ssl.SSLError as error:  # an OSError, which `writing` would take for the disk's
            raise ConnectionError(str(error)) from error
        if not chunk:
            return come
        write(chunk)
        come += len(chunk)
        progress(come, total)


def _check_space(part: Path, total: int | None, start: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - start > free:
        raise SeedbedError(
            f"{part.name.removesuffix(PART)} needs {human_size(total - start)} more, but {part.parent} has "
            f"{human_size(free)}; free some space, or choose another --out"
        )


def _length_of_all(content_range: str) -> int | None:
    length = content_range.rpartition("/")[2]
    return int(length) if length.isdecimal() else None


def _reason(url: str, error: Exception) -> str:
    """What went wrong, in words.

    Raises:
        SeedbedError: an answer that a second attempt does not change.
    """
    if isinstance(error, HTTPError):
        if error.code < 500 and error.code not in (408, 429):
            raise SeedbedError(
                f"{url}: the server answers {error.code} ({error.reason}); check whether the data set has moved"
            ) from None
        return f"the server answers {error.code} ({error.reason})"
    if isinstance(error, URLError):
        return f"no connection ({error.reason})"
    return "the connection was cut"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _silent(come: int, total: int | None) -> None:
    """No progress is shown."""
