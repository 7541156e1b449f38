"""The checksums of a data set's masks, as CSV text: by them evaluations know that a mask has changed.

The last two rows hold the digest of declaration and index, and the SHA-256 of all rows before.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from seedbed.datasets.base import Dataset
from seedbed.errors import SeedbedError
from seedbed.regular_files import read_regular, system_reason

MASK_COLUMNS = ("image_id", "split", "sha256")


def csv_text(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A header and rows as CSV text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    return text.getvalue()


def masks_text(rows: Iterable[tuple[str, str, str]], made_with: str) -> str:
    """Checksums of masks as CSV text.

    Args:
        rows: id, split and SHA-256 of each mask.
        made_with: digest of declaration and index, for a row of its own; a last row holds the SHA-256 of all others.
    """
    return _with_last_row(csv_text(MASK_COLUMNS, [*rows, ("", "", made_with)]))


def mask_key(dataset: Dataset) -> tuple[str, ...]:
    """What checksums of masks hold for: the classes, and their indices in the files, where the data set tells them."""
    return (*dataset.classes, *map(str, getattr(dataset, "class_indices", ())))


def mask_digest(mask: UInt8[np.ndarray, "height width"]) -> str:
    """SHA-256 of a mask: of its size and indices 0 … C, 255."""
    return hashlib.sha256(f"{mask.shape[1]}x{mask.shape[0]}\n".encode() + mask.tobytes()).hexdigest()


def masks_digest(path: Path) -> str:
    """SHA-256 of a file of `masks_text`, for the inputs of what reads masks.

    Raises:
        SeedbedError: it is missing, or its last row does not fit the rows before it.
    """
    return hashlib.sha256(_masks_bytes(path)).hexdigest()


def masks_rows(path: Path) -> list[tuple[str, str, str]]:
    """Id, split and SHA-256 of every mask, from a file of `masks_text`.

    Raises:
        SeedbedError: it is missing, or its last row does not fit the rows before it.
    """
    return _masks_table(path)[:-1]


def masks_made_with(path: Path) -> str:
    """Digest of declaration and index with which a file of `masks_text` was made.

    Raises:
        SeedbedError: as `masks_rows`.
    """
    return _masks_table(path)[-1][2]


def _masks_table(path: Path) -> list[tuple[str, str, str]]:
    rows = list(csv.reader(io.StringIO(_masks_bytes(path).decode())))[1:-1]
    if not rows or any(len(row) != len(MASK_COLUMNS) for row in rows) or rows[-1][:2] != ["", ""]:
        raise SeedbedError(f"{path} was made by an older version; run prepare_masks again")
    return [(image_id, split, sha256) for image_id, split, sha256 in rows]


def _masks_bytes(path: Path) -> bytes:
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise SeedbedError(
            f"expected the checksums of the masks at {path}, found none; run prepare_masks"
        ) from None
    except OSError as error:
        raise SeedbedError(
            f"{path}: not a readable file of checksums ({system_reason(error)}); remove it and run prepare_masks"
        ) from None
    rows = content[: content[:-1].rfind(b"\n") + 1]
    if content != _with_last_row(rows.decode(errors="replace")).encode():
        raise SeedbedError(
            f"{path} was changed, or made by an older version: its last row is not the digest of the rows before it; "
            "run prepare_masks again"
        )
    return content


def _with_last_row(rows: str) -> str:
    return f"{rows},,{hashlib.sha256(rows.encode()).hexdigest()}\n"
