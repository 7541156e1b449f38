"""What the tables of this folder read from the results of `run.py`."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from seedbed.artifacts.artifact import Artifact
from seedbed.cam.otsu import otsu_threshold, score_histogram
from seedbed.plan.tasks import Task
from seedbed.runtime.judging import read_judgement
from seedbed.runtime.paths import RUNS


def score_path(task: Task, split: str) -> Path:
    """Where `evaluate` writes."""
    return task.folder.parent / "scores" / f"{task.name}-{split}.json"


def scores_of(task: Task, split: str) -> dict[str, Any] | None:
    """What `evaluate` wrote, or None where it is missing: the recipe has not run, or has stopped."""
    path = score_path(task, split)
    return read_judgement(path).content if path.exists() else None


def otsu_score(cams: Task, curve: list[dict[str, float]]) -> tuple[float, float]:
    """Otsu's threshold of all training images with a class, and the mean IoU at the nearest threshold of the curve."""
    store = Artifact(cams.manifest).open("train")
    histogram = sum(
        score_histogram(store.scores(image_id).max(0)) for image_id in store if store[image_id].class_ids
    )
    threshold = otsu_threshold(np.asarray(histogram))
    return threshold, min(curve, key=lambda point: abs(point["threshold"] - threshold))["mean_iou"]


def costs_of(task: Task) -> dict[str, float]:
    """CPU seconds of all runs of a task's commands, and the peak memory of the largest, in MB."""
    runs = [json.loads(path.read_bytes()) for path in (task.folder / RUNS).glob("*.json")]
    return {
        "seconds": sum(run.get("cpu_seconds", math.nan) for run in runs),
        "memory": max(run["peak_memory_mb"] for run in runs),
    }
