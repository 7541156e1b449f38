"""Fixtures for what a machine may lack: a test skips with a reason, and fails under SEEDBED_REQUIRE_ALL."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from browser import Tab, browser, find
from machine import lacking


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real photographs (voc-animals, voc-animals-tiny, …)."""
    root = os.environ.get("SEEDBED_TEST_DATA")
    if not root:
        lacking("SEEDBED_TEST_DATA is not set: it names the folder of real photographs")
    path = Path(str(root))
    if not path.is_dir():
        lacking(f"SEEDBED_TEST_DATA={root} is not a folder")
    return path.resolve()


@pytest.fixture(scope="session")
def tab() -> Iterator[Tab]:
    """A tab of headless Chromium."""
    command = find()
    if command is None:
        lacking("there is no chromium on the path; on Debian: apt-get install chromium")
    with browser(str(command)) as found:
        yield found


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random weights and numbers in every test, whatever ran before it in this process."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
