"""Small results written by hand with the real encoders: two pairs of thresholds, two random seeds, one recipe."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seedbed.artifacts.cams import Cams, encode_cams
from seedbed.artifacts.label_maps import encode_label_map, encode_label_maps
from seedbed.artifacts.manifest import FileEntry, LedgerEntry, Manifest, Record, content_digest, sha256_bytes
from seedbed.runtime.contract import Job
from seedbed.stages.report import ReportParameters

CLASSES = ("cat", "dog", "cow")
SPLITS = {"train": tuple(f"t{i}" for i in range(8)), "val": ("v0", "v1")}
PAIRS = ("bg0.10-fg0.40", "bg0.20-fg0.50")
HEIGHT, WIDTH = 40, 60


class SquaresDataset:
    """Photographs of one noise; image n shows a square of class n mod 3, t3 also one of the next class."""

    name = "squares"
    classes = CLASSES

    def image_ids(self, split: str) -> tuple[str, ...]:
        return SPLITS[split]

    def image(self, image_id: str) -> Image.Image:
        noise = np.random.default_rng(int(image_id[1:])).integers(0, 255, (HEIGHT, WIDTH, 3))
        return Image.fromarray(noise.astype(np.uint8))

    def labels(self, image_id: str) -> np.ndarray:
        number = int(image_id[1:])
        labels = np.arange(3) == number % 3
        labels[1] |= image_id == "t3"
        return labels

    def mask(self, image_id: str) -> np.ndarray | None:
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for c in np.flatnonzero(self.labels(image_id)):
            mask[5:20, 5 + 15 * c : 15 + 15 * c] = c + 1
        mask[-3:] = 255
        return mask

    def source(self, image_id: str) -> None:
        return None

    def faults(self) -> list[str]:
        return []


DATASET = SquaresDataset()


def write_node(
    root: Path, key: str, stage: str, inputs: Mapping[str, str], files: Mapping[str, bytes], **manifest: Any
) -> str:
    """Write files and their manifest.

    Returns:
        the content digest.
    """
    folder = root / key
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    entries = {name: FileEntry(size=len(data), sha256=sha256_bytes(data)) for name, data in files.items()}
    content = content_digest(
        Record(split=key, image_id="", name=n, sha256=e.sha256) for n, e in entries.items()
    )
    facts: dict[str, Any] = {"images": {}, "facts": {}, "ledger": []} | manifest
    made = Manifest(
        stage=stage,
        stage_version=1,
        dataset="squares",
        parameters={"parameters": {"tone": "calm"}},
        inputs={"index": ["0"], **{name: [digest] for name, digest in inputs.items()}},
        files=entries,
        content=content,
        **facts,
    )
    (folder / "manifest.json").write_bytes(made.to_bytes())
    return content


def cams_of(splits: Iterable[str]) -> dict[str, bytes]:
    """Shard 0 of each split: the true squares as CAMs."""
    files = {}
    for split in splits:
        cams = {}
        for image_id in SPLITS[split]:
            present = np.flatnonzero(DATASET.labels(image_id))
            maps = np.stack([DATASET.mask(image_id) == c + 1 for c in present]).astype(np.float32)
            cams[image_id] = Cams(tuple(map(int, present)), (HEIGHT, WIDTH), (maps[:, ::4, ::4],))
        files[f"{split}-0.safetensors"] = encode_cams(cams)
    return files


def maps_of(splits: Iterable[str]) -> dict[str, bytes]:
    """Shard 0 of each split: the true masks."""
    return {
        f"{split}-0.zip": encode_label_maps({i: encode_label_map(DATASET.mask(i)) for i in SPLITS[split]})
        for split in splits
    }


def history(steps: int = 6) -> bytes:
    lines = ["epoch,step,lr,loss", *(f"{1 + i // 3},{i},{0.1 - i / 100},{1 / (1 + i)}" for i in range(steps))]
    return ("\n".join(lines) + "\n").encode()


def mask_scores(miou: float) -> dict[str, Any]:
    """The part of `scores` that the page shows."""
    return {
        "mean_iou": miou,
        "neutral_ratio": 0.25,
        "mean_iou_by_neutral": {"dropped": miou, "missed": miou / 2},
        "pixel_accuracy": 0.9,
        "per_class": {
            "background": {"iou": 0.875, "truth_pixels": 100},
            "cat": {"iou": miou, "truth_pixels": 10},
            "dog": {"iou": 0.125, "truth_pixels": 20},
            "cow": {"iou": None, "truth_pixels": 0},
        },
    }


class Maker:
    """Writes results and collects the report's slice."""

    dataset = DATASET

    def __init__(self, root: Path) -> None:
        self.root = root
        self.slice: dict[str, Any] = {
            "stage": "report",
            "dataset": "squares",
            "name": "sweep",
            "recipes": {"psa": {"paper": "A & B <2018>", "aims_at": "table 1", "differs": "a small network"}},
            "scores": [],
            "thresholds": [],
            "nodes": [],
        }

    def node(
        self,
        axes: str,
        name: str,
        stage: str,
        files: Mapping[str, bytes],
        inputs: Mapping[str, str] | None = None,
        score: str | None = None,
        splits: tuple[str, ...] = (),
        ledger: tuple[LedgerEntry, ...] = (),
        owner: str = "psa",
    ) -> str:
        key = f"squares/{owner}/{axes}/{name}"
        self.slice["nodes"].append(
            {"owner": owner, "axes": axes, "node": name, "stage": stage, "kind": "", "score": score}
            | {"splits": list(splits), "folder": key}
        )
        return write_node(self.root, key, stage, inputs or {}, files, ledger=list(ledger))

    def judged(
        self,
        axes: str,
        node: str,
        split: str,
        kind: str,
        scores: Mapping[str, Any],
        owner: str = "psa",
        **extra: Any,
    ) -> None:
        folder = "thresholds" if kind == "threshold_quality" else "scores"
        ending = "-shared" if extra.get("form") == "shared" else ""
        path = f"squares/{owner}/{axes}/{folder}/{node}-{split}{ending}.json"
        content = {"node": node, "split": split, "kind": kind, "ledger": [], "scores": scores} | extra
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
        self.slice[folder].append(path)

    def job(self, **parameters: Any) -> Job:
        names = list(Job.__dataclass_fields__)
        known = SimpleNamespace(
            parameters=ReportParameters(**parameters),
            slice=self.slice,
            dataset=DATASET,
            results=self.root,
            progress=lambda items, total, label: iter(items),
            log=lambda text: None,
            ledger=[],
        )
        job = object.__new__(Job)
        for name in names:
            if hasattr(known, name):
                setattr(job, name, getattr(known, name))
        return job


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """Nothing yet, in an empty results folder."""
    return Maker(tmp_path / "results")


@pytest.fixture
def sweep(maker: Maker) -> Maker:
    """A whole sweep: pseudo masks of pair p and seed s score 0.5 + 0.1·p + 0.02·s."""
    inherited = LedgerEntry(use="threshold", stage="predict", note="inherited: tuned on val")
    for s in (0, 1):
        axes = f"rng{s}"
        classifier = maker.node(
            axes, "classifier", "train_classifier", {"model.safetensors": b"m", "history.csv": history()}
        )
        cams = maker.node(
            axes, "cams", "dump_cams", cams_of(["train"]), {"classifier": classifier}, "cam", ("train",)
        )
        probabilities = {
            "cat": {"average_precision": 0.75, "images": 3},
            "dog": {"average_precision": 0.25, "images": 4},
        }
        maker.judged(
            axes,
            "classifier",
            "val",
            "classification",
            {"mean_average_precision": 0.5 + 0.25 * s, "f1_macro": 0.5, "per_class": probabilities},
        )
        maker.judged(
            axes,
            "cams",
            "train",
            "cam",
            mask_scores(0.375),
            fixed_threshold=0.25,
            best={"threshold": 0.1, "mean_iou": 0.5, "chosen_with": "masks"},
            curve=[
                {"threshold": t, "mean_iou": m}
                for t, m in ((0.0, None), (0.1, 0.5), (0.25, 0.375), (0.5, 0.125))
            ],
        )
        for p, pair in enumerate(PAIRS):
            axes = f"rng{s}/{pair}"
            regions = maker.node(
                axes,
                "confident_regions",
                "confident_regions",
                maps_of(["train"]),
                {"cams": cams},
                "regions",
                ("train",),
            )
            net = maker.node(
                axes, "affinitynet", "train_affinitynet", {"history.csv": history()}, {"regions": regions}
            )
            refined = maker.node(
                axes,
                "refined_cams",
                "random_walk",
                cams_of(["train"]),
                {"cams": cams, "affinitynet": net},
                "refined_cam",
                ("train",),
            )
            masks = maker.node(
                axes,
                "pseudo_masks",
                "pseudo_masks",
                maps_of(["train"]),
                {"cams": refined},
                "pseudo_mask",
                ("train",),
            )
            segmenter = maker.node(
                axes, "segmenter", "train_segmenter", {"history.csv": history()}, {"labels": masks}
            )
            maker.node(
                axes,
                "predictions",
                "predict",
                maps_of(["val"]),
                {"segmenter": segmenter},
                "prediction",
                ("val",),
                ledger=(inherited,),
            )
            maker.judged(axes, "pseudo_masks", "train", "pseudo_mask", mask_scores(0.5 + 0.1 * p + 0.02 * s))
            maker.judged(
                axes, "predictions", "val", "prediction", mask_scores(0.25), ledger=[inherited.model_dump()]
            )
            quality = {
                "npr_initial": 0.5,
                "npr_refined": 0.25,
                "tecm": 1.5 - 0.1 * p,
                "tecm_printed": 2.0,
                "neutral_to_background": 30,
                "neutral_to_foreground": 20,
                "mean_iou_initial": 0.4,
                "mean_iou_refined": 0.6,
                "pqs_initial": 0.2,
                "pqs_pseudo": 0.45,
                "pqs_mean": 0.325,
            }
            maker.judged(axes, "refined_cams", "train", "threshold_quality", quality)
    return maker
