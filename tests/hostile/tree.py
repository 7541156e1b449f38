"""The checkout that is damaged: a small data set of either kind, one recipe, and all that its commands make."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from seedbed.artifacts.manifest import json_with_digest, sha256_file, to_json
from seedbed.plan.commands import Workflow, prepare_command

CLASSES = ("robin", "wren")
TRAIN, VAL = ("a", "b", "c", "d"), ("e", "f")
BACKBONE = {"backbone": "test_resnet", "weights": "none"}
ENCODER = {**BACKBONE, "output_stride": 32}
TRAINING = {"epochs": 1, "batch_size": 4, "augmentation": {"resize_long": [48, 56], "crop": 48}}
RECIPE: dict[str, Any] = {
    "nodes": {
        "classifier": {"stage": "train_classifier", "with": {**ENCODER, "conv_head": False, **TRAINING}},
        "classification": {"stage": "classify", "from": {"classifier": "classifier"}},
        "cams": {
            "stage": "dump_cams",
            "from": {"classifier": "classifier"},
            "with": {"scales": [1.0], "splits": ["train", "val"]},
        },
        "regions": {"stage": "confident_regions", "from": {"cams": "cams"}},
        "affinitynet": {
            "stage": "train_affinitynet",
            "from": {"regions": "regions"},
            "with": {**ENCODER, **TRAINING},
        },
        "refined": {"stage": "random_walk", "from": {"cams": "cams", "affinitynet": "affinitynet"}},
        "pseudo": {"stage": "pseudo_masks", "from": {"cams": "refined"}},
        "segmenter": {
            "stage": "train_segmenter",
            "from": {"labels": "pseudo"},
            "with": {**BACKBONE, "architecture": "unet", **TRAINING},
        },
        "predictions": {
            "stage": "predict",
            "from": {"segmenter": "segmenter"},
            "with": {"scales": [1.0], "flip": False, "splits": ["val"]},
        },
    },
    "scores": ["classification", "cams", "pseudo", "predictions"],
}
PARAMS: dict[str, Any] = {
    "dataset": "birds",
    "recipes": ["tiny"],
    "rngs": [0],
    "datasets": {
        "birds": {
            "kind": "folder",
            "root": "data/birds",
            "splits": {"train": {}, "val": {}},
            "with": {"masks": "masks", "images": "images"},
        },
        "voc": {
            "kind": "voc",
            "root": "data/voc",
            "splits": {"train": {}, "val": {}},
            "with": {"labels": "annotations", "classes": ["bird", "cat"]},
        },
        "npy": {
            "kind": "voc",
            "root": "data/voc",
            "splits": {"train": {}, "val": {}},
            "with": {"labels": "cls_labels.npy", "classes": ["bird", "cat"]},
        },
    },
    "settings": {"birds": {"train_classifier": {"lr": 0.01}}},
}
COMMANDS, PHOTOS = "commands.json", "photos"


class Tree:
    """A copy of the checkout. Its files are hard links, so they are replaced, never written in place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outside = folder.parent / "outside"

    @classmethod
    def copy(cls, base: Path, folder: Path) -> "Tree":
        """A copy of `base`, with an empty folder outside it."""
        shutil.copytree(base, folder, copy_function=os.link, symlinks=True)
        tree = cls(folder)
        tree.outside.mkdir()
        (tree.outside / "kept").write_text("kept")
        return tree

    def path(self, name: str) -> Path:
        return self.folder / name

    def read(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def remove(self, name: str) -> Path:
        """Make room for something else of that name."""
        path = self.path(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, content: bytes | str) -> Path:
        """A file, in the place of what was there."""
        path = self.remove(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def image(self, name: str, image: Image.Image | np.ndarray, **options: Any) -> None:
        """A picture."""
        path = self.remove(name)
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)

    def yaml(self, name: str, change: Any) -> None:
        """A YAML file after `change(content)`, which changes it in place."""
        content = yaml.safe_load(self.read(name))
        change(content)
        self.write(name, yaml.safe_dump(content, sort_keys=False))

    def json(self, name: str, change: Any) -> None:
        """A JSON file that carries its own digest, after `change(content)`: its digest fits."""
        content = json.loads(self.read(name))
        change(content)
        self.write(name, json_with_digest(content))

    def sealed(self, name: str, content: bytes) -> None:
        """A data file of an artifact, with manifest and sidecar that fit it."""
        path = self.write(name, content)
        entry = {"size": len(content), "sha256": sha256_file(path)}
        beside = [Path(name).with_name("manifest.json"), Path(name).with_suffix(".json")]
        for manifest in beside:
            if self.path(str(manifest)).exists():
                self.json(str(manifest), lambda c: c["files"].__setitem__(path.name, entry))


def build(folder: Path) -> None:
    """Make the checkout: data sets, recipe, params.yaml, and the results of every command."""
    from hostile.running import run_words

    folder.mkdir(parents=True)
    _birds(folder / "data/birds")
    _voc(folder / "data/voc")
    _pictures(folder / PHOTOS, ("one", "two"))
    (folder / "recipes").mkdir()
    (folder / "recipes/tiny.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False))
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False))
    (folder / "Snakefile").write_text("")
    os.chdir(folder)
    workflow = Workflow.read()
    workflow.write_slices()
    words = {}
    for dataset in ("voc", "npy"):
        graph = workflow.graph(dataset)
        slice_path = folder / graph.index_slice_path
        slice_path.parent.mkdir(parents=True, exist_ok=True)
        slice_path.write_bytes(to_json(graph.index_slice()))
        words[f"{dataset}/index"] = list(prepare_command(graph).words[1:])
    for command in workflow.commands():
        words[command.unit] = list(command.words[1:])
        status = run_words(command.words[1:])
        assert status == 0, command.line()
    assert run_words(["seedbed", "plan"]) == 0
    for path in [*folder.glob("results/**/.work"), *folder.glob("results/**/.runs")]:
        shutil.rmtree(path)
    folder.with_name(COMMANDS).write_text(json.dumps(words))


def _pictures(folder: Path, names: Sequence[str], seed: int = 0) -> None:
    """Noise on which a class is a bright square."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name in names:
        pixels = rng.integers(0, 120, (48, 56, 3), dtype=np.uint8)
        pixels[8:24, 8:24, 0] += 100
        Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=90)


def _birds(folder: Path) -> None:
    ids = (*TRAIN, *VAL)
    _pictures(folder / "images", ids)
    (folder / "masks").mkdir()
    lines = ["image_id,split,robin,wren"]
    for number, name in enumerate(ids):
        mask = np.zeros((48, 56), np.uint8)
        mask[8:24, 8:24] = 1
        if number % 2:
            mask[30:40, 30:40] = 2
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
        lines.append(f"{name}.jpg,{'train' if name in TRAIN else 'val'},1,{number % 2}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def _voc(folder: Path) -> None:
    _pictures(folder / "JPEGImages", [f"2007_00000{n}" for n in range(6)], seed=1)
    for part in ("Annotations", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    vectors = {}
    for n in range(6):
        name = f"2007_00000{n}"
        found = ["bird", "cat"] if n % 2 else ["bird"]
        objects = "".join(f"<object><name>{c}</name></object>" for c in found)
        (folder / f"Annotations/{name}.xml").write_text(f"<annotation>{objects}</annotation>")
        mask = np.zeros((48, 56), np.uint8)
        mask[8:24, 8:24] = 3
        mask[30:40, 30:40] = 8 * (n % 2)
        Image.fromarray(mask).save(folder / f"SegmentationClass/{name}.png")
        vectors[name] = np.zeros(20, np.float32)
        vectors[name][[2, 7] if n % 2 else [2]] = 1
    np.save(folder / "cls_labels.npy", vectors)  # type: ignore[arg-type]
    (folder / "ImageSets/Segmentation/train.txt").write_text("".join(f"2007_00000{n}\n" for n in range(4)))
    (folder / "ImageSets/Segmentation/val.txt").write_text("2007_000004\n2007_000005\n")
