"""What an installed package adds by entry points: a toy package on the path, with the folder that pip would make."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from recipe_files import make_workflow
from seedbed.datasets import table as datasets
from seedbed.datasets.base import Dataset
from seedbed.datasets.declaration import DatasetDeclaration
from seedbed.datasets.table import dataset_kind, open_dataset
from seedbed.errors import SeedbedError
from seedbed.methods import table as methods
from seedbed.methods.table import method_entry
from seedbed.networks import architectures
from seedbed.networks.architectures import architecture_of
from seedbed.refine.crf import parameters
from seedbed.refine.crf.parameters import crf_preset

ROOT = Path(__file__).parents[1]
MODULE = '''
import numpy as np
from PIL import Image

from seedbed.datasets.declaration import Options
from seedbed.refine.crf.parameters import CrfParameters


class GreyOptions(Options):
    grey: int = 128
    """Value of every pixel."""


class Grey:
    Options = GreyOptions
    needs_root = False

    def __init__(self, name, root, options, splits):
        self.name, self.grey, self.classes = name, options.grey, ("cat",)

    def image_ids(self, split):
        return ["a", "b"]

    def image(self, image_id):
        return Image.new("RGB", (4, 4), (self.grey,) * 3)

    def labels(self, image_id):
        return np.array([image_id == "a"])

    def mask(self, image_id):
        return None

    def source(self, image_id):
        return None

    def faults(self):
        return []


SOFT = CrfParameters(iterations=3)
NUMBER = 3


'''
FRESH = (
    methods.all_methods,
    datasets.installed_kinds,
    datasets._refuse_taken,
    architectures.all_segmenters,
    parameters.all_presets,
)
"""What remembers the entry points."""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put a package with these entry points on the path."""

    def put(entry_points: str) -> None:
        page = (ROOT / "docs/adding-a-backbone.md").read_text()
        (segmenter,) = re.findall(r"```python\n(# my_package/segmenters\.py\n.*?)```", page, re.DOTALL)
        (tmp_path / "toy_of_seedbed.py").write_text(MODULE + segmenter)
        made = tmp_path / "toy_of_seedbed-1.0.dist-info"
        made.mkdir()
        (made / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-of-seedbed\nVersion: 1.0\n")
        (made / "entry_points.txt").write_text(entry_points)
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        for remembered in FRESH:
            remembered.cache_clear()

    yield put
    sys.modules.pop("toy_of_seedbed", None)
    for remembered in FRESH:
        remembered.cache_clear()


ALL = """
[seedbed.datasets]
grey = toy_of_seedbed:Grey
[seedbed.crf_presets]
soft = toy_of_seedbed:SOFT
[seedbed.segmenters]
plain = toy_of_seedbed:PLAIN
"""


def test_a_data_set_of_a_package_is_opened(install: Callable[[str], None]) -> None:
    install(ALL)
    declared = DatasetDeclaration.model_validate(
        {"kind": "grey", "splits": {"train": {}}, "with": {"grey": 7}}
    )
    opened = open_dataset("mine", declared)
    assert isinstance(opened, Dataset)
    assert np.asarray(opened.image("a")).tolist() == [[[7, 7, 7]] * 4] * 4
    wrong = declared.model_copy(update={"options": {"gray": 7}})
    with pytest.raises(SeedbedError, match=r"unknown option of data sets of kind 'grey' .*did you mean grey"):
        open_dataset("mine", wrong)
    with pytest.raises(SeedbedError, match="unknown kind of data set 'gray'; did you mean grey"):
        dataset_kind("gray")


def test_a_recipe_uses_a_preset_and_a_segmenter_of_a_package(
    install: Callable[[str], None], tmp_path: Path
) -> None:
    install(ALL)
    outside = {
        "extends": "base",
        "nodes": {
            "masks_": {"with": {"crf": "soft"}},
            "segmenter": {"with": {"architecture": "plain", "output_stride": 8}},
        },
    }
    workflow = make_workflow(tmp_path, {"recipes": ["outside"]}, outside=outside)
    tasks = workflow.graph().recipe_tasks("outside", 0)
    assert tasks["masks_"].slice()["parameters"] == {"crf": "soft"}
    assert tasks["segmenter"].slice()["parameters"] == {"architecture": "plain", "output_stride": 8}
    assert crf_preset("soft").iterations == 3
    outside["nodes"]["segmenter"]["with"]["output_stride"] = 32
    again = make_workflow(tmp_path, {"recipes": ["outside"]}, outside=outside)
    with pytest.raises(SeedbedError, match="expected output stride 8 or 16 for plain, got 32"):
        again.graph().recipe_tasks("outside", 0)


def test_a_segmenter_of_a_package_is_built(install: Callable[[str], None]) -> None:
    import torch

    from seedbed.networks.segmenters import build_segmenter

    install(ALL)
    segmenter = build_segmenter("plain", "resnet18", 3, weights="none").eval()
    assert segmenter(torch.zeros(1, 3, 33, 40)).shape == (1, 3, 33, 40)


LOADERS = {
    "seedbed.methods": ("method", "cam", lambda: method_entry("mine"), "a MethodEntry"),
    "seedbed.datasets": ("kind of data set", "voc", lambda: dataset_kind("mine"), "a class with `Options`"),
    "seedbed.crf_presets": ("CRF preset", "irn", lambda: crf_preset("mine"), "CrfParameters"),
    "seedbed.segmenters": ("segmenter", "unet", lambda: architecture_of("mine"), "an Architecture"),
}
RIGHT = {
    "seedbed.datasets": "Grey",
    "seedbed.crf_presets": "SOFT",
    "seedbed.segmenters": "PLAIN",
}


def test_a_package_that_ends_the_program_is_named(install: Callable[[str], None], tmp_path: Path) -> None:
    install("[seedbed.datasets]\nmine = toy_of_seedbed_exits:ENTRY\n")
    (tmp_path / "toy_of_seedbed_exits.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(SeedbedError, match="toy_of_seedbed_exits:ENTRY cannot be imported: 3"):
        dataset_kind("mine")


@pytest.mark.parametrize("group", LOADERS)
def test_a_broken_package_is_named(install: Callable[[str], None], group: str) -> None:
    what, _, load, _ = LOADERS[group]
    install(f"[{group}]\nmine = toy_of_seedbed_lost:ENTRY\n")
    told = f"{what} 'mine' of toy_of_seedbed_lost:ENTRY cannot be imported: No module named"
    with pytest.raises(SeedbedError, match=told):
        load()


@pytest.mark.parametrize("group", LOADERS)
def test_something_else_is_refused(install: Callable[[str], None], group: str) -> None:
    what, _, load, expected = LOADERS[group]
    install(f"[{group}]\nmine = toy_of_seedbed:NUMBER\n")
    told = f"{what} 'mine': toy_of_seedbed:NUMBER must be {expected}.*, not int"
    with pytest.raises(SeedbedError, match=told):
        load()


@pytest.mark.parametrize("group", RIGHT)
def test_a_name_that_is_taken_is_refused(install: Callable[[str], None], group: str) -> None:
    what, taken, load, _ = LOADERS[group]
    install(f"[{group}]\n{taken} = toy_of_seedbed:{RIGHT[group]}\n")
    with pytest.raises(SeedbedError, match=f"{what} '{taken}' of .* exists already; give it another name"):
        load()


def test_a_kind_that_takes_one_of_our_names_is_refused_also_where_ours_is_used(
    install: Callable[[str], None],
) -> None:
    install("[seedbed.datasets]\nvoc = toy_of_seedbed:Grey\n")
    for kind in ("voc", "folder"):
        with pytest.raises(
            SeedbedError, match="kind of data set 'voc' of toy_of_seedbed:Grey exists already"
        ):
            datasets.dataset_kind(kind)
