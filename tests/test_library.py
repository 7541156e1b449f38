"""The notebook's door: names, laziness, doctests, values against the wrapped functions, and what it refuses."""

import doctest
import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import seedbed
from seedbed import library, library_checks
from seedbed.cam.otsu import otsu_threshold, score_histogram
from seedbed.metrics.threshold_quality import TECM_VARIANTS
from seedbed.metrics.threshold_quality import tecm as tecm_of_numbers
from seedbed.refine.confident_regions import alpha_regions, threshold_regions
from seedbed.refine.crf.parameters import CRF_PRESETS, CrfParameters
from seedbed.refine.crf.refiners import label_refiner, score_refiner
from seedbed.refine.random_walk import walk

ROOT = Path(__file__).parents[1]


@pytest.fixture
def photograph() -> np.ndarray:
    """Two halves of different colours, with noise."""
    image = np.random.default_rng(0).integers(0, 30, (12, 16, 3)).astype(np.uint8)
    image[:, 8:] += 180
    return image


def two_cams() -> np.ndarray:
    cams = np.random.default_rng(1).random((2, 12, 16), dtype=np.float32) * np.float32(0.5)
    cams[0, :, 8:] += np.float32(0.45)
    return cams


def test_every_name_is_a_documented_function() -> None:
    public = {
        name
        for name, value in vars(library).items()
        if inspect.isfunction(value) and value.__module__ == library.__name__
    }
    assert public | {"load_scores", "load_thresholds"} == set(seedbed.__all__)
    for name in public:
        function = getattr(seedbed, name)
        assert function is getattr(library, name)
        for part in ("Args:", "Raises:", "Examples:", ">>> "):
            assert part in function.__doc__, f"{name}: {part}"
        for argument in inspect.signature(function).parameters:
            assert f"{argument}: " in function.__doc__, f"{name}: {argument}"
    assert set(seedbed.__all__) <= set(dir(seedbed))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'seedbed' has no attribute 'crf_label'"):
        seedbed.crf_label  # noqa: B018
    with pytest.raises(ImportError):
        from seedbed import crf_label  # noqa: F401


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import seedbed", {"numpy", "numba", "torch", "scipy", "seedbed.library"}),
        ("from seedbed import crf_labels, random_walk, confusion", {"numba", "torch", "scipy", "skimage"}),
        (
            "import numpy as np, seedbed\n"
            "ones = np.ones((1, 2, 2), np.float32)\n"
            "assert callable(seedbed.random_walk)\n"
            "seedbed.random_walk(ones, ones, [(0, 1)])",
            {"torch"},
        ),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str, absent: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not absent & set(done.stdout.split())


def test_examples_in_docstrings() -> None:
    result = doctest.testmod(library)
    assert result.attempted >= 30
    assert result.failed == 0


def test_examples_in_the_documentation() -> None:
    result = doctest.testfile(str(ROOT / "docs/library.md"), module_relative=False, encoding="utf-8")
    assert result.attempted >= 15
    assert result.failed == 0


def test_the_documentation_lists_every_function() -> None:
    page = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    assert [name for name in seedbed.__all__ if f"`{name}(" not in page] == []


@pytest.mark.parametrize("regions", ["bg0.20-fg0.60", "alpha4-24"])
def test_confident_regions_with_and_without_a_crf(photograph: np.ndarray, regions: str) -> None:
    cams, parameters = two_cams(), CRF_PRESETS["psa"]
    if regions.startswith("bg"):
        plain = threshold_regions(cams, [3, 7], 0.2, 0.6)
        sharp = threshold_regions(cams, [3, 7], 0.2, 0.6, label_refiner(photograph, parameters))
    else:
        plain = alpha_regions(cams, [3, 7], 4.0, 24.0)
        sharp = alpha_regions(cams, [3, 7], 4.0, 24.0, score_refiner(photograph, parameters))
    assert (plain != sharp).any()
    assert np.array_equal(seedbed.confident_regions(cams, regions, [3, 7]), plain)
    assert np.array_equal(
        seedbed.confident_regions(cams, regions, [3, 7], image=photograph, preset="psa"), sharp
    )


def test_confident_regions_of_an_image_without_classes(photograph: np.ndarray) -> None:
    found = seedbed.confident_regions(np.zeros((0, 12, 16), np.float32), image=photograph)
    assert found.dtype == np.uint8
    assert not found.any()


def test_crf_labels_by_name_and_by_parameters(photograph: np.ndarray) -> None:
    labels = two_cams().argmax(0)
    expected = label_refiner(photograph, CrfParameters(iterations=1, label_confidence=0.9))(labels, 2)
    assert (expected != labels).any()
    for preset in ("pnoc-pseudo", CRF_PRESETS["pnoc-pseudo"]):
        assert np.array_equal(seedbed.crf_labels(photograph, labels, 2, preset), expected)
    assert np.array_equal(seedbed.crf_labels(photograph, labels.astype(np.uint8), 2, preset), expected)


def test_random_walk_passes_its_arguments_on() -> None:
    scores, affinity = two_cams(), np.random.default_rng(2).random((2, 12, 16), dtype=np.float32)
    offsets = np.array([[0, 1], [1, -1]])
    arguments = {"beta": 3.0, "steps": 9, "method": "power", "products": 5}
    result = seedbed.random_walk(scores, affinity, list(map(tuple, offsets.tolist())), **arguments)
    assert np.array_equal(result, walk(scores, affinity, ((0, 1), (1, -1)), **arguments))


def test_label_maps_are_pooled_over_images() -> None:
    rng = np.random.default_rng(3)
    truth = rng.choice([0, 1, 2, 255], (3, 4, 5)).astype(np.uint8)
    found = rng.choice([0, 1, 2, 255], (3, 4, 5)).astype(np.uint8)
    after = np.where(rng.random((3, 4, 5)) < 0.5, found, 1).astype(np.uint8)
    wide = [one.reshape(12, 5) for one in (truth, found, after)]
    for stacked in ([truth, found, after], [list(one) for one in (truth, found, after)]):
        assert np.array_equal(seedbed.confusion(*stacked[:2], 3), seedbed.confusion(*wide[:2], 3))
        assert seedbed.npr(stacked[1]) == seedbed.npr(wide[1]) == (found == 255).mean()
        assert seedbed.pqs(*stacked[:2], 3) == seedbed.pqs(*wide[:2], 3)
        assert seedbed.tecm(*stacked[1:]) == seedbed.tecm(*wide[1:])
    apart = [seedbed.confusion(t, f, 3) for t, f in zip(truth, found, strict=True)]
    assert np.array_equal(sum(apart), seedbed.confusion(truth, found, 3))


@pytest.mark.parametrize("variant", TECM_VARIANTS)
def test_tecm_counts_what_neutral_pixels_became(variant: str) -> None:
    initial = np.array([[255, 255, 255, 255, 255, 0, 2, 1]], np.uint8)
    refined = np.array([[255, 0, 3, 1, 2, 255, 255, 0]], np.uint8)  # N-to-B 1, N-to-F 3; 5 → 3 of 8 neutral
    expected = tecm_of_numbers(5 / 8, 3 / 8, 1, 3, variant)
    assert seedbed.tecm(initial, refined, variant) == expected


def test_otsu_pools_images_of_different_sizes() -> None:
    rng = np.random.default_rng(4)
    images = [rng.beta(2, 5, (6, 7)).astype(np.float32), rng.beta(5, 2, (3, 9)).astype(np.float32)]
    pooled = np.concatenate([image.ravel() for image in images])
    assert seedbed.otsu(images) == seedbed.otsu(pooled) == otsu_threshold(score_histogram(pooled))


IMAGE = np.zeros((4, 5, 3), np.uint8)
LABELS = np.zeros((4, 5), np.int64)
CAMS = np.zeros((2, 4, 5), np.float32)
MASK = np.zeros((4, 5), np.uint8)
PAIRS = [(0, 1), (1, 0)]


def changed(array: np.ndarray, value: float) -> np.ndarray:
    array = array.copy()
    array.flat[3] = value
    return array


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        # what is not an array, or is one of another type
        ("normalise", ([[[0.0]]],), "expected cams as a numpy array of float32, .classes, height, width., got list"),
        ("normalise", (CAMS.astype(np.float64),), r"got float64 of shape \(2, 4, 5\); convert it with .astype"),
        ("confident_regions", (CAMS.astype(np.float16),), "expected cams .* got float16"),
        ("crf_labels", (IMAGE / 255, LABELS, 2), "of uint8, .*0 to 255, got float64.* multiply values in"),
        ("crf_labels", (IMAGE.astype(np.int64), LABELS, 2), "got int64 of shape .* convert them with"),
        ("crf_labels", ("cat.jpg", LABELS, 2), "expected image .* got str; convert it with np.asarray"),
        ("crf_labels", (IMAGE, LABELS.astype(float), 2), "expected labels as a numpy array of integer.* got float64"),
        ("random_walk", (CAMS, CAMS.astype(np.float64), PAIRS), "expected affinity .*float32.* got float64"),
        ("otsu", (CAMS.astype(np.float64),), "expected scores as a numpy array of float32, got float64"),
        ("confusion", (MASK.astype(np.int64), MASK, 2), "expected truth .*uint8, .height, width., got int64"),
        ("confusion", (MASK, MASK > 0, 2), "expected prediction .* got bool"),
        ("npr", ([MASK, MASK.astype(float)],), "expected label_maps .* got float64"),
        ("npr", ("mask.png",), "a numpy array or a list of them, got str"),
        ("group_scores", (np.arange(21),), "expected class_iou as a numpy array of floating, .classes., got int64"),
        # rank
        ("normalise", (CAMS[0],), r"expected cams .* got float32 of shape \(4, 5\)"),
        ("confident_regions", (CAMS[None],), r"got float32 of shape \(1, 2, 4, 5\)"),
        ("crf_labels", (IMAGE[..., 0], LABELS, 2), r"got uint8 of shape \(4, 5\); open it as RGB"),
        ("crf_labels", (np.zeros((4, 5, 4), np.uint8), LABELS, 2), r"shape \(4, 5, 4\); open it as RGB"),
        ("crf_labels", (IMAGE, LABELS[0], 2), r"expected labels .*height, width.*shape \(5,\)"),
        ("random_walk", (CAMS, CAMS[0], PAIRS), r"expected affinity .*offsets, height, width.* shape \(4, 5\)"),
        ("tecm", (MASK[0], MASK[0]), r"expected initial .* got uint8 of shape \(5,\)"),
        # sizes
        ("normalise", (CAMS[:, :0],), r"expected cams with pixels, got shape \(2, 0, 5\)"),
        ("crf_labels", (IMAGE[:3], LABELS, 2), r"expected image of height and width \(4, 5\), got \(3, 5\)"),
        ("crf_labels", (IMAGE[:0], LABELS[:0], 2), r"got uint8 of shape \(0, 5, 3\)"),
        ("random_walk", (CAMS, CAMS[:1], PAIRS), r"expected affinities of shape \(2, 4, 5\).* got \(1, 4, 5\)"),
        ("confusion", (MASK, MASK.T, 2), r"of one size, got \(4, 5\) and \(5, 4\) at map 0"),
        ("pqs", ([MASK, MASK], [MASK], 2), "as many label maps in truth as in regions|got 2 and 1"),
        ("tecm", ([MASK, MASK], [MASK, MASK.T]), "initial and refined of one size, .* at map 1"),
        ("npr", ([],), "got an empty one"),
        ("npr", (MASK[:0],), "total > 0"),
        ("group_scores", (np.zeros(5),), "expected background and 20 classes, 21 values; got 5"),
        # values
        ("normalise", (changed(CAMS, np.nan),), "expected finite cams, got NaN or infinity"),
        ("confident_regions", (changed(CAMS, np.nan),), "expected finite cams"),
        ("confident_regions", (changed(CAMS, 1.5),), r"expected cams in \[0, 1\], got 0 to 1.5; normalise them"),
        ("confident_regions", (CAMS, "bg0.40-fg0.10"), "did you mean bg0.10-fg0.40"),
        ("confident_regions", (CAMS, "0.1,0.4"), "expected regions like 'bg0.10-fg0.40'"),
        ("confident_regions", (CAMS, "alpha4-24", [1]), r"2 different whole numbers from 0, one per map, got \[1\]"),
        ("confident_regions", (CAMS, "alpha4-24", [-1, 0]), r"from 0, one per map, got \[-1, 0\]"),
        ("confident_regions", (CAMS, "alpha4-24", [3, 3]), r"2 different whole numbers .* got \[3, 3\]"),
        ("confident_regions", (CAMS, "alpha4-24", [0.5, 1]), r"whole numbers .* got \[0.5, 1\]"),
        ("confident_regions", (CAMS, "alpha4-24", 3), "whole numbers .* got 3"),
        ("confident_regions", (CAMS, (0.1, 0.4)), r"like bg0.10-fg0.40 or alpha4-24, got \(0.1, 0.4\)"),
        ("crf_labels", (IMAGE, LABELS, "2"), "expected n_labels as a whole number of at least 2, got '2'"),
        ("crf_labels", (IMAGE, LABELS, 2, []), r"expected a CRF preset's name or CrfParameters, got \[\]"),
        ("crf_labels", (changed(IMAGE, 1), LABELS, 2), "got values up to 1; multiply by 255"),
        ("crf_labels", (IMAGE.transpose(2, 0, 1), LABELS, 2), r"shape \(3, 4, 5\); put the channels last"),
        ("random_walk", (CAMS, CAMS, [(0.6, 1.9), (1, 0)]), "expected offsets as pairs"),
        ("crf_labels", (IMAGE, changed(LABELS, 2), 2), "expected labels in 0…1, got 0…2"),
        ("crf_labels", (IMAGE, changed(LABELS, 255), 2), "expected labels in 0…1, got 0…255"),
        ("random_walk", (changed(CAMS, np.inf), CAMS, PAIRS), "expected finite scores"),
        ("random_walk", (CAMS, changed(CAMS, -1), PAIRS), "expected finite affinities of at least 0"),
        ("random_walk", (CAMS, CAMS, [(0, 1), (0, -1)]), "half plane"),
        ("random_walk", (CAMS, CAMS, [0, 1]), r"expected offsets as pairs \(dy, dx\), got \[0, 1\]"),
        ("otsu", (changed(CAMS, np.nan),), "expected finite scores, got NaN"),
        ("otsu", (CAMS, 2.5), "expected bins as a whole number of at least 2, got 2.5"),
        ("confusion", (MASK, MASK, ["a", "b"]), "expected classes as a whole number of at least 1"),
        ("pqs", (MASK, changed(MASK, 9), 2), "expected regions from 0 to 1, or 255, got 9"),
        ("otsu", (CAMS,), "at least 2 bins of the histogram, got 1"),
        ("confusion", (changed(MASK, 7), MASK, 2), "truth holds the value 7 in 1 pixels; expected 0 to 1, or 255"),
        ("confusion", (MASK, MASK, 256), "expected 1 to 255 classes"),
        ("pqs", (MASK, np.full_like(MASK, 255), 2), "expected pixels with a label in both"),
        # names
        ("normalise", (CAMS, "minmax"), r"unknown normalisation 'minmax'; did you mean min_max"),
        ("crf_labels", (IMAGE, LABELS, 2, "puzle"), r"unknown CRF preset 'puzle'; did you mean puzzle-pseudo\?"),
        ("crf_labels", (IMAGE, LABELS, 2, "irn", "permutoedral"), "unknown CRF engine .* permutohedral"),
        ("tecm", (MASK, MASK, "equation4"), r"unknown TECM variant 'equation4'; did you mean equation-4\?"),
        ("group_scores", (np.zeros(2), ["dogs"]), "unknown class of PASCAL VOC 'dogs'; did you mean dog"),
    ],
)  # fmt: skip
def test_refused_in_one_line(name: str, arguments: tuple[object, ...], message: str) -> None:
    # Unwrapped, since the tests' type checker stands before the function.
    function = inspect.unwrap(getattr(library, name))
    with pytest.raises(ValueError, match=message) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)


def test_unknown_presets_are_refused_without_an_image_too() -> None:
    with pytest.raises(ValueError, match="unknown CRF preset 'irnn'; did you mean irn"):
        seedbed.confident_regions(CAMS, preset="irnn")


def test_unknown_walk_methods_are_answered_with_near_names() -> None:
    with pytest.raises(ValueError, match=r"unknown walk method 'chebishev'; did you mean chebyshev\?"):
        inspect.unwrap(library.random_walk)(CAMS, CAMS, PAIRS, method="chebishev")


def test_checks_return_what_they_let_pass() -> None:
    assert library_checks.scores("cams", CAMS) is CAMS
    assert library_checks.crf_preset("irn") == CRF_PRESETS["irn"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": "8"}, "expected beta as a finite number above 0, got '8'"),
        ({"beta": np.nan}, "expected beta as a finite number above 0, got nan"),
        ({"steps": 1.5}, "expected steps as a whole number of at least 0, got 1.5"),
        ({"products": None}, "expected products as a whole number of at least 1, got None"),
        ({"device": "gpu"}, "expected a device that torch can use here, got 'gpu'"),
    ],
)
def test_options_of_the_walk_are_refused_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        inspect.unwrap(library.random_walk)(CAMS, CAMS, PAIRS, **options)
    assert "\n" not in str(caught.value)
