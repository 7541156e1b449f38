"""The gather step of a sharded stage: one manifest from the sidecars of its shards."""

from collections.abc import Mapping
from pathlib import Path

from seedbed.artifacts.artifact import verify_size
from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.manifest import MANIFEST, Manifest, merge_shards, read_manifest
from seedbed.errors import SeedbedError, unknown_name
from seedbed.runtime.contract import Stage
from seedbed.runtime.opening import read_slice
from seedbed.runtime.paths import shard_names


def gather(stages: Mapping[str, Stage], params: Path, folder: Path) -> Manifest:
    """Write `manifest.json` of a sharded artifact.

    Args:
        stages: by name.
        params: the stage's slice.
        folder: where the shards are.

    Raises:
        SeedbedError: a shard is missing or truncated, or was made with other parameters or inputs.
    """
    content = read_slice(params)
    if content["stage"] not in stages:
        raise SeedbedError(f"{params}: {unknown_name('stage', content['stage'], stages)}")
    stage = stages[content["stage"]]
    if not stage.sharded:
        raise SeedbedError(f"{params}: stage {stage.name} is not sharded, so there is nothing to gather")
    content = read_slice(params, stage)
    parameters = stage.validate(content["parameters"], str(params))
    sidecars = {}
    for shard in shard_names(parameters.splits, content["shards"]):  # type: ignore[attr-defined]
        path = folder / f"{shard}.json"
        sidecars[path.name] = read_manifest(path)
        if sidecars[path.name].parameters != content:
            raise SeedbedError(f"{path} was not made with the parameters in {params}; run that shard again")
        for name, entry in sidecars[path.name].files.items():
            verify_size(folder / name, entry)
    manifest = merge_shards(sidecars)
    write_bytes(folder / MANIFEST, manifest.to_bytes())
    return manifest
