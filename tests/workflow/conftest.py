"""Three trees in which recipe `psa` was made: by Snakemake, by DVC, and by commands of `seedbed plan --shell`."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from workflow.engine_checkout import TINY, Checkout, two_shards


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


def _made(folder: Path, words: list[str], intruder: list[str]) -> Made:
    """Run an engine in a new tree, and try another one in it as soon as the first stage trains."""
    checkout = Checkout.make(folder, two_shards(TINY))
    lock = checkout.results / "composites/psa/rng0/classifier/.work/train_classifier.lock"
    log = folder.with_suffix(".log")
    with log.open("w") as stream:
        engine = subprocess.Popen(
            words, cwd=folder, env=checkout.environment, stdout=stream, stderr=subprocess.STDOUT
        )
        while not lock.exists() and engine.poll() is None:
            time.sleep(0.1)
        assert engine.poll() is None, log.read_text()
        told = checkout.run(*intruder, status=None)
        assert engine.poll() is None, f"ended before the other was refused:\n{log.read_text()}\n{told}"
        assert engine.wait(600) == 0, log.read_text()
    return Made(checkout, checkout.calls(), told)


@pytest.fixture(scope="session")
def by_snakemake(tmp_path_factory: pytest.TempPathFactory) -> Made:
    words = ["snakemake", "--cores", "1", "--quiet", "progress"]
    return _made(tmp_path_factory.mktemp("by_snakemake") / "tree", words, ["dvc", "repro"])


@pytest.fixture(scope="session")
def by_dvc(tmp_path_factory: pytest.TempPathFactory) -> Made:
    intruder = ["snakemake", "--cores", "1", "--quiet", "progress"]
    return _made(tmp_path_factory.mktemp("by_dvc") / "tree", ["dvc", "repro"], intruder)


@pytest.fixture(scope="session")
def by_shell(tmp_path_factory: pytest.TempPathFactory) -> Made:
    checkout = Checkout.make(tmp_path_factory.mktemp("by_shell") / "tree", two_shards(TINY))
    return Made(checkout, checkout.pasted(), "")
