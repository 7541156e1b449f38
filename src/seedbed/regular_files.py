"""Files are opened only if they are regular ones: a named pipe would be waited for, a device never ends."""

import codecs
import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file, or a link to one, for reading.

    Raises:
        OSError: there is none, it cannot be read, or it is a folder, a named pipe or a device.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is a named pipe or a device, not a file", str(path))


def read_regular(path: Path) -> bytes:
    """All bytes of a regular file.

    Raises:
        OSError: as `open_regular`.
    """
    with open_regular(path) as stream:
        return stream.read()


class NotTextError(ValueError):
    """Bytes that are not UTF-8; its text says what they are."""


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8, without a byte order mark.

    Raises:
        OSError: as `open_regular`.
        NotTextError: it is not UTF-8.
    """
    content = read_regular(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:100]:
        raise NotTextError("it is UTF-16, which spreadsheets call Unicode text, or not a text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotTextError(f"byte {error.object[error.start]:#04x} in line {line} is not UTF-8") from None


def system_reason(error: OSError) -> str:
    """What the operating system says, in words and without the path."""
    return error.strerror or " ".join(str(error).split()) or type(error).__name__
