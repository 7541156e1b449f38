"""Three trees in which recipe `psa` was made: by Snakemake, by DVC, and by commands of `seedbed plan --shell`.

And a `python` that starts the jobs of other tests quickly.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from workflow.engine_checkout import JOBS_ENVIRONMENT, TINY, Checkout, two_shards
from workflow.warm_python import start


@dataclass(frozen=True)
class Made:
    """A tree and how it came to be.

    Attributes:
        calls: stage commands that ran.
        intruder: what the other engine said when it was started meanwhile; empty where none was.
    """

    checkout: Checkout
    calls: list[str]
    intruder: str


def _made(checkout: Checkout, words: list[str], intruder: list[str]) -> Made:
    """Run an engine in a new tree, and try another one in it as soon as the first stage trains."""
    lock = checkout.results / "composites/psa/rng0/classifier/.work/train_classifier.lock"
    log = checkout.folder.with_suffix(".log")
    with log.open("w") as stream:
        engine = subprocess.Popen(
            words, cwd=checkout.folder, env=checkout.environment, stdout=stream, stderr=subprocess.STDOUT
        )
        while not lock.exists() and engine.poll() is None:
            time.sleep(0.1)
        assert engine.poll() is None, log.read_text()
        told = checkout.run(*intruder, status=None)
        assert engine.poll() is None, f"ended before the other was refused:\n{log.read_text()}\n{told}"
        assert engine.wait(600) == 0, log.read_text()
    return Made(checkout, checkout.calls(), told)


@pytest.fixture(scope="session")
def by_snakemake(tmp_path_factory: pytest.TempPathFactory, warm_python: Path) -> Made:
    folder = tmp_path_factory.mktemp("by_snakemake") / "tree"
    checkout = Checkout.make(folder, two_shards(TINY), warm=warm_python)
    return _made(checkout, ["snakemake", "--cores", "1", "--quiet", "progress"], ["dvc", "repro"])


@pytest.fixture(scope="session")
def by_dvc(tmp_path_factory: pytest.TempPathFactory, warm_python: Path) -> Made:
    """The first run starts its jobs as a user's does: the other engine must meet DVC within a job, not between two."""
    checkout = Checkout.make(tmp_path_factory.mktemp("by_dvc") / "tree", two_shards(TINY))
    made = _made(checkout, ["dvc", "repro"], ["snakemake", "--cores", "1", "--quiet", "progress"])
    checkout.warm = warm_python
    return made


@pytest.fixture(scope="session")
def by_shell(tmp_path_factory: pytest.TempPathFactory) -> Made:
    checkout = Checkout.make(tmp_path_factory.mktemp("by_shell") / "tree", two_shards(TINY))
    return Made(checkout, checkout.pasted(), "")


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For `Checkout.make(…, warm=warm_python)`."""
    with start(tmp_path_factory.mktemp("warm"), os.environ | JOBS_ENVIRONMENT) as folder:
        yield folder
