"""A sample of the damaged inputs, as `make soak` runs all of them: in a process of its own, without type checks."""

import json
import os
import subprocess
import sys
from pathlib import Path

from hostile.soak import SOUND, all_damages, sample

REPOSITORY = Path(__file__).resolve().parents[2]
NUMBER = 30


def test_a_sample_ends_as_expected(tmp_path: Path) -> None:
    told = tmp_path / "results.json"
    words = ["-m", "hostile.soak", "--sample", str(NUMBER), "--json", str(told)]
    paths = os.pathsep.join(str(REPOSITORY / part) for part in ("src", "tests"))
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(told.read_text())
    assert len({result["damage"] for result in results}) == NUMBER
    assert {result["outcome"] for result in results} == {SOUND}


def test_there_are_many_and_every_kind_is_in_the_sample() -> None:
    damages = all_damages(0)
    assert len(damages) >= 300
    assert {damage.kind for damage in sample(damages, NUMBER, 0)} == {damage.kind for damage in damages}
