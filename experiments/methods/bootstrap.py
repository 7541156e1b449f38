"""The interval of `seedbed compare` between two recipes' CAMs, computed another way, from the results of `run.py`.

`python experiments/methods/bootstrap.py FOLDER A B` cuts the CAMs of the training images at a background score of 0.25,
counts pixels against the masks, and lets `scipy.stats.bootstrap` draw images. It shares the readers of artifacts and
masks with `compare`, and no other code.
"""

import sys
from pathlib import Path

import numpy as np
from measured import workflow_of
from scipy.stats import bootstrap

from seedbed.artifacts.artifact import Artifact
from seedbed.datasets.table import open_dataset
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task

BACKGROUND_SCORE = 0.25
DRAWS, SEED = 2000, 7


def counts_of(workflow: Workflow, task: Task) -> np.ndarray:
    """Pixels by true and found class, [images, K, K], of the training images."""
    data = open_dataset(workflow.config.dataset, workflow.graph().declaration)
    store, found = Artifact(task.manifest).open("train"), []
    edges = np.arange(len(data.classes) + 2)
    for image_id in data.image_ids("train"):
        truth, scores = data.mask(image_id), store.scores(image_id)
        assert truth is not None
        every = np.concatenate([np.full((1, *truth.shape), BACKGROUND_SCORE), scores])
        names = np.array([0, *(class_id + 1 for class_id in store[image_id].class_ids)])
        decided, known = names[every.argmax(0)], truth != 255
        found.append(np.histogram2d(truth[known], decided[known], bins=(edges, edges))[0])
    return np.array(found)


def mean_iou(counts: np.ndarray) -> float:
    """Of counts [K, K]."""
    hits = np.diag(counts)
    union = counts.sum(0) + counts.sum(1) - hits
    return float((hits[union > 0] / union[union > 0]).mean())


def main() -> int:
    """Print the difference, B less A, and its intervals."""
    if len(sys.argv) != 4:
        sys.exit(f"expected: python {sys.argv[0]} FOLDER A B")
    workflow = workflow_of(Path(sys.argv[1]))
    graph, rngs = workflow.graph(), workflow.config.rngs
    first, second = (
        [counts_of(workflow, graph.recipe_tasks(recipe, rng)["cams"]) for rng in rngs]
        for recipe in sys.argv[2:]
    )

    def difference(chosen: np.ndarray) -> float:
        scores = [[mean_iou(counts[chosen].sum(0)) for counts in side] for side in (first, second)]
        return float(np.mean(scores[1]) - np.mean(scores[0]))

    images = np.arange(len(first[0]))
    print(
        f"{sys.argv[3]} - {sys.argv[2]}, {len(rngs)} random seeds, {len(images)} images: {difference(images):+.4f}"
    )
    for method in ("percentile", "BCa"):
        drawn = bootstrap((images,), difference, n_resamples=DRAWS, vectorized=False, method=method, rng=SEED)
        print(f"{method}: {drawn.confidence_interval.low:+.4f} to {drawn.confidence_interval.high:+.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
