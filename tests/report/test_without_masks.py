"""Sections for splits without masks, and the red line where label maps have background only."""

from report.conftest import CLASSES, Maker, mask_scores
from seedbed.report.page import chapters, render
from seedbed.report.scored import BACKGROUND_ONLY, NEUTRAL_ONLY, without_classes
from seedbed.report.section import all_sections


def areas(foreground: float) -> dict[str, object]:
    per_class = {name: {"area": foreground / 3, "images": 2, "without_pixel": 0.5} for name in CLASSES}
    return {
        "images": 8,
        "neutral_ratio": 0.125,
        "foreground_area": foreground,
        "labelled_without_pixel": 0.25,
        "images_without_foreground": 0.5,
        "per_class": {"background": {"area": 1 - foreground}, **per_class},
    }


def html(maker: Maker) -> str:
    """The page's chapters about these, of which no node needs to exist."""
    page, names = maker.page(), ("background_only", "without_masks")
    sections = {name: section for name, section in all_sections().items() if name in names}
    shown = {name: section.blocks(page, section.frame(page)) for name, section in sections.items()}
    return render(title="", chapters=chapters(sections, shown))


def write(maker: Maker) -> None:
    for s, foreground in enumerate((0.25, 0.5)):
        maker.judged(f"rng{s}", "pseudo_masks", "train", "areas", areas(foreground))
        empty = mask_scores(0.117)
        for name, values in empty["per_class"].items():
            values["predicted_pixels"] = 130 if name == "background" else 0
        maker.judged(f"rng{s}", "predictions", "val", "prediction", empty)


def test_areas_are_shown_and_empty_predictions_are_marked(maker: Maker) -> None:
    write(maker)
    maker.judged("rng0", "predictions", "train", "areas", areas(0.0))
    page = html(maker)
    assert (
        '<p class="warning">psa predictions on val (rng 0, 1): background only, no pixel of any class; its mIoU of '
        "0.117 ± 0.000 is that of an empty label map.</p>"
    ) in page
    assert (
        '<p class="warning">psa predictions on train (rng 0): background only, no pixel of any class.</p>'
        in page
    )
    assert page.count('class="warning"') == 2
    section, found = all_sections()["without_masks"], maker.page()
    overall, by_class = section.blocks(found, section.frame(found))
    assert overall.rows[0][4:] == ("2", "0.125 ± 0.000", "0.375 ± 0.177", "0.250 ± 0.000", "0.500 ± 0.000")
    assert by_class.rows[1][4:7] == ("labelled, no pixel", "", "0.500 ± 0.000")


def test_pages_of_good_results_have_neither(maker: Maker) -> None:
    maker.judged("rng0", "predictions", "val", "prediction", mask_scores(0.5))
    page = html(maker)
    assert 'class="warning"' not in page
    assert "Without masks" not in page


def test_label_maps_of_255_alone_are_not_background(maker: Maker) -> None:
    """As `evaluate` and `label_areas` write them: no pixel is predicted, or all are neutral."""
    neutral = {"per_class": {name: {"predicted_pixels": 0} for name in ("background", "cat")}}
    background = {"per_class": {"background": {"predicted_pixels": 3}, "cat": {"predicted_pixels": 0}}}
    assert without_classes(neutral) == NEUTRAL_ONLY
    assert without_classes(background) == BACKGROUND_ONLY
    assert without_classes(areas(0.0)) == BACKGROUND_ONLY
    assert without_classes(areas(0.0) | {"neutral_ratio": 1.0}) == NEUTRAL_ONLY
    assert without_classes({"per_class": {"cat": {"average_precision": 0.5}}}) == ""
    maker.judged("rng0", "predictions", "val", "prediction", mask_scores(0.0) | neutral)
    assert "psa predictions on val (rng 0): neutral only (255), no pixel of any class.</p>" in html(maker)
