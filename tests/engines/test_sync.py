"""What `seedbed sync-dvc` says where DVC fails."""

from pathlib import Path

import pytest

from seedbed.engines import sync
from seedbed.errors import SeedbedError


def test_dvcs_reason_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is no DVC repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    with pytest.raises(
        SeedbedError, match=r"`dvc commit` failed \(exit status 253\): you are not inside of a DVC repository"
    ):
        sync._commit(("cams",))


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("Computing\r\nERROR: disk full\nERROR: failed to commit\n", "disk full; failed to commit"),
        ("no such option\n\n  try --help\n", "no such option; try --help"),
        ("", ""),
    ],
)
def test_errors_come_first_and_else_everything(told: str, reason: str) -> None:
    assert sync._reason(told) == reason
