"""What is known of a data set's files on this machine: digests of photographs and masks by size and times.

Planning uses it to compare a data set with its index without opening files that did not change. It is not an output:
if it is lost or was changed, files are read once more.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seedbed.artifacts.atomic import write_if_changed
from seedbed.artifacts.manifest import DIGEST, sha256_bytes, to_json
from seedbed.datasets.known_files import KnownFiles, Stamp
from seedbed.errors import SeedbedError
from seedbed.regular_files import read_regular
from seedbed.runtime.paths import KNOWN, PARAMS


class Known:
    """The file `known.json` of a data set.

    Args:
        results: folder of the results.
        slice_: of the data set's index; digests of masks hold for one declaration and its classes.
    """

    def __init__(self, results: Path, slice_: Mapping[str, Any]) -> None:
        self.path = results / PARAMS / slice_["dataset"] / KNOWN
        self._parameters = slice_["parameters"]
        self._content = self._read()
        self.now = time.time_ns()

    def _read(self) -> dict[str, Any]:
        try:
            text = read_regular(self.path)
            head, _, body = text.partition(b"\n")
            content = json.loads(b"{" + body) if head == _head(body) else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def photographs(self, stamps: Mapping[str, Stamp] | None = None) -> KnownFiles:
        """Digests of photographs' files."""
        return self._files("photographs", stamps)

    def annotations(self, stamps: Mapping[str, Stamp] | None = None) -> KnownFiles:
        """What was read from files of labels, one per image."""
        return self._files("annotations", stamps)

    def masks(self, classes: tuple[str, ...], stamps: Mapping[str, Stamp] | None = None) -> KnownFiles | None:
        """Digests of masks' sizes and indices; None if nothing is known with this declaration and these classes."""
        known = self._content.get("masks_of") == self._owner(classes)
        return self._files("masks", stamps) if known else None

    def nothing(self, stamps: Mapping[str, Stamp] | None = None) -> KnownFiles:
        """Files of which nothing is known, each of which is read."""
        return KnownFiles({}, stamps or {}, self.now)

    @property
    def look(self) -> Any:
        """What the last look at the data set found; None if there was none."""
        return self._content.get("look")

    def keep(
        self,
        photographs: KnownFiles | None = None,
        annotations: KnownFiles | None = None,
        masks: tuple[KnownFiles, tuple[str, ...]] | None = None,
        look: Any = None,
    ) -> None:
        """Write the file anew, as far as that is possible.

        Args:
            photographs: instead of those that were known.
            annotations: likewise.
            masks: likewise, with the classes that they hold for.
            look: what was found, to be found again as long as nothing changes.
        """
        content = {**self._content, "look": look}
        for name, files in (("photographs", photographs), ("annotations", annotations)):
            if files is not None:
                content[name] = _entries(files)
        if masks is not None:
            content |= {"masks": _entries(masks[0]), "masks_of": self._owner(masks[1])}
        try:
            body = json.dumps(content, sort_keys=True).encode()[1:]
            write_if_changed(self.path, _head(body) + b"\n" + body)
        except (SeedbedError, OSError):
            return  # planning reads more files the next time
        self._content = content

    def _owner(self, classes: tuple[str, ...]) -> str:
        return sha256_bytes(to_json([self._parameters, classes]))

    def _files(self, name: str, stamps: Mapping[str, Stamp] | None) -> KnownFiles:
        try:
            entries = {
                path: ((int(size), int(changed), int(status)), str(digest))
                for path, (size, changed, status, digest) in self._content.get(name, {}).items()
            }
        except (TypeError, ValueError, AttributeError):
            entries = {}
        return KnownFiles(entries, stamps or {}, self.now)


def _head(body: bytes) -> bytes:
    """The first line of the file: digest of all others, which follow without their brace."""
    return f'{{"{DIGEST}": "{sha256_bytes(body)}",'.encode()


def _entries(files: KnownFiles) -> dict[str, list[int | str]]:
    return {path: [*of, digest] for path, (of, digest) in files.used.items()}
