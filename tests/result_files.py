"""Files of results as tests write them by hand: judgements, changed manifests, checksums of masks."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seedbed.artifacts.manifest import json_with_digest


def judgement_bytes(node: str, split: str, kind: str, scores: Mapping[str, Any], **more: Any) -> bytes:
    """The file of a judge, as `seedbed.runtime.judging.judgement_json` writes it.

    Args:
        more: keys beside these, or other values of them.
    """
    head = {"stage": "evaluate", "stage_version": 1, "dataset": "toy", "parameters": {}, "inputs": {}}
    told = {"node": node, "split": split, "kind": kind, "ledger": [], "scores": scores}
    return json_with_digest(head | told | more)


def change(path: Path, **changes: Any) -> None:
    """Change keys of a manifest, a sidecar or a judgement, as a stage that made another one would: its digest fits."""
    path.write_bytes(json_with_digest(json.loads(path.read_bytes()) | changes))


def masks_bytes(*rows: str, made_with: str = "") -> bytes:
    """`masks.csv` of an index, as `seedbed.datasets.mask_sums.masks_text` writes it.

    Args:
        rows: `image_id,split,sha256` each.
        made_with: digest of declaration and index.
    """
    text = "".join(f"{row}\n" for row in ("image_id,split,sha256", *rows, f",,{made_with}")).encode()
    return text + f",,{hashlib.sha256(text).hexdigest()}\n".encode()
