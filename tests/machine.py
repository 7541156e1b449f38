"""What a machine may lack: a test skips with a reason, and fails under SEEDBED_REQUIRE_ALL."""

import os

import pytest


def lacking(what: str) -> None:
    """Skip because the machine lacks something, or fail where everything is required."""
    if os.environ.get("SEEDBED_REQUIRE_ALL") == "1":
        pytest.fail(f"SEEDBED_REQUIRE_ALL=1, but {what}")
    pytest.skip(what)
