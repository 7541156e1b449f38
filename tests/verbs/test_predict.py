"""`seedbed predict` on photographs that no data set holds, by a network of random weights; oracle: the stage."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from skimage import data

from result_files import change, masks_bytes
from seedbed.artifacts.label_maps import decode_label_map, voc_palette
from seedbed.artifacts.manifest import (
    FileEntry,
    Manifest,
    Record,
    content_digest,
    json_with_digest,
    sha256_bytes,
)
from seedbed.datasets.index import parse_index
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.verbs.locate import locate
from seedbed.verbs.predict import (
    Photo,
    Predictor,
    enlarged_argmax,
    find_photos,
    predict_command,
    predict_photos,
)

CLASSES = ("cat", "dog", "cow")
RECIPE = {
    "nodes": {
        "segmenter": {
            "stage": "train_segmenter",
            "from": {"labels": "masks"},
            "with": {"weights": "none", "architecture": "unet"},
        },
        "predictions": {
            "stage": "predict",
            "from": {"segmenter": "segmenter"},
            "with": {"scales": [1.0], "flip": False},
        },
    }
}
LONGEST = 64


def write_artifact(
    folder: Path, content: dict[str, Any], inputs: dict[str, list[str]], files: dict[str, bytes], **facts: Any
) -> str:
    """Files with their manifest.

    Returns:
        the content digest.
    """
    folder.mkdir(parents=True)
    for name, data_ in files.items():
        (folder / name).write_bytes(data_)
    entries = {name: FileEntry(size=len(d), sha256=sha256_bytes(d)) for name, d in files.items()}
    digest = content_digest(
        Record(split="", image_id="", name=n, sha256=e.sha256) for n, e in entries.items()
    )
    manifest = Manifest(
        stage=content["stage"],
        stage_version=1,
        dataset="toy",
        parameters=content,
        inputs=inputs,
        files=entries,
        images={},
        facts=facts,
        ledger=[],
        content=digest,
    )
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    return digest


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """params.yaml, one recipe, and results with an index (longest side 64) and a segmenter of random weights."""
    from seedbed.artifacts.models import encode_epochs, encode_state
    from seedbed.methods.segmentation import SegmentationParameters
    from seedbed.methods.table import build_method
    from seedbed.methods.trained import network_facts

    folder = tmp_path_factory.mktemp("checkout")
    toy = {"kind": "folder", "root": "nowhere", "splits": {"train": {}, "val": {}}}
    config = {"dataset": "toy", "recipes": ["upper"], "rngs": [0, 1], "datasets": {"toy": toy}}
    (folder / "params.yaml").write_text(yaml.safe_dump(config))
    (folder / "recipes").mkdir()
    (folder / "recipes" / "upper.yaml").write_text(yaml.safe_dump(RECIPE))
    graph = Workflow.read(folder).graph()
    rows = ["image_id,split,width,height,sha256,cat,dog,cow", f"a,train,{LONGEST},48,0,1,0,0"]
    index = ("\n".join(rows) + "\n").encode()
    digest = write_artifact(folder / graph.index_folder, graph.index_slice(), {}, {"index.csv": index})
    (folder / graph.index_folder / "masks.csv").write_bytes(masks_bytes())
    task = graph.task("upper", "segmenter", 0)
    parameters = SegmentationParameters(weights="none", architecture="unet")
    method = build_method("segmentation", parameters, classes=3, rng=0)
    files = {
        "model.safetensors": encode_state(method.networks()["segmenter"].state_dict()),
        "epochs.safetensors": encode_epochs({}),
        "history.csv": b"epoch\n",
    }
    facts = network_facts("segmentation", parameters, method) | {
        "meaning": "segmenter",
        "classes": list(CLASSES),
    }
    write_artifact(folder / task.folder, task.slice(), {"index": [digest]}, files, **facts)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five photographs of scikit-image: jpg, png, webp, one in a subfolder, one larger than the data set's."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "trip").mkdir()
    small = {
        name: Image.fromarray(getattr(data, name)()[..., :3]).resize((60, 40))
        for name in ("astronaut", "chelsea", "coffee", "rocket")
    }
    small["astronaut"].save(folder / "astronaut.jpg")
    small["chelsea"].save(folder / "chelsea.PNG")
    small["coffee"].save(folder / "coffee.webp")
    small["rocket"].save(folder / "trip" / "rocket.png")
    Image.fromarray(data.immunohistochemistry()).resize((256, 200)).save(folder / "tissue.jpg")
    (folder / "notes.txt").write_text("no photograph")
    return folder


def run(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, node: str, given: list[Path], out: Path, **more: Any
) -> list[str]:
    monkeypatch.chdir(checkout)
    return predict_command(locate(node), given, out, device="cpu", **more)


def test_five_photographs(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(checkout, monkeypatch, "upper.segmenter", [photos], tmp_path, overlay=True) == []
    names = ["astronaut", "chelsea", "coffee", "tissue", "trip/rocket"]
    assert sorted(str(p.relative_to(tmp_path))[:-4] for p in tmp_path.glob("**/*.png")) == names
    shares = {row["photo"]: row for row in csv.DictReader((tmp_path / "shares.csv").open())}
    assert sorted(shares) == names
    for name in names:
        with Image.open(tmp_path / f"{name}.png") as mask:
            assert mask.mode == "P"
            assert mask.getpalette() == voc_palette()
            labels = np.array(mask)
        row = shares[name]
        assert labels.shape == (int(row["height"]), int(row["width"]))
        expected = [(labels == k).mean() for k in range(4)]
        assert [float(row[c]) for c in ("background", *CLASSES)] == pytest.approx(expected, abs=1e-6)
        with Image.open(tmp_path / "overlays" / f"{name}.jpg") as overlay:
            assert overlay.size == labels.shape[::-1]
    assert (shares["tissue"]["width"], shares["tissue"]["height"]) == ("256", "200")
    colours = list(csv.reader((tmp_path / "classes.csv").open()))
    assert colours[1:3] == [["0", "background", "#000000"], ["1", "cat", "#800000"]]
    assert [row[1] for row in colours[1:]] == ["background", *CLASSES]


def test_masks_are_those_of_the_stage(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is shrunk: argmax of the mean over scales and mirror images, the defaults of stage predict."""
    from seedbed.methods.trained import load_network
    from seedbed.networks.inference import multi_scale_probabilities

    run(checkout, monkeypatch, "upper.segmenter", [photos / "astronaut.jpg"], tmp_path)
    trained = load_network(locate("upper.segmenter").artifact, None, "cpu")
    with Image.open(photos / "astronaut.jpg") as photo:
        image = np.array(photo)
    probabilities = multi_scale_probabilities(
        trained.network, image, trained.mean, trained.std, (0.75, 1.0, 1.25)
    )
    expected = probabilities.argmax(0)
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(decode_label_map((tmp_path / "astronaut.png").read_bytes()), expected)


def test_a_predict_node_brings_its_parameters(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seedbed.methods.trained import load_network
    from seedbed.networks.inference import multi_scale_probabilities

    graph = json.loads((checkout / "results/toy/upper/rng0/segmenter/manifest.json").read_text())
    node = checkout / "results/toy/upper/rng0/predictions"
    node.mkdir()
    (node / "manifest.json").write_bytes(json_with_digest(graph | {"stage": "predict"}))
    try:
        run(checkout, monkeypatch, "upper.predictions@rng0", [photos / "chelsea.PNG"], tmp_path)
    finally:
        shutil.rmtree(node)
    trained = load_network(locate("upper.segmenter").artifact, None, "cpu")
    with Image.open(photos / "chelsea.PNG") as photo:
        image = np.array(photo)
    expected = multi_scale_probabilities(
        trained.network, image, trained.mean, trained.std, (1.0,), flip=False
    ).argmax(0)
    np.testing.assert_array_equal(decode_label_map((tmp_path / "chelsea.png").read_bytes()), expected)


def test_the_folder_of_an_artifact_is_a_name_too(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [photos / "coffee.webp"]
    run(checkout, monkeypatch, "upper.segmenter@rng0", given, tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    predict_command(
        locate(str(checkout / "results/toy/upper/rng0/segmenter")), given, tmp_path / "b", device="cpu"
    )
    for name in ("coffee.png", "shares.csv", "classes.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_exif_orientation_is_applied(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orientation 6: the picture is to be turned by 90 degrees clockwise to be seen upright."""
    with Image.open(photos / "coffee.webp") as photo:
        upright = photo.convert("RGB")
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    run(
        checkout,
        monkeypatch,
        "upper.segmenter",
        [tmp_path / "upright.png", tmp_path / "turned.png"],
        tmp_path / "o",
    )
    assert (tmp_path / "o/turned.png").read_bytes() == (tmp_path / "o/upright.png").read_bytes()


def test_unreadable_photographs_are_reported_at_the_end_and_the_rest_is_done(
    checkout: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from seedbed.cli import app

    folder = tmp_path / "in"
    folder.mkdir()
    whole = (photos / "astronaut.jpg").read_bytes()
    (folder / "a-cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "b-text.png").write_text("hello")
    (folder / "c.jpg").write_bytes(whole)
    monkeypatch.chdir(checkout)
    words = [
        "predict",
        str(folder),
        "--segmenter",
        "upper.segmenter",
        "--out",
        str(tmp_path / "o"),
        "--device",
        "cpu",
    ]
    assert app(words, result_action="return_value") == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 2
    assert all(
        "not a readable image" in e and name in e for e, name in zip(errors, ("a-cut", "b-text"), strict=True)
    )
    assert [p.name for p in (tmp_path / "o").glob("*.png")] == ["c.png"]


class Exhausted(Predictor):
    """Labels nothing; photographs wider than 10 are too large, and wider than 20 meet another fault."""

    classes = ("background", "cat")

    def __init__(self) -> None:
        pass

    def label_map(self, photo: Image.Image) -> np.ndarray:
        if photo.width > 10:
            told = "shapes differ" if photo.width > 20 else "DefaultCPUAllocator: can't allocate memory"
            raise RuntimeError(told)
        return np.zeros((photo.height, photo.width), np.uint8)


def test_a_photograph_for_which_memory_does_not_suffice_is_named_and_the_rest_is_done(
    tmp_path: Path,
) -> None:
    photos = []
    for name, width in (("a", 11), ("b", 10), ("c", 21)):
        Image.new("RGB", (width, 4)).save(tmp_path / f"{name}.png")
        photos.append(Photo(tmp_path / f"{name}.png", name))
    out = tmp_path / "out"
    out.mkdir()
    faults = predict_photos(Exhausted(), photos[:2], out, overlay=False)
    assert faults == [
        f"{tmp_path / 'a.png'}: out of memory; shrink what the network sees by --longest, or close other programs"
    ]
    assert [path.name for path in out.glob("*.png")] == ["b.png"]
    with pytest.raises(RuntimeError, match="shapes differ"):
        predict_photos(Exhausted(), photos, out, overlay=False)


def test_names_of_what_is_written(photos: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.png", ".hidden.png", "out/b.png", "out/overlays/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = find_photos([tmp_path], tmp_path / "out")
    assert [p.name for p in found] == ["a.jpg", "a.png", "b"]
    odd = tmp_path / "scan.dat"
    odd.write_bytes(b"")
    assert [p.name for p in find_photos([odd], tmp_path / "out")] == ["scan.dat"]
    assert [p.name for p in find_photos([tmp_path / "out"], tmp_path)] == ["b", "overlays/b"]


def test_masks_are_never_written_among_or_over_photographs(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(SeedbedError, match=r"masks would be among the photographs of .*name another --out"):
        find_photos([tmp_path], tmp_path)
    with pytest.raises(SeedbedError, match=r"the photograph .*b\.png would be overwritten by a mask"):
        find_photos([tmp_path / "a.jpg", tmp_path / "b.png"], tmp_path)
    assert [p.name for p in find_photos([tmp_path / "a.jpg"], tmp_path)] == ["a"]


def test_what_cannot_be_predicted_is_one_line(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    (tmp_path / "x/a.png").write_bytes(b"")
    (tmp_path / "y/a.png").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SeedbedError, match=r"2 photographs are called a\.png; predict their folders in separate runs"
    ):
        find_photos([tmp_path / "x", tmp_path / "y"], tmp_path)
    with pytest.raises(SeedbedError, match=r"no photographs in .*empty"):
        find_photos([tmp_path / "empty"], tmp_path)
    with pytest.raises(SeedbedError, match="gone: expected a photograph or a folder"):
        find_photos([tmp_path / "gone"], tmp_path)
    one = [photos / "coffee.webp"]
    for node, line in {
        "upper.segmentr": "did you mean segmenter",
        "uper.segmenter": "did you mean upper",
        "segmenter": "expected a node as recipe.node",
        "upper.segmenter@rng1": "has not been made yet; run `snakemake results/toy/upper/rng1/segmenter/manifest.json`",
        "upper.segmenter@rng3": "has not been made yet; add its recipe, random seed and thresholds to params.yaml",
        "upper.segmenter@epoch3": "epoch 3 was not kept",
        "upper.segmenter@bg1": "bg1",
        "results/toy/index": "was made by stage prepare_dataset; expected a recipe's node",
        "results/toy/none": "expected a manifest at results/toy/none/manifest.json",
    }.items():
        with pytest.raises(SeedbedError, match=line):
            run(checkout, monkeypatch, node, one, tmp_path / "o")
    with pytest.raises(SeedbedError, match="expected device auto, cpu or cuda, got 'gpu'"):
        predict_command(locate("upper.segmenter"), one, tmp_path, device="gpu")
    with pytest.raises(SeedbedError, match="long side of at least 1"):
        predict_command(locate("upper.segmenter"), one, tmp_path, device="cpu", longest=0)


def test_a_segmenter_away_from_its_index_sees_photographs_as_they_are(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(checkout / "results/toy/upper/rng0/segmenter", tmp_path / "alone")
    seen = sizes_seen(monkeypatch)
    located = locate(str(tmp_path / "alone"))
    predict_command(located, [photos / "tissue.jpg"], tmp_path / "o", device="cpu")
    predict_command(located, [photos / "tissue.jpg"], tmp_path / "o", device="cpu", longest=128)
    assert seen == [(200, 256), (100, 128)]
    assert "cow" in (tmp_path / "o/classes.csv").read_text()


def test_a_node_that_is_not_a_segmenter(checkout: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copytree(checkout / "results/toy", tmp_path / "toy")
    path = tmp_path / "toy/upper/rng0/segmenter/manifest.json"
    content = json.loads(path.read_text())
    change(path, stage="train_classifier", facts=content["facts"] | {"meaning": "classifier"})
    with pytest.raises(SeedbedError, match="was made by train_classifier; expected a segmenter"):
        predict_command(locate(str(path.parent)), [photos], tmp_path, device="cpu")


def test_enlarging_keeps_the_regions() -> None:
    """A left half of class 1 stays a left half; a third class never wins."""
    probabilities = np.zeros((3, 4, 8), np.float32)
    probabilities[1, :, :4], probabilities[0, :, 4:], probabilities[2] = 0.75, 0.75, 0.25
    labels = enlarged_argmax(probabilities, (32, 16))
    assert labels.shape == (16, 32)
    assert (labels[:, :14] == 1).all()
    assert (labels[:, 18:] == 0).all()


def sizes_seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(height, width) of the images that networks are given from now on."""
    from seedbed.networks import inference

    seen = []
    whole = inference.multi_scale_probabilities

    def spy(network: Any, image: np.ndarray, *rest: Any) -> np.ndarray:
        seen.append(image.shape[:2])
        return whole(network, image, *rest)

    monkeypatch.setattr(inference, "multi_scale_probabilities", spy)
    return seen


def test_large_photographs_are_shrunk_to_the_data_sets_longest_side(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = sizes_seen(monkeypatch)
    run(checkout, monkeypatch, "upper.segmenter", [photos / "tissue.jpg"], tmp_path)
    run(checkout, monkeypatch, "upper.segmenter", [photos / "tissue.jpg"], tmp_path, longest=128)
    assert seen == [(50, LONGEST), (100, 128)]


def test_a_stale_segmenter_is_used_with_a_note(checkout: Path, photos: Path, tmp_path: Path) -> None:
    def changed() -> Workflow:
        book = RecipeBook(checkout / "recipes")
        raw = yaml.safe_load((checkout / "params.yaml").read_text())
        settings = {"toy": {"train_segmenter": {"epochs": 77}}}
        return Workflow(parse_config(raw | {"settings": settings}), book, checkout / "results")

    located = locate("upper.segmenter", changed)
    assert "rng0/segmenter is stale (epochs default -> 77); used as it is" in located.note
    predict_command(located, [photos / "coffee.webp"], tmp_path, device="cpu")
    assert (tmp_path / "coffee.png").exists()


def test_photographs_are_shrunk_as_the_data_sets_are_and_masks_have_their_own_size(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network sees the means of areas if the index says that the data set is shrunk."""
    from seedbed.networks import inference
    from seedbed.verbs import predict as verb

    seen: list[np.ndarray] = []
    whole = inference.multi_scale_probabilities

    def spy(network: Any, image: np.ndarray, *rest: Any) -> np.ndarray:
        seen.append(image)
        return whole(network, image, *rest)

    monkeypatch.setattr(inference, "multi_scale_probabilities", spy)
    header = "image_id,split,width,height,sha256,original_width,original_height,cat,dog,cow"
    index = parse_index(f"{header}\na,train,64,50,0,256,200,1,0,0\n")
    monkeypatch.setattr(verb, "_index", lambda located: index)
    run(checkout, monkeypatch, "upper.segmenter", [photos / "tissue.jpg"], tmp_path)
    with Image.open(photos / "tissue.jpg") as photo:
        areas = np.asarray(photo, np.float64).reshape(50, 4, 64, 4, 3).mean((1, 3))
    assert abs(seen[0] - areas).max() <= 1
    with Image.open(tmp_path / "tissue.png") as mask:
        assert mask.size == (256, 200)


def test_a_node_that_asks_a_classifier_leaves_out_absent_classes(
    checkout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only dog is found: each pixel is background or dog, whichever the segmenter finds more probable."""
    from seedbed.artifacts.models import encode_epochs, encode_state
    from seedbed.methods.cam import CamParameters
    from seedbed.methods.table import build_method
    from seedbed.methods.trained import load_network, network_facts
    from seedbed.networks.inference import multi_scale_probabilities
    from seedbed.verbs import predict

    recipe = {
        "extends": "upper",
        "nodes": {
            "classifier": {
                "stage": "train_classifier",
                "with": {
                    "weights": "none",
                    "backbone": "test_resnet",
                    "output_stride": 32,
                    "conv_head": False,
                },
            },
            "classification": {"stage": "classify", "from": {"classifier": "classifier"}},
            "predictions": {
                "from": {"classification": "classification"},
                "with": {"classes": "classified", "scales": None, "flip": None},
            },
        },
    }
    folder = tmp_path / "checkout"
    shutil.copytree(checkout, folder)
    (folder / "recipes" / "asking.yaml").write_text(yaml.safe_dump(recipe))
    config = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(config | {"recipes": ["upper", "asking"]}))
    graph = Workflow.read(folder).graph()
    task = graph.task("asking", "classifier", 0)
    parameters = CamParameters(weights="none", backbone="test_resnet", output_stride=32, conv_head=False)
    method = build_method("cam", parameters, classes=3, rng=0)
    files = {
        "model.safetensors": encode_state(method.networks()["classifier"].state_dict()),
        "epochs.safetensors": encode_epochs({}),
        "history.csv": b"epoch\n",
    }
    facts = network_facts("cam", parameters, method) | {"meaning": "classifier", "classes": list(CLASSES)}
    digest = json.loads((folder / graph.index_folder / "manifest.json").read_text())["content"]
    write_artifact(folder / task.folder, task.slice(), {"index": [digest]}, files, **facts)
    node = folder / graph.task("asking", "predictions", 0).folder
    node.mkdir(parents=True)
    made = json.loads((folder / task.folder / "manifest.json").read_text())
    (node / "manifest.json").write_bytes(json_with_digest(made | {"stage": "predict"}))
    asked = []

    def dog_only(trained, image, device):
        asked.append((trained.network, image.shape))
        return {"probabilities": np.array([0.5, 0.6, 0.1], np.float32)}

    monkeypatch.setattr(predict, "image_vectors", dog_only)
    run(folder, monkeypatch, "asking.predictions", [photos / "astronaut.jpg"], tmp_path / "out")
    ((network, shape),) = asked
    assert hasattr(network, "head")
    assert shape == (40, 60, 3)
    trained = load_network(locate("upper.segmenter").artifact, None, "cpu")
    with Image.open(photos / "astronaut.jpg") as photo:
        found = multi_scale_probabilities(
            trained.network, np.array(photo), trained.mean, trained.std, (0.75, 1.0, 1.25)
        )
    expected = np.where(found[2] > found[0], 2, 0)
    np.testing.assert_array_equal(decode_label_map((tmp_path / "out/astronaut.png").read_bytes()), expected)
