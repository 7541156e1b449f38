"""The registry of published figures: each row has one rule, named things exist, and what can be recomputed is."""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from registry_pages import NO_RECIPE, aimed_at, figures, paper_page, registry

from seedbed.metrics.class_groups import VOC_CLASSES, VOC_GROUPS, group_scores, property_correlations
from seedbed.metrics.threshold_quality import tecm
from seedbed.recipes import RecipeBook

ROOT = Path(__file__).parents[2]
SHORT = [
    "a.plane",
    "bike",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "d.table",
    "dog",
    "horse",
    "m.bike",
    "person",
    "p.plant",
    "sheep",
    "sofa",
    "train",
    "tv",
]
"""The classes in P-NOC's Table 3, in VOC's order."""
GROUPS = {name: (kind, name) for kind in ("size", "group") for name in VOC_GROUPS[kind]} | {
    f"{name} freq.": ("occurrence", name) for name in VOC_GROUPS["occurrence"]
}
COLUMNS = {"occurrence": "O", "size%": "%S", "cooc%": "%C", "labelcard": "L"}
ROUNDING = {"occurrence": 0.06, "size%": 0.11, "cooc%": 0.11, "labelcard": 0.11}


@pytest.fixture(scope="module")
def book() -> RecipeBook:
    return RecipeBook(ROOT / "recipes")


@pytest.fixture(scope="module")
def printed() -> dict[tuple[str, ...], float]:
    """Every figure by paper, table, method, backbone, stage, split and metric."""
    keys = ("paper", "table", "method", "backbone", "stage", "split", "metric")
    assert len({tuple(row[key] for key in (*keys, "dataset")) for row, _ in figures()}) == len(figures())
    return {tuple(row[key] for key in keys): float(row["value"]) for row, _ in figures()}


def table(printed: dict[tuple[str, ...], float], paper: str, name: str) -> dict[tuple[str, ...], float]:
    """The figures of one table, by method, backbone, stage, split and metric."""
    return {key[2:]: value for key, value in printed.items() if key[:2] == (paper, name)}


def test_every_row_has_one_rule_and_every_rule_a_row() -> None:
    assert len(figures()) == 2153
    used = {id(rule) for _, rule in figures()}
    assert [rule for rule in registry().rules if id(rule) not in used] == []


def test_a_row_without_a_rule_or_with_two_is_named() -> None:
    row, rule = figures()[0]
    for rules, number in (([], "0 rules match 000, 1, Open-ended"), ([rule, rule], "2 rules match")):
        with pytest.raises(ValueError, match=number):
            registry().model_copy(update={"rules": rules}).rule_of(row)


def test_rules_name_what_exists(book: RecipeBook) -> None:
    names = set(book.names())
    for row, rule in figures():
        assert names.issuperset(rule.recipes_of(row)), rule
    for rule in registry().rules:
        assert rule.near in {"", *names}, rule
        assert set(rule.why) <= registry().reasons.keys(), rule
        assert rule.by in {"", *registry().contradictions}, rule
        assert registry().contradictions[rule.by].paper == rule.paper if rule.by else True


def test_a_rule_gives_what_its_status_needs() -> None:
    for rule in registry().rules:
        given = {key for key in ("why", "at", "by") if getattr(rule, key)}
        needed = {"not reachable": {"why"}, "measured": {"at"}, "contradicted": {"by"}, "recomputed": set()}
        assert given == needed[rule.status], rule
        assert not (rule.recipes and rule.near), rule
        if rule.status == "not reachable":
            of_the_data = rule.stage == "class-properties"
            assert (bool(rule.recipes) or of_the_data) != bool(NO_RECIPE & set(rule.why)), rule


def test_figures_that_results_do_not_have_are_not_measured() -> None:
    """Of single classes nothing was measured, nor of the chain that the paper on thresholds has."""
    counts: dict[str, int] = defaultdict(int)
    for row, rule in figures():
        of_one_class = row["paper"] == "002" and re.match("IoU:|.*(Background|Person)$", row["metric"])
        if of_one_class or row["paper"] == "003":
            assert rule.status != "measured", row
            counts[row["paper"]] += 1
    assert counts == {"002": 639 + 6, "003": 459}


def test_recipes_aim_at_what_the_rules_say(book: RecipeBook) -> None:
    """In both directions; a recipe that inherits `aims_at` need not be named beside the one that it is from."""
    said = defaultdict(set)
    for row, rule in figures():
        for recipe in rule.recipes_of(row):
            said[recipe].add((row["paper"], row["table"]))
    for recipe, tables in said.items():
        assert tables <= aimed_at(recipe, book), recipe
    for recipe in book.names():
        chain = book[recipe].chain
        own = len(chain) == 1 or book[recipe].aims_at != book[chain[-2]].aims_at
        if own:
            assert aimed_at(recipe, book) <= said[recipe], recipe
    assert aimed_at("isim-resnet101", book) == {("001", number) for number in ("1", "2", "7", "8", "9", "11")}
    assert aimed_at("pets-selftraining-1", book) == {("000", "1"), ("000", "text-4.3")}
    assert aimed_at("pets-supervised-deeplabv3", book) == set()


def test_pages_have_every_figure() -> None:
    for paper in registry().papers:
        page = paper_page(paper)
        for row, _ in figures():
            if row["paper"] == paper:
                assert f"{row['metric']} {row['value']}" in page
    assert f"| {len(figures())} |" in (ROOT / "docs/registry.md").read_text(encoding="utf-8")


def test_recomputed_groups_of_classes(printed: dict[tuple[str, ...], float]) -> None:
    """P-NOC's Tables 1 and 3: every row that is said to be recomputed is."""
    three = table(printed, "002", "3")
    methods = {key[:2] for key in three if key[4] == "IoU:bike"}
    iou = {m: [three[*m, "cam", "train", f"IoU:{name}"] for name in ("background", *SHORT)] for m in methods}
    properties = {
        metric: np.array([three[name, "-", "class-properties", "train", metric] for name in SHORT])
        for metric in COLUMNS
    }
    checked = 0
    for row, rule in figures():
        if row["paper"] != "002" or rule.status != "recomputed":
            continue
        value, checked = float(row["value"]), checked + 1
        method, metric = row["method"], row["metric"]
        if row["stage"] == "class-properties":
            found, rounding = of_properties(properties, method.lower(), metric)
        else:
            found, rounding = of_iou(np.array(iou[method, row["backbone"]]), properties, metric.lower())
        assert found == pytest.approx(value, abs=rounding), row
    assert checked == 254


def of_properties(properties: dict[str, np.ndarray], what: str, metric: str) -> tuple[float, float]:
    """A mean, deviation or correlation of properties, and how far rounding may move it."""
    if what.startswith("rho "):
        (column,) = [name for name, letter in COLUMNS.items() if letter.lower() == what.removeprefix("rho ")]
        other = metric.removeprefix("corr with:")
        return 100 * float(np.corrcoef(properties[column], properties[other])[0, 1]), 2.0
    values = properties[metric]
    if "sigma" in what:
        return float(values.std(ddof=1)), ROUNDING[metric]
    if "overall" in what:
        with_background = [69.5] if metric == "size%" else []
        return float(np.mean([*values, *with_background])), ROUNDING[metric]
    kind, group = GROUPS[what.removeprefix("group=")]
    members = [VOC_CLASSES.index(name) for name in VOC_GROUPS[kind][group]]
    return float(values[members].mean()), ROUNDING[metric]


def of_iou(iou: np.ndarray, properties: dict[str, np.ndarray], metric: str) -> tuple[float, float]:
    """A mean, deviation or correlation of classes' IoU, and how far rounding may move it."""
    scores = group_scores(iou)
    kind, _, what = metric.partition(":")
    if kind == "corr":
        found = property_correlations(
            iou[1:], {f"rho {COLUMNS[name].lower()}": properties[name] for name in COLUMNS}
        )
        return 100 * (found[what] or 0.0), 0.6
    what = what.removeprefix("group=")
    if "sigma" in what:
        return scores["overall_std"], 0.11
    if "overall" in what:
        return scores["overall_mean"], 0.11
    of_kind, group = GROUPS[what]
    return scores[of_kind][group], 0.11


def test_recomputed_differences_of_thresholds(printed: dict[tuple[str, ...], float]) -> None:
    checked = 0
    two, three = (table(printed, "003", name) for name in "23")
    for row, rule in figures():
        if row["paper"] == "003" and rule.status == "recomputed":
            where = (row["method"], "resnest101")
            mask, cam = (*where, "pseudo-mask", "train", "PQS"), (*where, "cam", "train", "PQS")
            trained = [
                three.get((*where, "segmentation(DeepLabV3+)", "val", f"mIoU (trained on {masks})"))
                for masks in ("pseudo-masks", "initial CAM masks")
            ]
            found = {
                "PQS average": lambda c=cam, m=mask: (two[c] + two[m]) / 2,
                "PQS diff": lambda c=cam, m=mask: three[m] - three[c],
                "mIoU diff": lambda t=trained: t[0] - t[1],
            }[row["metric"]]()
            assert found == pytest.approx(float(row["value"]), abs=0.011)
            checked += 1
    assert checked == 24 + 32 + 32


def test_contradicted_means_of_classes(printed: dict[tuple[str, ...], float]) -> None:
    """Table 5's last row is not the mean of its classes, Table 4's is; the other tables' means hold."""
    rows: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row, _ in figures():
        if row["metric"].startswith("IoU:"):
            rows[row["paper"], row["table"], row["method"], row["backbone"]].append(float(row["value"]))
    mean = {key: float(np.mean(values)) for key, values in rows.items()}
    four = {key[0]: value for key, value in table(printed, "002", "4").items() if key[-1] == "mIoU@TTA"}
    five = table(printed, "002", "5")
    for method, short in (("CAM", "CAM"), ("Puzzle-CAM", "P"), ("P-OC", "P-OC"), ("P-NOC", "P-NOC")):
        found = mean["002", "5", method, "resnest269"]
        assert found == pytest.approx(four[short], abs=0.051)
        assert five[method, "resnest269", "cam", "val", "mIoU"] - found > 1.5
    assert mean["002", "10", "P-NOC", "DeepLabV3+"] == pytest.approx(73.53, abs=0.005)
    assert mean["002", "10", "Puzzle-CAM", "DeepLabV3+"] == pytest.approx(72.30, abs=0.005)
    assert mean["002", "10", "OC-CSE", "DeepLabV1"] == pytest.approx(68.42, abs=0.005)
    eight = table(printed, "002", "8")
    on_test = {
        key[0]: value for key, value in eight.items() if key[3] == "test" and key[1] != "ResNet-101/V2"
    }
    assert [on_test[name] for name in on_test if re.match("OC-CSE|Puzzle|P-NOC", name)] == [68.2, 72.2, 73.6]
    for method, value in (("Puzzle-CAM", 60.96), ("P-OC+LS", 61.90), ("P-NOC+LS", 63.65)):
        assert mean["002", "3", method, "resnest269"] == pytest.approx(value, abs=0.005)


def test_contradicted_epoch_and_tables_of_isim(printed: dict[tuple[str, ...], float]) -> None:
    falls = {}
    two = table(printed, "002", "2")
    for method, backbone in {key[:2] for key in two}:
        values = [two[method, backbone, "cam", "train", f"mIoU@E{epoch}"] for epoch in range(1, 16)]
        falls[method, backbone] = max(-np.diff(values))
    assert falls.pop(("CAM", "resnest101")) == pytest.approx(8.8)
    assert max(falls.values()) == pytest.approx(3.4)
    isim = {number: table(printed, "001", number) for number in ("8", "9", "10", "11")}
    segmenters = {key[1:4:2]: value for key, value in isim["10"].items()}
    assert [segmenters["seeds:resnest200", split] for split in ("val", "test")] == [72.60, 72.94]
    assert isim["11"]["Ours^5", "resnest-200", "segmentation", "val", "mIoU"] == 72.60
    assert (
        segmenters["seeds:resnet101", "val"],
        isim["11"]["Ours^4", "resnet-101", "segmentation", "val", "mIoU"],
    ) == (
        70.60,
        70.61,
    )
    best = {split: max((v, k[1]) for k, v in isim["8"].items() if k[3] == split) for split in ("val", "test")}
    assert best == {"val": (74.90, "seeds:resnest200"), "test": (74.98, "seeds:resnest200")}


def test_contradicted_threshold_figures(printed: dict[tuple[str, ...], float]) -> None:
    """Formula (4) gives none of 24 values, the printed variant all; coefficients over all pairs are far lower."""
    one, two, three = (table(printed, "003", name) for name in "123")

    def column(of: dict[tuple[str, ...], float], stage: str, metric: str) -> dict[str, float]:
        return {key[0]: value for key, value in of.items() if (key[2], key[4]) == (stage, metric)}

    before, after = column(two, "cam", "NPR%"), column(two, "pseudo-mask", "NPR%")
    ratio = column(two, "cam->pseudo-mask", "N-to-B ratio (see notes)")
    value = column(two, "cam->pseudo-mask", "TECM(x100)")
    right = {"share": 0, "imbalance": 0, "printed": 0}
    for pair, given in value.items():
        for name, variant, background in (
            ("share", "equation-4", lambda r: r),
            ("imbalance", "equation-4", lambda r: (1 + r) / 2),
            ("printed", "printed", lambda r: (1 + r) / 2),
        ):
            shares = [background(ratio[pair] + error) for error in (-0.005, 0.005)]
            found = [100 * tecm(before[pair] / 100, after[pair] / 100, b, 1 - b, variant) for b in shares]
            right[name] += min(found) - 0.05 <= given <= max(found) + 0.05
    assert right == {"share": 0, "imbalance": 7, "printed": 24}

    def pearson(left: dict[str, float], other: dict[str, float]) -> float:
        return float(np.corrcoef([left[pair] for pair in left], [other[pair] for pair in left])[0, 1])

    miou = column(one, "segmentation(DeepLabV3+)", "mIoU")
    pqs = column(one, "pseudo-mask", "PQS")
    minus = "pseudo-mask minus cam"
    coefficients = [
        pearson(pqs, miou),
        pearson(column(three, minus, "PQS diff"), column(three, minus, "mIoU diff")),
        pearson(value, column(two, "cam+pseudo-mask", "PQS average")),
    ]
    assert coefficients == pytest.approx([0.49, 0.57, -0.05], abs=0.006)
    best = {
        name: max(found, key=lambda pair: found[pair]) for name, found in (("TECM", value), ("mIoU", miou))
    }
    assert {name: pair.split(" ", 1)[1] for name, pair in best.items()} == {
        "TECM": "bg=0.4 fg=0.8",
        "mIoU": "bg=0.2 fg=0.3",
    }
    assert (miou[best["TECM"]], miou[best["mIoU"]]) == (29.56, 56.06)
    assert pqs["Puzzle-CAM+AffinityNet bg=0.15 fg=0.15"] > pqs["Puzzle-CAM+AffinityNet bg=0.15 fg=0.25"]
    ratios = column(one, "pseudo-mask", "NPR%")
    assert sum(abs(miou[pair] * (1 - ratios[pair] / 100) - pqs[pair]) <= 0.5 for pair in pqs) == 2
