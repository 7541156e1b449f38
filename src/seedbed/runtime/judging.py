"""What every judge's file says of itself, before what it found."""

from collections.abc import Mapping
from typing import Any

from seedbed.artifacts.manifest import to_json
from seedbed.runtime.contract import Job, Stage


def judgement_json(stage: Stage, job: Job, kind: str, result: Mapping[str, Any]) -> bytes:
    """The file of a judge: stage, node, split, kind, parameters, digests of the inputs, ledger, and the result.

    Args:
        kind: of the scores, for readers: `cam`, `prediction`, `threshold_quality`, ….
        result: `scores` and what else the judge tells.
    """
    head = {
        "stage": stage.name,
        "stage_version": stage.version,
        "dataset": job.slice["dataset"],
        "node": job.slice["node"],
        "split": job.split,
        "kind": kind,
        "parameters": dict(job.slice),
        "inputs": dict(job.contents),
        "ledger": [entry.model_dump() for entry in job.ledger],
    }
    return to_json(head | dict(result))
