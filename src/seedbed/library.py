"""The functions that a notebook needs: numpy arrays in and out, checked before anything is computed.

`from seedbed import crf_labels` imports them. They wrap `seedbed.cam`, `seedbed.refine` and `seedbed.metrics`, whose
modules have the formulas and what goes further. Sizes: C classes, K = C + 1 with background, H × W pixels of an image,
h × w cells of a grid. Label maps hold 0 for background, c + 1 for class c, and 255 for pixels without a label. Where
label maps are expected, one map, a list of maps of different sizes or an N × H × W array may be given; their pixels
are pooled.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from seedbed import library_checks as check
from seedbed.cam import normalisation
from seedbed.cam import otsu as otsu_method
from seedbed.cam.thresholds import Regions
from seedbed.labels import IGNORE
from seedbed.library_checks import LabelMaps
from seedbed.metrics import class_groups, threshold_quality
from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.segmentation import mean_iou
from seedbed.refine.confident_regions import RefineLabels, RefineScores, alpha_regions, threshold_regions
from seedbed.refine.crf.parameters import CrfParameters


def normalise(
    cams: np.ndarray, form: Literal["max", "puzzle", "min_max", "global_max"] = "max"
) -> Float32[np.ndarray, "C h w"]:
    """Class activation maps to scores ψ in [0, 1] (Ahn & Kwak 2018, §3.1: ReLU(A) / (max + 1e-5) of each map).

    Args:
        cams: float32, C × h × w; one map per class, before or after ReLU.
        form: `max` (PSA, IRN and most others), `puzzle` (Puzzle-CAM, OC-CSE, P-NOC), `min_max` (SEAM), or
            `global_max` (one maximum for all classes: IRN's form for refined CAMs).

    Returns:
        float32 of the same shape.

    Raises:
        ValueError: an array of another type or rank, NaN or infinity, or an unknown form.

    Examples:
        >>> import numpy as np
        >>> from seedbed import normalise
        >>> normalise(np.array([[[-1.0, 2.0, 4.0]]], np.float32)).round(2).tolist()
        [[[0.0, 0.5, 1.0]]]
    """
    check.maps("cams", cams)
    return normalisation.normalise(cams, form)


def confident_regions(
    cams: np.ndarray,
    regions: str = "bg0.10-fg0.40",
    class_ids: Sequence[int] | None = None,
    *,
    image: np.ndarray | None = None,
    preset: str | CrfParameters = "irn",
    engine: str = "permutohedral",
) -> UInt8[np.ndarray, "H W"]:
    """Where the CAMs of an image can be trusted: a label map whose other pixels are 255.

    `bg0.10-fg0.40` means background where the largest score is at most 0.10 and the class of the largest score where
    that is at least 0.40 (Ahn, Cho & Kwak 2019, §4.1). `alpha4-24` uses the background scores (1 − max ψ)^4 and
    (1 − max ψ)^24 (Ahn & Kwak 2018, §3.2). With the photograph, a dense CRF refines each of the two maps.

    Args:
        cams: float32 in [0, 1], C × H × W; scores of the classes that the image shows, as `normalise` returns them.
        regions: two thresholds or two alphas, as above.
        class_ids: index of each class in the data set, from 0; None for 0 … C − 1.
        image: uint8, H × W × 3, the photograph (RGB); None leaves out the CRF.
        preset: setting of the CRF, a name of `CRF_PRESETS` ("irn", "psa", …) or `CrfParameters`.
        engine: "permutohedral", or "pydensecrf" if that is installed.

    Returns:
        uint8, H × W.

    Raises:
        ValueError: an array of another type, rank or size, scores outside [0, 1], an unknown preset or engine, regions
            in another form or order, or class ids that do not fit.

    Examples:
        >>> import numpy as np
        >>> from seedbed import confident_regions
        >>> cams = np.array([[[0.05, 0.2, 0.9]], [[0.05, 0.3, 0.1]]], np.float32)
        >>> confident_regions(cams, "bg0.10-fg0.40", class_ids=[14, 2]).tolist()
        [[0, 255, 15]]
    """
    check.scores("cams", cams)
    if not isinstance(regions, str):
        raise ValueError(
            f"expected regions like bg0.10-fg0.40 or alpha4-24, got {regions!r}; give them as text"
        )
    setting = Regions.parse(regions)
    parameters = check.crf_preset(preset)
    ids = range(len(cams)) if class_ids is None else check.class_ids(class_ids, len(cams))
    by_label: RefineLabels | None = None
    by_score: RefineScores | None = None
    if image is not None:
        check.image("image", image, cams.shape[1:])
        from seedbed.refine.crf.refiners import label_refiner, score_refiner

        if setting.kind == "thresholds":
            by_label = label_refiner(image, parameters, engine)
        else:
            by_score = score_refiner(image, parameters, engine)
    if setting.kind == "thresholds":
        return threshold_regions(cams, ids, setting.low, setting.high, by_label)
    return alpha_regions(cams, ids, setting.low, setting.high, by_score)


def crf_labels(
    image: np.ndarray,
    labels: np.ndarray,
    n_labels: int,
    preset: str | CrfParameters = "irn",
    engine: str = "permutohedral",
) -> Int64[np.ndarray, "H W"]:
    """Hard labels refined to the edges of a photograph by the dense CRF (Krähenbühl & Koltun 2011, Algorithm 1).

    Args:
        image: uint8, H × W × 3, the photograph (RGB, 0 to 255).
        labels: integers, H × W, from 0 to n_labels − 1: 0 background, k the k-th class that the image shows.
        n_labels: number of labels, including background.
        preset: a name of `CRF_PRESETS` ("irn", "psa", "deeplab-v2", …) or `CrfParameters`.
        engine: "permutohedral", or "pydensecrf" if that is installed.

    Returns:
        int64, H × W: the most probable label of each pixel.

    Raises:
        ValueError: an array of another type, rank or size, labels out of range, an unknown preset or engine.

    Examples:
        One wrong pixel in the dark half of an image:

        >>> import numpy as np
        >>> from seedbed import crf_labels
        >>> image = np.zeros((4, 6, 3), np.uint8)
        >>> image[:, 3:] = 255
        >>> labels = np.array([[0, 0, 0, 1, 1, 1]] * 4)
        >>> labels[1, 1] = 1
        >>> crf_labels(image, labels, n_labels=2, preset="irn")[1].tolist()
        [0, 0, 0, 1, 1, 1]
    """
    check.array("labels", labels, np.integer, "height, width", "convert it with .astype(np.int64)")
    check.image("image", image, labels.shape)
    n_labels = check.count("n_labels", n_labels, 2)
    parameters = check.crf_preset(preset)
    from seedbed.refine.crf.refiners import label_refiner

    return label_refiner(image, parameters, engine)(labels, n_labels)


def random_walk(
    scores: np.ndarray,
    affinity: np.ndarray,
    offsets: Sequence[tuple[int, int]],
    *,
    beta: float = 8.0,
    steps: int = 256,
    method: Literal["chebyshev", "power"] = "chebyshev",
    products: int = 84,
    device: str = "cpu",
) -> Float32[np.ndarray, "C h w"]:
    """Scores spread along pixel affinities by a random walk (Ahn & Kwak 2018, §3.3, eq. 4 and 5).

    Args:
        scores: float32, C × h × w; one map per class.
        affinity: float32, n × h × w, at least 0; affinity[k, y, x] belongs to the pixels (y, x) and (y + dy, x + dx) of
            the k-th offset. Entries whose second pixel lies outside the grid are not read.
        offsets: n pairs (dy, dx) with dy > 0, or dy = 0 < dx.
        beta: power of the affinities; PSA 8, IRN 10.
        steps: number of transitions; 256 is PSA's `logt` 8 and IRN's `exp_times` 8.
        method: "chebyshev", or "power", the slower reference.
        products: products with the transition matrix that "chebyshev" may take.
        device: "cpu", or a device of torch such as "cuda".

    Returns:
        float32, C × h × w.

    Raises:
        ValueError: an array of another type, rank or size, NaN or infinity, negative affinities, offsets or numbers
            that do not fit, or an unknown method.

    Examples:
        An affinity of 0.5 to the power 2 beside a self-loop of 1 moves a fifth of the score per step:

        >>> import numpy as np
        >>> from seedbed import random_walk
        >>> scores = np.array([[[1.0, 0.0]]], np.float32)
        >>> affinity = np.full((1, 1, 2), 0.5, np.float32)
        >>> random_walk(scores, affinity, [(0, 1)], beta=2.0, steps=1)
        array([[[0.8, 0.2]]], dtype=float32)
    """
    check.maps("scores", scores)
    check.array("affinity", affinity, np.float32, "offsets, height, width", check.TO_FLOAT32)
    pairs = check.offsets(offsets)
    beta, steps = check.positive("beta", beta), check.count("steps", steps, 0)
    products = check.count("products", products)
    if device != "cpu":
        check.torch_device(device)
    from seedbed.refine.random_walk import walk

    return walk(
        scores, affinity, pairs, beta=beta, steps=steps, method=method, products=products, device=device
    )


def otsu(scores: np.ndarray | Sequence[np.ndarray], bins: int = 256) -> float:
    """Otsu's threshold of scores pooled over all images, a background score that needs no mask (Otsu 1979, eq. 14).

    Args:
        scores: float32 in [0, 1], of any shape, or a list of such arrays; for CAMs, `cams.max(axis=0)` of each image.
        bins: bins of the pooled histogram.

    Returns:
        The centre of the last bin of the lower class.

    Raises:
        ValueError: an array of another type, scores outside [0, 1], or all scores in one bin.

    Examples:
        >>> import numpy as np
        >>> from seedbed import otsu
        >>> images = [np.array([[0.1, 0.2], [0.1, 0.8]], np.float32), np.array([[0.9, 0.8]], np.float32)]
        >>> otsu(images, bins=10)
        0.25
    """
    bins = check.count("bins", bins, 2)
    histograms = [
        otsu_method.score_histogram(check.fractions("scores", one), bins)
        for one in check.several("scores", scores)
    ]
    return otsu_method.otsu_threshold(np.sum(histograms, axis=0))


def confusion(truth: LabelMaps, prediction: LabelMaps, classes: int) -> Int64[np.ndarray, "K K+1"]:
    """Pixels by true class (rows) and predicted class (columns; the last one holds neutral predictions).

    `seedbed.metrics.segmentation` computes every score from such counts, for instance `mean_iou(counts)`. Counts of
    images add up.

    Args:
        truth: uint8 label map(s); pixels of 255 are not counted.
        prediction: uint8 label map(s) of the same sizes; 255 for neutral pixels.
        classes: K, the number of classes including background.

    Returns:
        int64, K × (K + 1).

    Raises:
        ValueError: an array of another type, rank or size, or a value that is neither a class nor 255.

    Examples:
        >>> import numpy as np
        >>> from seedbed import confusion
        >>> truth = np.array([[0, 1, 1, 255]], np.uint8)
        >>> confusion(truth, np.array([[0, 1, 255, 0]], np.uint8), classes=2).tolist()
        [[1, 0, 0], [0, 1, 1]]
    """
    classes = check.count("classes", classes)
    pairs = check.paired_label_maps("truth", truth, "prediction", prediction)
    return np.asarray(np.sum([confusion_counts(*pair, classes) for pair in pairs], axis=0))


def npr(label_maps: LabelMaps) -> float:
    """Neutral pixel ratio: the share of pixels that are 255 (Tezcan & Cinbis, eq. 3).

    Args:
        label_maps: uint8 label map(s), for instance confident regions.

    Raises:
        ValueError: an array of another type or rank, or no pixels.

    Examples:
        >>> import numpy as np
        >>> from seedbed import npr
        >>> npr(np.array([[0, 255, 3, 1]], np.uint8))
        0.25
    """
    maps = check.label_maps("label_maps", label_maps)
    neutral = sum(int((one == IGNORE).sum()) for one in maps)
    return threshold_quality.neutral_pixel_ratio(neutral, sum(one.size for one in maps))


def pqs(truth: LabelMaps, regions: LabelMaps, classes: int) -> float:
    """Pseudolabel quality score: mean IoU without neutral pixels × (1 − NPR) (Tezcan & Cinbis, eq. 1).

    Args:
        truth: uint8 label map(s): the true masks.
        regions: uint8 label map(s) of the same sizes: confident regions or pseudo masks.
        classes: K, the number of classes including background.

    Returns:
        A fraction; the paper prints per cent.

    Raises:
        ValueError: as `confusion`; or no pixel that has a label in both.

    Examples:
        Two of four pixels are neutral, the others right: 1 · (1 − 1/2).

        >>> import numpy as np
        >>> from seedbed import pqs
        >>> pqs(np.array([[0, 1, 1, 0]], np.uint8), np.array([[0, 1, 255, 255]], np.uint8), classes=2)
        0.5
    """
    classes = check.count("classes", classes)
    for _, one in check.paired_label_maps("truth", truth, "regions", regions):
        check.labels("regions", one, classes)
    counts = confusion(truth, regions, classes)
    if not counts[:, :-1].any():
        raise ValueError("expected pixels with a label in both truth and regions, got none; check both")
    return threshold_quality.pqs(mean_iou(counts), npr(regions))


def tecm(initial: LabelMaps, refined: LabelMaps, variant: str = "equation-4") -> float:
    """Threshold evaluation consistency metric of one pair of thresholds, in [0, 2] (Tezcan & Cinbis, §3.3).

    It needs no masks: the drop of the NPR by refinement × the balance of what became background and foreground.

    Args:
        initial: uint8 label map(s) of the initial CAMs under the pair, 255 neutral.
        refined: uint8 label map(s) of the refined CAMs under the same pair, of the same sizes.
        variant: "equation-4", or "printed", which the paper's Table 2 follows.

    Raises:
        ValueError: an array of another type, rank or size, no pixels, or an unknown variant.

    Examples:
        Three of four pixels are neutral before and one after; one became background and one foreground, which is
        balanced: 1 + (3/4 − 1/4) / (3/4).

        >>> import numpy as np
        >>> from seedbed import tecm
        >>> initial = np.array([[255, 255, 255, 1]], np.uint8)
        >>> round(tecm(initial, np.array([[0, 1, 255, 1]], np.uint8)), 3)
        1.667
    """
    pairs = check.paired_label_maps("initial", initial, "refined", refined)
    became = np.concatenate([after[before == IGNORE] for before, after in pairs])
    to_background = int((became == 0).sum())
    to_foreground = int(((became != 0) & (became != IGNORE)).sum())
    return threshold_quality.tecm(npr(initial), npr(refined), to_background, to_foreground, variant)


def group_scores(class_iou: np.ndarray, classes: Sequence[str] = class_groups.VOC_CLASSES) -> dict[str, Any]:
    """Means of PASCAL VOC's classes grouped by occurrence, size and what they appear with (P-NOC, Table 3).

    Args:
        class_iou: K floats, background first; NaN for absent classes.
        classes: the K − 1 foreground classes in this order; a subset of VOC's.

    Returns:
        `overall_mean`, `overall_std`, and for each of `occurrence`, `size` and `group` the mean of each group; None
        if no class remains.

    Raises:
        ValueError: an array of another type or rank, a wrong number of values, or a class that is not one of VOC's.

    Examples:
        >>> import numpy as np
        >>> from seedbed import group_scores
        >>> group_scores(np.array([0.9, 0.5, 0.7]), ("dog", "horse"))["group"]["animal"]
        0.6
    """
    check.array("class_iou", class_iou, np.floating, "classes", "convert it with .astype(np.float64)")
    return class_groups.group_scores(class_iou, classes)
