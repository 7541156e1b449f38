"""A full disk: the log goes on at the terminal, a failure is still one line. The oracle is Linux's /dev/full."""

import errno
from pathlib import Path

import pytest

from seedbed.artifacts.atomic import remove_left, write_bytes
from seedbed.errors import SeedbedError
from seedbed.runtime.log import Log, guarded

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")


def test_the_log_goes_on_at_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(FULL)
    log.line("one")
    log.line("two")
    assert capsys.readouterr().err.splitlines() == [
        "cannot write /dev/full: No space left on device; the log goes on here",
        "one",
        "two",
    ]


@pytest.mark.parametrize("lines", [0, 2])
def test_an_expected_failure_has_no_traceback(
    lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def work(log: Log) -> None:
        for number in range(lines):
            log.line(f"line {number}")
        monkeypatch.setattr("os.replace", refuse)
        write_bytes(tmp_path / "x.bin", b"x")

    assert guarded("dump_cams", FULL, work) == 1
    told = capsys.readouterr().err.splitlines()
    advice = "the disk is full; free some space and run again"
    assert told[-1] == f"dump_cams: error: cannot write {tmp_path}/x.bin: {advice}"
    assert len(told) == (1 if lines == 0 else 2 + lines)
    assert list(tmp_path.iterdir()) == []


def test_a_surprise_shows_its_traceback_where_the_log_cannot_hold_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(log: Log) -> None:
        raise KeyError("x")

    assert guarded("dump_cams", FULL, work) == 1
    told = capsys.readouterr().err
    assert told.count("Traceback (most recent call last)") == 1
    assert told.endswith("\ndump_cams: error: KeyError: 'x'\n")


def test_progress_goes_on_where_the_log_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Log(FULL).progress(range(3), 3, "x")) == [0, 1, 2]
    assert capsys.readouterr().err.splitlines()[1:] == ["x: 1/3", "x: 2/3", "x: 3/3"]


def test_an_error_of_a_log_with_room_stays_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(log: Log) -> None:
        raise SeedbedError("no")

    assert guarded("dump_cams", tmp_path / "x.log", work) == 1
    assert capsys.readouterr().err == "dump_cams: error: no\n"
    assert "Traceback" in (tmp_path / "x.log").read_text()


def test_left_temporary_files_of_one_name_are_removed(tmp_path: Path) -> None:
    kept = ("train-1.zip", ".train-10.zip.abc.tmp", ".train-1.zip.abc", ".train-2[a].zip.x.tmp")
    for name in (*kept, ".train-1.zip.abc.tmp", ".train-1.json.x_1.tmp"):
        (tmp_path / name).write_bytes(b"x")
    remove_left(tmp_path, "train-1.")
    assert {path.name for path in tmp_path.iterdir()} == set(kept)
    remove_left(tmp_path, "train-2[a].")
    assert not (tmp_path / ".train-2[a].zip.x.tmp").exists()
    remove_left(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"train-1.zip", ".train-1.zip.abc"}
