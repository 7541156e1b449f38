"""The explorer: what travels with the page, and that headless Chromium decides it as the Python code does."""

import base64
import json
import zlib

import numpy as np
import pytest

from report.conftest import HEIGHT, SPLITS, WIDTH, Maker, SquaresDataset, cams_of, maps_of, write_sweep
from seedbed.artifacts.maps import Maps, pack_maps
from seedbed.cam.thresholds import Regions
from seedbed.report.explored import Explored, background_score_of, coded, packed, scores_of
from seedbed.report.page import run
from seedbed.report.section import Page
from seedbed.report.sections import explorer

THRESHOLDS = [place / 10 for place in range(11)]
"""0.2, 0.4, 0.6 and 0.8 are scores that a code has exactly."""
SIDE = 24
IDENTITY = np.arange(256, dtype=np.uint8)


class JoinedDataset(SquaresDataset):
    """The masks have cow and dog as one class; image t7 has no class, v1 no mask."""

    mask_classes = ("cat", "other")

    def labels(self, image_id):
        return super().labels(image_id) & (image_id != "t7")

    def in_mask_classes(self, label_map):
        return np.where(label_map == 3, 2, label_map).astype(np.uint8)

    def mask(self, image_id):
        mask = super().mask(image_id)
        return None if image_id == "v1" else self.in_mask_classes(mask)


def random_maps(seed: int, splits) -> dict[str, bytes]:
    """Smooth scores, so that every pair of thresholds cuts them."""
    rng = np.random.default_rng(seed)
    files = {}
    for split in splits:
        maps = {}
        for image_id in SPLITS[split]:
            present = tuple(map(int, np.flatnonzero(JoinedDataset().labels(image_id))))
            scale = rng.random((len(present), 5, 7), np.float32)
            maps[image_id] = Maps(present, (HEIGHT, WIDTH), (scale,) if present else ())
        files[f"{split}-0.safetensors"] = pack_maps(maps)
    return files


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Page, str]:
    """A page with two nodes of scores, of which the second has one split only."""
    maker = Maker(tmp_path_factory.mktemp("explorer") / "results")
    maker.dataset = JoinedDataset()
    both = tuple(SPLITS)
    cams = maker.node("rng0", "cams", "cams", random_maps(0, both), splits=both)
    refined = random_maps(1, ["train"])
    maker.node(
        "rng0/bg0.20-fg0.60", "refined_cams", "refined_cams", refined, {"cams": cams}, splits=("train",)
    )
    options = {"samples": 0, "explorer_side": SIDE}
    html = run(maker.job(**options)).files["index.html"].decode()
    return maker.page(**options), html


@pytest.fixture(scope="module")
def data(made):
    return json.loads(
        made[1].split('<div class="explorer"><script type="application/json">')[1].split("</script>")[0]
    )


def test_scores_have_256_levels():
    codes = coded(np.array([[[0, 0.2, 0.5, 1]]], np.float32))
    assert codes.tolist() == [[[0, 51, 128, 255]]]
    assert scores_of(codes)[0, 0, [0, 1, 3]].tolist() == [0, np.float32(0.2), 1]
    scores = np.random.default_rng(0).random((2, 9, 9), np.float32)
    assert np.abs(scores_of(coded(scores)) - scores).max() <= 0.5 / 255 + 1e-7


def test_packed_arrays_are_differences_along_rows():
    array = np.array([[[3, 5, 4], [250, 2, 2]]], np.uint8)
    assert list(zlib.decompress(base64.b64decode(packed(array)))) == [3, 2, 255, 250, 8, 0]


def test_the_background_score_starts_at_otsus_threshold():
    two = np.array([[[20] * 5 + [200] * 5]], np.uint8)
    assert background_score_of([two, np.zeros((0, 2, 2), np.uint8)]) == 0.08  # the first of equally good ones
    assert background_score_of([np.full((1, 2, 2), 9, np.uint8)]) == 0.5
    assert background_score_of([]) == 0.5


def test_values_by_hand():
    codes = np.array([[[0, 51, 102, 255]], [[0, 50, 204, 10]]], np.uint8)
    truth = np.array([[0, 1, 2, 255]], np.uint8)
    one = Explored((0, 1), codes, IDENTITY, truth, 2)
    regions = one.regions(0.2, 0.8)
    assert regions.tolist() == [[0, 0, 2, 1]]
    assert one.values(regions) == {
        "pixels": {0: 2, 1: 1, 2: 1},
        "mean_iou": pytest.approx((1 / 2 + 0 + 1) / 3),
    }
    assert one.regions(0.1, 0.8).tolist() == [[0, 255, 2, 1]]
    assert one.shares(one.regions(0.1, 0.8)) == {
        "foreground": 0.5,
        "background": 0.25,
        "neutral": 0.25,
        "mean_iou": 1.0,
    }
    assert one.mask(0.2).tolist() == [[0, 0, 2, 1]]
    assert one.mask(0.19).tolist() == [[0, 1, 2, 1]]
    assert Explored((), codes[:0], IDENTITY, None, 2).shares(np.zeros((1, 4), np.uint8))["mean_iou"] is None


def test_the_table_has_the_figures_of_the_first_settings(made):
    page, _ = made
    table = explorer.frame(page)
    assert list(table["node"]) == ["cams"] * 10 + ["refined_cams"] * 8
    assert set(table["bg_threshold"]) == {0.2}
    assert set(table["fg_threshold"]) == {0.6}
    total = table[["regions_foreground", "regions_background", "regions_neutral"]].sum(axis=1)
    assert np.allclose(total, 1)
    assert (table["regions_neutral"] > 0.1).sum() >= 15
    unlabelled = table[table["image_id"] == "t7"]
    assert list(unlabelled["mask_background"]) == [1, 1]
    assert table[table["image_id"] == "v1"]["mask_mean_iou"].isna().all()


def test_no_explorer_without_scores_or_images(maker):
    assert not explorer.blocks(maker.page(), explorer.frame(maker.page()))
    write_sweep(maker)
    assert explorer.frame(maker.page(explorer_images=0)).empty
    assert (
        len(explorer.frame(maker.page(explorer_images=1, explorer_side=16))) == 3
    )  # CAMs, and two pairs' refined


def test_sliders_begin_at_a_pair_of_their_own_recipe(maker):
    for owner, pair in (("first", "bg0.10-fg0.40"), ("second", "bg0.30-fg0.70"), ("second", "bg0.40-fg0.60")):
        key = f"squares/{owner}/rng0/cams"
        if key not in {node["folder"] for node in maker.slice["nodes"]}:
            maker.node("rng0", "cams", "cams", cams_of(["train"]), splits=("train",), owner=owner)
        maker.node(
            f"rng0/{pair}",
            "confident_regions",
            "regions",
            maps_of(["train"]),
            {"cams": key},
            ("train",),
            owner=owner,
        )
    page = maker.page()
    starts = [explorer.start_of(page, node) for node in explorer.nodes_of(page)]
    assert [(start.low, start.high) for start in starts] == [(0.1, 0.4), (0.3, 0.7)]


def test_nodes_that_are_left_out_are_counted(maker, monkeypatch):
    page = write_sweep(maker).page(explorer_images=1, explorer_side=16)
    assert len(explorer.blocks(page, explorer.frame(page))) == 1
    monkeypatch.setattr(explorer, "MOST_NODES", 2)
    page = maker.page(explorer_images=1, explorer_side=16)
    said, shown = explorer.blocks(page, explorer.frame(page))
    assert said.text == "The explorer has 2 of 3 nodes with scores, CAMs first."
    assert len(shown.nodes) == 2


def expected(page: Page) -> list[list[dict]]:
    """For each image and node that has it: the values at every pair, in the order in which the page is asked."""
    nodes = explorer.nodes_of(page)
    found = []
    for one in explorer.taken_of(page, nodes):
        for explored in one.by_node:
            if explored is not None:
                found.append([_at(explored, bg, fg) for bg in THRESHOLDS for fg in THRESHOLDS if bg <= fg])
    return found


def _at(explored: Explored, bg: float, fg: float) -> dict:
    values = {
        "regions": explored.values(explored.regions(bg, fg)),
        "mask": explored.values(explored.mask(bg)),
    }
    return json.loads(json.dumps(values))


def test_the_page_decides_as_the_python_code(made, data, tab, tmp_path):
    page, html = made
    (tmp_path / "index.html").write_text(html)
    tab.open(tmp_path / "index.html")
    wanted = expected(page)
    asked = [
        (place, node)
        for place, image in enumerate(data["images"])
        for node in range(len(data["nodes"]))
        if image["split"] == "train" or node == 0
    ]
    assert len(asked) == len(wanted) == 18
    pairs = [(bg, fg) for bg in THRESHOLDS for fg in THRESHOLDS if bg <= fg]
    found = tab.run(
        f"""(async () => {{
          const found = [];
          for (const [place, node] of {json.dumps(asked)}) {{
            const values = [];
            for (const [bg, fg] of {json.dumps(pairs)})
              values.push(await document.querySelector(".explorer").valuesAt(place, node, bg, fg, bg));
            found.push(values);
          }}
          return found;
        }})()"""
    )
    labels, scored = set(), 0
    for ours, theirs in zip(wanted, found, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            for kind in ("regions", "mask"):
                assert other[kind]["pixels"] == one[kind]["pixels"]
                assert other[kind]["mean_iou"] == pytest.approx(one[kind]["mean_iou"], abs=1e-12)
                labels |= set(one[kind]["pixels"])
                scored += one[kind]["mean_iou"] is not None
    assert labels == {"0", "1", "2", "255"}
    assert scored > 1000
    codes = [one.codes for t in explorer.taken_of(page, explorer.nodes_of(page)) for one in t.by_node if one]
    assert any((c.max(axis=0) == 51).any() for c in codes if len(c))  # a score that equals a threshold
    assert not tab.faults


def test_sliders_show_the_values(made, data, tab, tmp_path):
    page, html = made
    (tmp_path / "index.html").write_text(html)
    tab.open(tmp_path / "index.html")
    tab.run("document.querySelector('.explorer').scrollIntoView()")
    rows = (
        "[...document.querySelectorAll('.explorer tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    tab.run(
        f"new Promise(done => {{const wait = () => ({rows}).length ? done() : setTimeout(wait, 10); wait()}})"
    )
    first = explorer.taken_of(page, explorer.nodes_of(page))[0].by_node[0]
    assert first is not None

    def texts(bg: float, fg: float, score: float) -> list[list[str]]:
        shares = [first.shares(first.regions(bg, fg)), first.shares(first.mask(score))]
        return [
            [f"{one[name]:.3f}" for name in ("mean_iou", "foreground", "background", "neutral")]
            for one in shares
        ]

    start = data["nodes"][0]
    assert Regions.parse("bg0.20-fg0.60") == Regions(
        "thresholds", start["bg_threshold"], start["fg_threshold"]
    )
    shown = [row[1:5] for row in tab.run(rows)]
    assert shown[:2] == texts(0.2, 0.6, start["background_score"])
    move = (
        "((k, value) => {const s = document.querySelectorAll('.explorer input[type=range]')[k]; s.value = value;"
        "const before = performance.now(); s.dispatchEvent(new Event('input')); return performance.now() - before})"
    )
    took = tab.run(f"{move}(0, 0.7)")  # past the foreground's, which it takes along
    assert [row[1:5] for row in tab.run(rows)][:2] == texts(0.7, 0.7, start["background_score"])
    tab.run(f"{move}(2, 0.35)")
    assert [row[1:5] for row in tab.run(rows)][:2] == texts(0.7, 0.7, 0.35)
    assert tab.run("[...document.querySelectorAll('.explorer figure')].filter(f => !f.hidden).length") == 5
    choose = (
        "((name, value) => {const s = document.querySelector(`.explorer select[aria-label='${name}']`);"
        "s.value = value; s.dispatchEvent(new Event('change'))})"
    )
    tab.run(f"{choose}('scores', 1)")
    begin = data["nodes"][1]
    settings = [begin[name] for name in ("bg_threshold", "fg_threshold", "background_score")]
    sliders = "[...document.querySelectorAll('.explorer input[type=range]')].map(s => Number(s.value))"
    assert tab.run(sliders) == settings
    several = next(place for place, image in enumerate(data["images"]) if len(image["scored"][0]) > 1)
    tab.run(f"{choose}('image', {several})")
    heat_map = "document.querySelector(`.explorer select[aria-label='class of the heat map']`)"
    named = f"[...{heat_map}.options].map(o => o.textContent)"
    image = data["images"][several]
    tab.wait(
        f"document.querySelector('.explorer canvas').getAttribute('aria-label') === 'photograph of {image['image_id']}'"
    )
    assert tab.run(named) == ["largest of the classes", *image["labels"]]
    assert "dog" in image["labels"]  # which the masks have as "other"
    key = "[...document.querySelectorAll('.explorer .legend span')].map(s => s.textContent)"
    classes = [name for name in ("cat", "other") if name in image["labels"] or name == "other"]
    assert tab.run(key) == [*classes, "background", "neutral", "scores: 0 1"]
    assert tab.run("document.querySelectorAll('.explorer canvas[role=img][aria-label]').length") == 5
    print(f"a slider move took {took:.1f} ms")
    assert not tab.faults
