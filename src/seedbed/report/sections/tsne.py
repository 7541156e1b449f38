"""Maps by t-SNE of the images' pooled features, and of classifiers' class weights (SC-CAM, §4.4 and Fig. 6).

Features are those of `classify`, one vector per image in the first shard of each split. Class weights are the rows of
the layer that scores the features; with SC-CAM's the weights of its sub-categories are in the same map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float64

from seedbed.artifacts.label_maps import voc_palette
from seedbed.artifacts.models import MODEL
from seedbed.artifacts.safe_file import SafeFile
from seedbed.report.blocks import Block, Paragraph, Picture
from seedbed.report.figures import new_figure, styled
from seedbed.report.results import Node, at_lowest_rng
from seedbed.report.section import Page, Section

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLUMNS = ("owner", "rng", "regions", "node", "split", "of", "name", "classes", "x", "y")
FEATURES, WEIGHTS = "features", "class weights"
HEAD, SUBCATEGORY_HEAD = "head.weight", "subcategory_head.weight"
"""Tensors of a classifier's file."""
FEWEST = 5
"""Points of a map: of fewer, any arrangement is as good as another."""
MOST = 500
"""Images of a map, spread evenly over the first shard."""
PERPLEXITY = 30.0
MOST_NAMES, NAMES_BELOW = 60, 20
"""Classes in a legend, and below each other in it."""
GREY = "#999999"
NOTE = (
    "t-SNE: what is near in many dimensions is near here; distances between groups, their sizes and the axes mean "
    "nothing. Of several random seeds the lowest is shown. The perplexity is 30, or a third of the points if there are "
    "fewer than 91."
)


@dataclass(frozen=True)
class Cloud:
    """Vectors to be shown in one map.

    Attributes:
        of: `features` or `class weights`.
        names: of the points: ids of images; classes, or `class/number` of a sub-category.
        classes: indices of each point's classes.
        points: one vector per point.
    """

    node: Node
    split: str
    of: str
    names: tuple[str, ...]
    classes: tuple[tuple[int, ...], ...]
    points: Float[np.ndarray, "points channels"]

    @property
    def title(self) -> str:
        """What it is, in words."""
        where = f" on {self.split}" if self.split else ""
        return f"{self.of} of {self.node.name} ({self.node.place}){where}"

    def obstacle(self) -> str:
        """Why there is nothing to draw; empty if there is."""
        if len(self.points) < FEWEST:
            return f"{len(self.points)} points, and a map needs at least {FEWEST}"
        if len(set(self.classes)) < 2:
            return "all images have the same classes, so there are no groups to tell apart"
        if not np.isfinite(self.points).all():
            return "some values are not finite, so the classifier has diverged"
        if self.points.shape[1] < 2:
            return "a vector has a single value, which is a line and not a map"
        if not np.ptp(self.points, axis=0).any():
            return "all vectors are equal"
        return ""


def embedded(points: Float[np.ndarray, "points channels"]) -> Float64[np.ndarray, "points 2"]:
    """Coordinates by t-SNE, from the first two principal components on; equal vectors, equal coordinates.

    Args:
        points: at least two vectors, which are not all equal.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    with threadpool_limits(1):
        found = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=0).fit_transform(
            points.astype(np.float64)
        )
    return np.asarray(found, np.float64)


def clouds(page: Page) -> Iterator[Cloud]:
    """Class weights of each classifier, features of each node of `classify`; of several random seeds the lowest."""
    nodes = page.results.nodes.values()
    shown = [node for node in nodes if node.meaning.name in ("classifier", "classification")]
    for node in at_lowest_rng(shown):
        if node.meaning.name == "classification":
            for split in node.splits:
                yield from _features(page, node, split)
        elif MODEL in node.artifact.manifest.files:
            yield from _weights(page, node)


def _features(page: Page, node: Node, split: str) -> Iterator[Cloud]:
    store: Any = node.artifact.open(shard=f"{split}-0")
    ids = list(store)
    ids = [ids[len(ids) * place // min(MOST, len(ids))] for place in range(min(MOST, len(ids)))]
    vectors = [store[image_id].get(FEATURES) for image_id in ids]
    if any(vector is None for vector in vectors):
        return
    classes = (tuple(map(int, np.flatnonzero(page.dataset.labels(image_id)))) for image_id in ids)
    points = np.stack(vectors) if vectors else np.zeros((0, 0))
    yield Cloud(node, split, FEATURES, tuple(ids), tuple(classes), points)


def _weights(page: Page, node: Node) -> Iterator[Cloud]:
    file, names = SafeFile(node.artifact.file(MODEL)), page.dataset.classes
    if HEAD not in file.names:
        return
    rows = file.tensor(HEAD)
    if rows.ndim < 2 or len(rows) != len(names):
        return
    points = rows.reshape(len(rows), -1)
    classes, shown = [(index,) for index in range(len(names))], list(names)
    others = file.tensor(SUBCATEGORY_HEAD) if SUBCATEGORY_HEAD in file.names else rows[:0]
    if others.shape[1:] == rows.shape[1:] and len(others) % len(names) == 0:
        number = len(others) // len(names)
        classes += [(index // number,) for index in range(len(others))]
        shown += [f"{names[index // number]}/{index % number}" for index in range(len(others))]
        points = np.concatenate([points, others.reshape(len(others), points.shape[1])])
    yield Cloud(node, "", WEIGHTS, tuple(shown), tuple(classes), points)


def frame(page: Page) -> pd.DataFrame:
    """One row per point, with its coordinates."""
    import pandas as pd

    rows = []
    found = [cloud for cloud in clouds(page) if not cloud.obstacle()]
    for cloud in page.progress(found, len(found), "report: t-SNE"):
        head = cloud.node.place.columns() | {"node": cloud.node.name, "split": cloud.split, "of": cloud.of}
        points = zip(cloud.names, cloud.classes, embedded(cloud.points).tolist(), strict=True)
        for name, classes, (x, y) in points:
            told = " | ".join(page.dataset.classes[index] for index in classes)
            rows.append(head | {"name": name, "classes": told, "x": x, "y": y})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """A picture of each map, or a line that says why there is none."""
    found: list[Block] = []
    for cloud in clouds(page):
        if why := cloud.obstacle():
            found.append(Paragraph(f"No map of {cloud.title}: {why}."))
            continue
        at = cloud.node.place.columns() | {"node": cloud.node.name, "split": cloud.split, "of": cloud.of}
        rows = frame[np.logical_and.reduce([frame[name] == value for name, value in at.items()])]
        places = rows[["x", "y"]].to_numpy(np.float64)
        drawn = map_figure(cloud, places, page.dataset.classes)
        kinds = len(shown_classes(cloud))
        caption = f"t-SNE of the {cloud.title}."
        if cloud.of == FEATURES:
            caption += f" Each point is one of {len(places)} images, in its class's colour; a rim is of a second class."
            if kinds > MOST_NAMES:
                caption += (
                    f" There are {kinds} classes, too many for a legend: tsne.csv has those of each point."
                )
        elif len(cloud.names) > len(page.dataset.classes):
            caption += " Squares are classes, points their sub-categories."
        found.append(Picture(png=drawn, alt=f"t-SNE of the {cloud.title}", caption=caption))
    return found


def shown_classes(cloud: Cloud) -> list[int]:
    """Indices of the classes that any point has."""
    return sorted({index for classes in cloud.classes for index in classes})


@styled
def map_figure(cloud: Cloud, places: Float64[np.ndarray, "points 2"], names: Sequence[str]) -> Figure:
    """The points in the colours of label maps: classes as squares with their names, others explained by a legend."""
    drawn, (axes,) = new_figure(1, 1, 4.6, 3.8)
    palette = np.array(voc_palette(), float).reshape(-1, 3)[1:] / 255
    squares = len(names) if cloud.of == WEIGHTS else 0
    coloured = [place for place, classes in enumerate(cloud.classes) if classes and place >= squares]
    faces, rims = (
        [palette[cloud.classes[place][:2][end] % len(palette)] for place in coloured] for end in (0, -1)
    )
    x, y = places.T
    axes.scatter(x[coloured], y[coloured], s=20, c=faces, edgecolors=rims, linewidths=1.6)
    without = [place for place, classes in enumerate(cloud.classes) if not classes]
    axes.scatter(x[without], y[without], s=20, color=GREY, marker="x")
    for place, name in enumerate(names[:squares]):
        axes.scatter(x[place], y[place], s=34, color=[palette[place % len(palette)]], marker="s")
        axes.annotate(
            name, places[place], xytext=(0, 6), textcoords="offset points", ha="center", fontsize=7.5
        )
    shown = shown_classes(cloud)
    if not squares and len(shown) <= MOST_NAMES:
        for index in shown:
            axes.scatter([], [], s=20, color=[palette[index % len(palette)]], label=names[index])
        if () in cloud.classes:
            axes.scatter([], [], s=20, color=GREY, marker="x", label="no class")
        drawn.legend(loc="outside right upper", ncols=-(-len(shown) // NAMES_BELOW))
    axes.margins(0.1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    return drawn


SECTION = Section("t-SNE", 93, frame, blocks, NOTE)
