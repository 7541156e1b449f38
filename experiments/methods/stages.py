"""What each stage of each recipe took, by the facts that its runs left: `python experiments/methods/stages.py FOLDER`.

Seconds are those of the clock, of each shard and from the first line of the stage's work on, without the start of
Python; memory is that of the largest process.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

from seedbed.runtime.paths import RUNS


def main() -> int:
    """Print a table for the results of a folder."""
    folder = Path(sys.argv[1])
    found = defaultdict(list)
    for path in sorted(folder.glob(f"results/*/**/{RUNS}/*.json")):
        dataset, *middle, node = path.parts[len(folder.parts) + 1 : -2]
        found[dataset, "/".join(middle), node].append(json.loads(path.read_bytes()))
    print("| data set | recipe, seed | node | runs | seconds | CPU seconds | peak memory, MB | device |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for key, runs in found.items():
        sums = [f"{sum(run[name] for run in runs):,.1f}" for name in ("seconds", "cpu_seconds")]
        memory = str(max(run["peak_memory_mb"] for run in runs))
        devices = ", ".join(sorted({run["device"] for run in runs}))
        print(f"| {' | '.join((*key, str(len(runs)), *sums, memory, devices))} |")
    return 0 if found else 1


if __name__ == "__main__":
    raise SystemExit(main())
