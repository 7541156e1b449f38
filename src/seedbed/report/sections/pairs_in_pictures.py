"""What networks predict that were trained at different pairs of thresholds, on the same images.

As Fig. 5 and 6 of Tezcan and Cinbis: predictions beside the TECM of the pair and the mean IoU of the network; and
predictions after training on initial and on pseudo masks, with the differences in PQS and in mean IoU. The pairs are
spread evenly over the order of TECM, or of the difference in mean IoU, from the lowest to the highest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Gallery
from seedbed.report.pictures import pictures_of
from seedbed.report.refinement_gain import twins
from seedbed.report.results import Judged, Node, Results
from seedbed.report.section import Page, Section
from seedbed.report.sections.samples import Row, choose_images, sample_of
from seedbed.report.tables import figure
from seedbed.report.threshold_pairs import NOTE, judged_in, pairs_of
from seedbed.runtime.paths import OWN

if TYPE_CHECKING:
    import pandas as pd

PAIRS = 4
"""Pairs that a gallery shows."""
COLUMNS = ("gallery", "split", "pair", "order", "shown", "image_ids")


class Shown(NamedTuple):
    """A pair of thresholds in a gallery.

    Attributes:
        order: value by which the pairs are put in order.
        told: what stands above the pictures.
        nodes: one for each column.
    """

    rng: int
    pair: str
    order: float
    told: str
    nodes: tuple[Node, ...]


class Group(NamedTuple):
    """One gallery: its title, its split, the headings of its columns."""

    title: str
    split: str
    columns: tuple[str, ...]


def frame(page: Page) -> pd.DataFrame:
    """One row per pair shown."""
    import pandas as pd

    rows = [
        (group.title, group.split, one.pair, one.order, one.told, " ".join(images_of(page, group, lines)))
        for group, lines in chosen(page.results).items()
        for one in lines
        if page.parameters.samples
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def chosen(results: Results) -> dict[Group, list[Shown]]:
    """The galleries with their pairs, of the lowest random seed; none for a single pair."""
    found: dict[Group, list[Shown]] = {}
    for group, one in [*_by_tecm(results), *_by_difference(results)]:
        found.setdefault(group, []).append(one)
    return {group: spread_out(lines) for group, lines in found.items() if len({p.pair for p in lines}) > 1}


def spread_out(lines: Sequence[Shown]) -> list[Shown]:
    """At most `PAIRS` of the lowest random seed, evenly over their order, with the first and the last."""
    lowest = min(one.rng for one in lines)
    ordered = sorted((one for one in lines if one.rng == lowest), key=lambda one: (one.order, one.pair))
    number = min(PAIRS, len(ordered))
    places = {round(place * (len(ordered) - 1) / max(1, number - 1)) for place in range(number)}
    return [ordered[place] for place in sorted(places)]


def _by_tecm(results: Results) -> Iterator[tuple[Group, Shown]]:
    for quality in judged_in(results, OWN):
        (row,) = pairs_of(quality)
        made = set(results.descendants(quality.key)) if quality.key in results.nodes else set()
        for score in results.judged[SCORES]:
            if score.kind != "prediction" or score.key not in made or row.get("tecm") is None:
                continue
            title = f"By TECM: {score.node} of {score.place.owner}"
            told = f"{row['regions']}: TECM {figure(row['tecm'])}, mIoU {figure(score.scores['mean_iou'])}"
            group = Group(title, score.split, (score.node,))
            yield group, Shown(_rng(quality), row["regions"], row["tecm"], told, (results.nodes[score.key],))


def _by_difference(results: Results) -> Iterator[tuple[Group, Shown]]:
    for found in twins(results):
        (row,) = pairs_of(found.quality)
        gain = found.on_pseudo.scores["mean_iou"] - found.on_initial.scores["mean_iou"]
        told = f"{row['regions']}: mIoU difference {gain:+.3f}"
        if row.get("pqs_initial") is not None and row.get("pqs_pseudo") is not None:
            told += f", PQS difference {row['pqs_pseudo'] - row['pqs_initial']:+.3f}"
        both = (found.on_initial, found.on_pseudo)
        title = f"Initial masks and pseudo masks: {' and '.join(one.node for one in both)} of {both[1].place.owner}"
        columns = ("trained on initial masks", "trained on pseudo masks")
        nodes = tuple(results.nodes[one.key] for one in both)
        yield (
            Group(title, found.on_pseudo.split, columns),
            Shown(_rng(found.quality), row["regions"], gain, told, nodes),
        )


def _rng(judged: Judged) -> int:
    return judged.place.axes.rng or 0


def images_of(page: Page, group: Group, lines: Sequence[Shown]) -> list[str]:
    """Ids of the images shown, as in the samples of the page."""
    first = pictures_of(lines[0].nodes[0], group.split, page.dataset)
    candidates = [image_id for image_id in page.dataset.image_ids(group.split) if image_id in first]
    room = max(1, page.parameters.sample_rows // len(lines))
    return choose_images(candidates, page.dataset.labels, min(page.parameters.samples, room))


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One gallery for each recipe and split."""
    return (
        [gallery(page, group, lines) for group, lines in chosen(page.results).items()] if len(frame) else []
    )


def gallery(page: Page, group: Group, lines: Sequence[Shown]) -> Gallery:
    """The pictures of one gallery."""
    stored = {node.key: pictures_of(node, group.split, page.dataset) for one in lines for node in one.nodes}
    rows = [Row(one.told, one.nodes) for one in lines]
    return Gallery(
        title=f"{group.title}, {group.split}",
        columns=group.columns,
        samples=tuple(sample_of(page, image_id, rows, stored) for image_id in images_of(page, group, lines)),
    )


SECTION = Section("Threshold pairs", 55, frame, blocks, NOTE)
