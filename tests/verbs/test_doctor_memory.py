"""`seedbed doctor` about photographs that are too large for the machine, with needs and free memory set by the test."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from recipe_files import make_workflow
from seedbed.runtime import memory
from seedbed.runtime.memory import CRF_OF, NEEDS, VARIANTS, Need, available, needed
from seedbed.verbs import doctor_memory
from seedbed.verbs.doctor import examine
from seedbed.verbs.doctor_memory import Photograph, memory_notes


@pytest.fixture(autouse=True)
def needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 GB, and for each megapixel of the largest view (of photographs at twice their size: 4) an eighth."""
    monkeypatch.setattr(memory, "NEEDS", {"dump_cams": Need(1.0, per_view=0.125)})


def tasks_of(folder: Path, **config: Any) -> dict[str, Any]:
    return make_workflow(folder, config).graph().recipe_tasks("base", 0)


LARGE = Photograph("a.jpg", (4000, 3000))


def test_the_line(tmp_path: Path) -> None:
    """12 MP need 1 + 0.5 · 12 GB. 4 GB hold 6 MP: 2800 × 2100 has 5.88, 2900 × 2175 6.31."""
    assert memory_notes(LARGE, None, tasks_of(tmp_path), free=4.0) == [
        "largest photograph 12.0 MP (4000 × 3000, a.jpg): dump_cams needs about 7.0 GB, this machine has 4.0 free;"
        " set `longest: 2800`"
    ]


@pytest.mark.parametrize(("longest", "free"), [(None, 7.0), (2800, 4.0), (1, 1.1)])
def test_there_is_none_where_it_fits(tmp_path: Path, longest: int | None, free: float) -> None:
    assert memory_notes(LARGE, longest, tasks_of(tmp_path), free) == []


def test_a_longest_that_does_not_suffice(tmp_path: Path) -> None:
    told = memory_notes(LARGE, 3600, tasks_of(tmp_path), free=4.0)
    assert "(4000 × 3000, a.jpg, shrunk to 3600 × 2700, 9.7 MP): dump_cams needs about 5.9 GB" in told[0]
    assert told[0].endswith("set `longest: 2800`")


def test_settings_count(tmp_path: Path) -> None:
    settings = {"toy": {"dump_cams": {"scales": [1.0]}}}
    assert memory_notes(LARGE, None, tasks_of(tmp_path, settings=settings), free=2.6) == []
    assert needed("dump_cams", {"scales": (1.0,), "sizes": (1000, 4000)}, 12.0) == 1 + 16 / 8


def test_rows_of_methods_and_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 2 MP: ISIM's labels at scale 2 see 8 MP, with a CRF of 0.2 GB per megapixel; PCM has a row of its own."""
    needs = {
        "dump_cams": Need(1.0, per_view=0.125),
        "dump_cams, pcm": Need(1.0, per_view=0.5),
        "train_classifier, isim": Need(2.0, per_view=0.25),
        "dump_saliency": Need(1.5, per_view=0.125),
    }
    monkeypatch.setattr(memory, "NEEDS", needs)
    assert needed("dump_cams", {"scales": (0.5, 1.0), "form": "cam"}, 2.0) == 1.25
    assert needed("dump_cams", {"scales": (0.5, 1.0), "form": "pcm"}, 2.0) == 2.0
    isim = {"method": "isim", "label_scales": (0.5, 2.0), "label_crf": "irn"}
    assert needed("train_classifier", isim, 2.0) == pytest.approx(2 + 8 / 4 + 0.2 * 2)
    assert needed("train_classifier", isim | {"label_crf": "none"}, 2.0) == 4.0
    assert needed("train_classifier", {"method": "cam"}, 2.0) == 0.0
    assert needed("dump_saliency", {"scales": (1.0,), "crf": "pnoc-c2am"}, 2.0) == pytest.approx(1.75 + 0.4)
    assert needed("dump_saliency", {"scales": (1.0,), "crf": "none"}, 2.0) == 1.75


def test_nothing_is_said_without_photographs_tasks_or_knowledge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tasks_of(tmp_path)
    assert memory_notes(None, None, tasks, free=0.1) == []
    assert memory_notes(LARGE, None, {}, free=0.1) == []
    monkeypatch.setattr(doctor_memory, "available", lambda: None)
    assert memory_notes(LARGE, None, tasks) == []


def test_doctor_finds_the_largest_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three, which its EXIF orientation turns."""
    data = tmp_path / "data"
    data.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (300, 200)).save(data / "a.jpg")
    Image.new("RGB", (500, 250)).save(data / "b.jpg", exif=exif)
    Image.new("RGB", (499, 250)).save(data / "c.png")
    (data / "labels.csv").write_text("image_id,split,cat,dog\na,train,1,0\nb,train,0,1\nc,val,1,0\n")
    splits = {"train": {"masks": False}, "val": {"masks": False}}
    toy = {"kind": "folder", "root": str(data), "splits": splits}
    monkeypatch.setattr(doctor_memory, "available", lambda: 1.05)
    found = examine(make_workflow(tmp_path, {"datasets": {"toy": toy}}))
    told = [note for note in found.notes if note.startswith("largest")]
    assert told == [
        "largest photograph 0.1 MP (250 × 500, b.jpg): dump_cams needs about 1.1 GB, this machine has 1.1 free;"
        " set `longest: 400`"
    ]


def test_needs_are_of_stages_and_memory_is_known_on_linux() -> None:
    from seedbed.stages.registry import STAGES

    assert {row.partition(",")[0] for row in NEEDS} <= set(STAGES)
    assert {*VARIANTS.values(), *CRF_OF} <= set(NEEDS)
    for (stage, key, value), row in VARIANTS.items():
        assert row.startswith(f"{stage}, ")
        assert getattr(STAGES[stage].validate({key: value}, ""), key) == value
    if Path("/proc/meminfo").exists():
        total = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
        assert total is not None
        assert 0 < (available() or 0) <= int(total[1]) * 1024 / 1e9
