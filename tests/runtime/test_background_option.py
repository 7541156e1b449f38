"""Otsu's threshold as background score: of all labelled training images, the same for any number of shards."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from recipe_files import BASE, make_workflow
from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.manifest import FileEntry, Manifest, Record, content_digest, merge_shards, sha256_bytes
from seedbed.artifacts.maps import CHANNELS, SALIENCY, SHARES, Maps, class_score_histogram, pack_maps
from seedbed.cam.otsu import BINS
from seedbed.errors import SeedbedError
from seedbed.metrics.confusion import confusion_counts
from seedbed.plan.commands import Workflow
from seedbed.runtime.background_option import background_score, pooled_threshold
from seedbed.runtime.contract import Job
from seedbed.stages.evaluate import EvaluateParameters, score_cams
from seedbed.stages.pseudo_masks import PseudoMasksParameters, run

CLASSES = ["cat", "dog"]
SIZE = (6, 8)
IDS = ("a", "b", "c", "d", "e", "f")


def random_maps(seed: int = 0, low: float = 0.0) -> dict[str, Maps]:
    """`b` shows both classes, `e` none; the scores are the maps themselves."""
    rng = np.random.default_rng(seed)
    shown = {"a": (0,), "b": (0, 1), "c": (1,), "d": (0,), "e": (), "f": (1,)}
    found = {}
    for image_id, classes in shown.items():
        high = rng.random((len(classes), *SIZE)) < 0.3
        scores = np.where(high, rng.normal(0.8, 0.1, high.shape), rng.normal(0.3, 0.1, high.shape))
        found[image_id] = Maps(classes, SIZE, (scores.clip(low, 1).astype(np.float32),) if classes else ())
    return found


def stored(
    folder: Path, maps: dict[str, Maps], shards: int = 1, val: dict[str, Maps] | None = None
) -> Artifact:
    """The CAMs of split train in some shards, and of val in one."""
    parts = {f"train-{k}": {i: maps[i] for i in sorted(maps)[k::shards]} for k in range(shards)}
    parts |= {"val-0": val} if val else {}
    sidecars = {}
    for name, part in parts.items():
        data, split = pack_maps(part), name.rpartition("-")[0]
        records = [Record(split=split, image_id=i, name="", sha256=m.digest()) for i, m in part.items()]
        sidecars[f"{name}.json"] = Manifest(
            stage="dump_cams",
            stage_version=1,
            dataset="toy",
            parameters={},
            inputs={},
            files={f"{name}.safetensors": FileEntry(size=len(data), sha256=sha256_bytes(data))},
            images={split: len(records)},
            facts={"meaning": "cams", "classes": CLASSES, "normalisation": "none"},
            ledger=[],
            content=content_digest(records),
            records=records,
            histograms={split: sum(found).tolist()} if (found := counted(part)) else None,
        )
        write_bytes(folder / f"{name}.safetensors", data)
    write_bytes(folder / "manifest.json", merge_shards(sidecars).to_bytes())
    return Artifact(folder)


def counted(maps: dict[str, Maps]) -> list[np.ndarray]:
    """The histogram of each image that has a class."""
    found = [class_score_histogram(one, {"normalisation": "none"}) for one in maps.values()]
    return [one for one in found if one is not None]


def of_scikit_image(maps: dict[str, Maps]) -> float:
    pooled = np.concatenate([one.maps[0].max(axis=0).ravel() for one in maps.values() if one.class_ids])
    counts, edges = np.histogram(pooled, BINS, (0, 1))
    return float(threshold_otsu(hist=(counts, (edges[1:] + edges[:-1]) / 2)))


def test_saliency_and_images_without_a_class_are_not_counted() -> None:
    scores = np.full((1, *SIZE), 0.5, np.float32)
    scores[0, 0, 0] = 1
    counts = class_score_histogram(Maps((0,), SIZE, (scores,)), {"normalisation": "none"})
    assert {place: count for place, count in enumerate(counts) if count} == {BINS // 2: 47, BINS - 1: 1}
    assert class_score_histogram(Maps((), SIZE, ()), {"normalisation": "none"}) is None
    saliency = {"normalisation": "none", CHANNELS: [SALIENCY]}
    assert class_score_histogram(Maps((0,), SIZE, (scores,)), saliency) is None


@pytest.mark.parametrize("shards", [1, 3])
def test_the_threshold_of_all_labelled_training_images(tmp_path: Path, shards: int) -> None:
    maps = random_maps()
    cams = stored(tmp_path, maps, shards, val=random_maps(1, low=0.7))
    assert background_score("otsu", cams) == pytest.approx(of_scikit_image(maps), abs=1e-12)
    assert of_scikit_image(maps) != pytest.approx(of_scikit_image({"a": maps["a"]}), abs=0.01)
    assert background_score(0.3, cams) == 0.3


def job(parameters: Any, cams: Artifact, shard: str, image_ids: tuple[str, ...], **more: Any) -> Job:
    made = object.__new__(Job)
    made.parameters, made.shard, made.image_ids, made.facts = parameters, shard, image_ids, {}
    made.split = shard.rpartition("-")[0]
    made.inputs = {"cams": cams, "target": cams}
    made.dataset = SimpleNamespace(
        size=lambda image_id: SIZE[::-1], in_mask_classes=lambda label_map: label_map
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_pseudo_masks_are_equal_for_any_number_of_shards_and_say_the_number(tmp_path: Path) -> None:
    maps, parameters = random_maps(), PseudoMasksParameters(background_score="otsu")
    score = of_scikit_image(maps)
    for shards in (1, 3):
        cams, found = stored(tmp_path / str(shards), maps, shards), {}
        for k in range(shards):
            one = job(parameters, cams, f"train-{k}", IDS[k::shards])
            found |= dict(run(one))
            assert one.facts == {"background_score": pytest.approx(score, abs=1e-12)}
        for image_id, label_map in found.items():
            scores, ids = maps[image_id].maps, np.array([0, *maps[image_id].class_ids]) + 1
            expected = np.zeros(SIZE)
            if scores:
                expected = np.where(scores[0].max(0) > score, ids[1:][scores[0].argmax(0)], 0)
            assert np.array_equal(label_map, expected)
        assert sorted(found) == list(IDS)


def test_a_number_leaves_the_manifest_as_it_was(tmp_path: Path) -> None:
    one = job(PseudoMasksParameters(background_score=0.5), stored(tmp_path, random_maps()), "train-0", IDS)
    assert len(list(run(one))) == len(IDS)
    assert one.facts == {}
    assert not PseudoMasksParameters(background_score="otsu", decide="same_pair").finds_threshold()


def test_scores_follow_the_threshold_of_train_on_any_split(tmp_path: Path) -> None:
    train, val = random_maps(), random_maps(2)
    cams = stored(tmp_path, train, 2, val)
    truth = np.random.default_rng(3).integers(0, 3, (len(IDS), *SIZE)).astype(np.uint8)

    class Photographs:
        classes = mask_classes = CLASSES
        mask_lookup = np.arange(256, dtype=np.uint8)

        def size(self, image_id: str) -> tuple[int, int]:
            return SIZE[::-1]

        def image_ids(self, split: str) -> tuple[str, ...]:
            return IDS

        def mask(self, image_id: str) -> np.ndarray:
            return truth[IDS.index(image_id)]

    def judge(choice: Any) -> dict[str, Any]:
        parameters = EvaluateParameters(background_score=choice, curve_step=0.5)
        more = {"dataset": Photographs(), "split": "val", "progress": lambda items, total, name: items}
        return score_cams(job(parameters, cams, "", (), **more), cams)

    counts = np.zeros((3, 4), np.int64)
    decided = job(PseudoMasksParameters(background_score="otsu"), cams, "val-0", IDS)
    for image_id, label_map in run(decided):
        counts += confusion_counts(truth[IDS.index(image_id)], label_map, 3)
    result = judge("otsu")
    assert result["counts"] == counts.tolist()
    assert result["fixed_threshold"] == decided.facts["background_score"]
    assert result["fixed_by"] == "otsu"
    assert "fixed_by" not in judge(0.3)


def test_shares_are_decided_where_they_exceed_the_background(tmp_path: Path) -> None:
    """A class's share of class and background is above 1/2 exactly where its score is above the background's."""
    cams = stored(tmp_path, random_maps())
    cams.manifest.facts[SHARES] = True
    assert background_score("otsu", cams) == 0.5
    assert background_score(0.3, cams) == 0.3


def test_values_that_are_not_finite_name_the_cause() -> None:
    scores = np.full((1, *SIZE), 0.5, np.float32)
    for value in (np.nan, np.inf):
        scores[0, 0, 0] = value
        with pytest.raises(SeedbedError, match="not finite; the network has diverged"):
            class_score_histogram(Maps((0,), SIZE, (scores,)), {"normalisation": "max"})


def test_maps_that_do_not_say_how_they_become_scores_name_the_stage_as_the_cause() -> None:
    with pytest.raises(SeedbedError, match=r"must set job.facts\['normalisation'\] before its first image"):
        class_score_histogram(Maps((0,), SIZE, (np.ones((1, *SIZE), np.float32),)), {})


def constant() -> dict[str, Maps]:
    return {i: Maps((0,), SIZE, (np.full((1, *SIZE), 0.5, np.float32),)) for i in IDS}


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (
            constant(),
            "background_score: otsu: expected scores in at least 2 bins of the histogram, got 1; set a thr",
        ),
        (
            {i: Maps((), SIZE, ()) for i in IDS},
            "otsu, the default, needs images with a label, but split train has none; set a num",
        ),
    ],
)
def test_nothing_to_separate(tmp_path: Path, maps: dict[str, Maps], message: str) -> None:
    with pytest.raises(SeedbedError, match=message) as told:
        pooled_threshold(stored(tmp_path, maps))
    assert "\n" not in str(told.value)


# Planning

TWO = {"toy": {"kind": "folder", "root": "nowhere", "shards": 2, "splits": {"train": {}, "val": {}}}}
BOTH = {"splits": ["train", "val"]}
SETTINGS = {
    "toy": {
        "dump_cams": BOTH,
        "random_walk": BOTH,
        "pseudo_masks": BOTH | {"background_score": "otsu"},
        "evaluate": {"background_score": "otsu"},
    }
}


def planned(folder: Path, settings: dict[str, Any] = SETTINGS) -> Workflow:
    return make_workflow(folder, {"datasets": TWO, "settings": settings})


def data_files(workflow: Workflow, unit: str, node: str) -> list[str]:
    (command,) = (c for c in workflow.commands(by_shard=True) if c.unit.endswith(unit))
    return [path.name for path in command.reads if path.parent.name == node and path.suffix != ".json"]


def test_a_job_reads_its_own_shard_and_the_manifest(tmp_path: Path) -> None:
    workflow = planned(tmp_path)
    val = ["val-0.safetensors", "val-1.safetensors"]
    assert data_files(workflow, "masks_/train-1", "refined") == ["train-1.safetensors"]
    assert data_files(workflow, "masks_/val-0", "refined") == val[:1]
    assert data_files(workflow, "scores/refined-val", "refined") == val


def test_what_a_recipe_says_of_its_number_is_not_said_of_otsu(tmp_path: Path) -> None:
    node = BASE["nodes"]["masks_"] | {"inherited": {"threshold": "0.50 was found on masks"}}
    noted = {"extends": "base", "nodes": {"masks_": node}}
    number = {"toy": {"pseudo_masks": {"background_score": 0.5}}}
    for settings, ledger in ((SETTINGS, {}), (number, {"threshold": "0.50 was found on masks"})):
        config = {"datasets": TWO, "settings": settings}
        made = make_workflow(tmp_path, config, noted=noted).graph().task("noted", "masks_", 0)
        assert dict(made.inherited) == ledger


def test_cams_without_train_are_their_own_measure(tmp_path: Path) -> None:
    val = random_maps(1, low=0.7)
    cams = stored(tmp_path / "val", {}, 0, val=val)
    assert background_score("otsu", cams) == pytest.approx(of_scikit_image(val), abs=1e-12)
    only = {"splits": ["val"]}
    settings = {"toy": {"dump_cams": BOTH, "random_walk": only, "pseudo_masks": only}}
    assert planned(tmp_path, settings).graph().task("base", "masks_", 0).splits == ("val",)


@pytest.mark.parametrize("wrong", ["otsuu", 1.5, -0.1, True, None, [0.5]])
def test_another_value_is_refused_in_one_line(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(
        SeedbedError,
        match=r"settings.toy .stage pseudo_masks.: background_score: expected a number from 0 to 1, or otsu, got ",
    ) as told:
        planned(tmp_path, {"toy": {"pseudo_masks": {"background_score": wrong}}}).graph().task(
            "base", "masks_", 0
        )
    assert "\n" not in str(told.value)
