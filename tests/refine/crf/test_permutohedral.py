"""Our own CRF engine against pydensecrf on photographs, and what its short cuts must not change."""

import importlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.transform import resize

from machine import lacking
from seedbed.refine.crf.dense_crf import CRF_PRESETS, CrfParameters, DenseCrf, unary_from_labels
from seedbed.refine.crf.permutohedral import _WIDTHS, _kept_spatial_kernel

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")


def photograph(name: str, size: tuple[int, int]) -> np.ndarray:
    image = resize(getattr(data, name)(), size, preserve_range=True, anti_aliasing=True)
    return np.asarray(image, np.uint8)


def blob_labels(labels: int, size: tuple[int, int], thresholds: int = 1, seed: int = 0) -> np.ndarray:
    """Smooth regions, of which the first shrinks from threshold to threshold."""
    rng = np.random.default_rng(seed)
    scores = np.stack([gaussian_filter(rng.normal(size=size), 12) for _ in range(labels)])
    scores /= scores.std()
    return np.stack([np.argmax([scores[0] - 0.2 * t, *scores[1:]], axis=0) for t in range(thresholds)])


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize(
    ("preset", "labels"), [("irn", 2), ("irn", 4), ("psa", 3), ("pnoc-pseudo", 2), ("deeplab-v2", 21)]
)
def test_agrees_with_pydensecrf_on_photographs(name: str, preset: str, labels: int) -> None:
    try:
        importlib.import_module("pydensecrf.densecrf")
    except ImportError:
        lacking("pydensecrf2 is not installed (extra crf)")
    size = (300, 400)
    image, parameters = photograph(name, size), CRF_PRESETS[preset]
    unaries = unary_from_labels(blob_labels(labels, size), labels, parameters.label_confidence)
    expected = DenseCrf(image, parameters, "pydensecrf").marginals(unaries)
    marginals = DenseCrf(image, parameters, "permutohedral").marginals(unaries)
    np.testing.assert_allclose(marginals, expected, atol=3e-3)
    # At most 1e-5 of the pixels, here 1, may fall on the other side of a tie.
    assert (marginals.argmax(1) != expected.argmax(1)).sum() <= 1


@pytest.mark.parametrize("labels", [2, 3, 4, 9, 12])
def test_thresholds_together_equal_thresholds_one_by_one(labels: int) -> None:
    """17 thresholds fill more than one block of channels, and the last block only in part."""
    size = (40, 60)
    unaries = unary_from_labels(blob_labels(labels, size, thresholds=17), labels, 0.7)
    crf = DenseCrf(photograph("coffee", size), CRF_PRESETS["irn"])
    together = crf.marginals(unaries)
    for threshold in (0, 7, 8, 16):
        alone = crf.marginals(unaries[threshold : threshold + 1])[0]
        np.testing.assert_allclose(together[threshold], alone, atol=1e-4)


@pytest.mark.parametrize("labels", [3, 9, 12])
def test_the_order_of_labels_means_nothing(labels: int) -> None:
    """The last label is not filtered but inferred from the others; it must not show."""
    size = (40, 60)
    image = photograph("astronaut", size)
    crf = DenseCrf(image, CRF_PRESETS["irn"])
    unaries = unary_from_labels(blob_labels(labels, size), labels, 0.7)
    order = np.roll(np.arange(labels), 2)
    np.testing.assert_allclose(crf.marginals(unaries[:, order]), crf.marginals(unaries)[:, order], atol=1e-4)


@pytest.mark.parametrize("width", _WIDTHS)
def test_every_compiled_width_gives_the_same(width: int) -> None:
    size = (20, 30)
    crf = DenseCrf(photograph("rocket", size), CRF_PRESETS["psa"])
    unaries = unary_from_labels(blob_labels(2, size, thresholds=max(_WIDTHS)), 2, 0.7)
    np.testing.assert_allclose(crf.marginals(unaries[:width]), crf.marginals(unaries)[:width], atol=1e-4)


def test_bytes_do_not_depend_on_threads_or_order() -> None:
    size = (60, 80)
    images = [photograph(name, size) for name in PHOTOGRAPHS]
    unaries = unary_from_labels(blob_labels(3, size, thresholds=3), 3, 0.7)

    def run(image: np.ndarray) -> bytes:
        return DenseCrf(image, CRF_PRESETS["irn"]).marginals(unaries).tobytes()

    serial = [run(image) for image in images]
    _kept_spatial_kernel.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, images[::-1] * 3)) == serial[::-1] * 3


def test_spatial_lattice_is_shared_by_images_of_a_size() -> None:
    _kept_spatial_kernel.cache_clear()
    for name in PHOTOGRAPHS:
        DenseCrf(photograph(name, (20, 30)), CRF_PRESETS["irn"])
    assert (_kept_spatial_kernel.cache_info().misses, _kept_spatial_kernel.cache_info().hits) == (1, 3)


def test_too_narrow_a_kernel_is_refused() -> None:
    image = photograph("coffee", (20, 30))
    with pytest.raises(ValueError, match="the kernel is too narrow for this image"):
        DenseCrf(image, CrfParameters(bilateral_srgb=0.1))
