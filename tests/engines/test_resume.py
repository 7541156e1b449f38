"""`seedbed resume` without a cluster: squeue and scancel are small scripts, Snakemake is the real one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seedbed.engines import resume as resume_module
from seedbed.engines.resume import (
    LeftJob,
    cancel,
    is_snakemake,
    is_stage_command,
    local_processes,
    queued_jobs,
    resume,
    wait_for,
)
from seedbed.errors import SeedbedError

SOURCES = Path(__file__).resolve().parents[1] / "src"


def install(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "Snakefile").write_text('rule one:\n    output: "out"\n    shell: "echo made > {output}"\n')
    return folder


@pytest.fixture
def left_process(checkout: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A stage command that a killed run left behind in the checkout."""
    (checkout / "workflow_scripts").mkdir()
    (checkout / "workflow_scripts" / "slow.py").write_text("import time\ntime.sleep(60)\n")
    process = subprocess.Popen([sys.executable, "workflow_scripts/slow.py", "--output", "x"], cwd=checkout)
    yield process
    process.kill()
    process.wait()


def test_only_own_jobs_of_this_folder_count(
    programs: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        f"7|seedbed_1a2b|RUNNING|{checkout}|rule_dump_cams_wildcards_composites_psa_train-0",
        f"8|seedbed_1a2b|PENDING|{checkout}|rule_report",
        "9|seedbed_1a2b|RUNNING|/elsewhere|rule_dump_cams",
        f"10|interactive|RUNNING|{checkout}|",
        f"11|seedbed_1a2b|RUNNING|{checkout}|rule_this_very_job",
    ]
    install(programs, "squeue", "cat <<'END'\n" + "\n".join(lines) + "\nEND")
    monkeypatch.setenv("SLURM_JOB_ID", "11")
    assert queued_jobs(checkout) == [
        LeftJob(7, "RUNNING", "dump_cams composites_psa_train-0"),
        LeftJob(8, "PENDING", "report"),
    ]


def test_a_queue_that_does_not_answer_is_an_error(programs: Path, checkout: Path) -> None:
    install(
        programs, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1"
    )
    with pytest.raises(SeedbedError, match=r"Unable to contact slurm controller.*--no-queue"):
        resume([], folder=checkout)


def test_no_queue_without_slurm(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert queued_jobs(checkout) == []


def test_a_folder_without_snakefile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeedbedError, match="no Snakefile in"):
        resume([], folder=tmp_path)


def test_a_snakemake_that_still_runs_is_refused(checkout: Path) -> None:
    (checkout / "snakemake").write_text("import time\ntime.sleep(60)\n")
    process = subprocess.Popen([sys.executable, "snakemake"], cwd=checkout)
    try:
        _until_seen(checkout, is_snakemake)
        with pytest.raises(SeedbedError, match=rf"still runs in .*process {process.pid}"):
            resume([], queue=False, folder=checkout)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "snakemake", "stage"),
    [
        ([sys.executable, "-u", "-X", "dev", "/bin/snakemake", "--cores", "1"], True, False),
        ([sys.executable, "-m", "snakemake"], True, False),
        ([sys.executable, "/lib/snakemake/__main__.py"], True, False),
        ([sys.executable, "/home/me/snakemake-notes/plot.py"], False, False),
        ([sys.executable, "tool.py", "snakemake"], False, False),
        ([sys.executable, "-c", "pass", "workflow_scripts/evaluate.py"], False, False),
        (["vim", "snakemake"], False, False),
        ([sys.executable, "workflow_scripts/evaluate.py"], False, True),
        ([sys.executable, "-W", "ignore", "/a/workflow_scripts/evaluate.py"], False, True),
        ([sys.executable, "plot.py", "/a/workflow_scripts/evaluate.py"], False, False),
    ],
)
def test_a_process_is_known_by_what_python_runs(words: list[str], snakemake: bool, stage: bool) -> None:
    program = resume_module._python_program(words)
    assert (is_snakemake(program), is_stage_command(program)) == (snakemake, stage)


def test_local_commands_of_the_killed_run_are_seen(
    checkout: Path, tmp_path: Path, left_process: subprocess.Popen[bytes]
) -> None:
    _until_seen(checkout, is_stage_command)
    assert [job.number for job in local_processes(checkout, is_stage_command)] == [left_process.pid]
    assert local_processes(tmp_path, is_stage_command) == []


def test_cancel_takes_jobs_out_of_the_queue_and_ends_processes(
    programs: Path, checkout: Path, left_process: subprocess.Popen[bytes]
) -> None:
    install(programs, "scancel", f'echo "$@" > {checkout}/cancelled')
    cancel([LeftJob(7, "RUNNING", "a"), LeftJob(left_process.pid, "local", "b"), LeftJob(8, "PENDING", "c")])
    assert (checkout / "cancelled").read_text().split() == ["7", "8"]
    assert left_process.wait(10) == -15


def test_waiting_tells_what_is_left_whenever_that_changes() -> None:
    one, two = LeftJob(1, "RUNNING", "dump_cams"), LeftJob(2, "PENDING", "report")
    looks = iter([[one, two], [one, two], [two], []])
    said: list[str] = []
    assert wait_for(lambda: next(looks), 0.0, said.append) == 2
    listed = [text for text in said if text.startswith(" ")]
    assert listed == ["  1 RUNNING dump_cams", "  2 PENDING report", "  2 PENDING report"]


def test_a_killed_local_run_goes_on(checkout: Path) -> None:
    """Snakemake is killed while its job runs; the job runs on and ends; resume unlocks and makes the output anew."""
    (checkout / "Snakefile").write_text(
        'rule one:\n    output: "out"\n    shell: "python workflow_scripts/slow.py {output}"\n'
    )
    (checkout / "workflow_scripts").mkdir()
    script = checkout / "workflow_scripts" / "slow.py"
    script.write_text(
        "import os, sys, time\n"
        "open('starts', 'a').write('start\\n')\n"
        "while not os.path.exists('go'): time.sleep(0.1)\n"
        "open(sys.argv[1], 'w').write('made')\n"
    )
    env = {
        **{k: v for k, v in os.environ.items() if k != "SLURM_JOB_ID"},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCES),
    }
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet"], cwd=checkout, env=env
    )
    _until_seen(checkout, is_stage_command)
    run.kill()
    run.wait()
    code = "from seedbed.engines.resume import resume; resume(['--cores', '1'], queue=False, poll_s=0.1)"
    resumed = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=checkout,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert resumed.stdout is not None
    assert "1 jobs of the killed run have not ended" in resumed.stdout.readline()
    (checkout / "go").touch()
    text, _ = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, text
    assert (checkout / "out").read_text() == "made"
    assert (checkout / "starts").read_text().split() == ["start", "start"]


def _until_seen(checkout: Path, is_meant: Callable[[Path], bool]) -> None:
    deadline = time.monotonic() + 60
    while not local_processes(checkout, is_meant):
        assert time.monotonic() < deadline, "no such process started"
        time.sleep(0.1)
