"""The README's picture: some composites after `make demo`, from photograph to pseudo mask and truth.

`make demo && python docs/draw_samples.py` writes docs/figures/demo.png.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seedbed.artifacts.artifact import Artifact
from seedbed.datasets.table import open_dataset
from seedbed.plan.commands import Workflow
from seedbed.report.overlays import overlay_heat, overlay_labels

SIDE, GAP, HEAD = 128, 6, 16
COLUMNS = ("photograph", "CAM", "confident regions", "refined CAM", "pseudo mask", "truth")
IMAGES = 4


def main() -> None:
    """Draw one row per image, evenly spaced among those of several classes."""
    workflow = Workflow.read()
    graph = workflow.graph()
    tasks = graph.recipe_tasks("psa", workflow.config.rngs[0])
    dataset = open_dataset(graph.dataset, graph.declaration)
    shown = ("cams", "confident_regions", "refined_cams", "pseudo_masks")
    found = {name: Artifact(tasks[name].manifest).open("train") for name in shown}
    ids = [i for i in dataset.image_ids("train") if dataset.labels(i).sum() >= 2]
    chosen = ids[:: max(1, len(ids) // IMAGES)][:IMAGES]
    size = (len(COLUMNS) * (SIDE + GAP) - GAP, HEAD + len(chosen) * (SIDE + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(COLUMNS):
        draw.text((column * (SIDE + GAP), 2), title, fill="black")
    for row, image_id in enumerate(chosen):
        photo = np.array(dataset.image(image_id))
        maps = {name: found[name][image_id] for name in ("confident_regions", "pseudo_masks")}
        heat = {name: found[name].scores(image_id).max(0) for name in ("cams", "refined_cams")}
        truth = dataset.mask(image_id)
        assert truth is not None
        cells = (
            photo,
            overlay_heat(photo, heat["cams"]),
            overlay_labels(photo, maps["confident_regions"]),
            overlay_heat(photo, heat["refined_cams"]),
            overlay_labels(photo, maps["pseudo_masks"]),
            overlay_labels(photo, truth),
        )
        for column, cell in enumerate(cells):
            sheet.paste(Image.fromarray(cell), (column * (SIDE + GAP), HEAD + row * (SIDE + GAP)))
    target = Path(__file__).parent / "figures" / "demo.png"
    target.parent.mkdir(exist_ok=True)
    sheet.quantize(128).save(target, optimize=True)
    print(f"written to docs/figures/{target.name}")


if __name__ == "__main__":
    main()
