"""Digests of what a run made, so that two versions of the code can be compared: one line per file.

In a checkout of each version, with this folder's params.yaml in the place of its own:

    seedbed plan --shell | bash
    python digests.py results > digests.txt

Models are compared by the digest of `model.safetensors`, per-image artifacts by their content digest, which does not
depend on sharding.
"""

import json
import sys
from pathlib import Path


def lines(results: Path) -> list[str]:
    """`place what digest` of each model and of each sharded artifact."""
    found = []
    for path in sorted(results.glob("[!.]*/**/manifest.json")):
        manifest = json.loads(path.read_bytes())
        place = str(path.parent.relative_to(results))
        model = manifest["files"].get("model.safetensors")
        if model is not None:
            found.append(f"{place} model {model['sha256'][:16]}")
        elif manifest["images"] and "/index" not in place:
            found.append(f"{place} content {manifest['content'][:16]}")
    return found


if __name__ == "__main__":
    print("\n".join(lines(Path(sys.argv[1]))))
