"""Reading artifacts: a file is handed out only if it agrees with its manifest."""

from pathlib import Path
from typing import Any

from seedbed.artifacts.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    classes_of,
    read_manifest,
    run_again,
    sha256_file,
)
from seedbed.artifacts.meanings import MEANINGS, Meaning
from seedbed.errors import SeedbedError
from seedbed.regular_files import system_reason


class Artifact:
    """A folder with a manifest and the files that the manifest names.

    Args:
        manifest: path of `manifest.json`, or of its folder.

    Raises:
        SeedbedError: there is no readable manifest.
    """

    def __init__(self, manifest: Path) -> None:
        path = manifest / MANIFEST if manifest.is_dir() else manifest
        self.folder = path.parent
        self.manifest: Manifest = read_manifest(path)
        self._verified: set[str] = set()

    def file(self, name: str) -> Path:
        """Path of a file of the artifact, verified against the manifest (once per process).

        Raises:
            SeedbedError: the manifest names no such file, it is missing, or its bytes do not match the manifest.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise SeedbedError(
                f"{self.folder / MANIFEST} names no file {name!r} (it names {', '.join(sorted(self.manifest.files))}); "
                "run its stage again"
            )
        path = self.folder / name
        if name not in self._verified:
            verify(path, entry)
            self._verified.add(name)
        return path

    def shard_files(self, split: str | None = None, shard: str | None = None) -> list[Path]:
        """Data files of all shards, of one split's shards, or of one shard (`train-0`), verified."""
        names = [
            name
            for name in sorted(self.manifest.files)
            if not name.endswith(".json")
            and (split is None or name.rpartition("-")[0] == split)
            and (shard is None or name.rpartition(".")[0] == shard)
        ]
        return [self.file(name) for name in names]

    @property
    def meaning(self) -> Meaning:
        """What the artifact is, as its manifest says.

        Raises:
            SeedbedError: the manifest does not say (as for the index and reports), or names an unknown meaning.
        """
        name = self.manifest.facts.get("meaning")
        if not isinstance(name, str) or name not in MEANINGS:
            raise SeedbedError(
                f"{self.folder} is not an artifact that this version knows (meaning {name!r}); run its stage again"
            )
        return MEANINGS[name]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, without background, as the manifest says.

        Raises:
            SeedbedError: it does not say, or says something else.
        """
        return classes_of(self.manifest.facts, self.folder)

    def open(self, split: str | None = None, shard: str | None = None) -> Any:
        """The reader for the artifact's form (`seedbed.artifacts.forms`): for all of it, a split, or a shard.

        Raises:
            SeedbedError: it is a network, which `seedbed.methods.trained` reads; or a file disagrees with the manifest.
        """
        form = self.meaning.form
        if form.open is None:
            raise SeedbedError(f"{self.folder} is {self.meaning.name}, which cannot be read image by image")
        files = self.shard_files(split, shard) if form.sharding else [self.file(name) for name in form.files]
        return form.open(files, self.manifest.facts)


def verify(path: Path, entry: FileEntry) -> None:
    """Refuse a file whose bytes do not match its manifest.

    Raises:
        SeedbedError: naming the file.
    """
    verify_size(path, entry)
    try:
        digest = sha256_file(path)
    except OSError as error:
        raise SeedbedError(f"cannot read {path} ({system_reason(error)}); {run_again(path)}") from None
    if digest != entry.sha256:
        raise SeedbedError(
            f"{path} has SHA-256 {digest[:12]}…, but its manifest says {entry.sha256[:12]}…: it was changed; "
            f"{run_again(path)}"
        )


def verify_size(path: Path, entry: FileEntry) -> None:
    """Refuse a file that is missing or whose size does not match its manifest; this reads no data.

    Raises:
        SeedbedError: naming the file.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise SeedbedError(f"{path} is missing, though its manifest names it; run its stage again") from None
    except OSError as error:
        raise SeedbedError(f"cannot read {path} ({system_reason(error)}); {run_again(path)}") from None
    if size != entry.size:
        raise SeedbedError(
            f"{path} has {size} bytes, but its manifest says {entry.size}: truncated or replaced; "
            f"{run_again(path)}"
        )
