"""Parameters, unaries, errors and edge cases of the dense CRF; its values against an exact mean field."""

import importlib
import re
import sys

import numpy as np
import pytest
from scipy.special import softmax

from machine import lacking
from seedbed.refine.crf.dense_crf import (
    CRF_PRESETS,
    ENGINES,
    CrfParameters,
    DenseCrf,
    unary_from_labels,
    unary_from_softmax,
)
from seedbed.refine.crf.refiners import label_refiner, score_refiner

# reference: spatial sxy and compat, bilateral sxy, srgb and compat, iterations, confidence of labels.
PUBLISHED = {
    "psa": (3.0, 3.0, 80.0, 13.0, 10.0, 10, 0.7),
    "irn": (3.0, 3.0, 50.0, 5.0, 10.0, 10, 0.7),
    "wseg-affinity": (3.0, 3.0, 80.0, 13.0, 10.0, 10, 0.7),
    "puzzle-pseudo": (3.0, 3.0, 50.0, 5.0, 10.0, 1, 0.7),
    "pnoc-pseudo": (3.0, 3.0, 50.0, 5.0, 10.0, 1, 0.9),
    "pnoc-c2am": (3.0, 3.0, 50.0, 5.0, 10.0, 10, 0.7),
    "puzzle-segmentation": (3.0, 3.0, 80.0, 13.0, 10.0, 10, 0.7),
    "pnoc-segmentation": (1.0, 3.0, 67.0, 3.0, 4.0, 10, 0.7),
    "deeplab-v2": (1.0, 3.0, 67.0, 3.0, 4.0, 10, 0.7),
    "wseg-segmentation": (3.0, 3.0, 32.0, 13.0, 10.0, 1, 0.7),
    "afa": (3.0, 3.0, 64.0, 5.0, 4.0, 10, 0.7),
}


def test_presets_are_the_published_settings() -> None:
    assert {name: CrfParameters(*values) for name, values in PUBLISHED.items()} == CRF_PRESETS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gaussian_sxy": 0.0}, "expected gaussian_sxy to be a finite width above 0, got 0.0"),
        ({"bilateral_srgb": float("nan")}, "expected bilateral_srgb to be a finite width above 0, got nan"),
        ({"bilateral_compat": -1.0}, "expected bilateral_compat to be finite and at least 0, got -1.0"),
        ({"iterations": -1}, "expected iterations to be at least 0, got -1"),
        ({"label_confidence": 1.0}, "expected label_confidence between 0 and 1, both excluded, got 1.0"),
    ],
)
def test_meaningless_parameters_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        CrfParameters(**changes)  # type: ignore[arg-type]


def test_unary_of_labels_by_hand() -> None:
    # −ln 0.7 = 0.356675; −ln (0.3 / 2) = 1.897120.
    unary = unary_from_labels(np.array([[0, 2]]), 3, 0.7)
    expected = [[[0.356675, 1.897120]], [[1.897120, 1.897120]], [[1.897120, 0.356675]]]
    np.testing.assert_allclose(unary, expected, rtol=1e-6)
    assert unary.dtype == np.float32


def test_unary_of_one_label_is_finite() -> None:
    np.testing.assert_allclose(unary_from_labels(np.zeros((2, 3), np.int64), 1, 0.7), 0.356675, rtol=1e-5)


def test_unary_of_labels_keeps_thresholds() -> None:
    labels = np.array([[[0, 1]], [[1, 1]]])
    unary = unary_from_labels(labels, 2, 0.9)
    assert unary.shape == (2, 2, 1, 2)
    np.testing.assert_array_equal(unary[1], unary_from_labels(labels[1], 2, 0.9))


def test_unary_of_softmax_by_hand() -> None:
    # −ln 0.5, −ln 1e-5 (clipped up), −ln 1 (clipped down: PSA's scores are not normalised).
    probabilities = np.array([0.5, 0.0, 2.0]).reshape(3, 1, 1)
    np.testing.assert_allclose(unary_from_softmax(probabilities).ravel(), [0.693147, 11.512925, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: unary_from_labels(np.array([[3]]), 3, 0.7), "expected labels in 0…2, got 3…3"),
        (lambda: unary_from_labels(np.array([[-1]]), 3, 0.7), "expected labels in 0…2, got -1…-1"),
        (lambda: unary_from_labels(np.array([[0]]), 0, 0.7), "expected n_labels to be at least 1, got 0"),
        (lambda: unary_from_labels(np.array([[0]]), 2, 0.0), "expected confidence between 0 and 1"),
        (
            lambda: unary_from_softmax(np.ones((1, 1, 1)), clip=0.0),
            "expected clip above 0 and at most 1, got 0.0",
        ),
    ],
)
def test_unusable_labels_and_scores_are_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()  # type: ignore[operator]


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "pydensecrf":
        try:
            importlib.import_module("pydensecrf.densecrf")
        except ImportError:
            lacking("pydensecrf2 is not installed (extra crf)")
    return str(request.param)


def marginals_of(image: np.ndarray, unary: np.ndarray, parameters: CrfParameters, engine: str) -> np.ndarray:
    return DenseCrf(image, parameters, engine).marginals(unary[None])[0]


def exact_mean_field(image: np.ndarray, unary: np.ndarray, p: CrfParameters) -> np.ndarray:
    """Krähenbühl & Koltun's Algorithm 1 over all pairs of pixels (a pixel with itself too), in float64."""
    K, H, W = unary.shape
    y, x = np.indices((H, W)).reshape(2, -1).astype(np.float64)
    colours = image.reshape(-1, 3).T / p.bilateral_srgb
    coupling = np.zeros((H * W, H * W))
    for compat, features in (
        (p.gaussian_compat, np.stack([x / p.gaussian_sxy, y / p.gaussian_sxy])),
        (p.bilateral_compat, np.stack([x / p.bilateral_sxy, y / p.bilateral_sxy, *colours])),
    ):
        kernel = np.exp(-0.5 * ((features[:, :, None] - features[:, None, :]) ** 2).sum(0))
        norm = 1 / np.sqrt(kernel.sum(1))
        coupling += compat * norm[:, None] * kernel * norm[None, :]
    energy = unary.reshape(K, -1).astype(np.float64)
    q = softmax(-energy, axis=0)
    for _ in range(p.iterations):
        q = softmax(q @ coupling - energy, axis=0)
    return q.reshape(K, H, W)


def two_regions(labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image with a slanted edge, and scores that follow it under noise."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((12, 16))
    right = x + 0.4 * y > 10
    image = np.where(right[..., None], [200, 120, 60], [60, 90, 150]) + rng.integers(-9, 10, (12, 16, 3))
    scores = rng.random((labels, 12, 16)) + 0.02
    scores[0] += right * 0.6
    scores[-1] += ~right * 0.6
    return image.astype(np.uint8), unary_from_softmax(scores / scores.sum(0))


@pytest.mark.parametrize("labels", [2, 3, 5, 12])
@pytest.mark.parametrize("iterations", [1, 10])
def test_agrees_with_exact_mean_field(engine: str, labels: int, iterations: int) -> None:
    parameters = CrfParameters(
        gaussian_sxy=3.0,
        gaussian_compat=1.0,
        bilateral_sxy=20.0,
        bilateral_srgb=13.0,
        bilateral_compat=2.0,
        iterations=iterations,
    )
    image, unary = two_regions(labels, seed=labels)
    expected = exact_mean_field(image, unary, parameters)
    marginals = marginals_of(image, unary, parameters, engine)
    # The lattice approximates the Gaussians to a few per cent. That is enough for every label, of which the
    # CRF changes at least 13 of 192 here.
    np.testing.assert_allclose(marginals, expected, atol=0.03)
    np.testing.assert_array_equal(marginals.argmax(0), expected.argmax(0))
    assert (unary.argmin(0) != expected.argmax(0)).sum() >= 13


def test_no_iteration_and_no_kernel_leave_the_softmax(engine: str) -> None:
    image, unary = two_regions(3, seed=1)
    expected = softmax(-unary, axis=0)
    for parameters in (
        CrfParameters(iterations=0),
        CrfParameters(gaussian_compat=0.0, bilateral_compat=0.0, iterations=2),
    ):
        np.testing.assert_allclose(marginals_of(image, unary, parameters, engine), expected, rtol=1e-4)


def test_extreme_energies_stay_finite(engine: str) -> None:
    image, unary = two_regions(3, seed=1)
    marginals = marginals_of(image, unary * np.float32(1e4), CRF_PRESETS["irn"], engine)
    assert np.isfinite(marginals).all()
    np.testing.assert_array_equal(marginals.argmax(0), unary.argmin(0))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (5, 5)])
@pytest.mark.parametrize("labels", [1, 2, 4])
def test_small_and_constant_images(engine: str, size: tuple[int, int], labels: int) -> None:
    image = np.full((*size, 3), 255, np.uint8)
    truth = np.full(size, labels - 1)
    assert (label_refiner(image, CRF_PRESETS["irn"], engine)(truth, labels) == labels - 1).all()
    marginals = marginals_of(image, unary_from_labels(truth, labels, 0.7), CRF_PRESETS["deeplab-v2"], engine)
    np.testing.assert_allclose(marginals.sum(0), 1, atol=1e-6)
    if labels == 1:
        np.testing.assert_array_equal(marginals, 1)


def test_no_threshold_gives_no_result(engine: str) -> None:
    image, unary = two_regions(2, seed=1)
    crf = DenseCrf(image, CRF_PRESETS["irn"], engine)
    assert crf.marginals(unary[None][:0]).shape == (0, 2, 12, 16)
    assert crf.labels(unary[None][:0]).shape == (0, 12, 16)


def test_labels_are_the_argmax_of_the_marginals(engine: str) -> None:
    image, _ = two_regions(2, seed=1)
    unaries = np.stack([two_regions(5, seed)[1] for seed in range(3)])
    crf = DenseCrf(image, CRF_PRESETS["afa"], engine)
    np.testing.assert_array_equal(crf.labels(unaries), crf.marginals(unaries).argmax(1))


def test_refiners_are_the_crf_of_labels_and_of_scores(engine: str) -> None:
    image, unary = two_regions(3, seed=1)
    crf, parameters = DenseCrf(image, CRF_PRESETS["pnoc-pseudo"], engine), CRF_PRESETS["pnoc-pseudo"]
    labels = unary.argmin(0)
    by_hand = crf.labels(unary_from_labels(labels, 3, 0.9)[None])[0]
    assert (by_hand != labels).any()
    np.testing.assert_array_equal(label_refiner(image, parameters, engine)(labels, 3), by_hand)
    scores = np.exp(-unary)
    by_hand = crf.marginals(unary_from_softmax(scores)[None])[0]
    np.testing.assert_array_equal(score_refiner(image, parameters, engine)(scores), by_hand)


def test_arrays_need_not_be_contiguous(engine: str) -> None:
    image, unary = two_regions(3, seed=1)
    expected = marginals_of(image, unary, CRF_PRESETS["irn"], engine)
    turned = marginals_of(np.asfortranarray(image), np.asfortranarray(unary), CRF_PRESETS["irn"], engine)
    np.testing.assert_array_equal(turned, expected)


def test_arrays_may_be_read_only(engine: str) -> None:
    image, unary = two_regions(3, seed=1)
    expected = marginals_of(image, unary, CRF_PRESETS["irn"], engine)
    image.setflags(write=False)
    unary.setflags(write=False)
    np.testing.assert_array_equal(marginals_of(image, unary, CRF_PRESETS["irn"], engine), expected)


def test_unknown_engine_is_answered_with_near_names() -> None:
    image, unary = two_regions(2, seed=1)
    with pytest.raises(ValueError, match=r"unknown CRF engine 'permutoedral'; did you mean permutohedral\?"):
        marginals_of(image, unary, CRF_PRESETS["irn"], engine="permutoedral")


def test_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(ValueError, match=r"^the CRF engine 'pydensecrf' needs pydensecrf2.*extra `crf`.*$"):
        DenseCrf(np.zeros((2, 2, 3), np.uint8), CRF_PRESETS["irn"], "pydensecrf")


@pytest.mark.parametrize(
    ("unaries", "message"),
    [
        (np.zeros((1, 2, 3, 4)), "expected unaries of the image's size (12, 16), got (3, 4)"),
        (np.zeros((1, 0, 12, 16)), "expected unaries of at least 1 label, got 0"),
        (np.full((1, 2, 12, 16), np.nan), "expected finite unaries, got NaN or infinity"),
        (np.full((1, 2, 12, 16), np.inf), "expected finite unaries, got NaN or infinity"),
    ],
)
def test_unusable_unaries_are_refused(unaries: np.ndarray, message: str) -> None:
    image, _ = two_regions(2, seed=1)
    with pytest.raises(ValueError, match=re.escape(message)):
        DenseCrf(image, CRF_PRESETS["irn"]).labels(unaries.astype(np.float32))


def test_empty_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected an image with pixels, got shape \(0, 4, 3\)"):
        DenseCrf(np.zeros((0, 4, 3), np.uint8), CRF_PRESETS["irn"])
