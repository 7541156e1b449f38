"""Atomic writing: all of the bytes under the final name, or nothing, and one line that says why."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from seedbed.artifacts import atomic
from seedbed.artifacts.atomic import atomic_file, write_bytes, write_if_changed, writing
from seedbed.errors import SeedbedError


def in_subprocess(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    source = Path(atomic.__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(source)},
        timeout=60,
        check=False,
    )


def test_bytes_arrive_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    write_bytes(path, b"abc")
    assert path.read_bytes() == b"abc"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_mode_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_an_exception_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def half() -> None:
        with atomic_file(path) as stream:
            stream.write(b"new, half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_final_name_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_file(path) as stream:
        stream.write(b"x")
        stream.flush()
        assert not path.exists()
    assert path.exists()


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "the disk is full; free some space"), (errno.EDQUOT, "quota is used up")],
)
def test_a_full_disk_at_any_step_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, advice: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, call, full)
    path = tmp_path / "cams" / "train-0.safetensors"
    with pytest.raises(SeedbedError, match=advice) as caught:
        write_bytes(path, b"abc")
    assert str(path) in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_a_write_that_the_kernel_cuts_short_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the file size stands in for a full disk: the kernel refuses in the middle of the data."""
    done = in_subprocess(
        """
        import resource, signal, sys
        from pathlib import Path
        from seedbed.artifacts.atomic import write_bytes
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_bytes(Path(sys.argv[1]), b"x" * 100_000)
        except Exception as error:
            print(type(error).__name__, error)
        """,
        tmp_path / "file",
    )
    assert done.stderr == ""
    assert done.stdout.startswith("SeedbedError cannot write")
    assert "limit on file sizes" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_without_space_is_called_a_full_disk() -> None:
    with (
        pytest.raises(SeedbedError, match="cannot write /dev/full: the disk is full"),
        writing(Path("/dev/full")),
        open("/dev/full", "wb", buffering=0) as stream,
    ):
        stream.write(b"x")


def test_no_permission_is_one_line(tmp_path: Path) -> None:
    """As root every mode is ignored, so a child gives its rights away."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    script = """
        import os, sys
        from pathlib import Path
        from seedbed.artifacts.atomic import write_bytes
        if os.getuid() == 0:
            os.setuid(65534)
        else:
            os.chmod(sys.argv[1], 0o555)
        try:
            write_bytes(Path(sys.argv[1]) / "file", b"x")
        except Exception as error:
            print(type(error).__name__, error)
        """
    for parent in tmp_path.parents:
        if os.getuid() == 0 and str(parent).startswith(str(Path("/tmp"))) and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    done = in_subprocess(script, folder)
    folder.chmod(0o755)
    assert done.stdout.startswith(
        f"SeedbedError cannot write {folder / 'file'}: no permission to write there"
    ), done.stdout + done.stderr
    assert list(folder.iterdir()) == []


def test_a_file_in_the_way_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SeedbedError, match=r"cannot write .*/file/inner: .*is a file"):
        write_bytes(tmp_path / "file" / "inner", b"x")


def test_a_folder_in_the_way_of_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "name").mkdir()
    with pytest.raises(SeedbedError, match="there is a folder where the file should go"):
        write_bytes(tmp_path / "name", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["name"]


def test_other_errors_of_the_system_stay_as_they_are() -> None:
    with pytest.raises(OSError, match="Interrupted"), writing(Path("x")):
        raise OSError(errno.EINTR, "Interrupted")


def test_an_equal_file_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "slice.json"
    assert write_if_changed(path, b"1")
    os.utime(path, ns=(1, 1))
    assert not write_if_changed(path, b"1")
    assert path.stat().st_mtime_ns == 1
    assert write_if_changed(path, b"2")
    assert path.read_bytes() == b"2"
    assert path.stat().st_mtime_ns != 1


def test_only_what_is_durable_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    monkeypatch.setattr(atomic.os, "fsync", waits.append)
    assert write_if_changed(tmp_path / "slice", b"1")
    assert (tmp_path / "slice").read_bytes() == b"1"
    assert waits == []
    write_bytes(tmp_path / "data", b"1")
    assert len(waits) == 2
