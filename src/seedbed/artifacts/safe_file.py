"""Safetensors files, opened so that whatever is wrong with one is told with its path."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError, safe_open

from seedbed.artifacts.manifest import run_again
from seedbed.errors import SeedbedError

KEY = "seedbed"
"""The one key of the metadata, whose value is JSON: several keys would be written in random order."""
_WRONG = (SafetensorError, OSError, ValueError, TypeError, RecursionError, MemoryError)


class SafeFile:
    """A safetensors file, read tensor by tensor.

    Raises:
        SeedbedError: it is not one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            opened = cast("Any", safe_open(path, framework="np"))
            self._handle = opened
            self.names: tuple[str, ...] = tuple(opened.keys())
        except _WRONG as error:
            raise self._unreadable(error) from None

    def told(self, kind: type) -> Any:
        """What the metadata say: a JSON object or a list.

        Raises:
            SeedbedError: there are none, or they are something else.
        """
        try:
            found = json.loads((self._handle.metadata() or {})[KEY])
        except (*_WRONG, KeyError) as error:
            raise self._unreadable(f"metadata: {error}") from None
        if not isinstance(found, kind):
            raise self._unreadable(f"metadata: expected a {kind.__name__}, got a {type(found).__name__}")
        return found

    def tensor(self, name: str) -> np.ndarray:
        """A tensor.

        Raises:
            SeedbedError: there is none of this name, or it cannot be read.
        """
        try:
            return np.asarray(self._handle.get_tensor(name))
        except _WRONG as error:
            raise self._unreadable(error) from None

    def _unreadable(self, why: object) -> SeedbedError:
        text = " ".join(str(why).split())[:200]
        return SeedbedError(f"{self.path}: not a readable safetensors file ({text}); {run_again(self.path)}")
