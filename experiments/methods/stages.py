"""What each stage of each recipe took, by the facts that its runs left: `python experiments/methods/stages.py FOLDER`.

Seconds are those of the clock, of each shard and from the first line of the stage's work on, without the start of
Python; memory is that of the largest process.
"""

import json
from collections import defaultdict
from collections.abc import Iterator

from measured import print_table

from seedbed.plan.commands import Workflow
from seedbed.runtime.paths import RUNS

HEADINGS = (
    *("data set", "recipe, seed", "node", "runs"),
    *("seconds", "CPU seconds", "peak memory, MB", "device"),
)


def rows(workflow: Workflow) -> Iterator[tuple[str, ...]]:
    """One row per node that has run."""
    found = defaultdict(list)
    for path in sorted(workflow.results.glob(f"*/**/{RUNS}/*.json")):
        dataset, *middle, node = path.relative_to(workflow.results).parts[:-2]
        found[dataset, "/".join(middle), node].append(json.loads(path.read_bytes()))
    for key, runs in found.items():
        sums = [f"{sum(run[name] for run in runs):,.1f}" for name in ("seconds", "cpu_seconds")]
        memory = str(max(run["peak_memory_mb"] for run in runs))
        yield (*key, str(len(runs)), *sums, memory, ", ".join(sorted({run["device"] for run in runs})))


if __name__ == "__main__":
    raise SystemExit(print_table(HEADINGS, rows))
