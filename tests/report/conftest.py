"""Small results written by hand with the real encoders: two pairs of thresholds, two random seeds, one recipe."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from result_files import judgement_bytes
from seedbed.artifacts.label_maps import encode_label_map, pack_label_maps
from seedbed.artifacts.manifest import FileEntry, LedgerEntry, Manifest, Record, content_digest, sha256_bytes
from seedbed.artifacts.maps import Maps, pack_maps
from seedbed.artifacts.vectors import pack_vectors
from seedbed.plan.judges import JUDGES
from seedbed.report.page import run
from seedbed.report.results import read_results
from seedbed.report.section import Page
from seedbed.runtime.contract import Job, Products
from seedbed.stages.registry import STAGES
from seedbed.stages.report import ReportParameters

CLASSES = ("cat", "dog", "cow")
SPLITS = {"train": tuple(f"t{i}" for i in range(8)), "val": ("v0", "v1")}
PAIRS = ("bg0.10-fg0.40", "bg0.20-fg0.50")
STAGE_OF = {stage.makes: stage.name for stage in reversed(STAGES.values())}
"""The first stage that makes a meaning."""
HEIGHT, WIDTH = 40, 60


class SquaresDataset:
    """Photographs of one noise; image n shows a square of class n mod 3, t3 also one of the next class."""

    name = "squares"
    classes = mask_classes = CLASSES

    def image_ids(self, split: str) -> tuple[str, ...]:
        return SPLITS[split]

    def image(self, image_id: str) -> Image.Image:
        noise = np.random.default_rng(int(image_id[1:])).integers(0, 255, (HEIGHT, WIDTH, 3))
        return Image.fromarray(noise.astype(np.uint8))

    def size(self, image_id: str) -> tuple[int, int]:
        return WIDTH, HEIGHT

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

    def in_mask_classes(self, label_map: np.ndarray) -> np.ndarray:
        return label_map

    def source(self, image_id: str) -> None:
        return None

    def faults(self) -> list[str]:
        return []


DATASET = SquaresDataset()


def cams_of(splits: Iterable[str]) -> dict[str, bytes]:
    """Shard 0 of each split: the true squares as CAMs."""
    files = {}
    for split in splits:
        cams = {}
        for image_id in SPLITS[split]:
            present = np.flatnonzero(DATASET.labels(image_id))
            maps = np.stack([DATASET.mask(image_id) == c + 1 for c in present]).astype(np.float32)
            cams[image_id] = Maps(tuple(map(int, present)), (HEIGHT, WIDTH), (maps[:, ::4, ::4],))
        files[f"{split}-0.safetensors"] = pack_maps(cams)
    return files


def maps_of(splits: Iterable[str]) -> dict[str, bytes]:
    """Shard 0 of each split: the true masks."""
    return {
        f"{split}-0.zip": pack_label_maps({i: encode_label_map(DATASET.mask(i))[1] for i in SPLITS[split]})
        for split in splits
    }


def probabilities_of(splits: Iterable[str]) -> dict[str, bytes]:
    """Shard 0 of each split: a probability of one half of each class."""
    halves = {"probabilities": np.full(len(CLASSES), 0.5, np.float32)}
    return {f"{split}-0.safetensors": pack_vectors(dict.fromkeys(SPLITS[split], halves)) for split in splits}


def network() -> bytes:
    """The weights of a classifier of three classes with four channels."""
    return save({"head.weight": np.arange(12, dtype=np.float32).reshape(3, 4, 1, 1) ** 2})


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
        self._contents: dict[str, str] = {}
        self.slice: dict[str, Any] = {
            "stage": "report",
            "dataset": "squares",
            "name": "sweep",
            "recipes": {"psa": {"paper": "A & B <2018>", "aims_at": "table 1", "differs": "a small network"}},
            "judgements": {judge: [] for judge in JUDGES},
            "nodes": [],
        }

    def node(
        self,
        axes: str,
        name: str,
        makes: str,
        files: Mapping[str, bytes],
        inputs: Mapping[str, str] | None = None,
        splits: tuple[str, ...] = (),
        ledger: tuple[LedgerEntry, ...] = (),
        owner: str = "psa",
        facts: Mapping[str, Any] | None = None,
        epochs: Mapping[str, int] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> str:
        """Write a node.

        Args:
            makes: its meaning.
            inputs: keys of what it was made from.
            facts: what its manifest says besides.
            epochs: the kept epoch that was asked for, by input.
            parameters: of the stage, that differ from the defaults.

        Returns:
            its key.
        """
        key = f"squares/{owner}/{axes}/{name}"
        parents = list((inputs or {}).values())
        entry = {"owner": owner, "axes": axes, "node": name, "stage": STAGE_OF[makes], "makes": makes}
        self.slice["nodes"].append(
            entry | {"splits": list(splits), "folder": key, "parents": parents},
        )
        digests = {name: [self._contents[parent]] for name, parent in (inputs or {}).items()}
        own = {"parameters": dict(parameters or {"tone": "calm"})} | (
            {"epochs": dict(epochs)} if epochs else {}
        )
        self._contents[key] = self._write(key, makes, files, digests, list(ledger), facts or {}, own)
        return key

    def _write(
        self,
        key: str,
        makes: str,
        files: Mapping[str, bytes],
        inputs: Mapping[str, list[str]],
        ledger: list[LedgerEntry],
        facts: Mapping[str, Any],
        parameters: Mapping[str, Any],
    ) -> str:
        folder = self.root / key
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        entries = {name: FileEntry(size=len(data), sha256=sha256_bytes(data)) for name, data in files.items()}
        made = Manifest(
            stage=STAGE_OF[makes],
            stage_version=1,
            dataset="squares",
            parameters=dict(parameters),
            inputs={"index": ["0"], **inputs},
            files=entries,
            images={},
            facts={"meaning": makes, "classes": list(CLASSES), "normalisation": "max", **facts},
            ledger=ledger,
            content=content_digest(
                Record(split=key, image_id="", name=n, sha256=e.sha256) for n, e in entries.items()
            ),
        )
        (folder / "manifest.json").write_bytes(made.to_bytes())
        return made.content

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
        """Write the file of a judge: of threshold quality, or of scores of a kind."""
        own = {"threshold_quality": "thresholds", "saliency": "saliency_scores"}
        judge = own.get(kind, kind if kind in JUDGES else "scores")
        ending = "-shared" if extra.get("form") == "shared" else ""
        path = f"squares/{owner}/{axes}/{judge}/{node}-{split}{ending}.json"
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(judgement_bytes(node, split, kind, scores, dataset="squares", **extra))
        self.slice["judgements"][judge].append(path)

    def page(self, **parameters: Any) -> Page:
        """What sections read of all that was written so far."""
        job = self.job(**parameters)
        return Page(read_results(self.slice, self.root), self.dataset, job.parameters, job.progress)

    def job(self, **parameters: Any) -> Job:
        """The report's job, with these parameters."""
        known = SimpleNamespace(
            parameters=ReportParameters(**parameters),
            slice=self.slice,
            dataset=self.dataset,
            results=self.root,
            progress=lambda items, total, label: iter(items),
            log=lambda text: None,
            ledger=[],
        )
        job = object.__new__(Job)
        for name in vars(known):
            setattr(job, name, getattr(known, name))
        return job


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """Nothing yet, in an empty results folder."""
    return Maker(tmp_path / "results")


@pytest.fixture
def sweep(maker: Maker) -> Maker:
    """A whole sweep."""
    return write_sweep(maker)


@pytest.fixture(scope="session")
def products(tmp_path_factory: pytest.TempPathFactory) -> Products:
    """The report of a whole sweep with two samples per split, made once."""
    return run(write_sweep(Maker(tmp_path_factory.mktemp("finished"))).job(samples=2))


def write_sweep(maker: Maker) -> Maker:
    """Two pairs and two random seeds: pseudo masks of pair p and seed s score 0.5 + 0.1·p + 0.02·s."""
    inherited = LedgerEntry(use="threshold", stage="predict", note="inherited: tuned on val")
    for s in (0, 1):
        axes = f"rng{s}"
        classifier = maker.node(
            axes, "classifier", "classifier", {"model.safetensors": network(), "history.csv": history()}
        )
        maker.node(
            axes,
            "classification",
            "classification",
            probabilities_of(["val"]),
            {"classifier": classifier},
            ("val",),
        )
        cams = maker.node(axes, "cams", "cams", cams_of(["train"]), {"classifier": classifier}, ("train",))
        probabilities = {
            "cat": {"average_precision": 0.75, "images": 3},
            "dog": {"average_precision": 0.25, "images": 4},
        }
        maker.judged(
            axes,
            "classification",
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
            train = ("train",)
            regions = maker.node(axes, "confident_regions", "regions", maps_of(train), {"cams": cams}, train)
            net = maker.node(
                axes, "affinitynet", "affinitynet", {"history.csv": history()}, {"regions": regions}
            )
            sources = {"cams": cams, "affinitynet": net}
            refined = maker.node(axes, "refined_cams", "refined_cams", cams_of(train), sources, train)
            masks = maker.node(axes, "pseudo_masks", "pseudo_masks", maps_of(train), {"cams": refined}, train)
            segmenter = maker.node(
                axes, "segmenter", "segmenter", {"history.csv": history()}, {"labels": masks}
            )
            maker.node(
                axes,
                "predictions",
                "predictions",
                maps_of(["val"]),
                {"segmenter": segmenter},
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
