"""Asking whether a run writes leaves no trace on disk, and never stops a writer."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recipe_files import make_workflow
from seedbed.engines.tree_lock import DVC_LOCK, hold_if_free, hold_tree, refuse_writers, who_holds
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.runtime import locks
from seedbed.runtime.locks import lock_path, output_lock


@pytest.fixture
def workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    monkeypatch.chdir(tmp_path)
    return make_workflow(tmp_path)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_claimed_tree_is_refused_to_others_until_it_is_let_go(workflow: Workflow) -> None:
    with hold_tree(workflow):
        assert who_holds(workflow)
        with pytest.raises(
            SeedbedError, match=rf"results \(run\) is being written by another run \(pid {os.getpid()}\)"
        ):
            hold_tree(workflow)
    assert not who_holds(workflow)


def test_results_are_held_if_they_are_free(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold_if_free(workflow) as is_free:
        assert is_free
        assert who_holds(workflow)
        with hold_if_free(workflow) as is_free_twice:
            assert not is_free_twice
        assert who_holds(workflow)
    assert not who_holds(workflow)

    def refuse(*_: object) -> None:
        raise SeedbedError("results cannot be written")

    monkeypatch.setattr("seedbed.engines.tree_lock.output_lock", refuse)
    with hold_if_free(workflow) as is_free:
        assert is_free, "results of someone else"


def test_an_output_that_is_written_locks_the_tree(workflow: Workflow) -> None:
    task = workflow.tasks[2]
    with output_lock(task.folder, "train-0"):
        assert who_holds(workflow)
        with pytest.raises(
            SeedbedError, match=rf"rng0/{task.name} \(train-0\) is being written by another run"
        ):
            refuse_writers(workflow)
    refuse_writers(workflow)


def test_a_question_leaves_the_lock_of_a_run_as_it_is(workflow: Workflow, tmp_path: Path) -> None:
    with hold_tree(workflow):
        before = files(tmp_path)
        assert before["results/.work/run.lock"] == f"pid {os.getpid()}".encode()
        assert who_holds(workflow)
        assert files(tmp_path) == before


def test_a_question_on_a_free_tree_writes_nothing(workflow: Workflow, tmp_path: Path) -> None:
    with output_lock(workflow.tasks[2].folder, "train-0"):
        pass
    before = files(tmp_path)
    assert not who_holds(workflow)
    assert files(tmp_path) == before
    assert not (workflow.results / ".work").exists()


def test_a_writer_that_meets_a_question_tries_again(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question's shared lock is let go while the writer waits for its next try."""
    path = lock_path(workflow.results, "run")
    path.parent.mkdir(parents=True)
    path.touch()
    question = path.open("rb")
    fcntl.flock(question, fcntl.LOCK_SH)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        question.close()

    monkeypatch.setattr(locks.time, "sleep", wait)
    with output_lock(workflow.results, "run"):
        assert who_holds(workflow)
    assert len(waited) == 1


def test_two_questions_at_once_do_not_take_each_other_for_a_writer(workflow: Workflow) -> None:
    with output_lock(workflow.results, "run"):
        pass
    with lock_path(workflow.results, "run").open("rb") as question:
        fcntl.flock(question, fcntl.LOCK_SH)
        assert not who_holds(workflow)


def test_a_mistake_in_a_recipe_is_not_taken_for_a_lock(tmp_path: Path) -> None:
    broken = {"extends": "base", "nodes": {"cams": {"with": {"scale": [1]}}}}
    workflow = make_workflow(tmp_path, {"recipes": ["child"]}, child=broken)
    with pytest.raises(SeedbedError, match="unknown key 'scale'"):
        who_holds(workflow)


ENDED = 2**22 + 1
"""A number that no process of Linux has."""


def note_writer(pid: object, command: str) -> None:
    """DVC's rwlock, as its source writes it: writers by path, readers by path."""
    DVC_LOCK.parent.mkdir(parents=True, exist_ok=True)
    info = {"pid": pid, "cmd": command}
    DVC_LOCK.write_text(json.dumps({"write": {"results/a": info}, "read": {"results/b": [info]}}))


@pytest.fixture
def asleep(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Starts a script of a name with arguments; gives its process."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> int:
        script = tmp_path / name
        script.write_text("print(flush=True)\nimport time\ntime.sleep(60)\n")
        words = [sys.executable, str(script), *arguments]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE))
        assert started[-1].stdout is not None
        started[-1].stdout.readline()
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("name", "noted", "lives"),
    [
        ("dvc", "/elsewhere/dvc repro", True),
        ("own_tool", "{folder}/own_tool repro", True),
        ("editor", "/elsewhere/dvc repro --force", False),
    ],
    ids=["DVC", "a script that calls DVC", "another process with the number"],
)
def test_dvc_locks_the_tree_while_its_process_lives(
    workflow: Workflow, tmp_path: Path, asleep: Callable[..., int], name: str, noted: str, lives: bool
) -> None:
    pid = asleep(name, "repro")
    note_writer(pid, noted.format(folder=tmp_path))
    assert bool(who_holds(workflow)) is lives
    if lives:
        with pytest.raises(SeedbedError, match=rf"is being written by DVC \(pid {pid}\); wait for it"):
            hold_tree(workflow)


@pytest.mark.parametrize("pid", [ENDED, 0, -1, 2**70, "x", None])
def test_a_writer_that_is_no_living_process_locks_nothing(workflow: Workflow, pid: object) -> None:
    note_writer(pid, "dvc repro")
    assert not who_holds(workflow)


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"3",
        b"{}",
        b'{"write": []}',
        b'{"write": {"a": 1}}',
        b'{"write": {"a": {}}}',
        b"\xff\x00",
        b"[" * 99_999,
        b'{"write": {"a": {"pid": 1e400}}}',
        b'{"write": {"a": {"pid": NaN}}}',
        b'{"write": {"a": {"pid": ' + b"9" * 30 + b"}}}",
    ],
)
def test_a_lock_file_that_dvc_did_not_write_locks_nothing(workflow: Workflow, content: bytes) -> None:
    DVC_LOCK.parent.mkdir(parents=True)
    DVC_LOCK.write_bytes(content)
    assert not who_holds(workflow)
