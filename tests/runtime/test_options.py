"""The front of all stage commands: help, log, progress, locks, one-line errors."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from seedbed.errors import SeedbedError
from seedbed.plan.commands import ALL_STAGES, judge_main
from seedbed.runtime.log import Log, guarded
from seedbed.runtime.options import gather_main, main, parser
from seedbed.stages.registry import STAGES

ROOT = Path(__file__).parents[2]


def python(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
        | {"PYTHONPATH": str(ROOT / "src")}
        | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(f"workflow_scripts/{name}.py", *arguments)


@pytest.mark.parametrize("name", ALL_STAGES)
def test_help_names_every_option_and_parameter(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as left:
        parser(ALL_STAGES[name]).parse_args(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for key, field in ALL_STAGES[name].parameters({}).model_fields.items():
        assert f"\n  {field.alias or key} = " in shown
    for key in ALL_STAGES[name].inputs:
        assert f"--{key.replace('_', '-')} " in shown
    assert "PydanticUndefined" not in shown


def test_help_of_every_command_imports_no_torch() -> None:
    """In one process, as importing numpy and pydantic for each of a dozen commands takes seconds."""
    done = python(
        "-c",
        "import sys\n"
        "from seedbed.runtime.options import main, gather_main\n"
        "from seedbed.plan.commands import ALL_STAGES\n"
        "calls = [lambda stage=stage: main(stage, ['--help']) for stage in ALL_STAGES.values()]\n"
        "for call in [*calls, lambda: gather_main({}, ['--help'])]:\n"
        "    try:\n"
        "        call()\n"
        "    except SystemExit as left:\n"
        "        assert left.code == 0\n"
        "print('loaded:', sorted({'torch', 'timm', 'torchvision'} & set(sys.modules)))\n",
    )
    assert done.stdout.count("usage: ") == len(ALL_STAGES) + 1, done.stderr
    assert done.stdout.endswith("loaded: []\n")


def test_a_script_is_the_command() -> None:
    done = script("gather", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python workflow_scripts/gather.py")


def test_waiting_is_passive_before_torch_is_imported() -> None:
    done = python(
        "-c",
        "import os, sys\n"
        "from seedbed.runtime.options import main\n"
        "from seedbed.stages.dump_cams import STAGE\n"
        "assert 'torch' not in sys.modules\n"
        "try:\n"
        "    main(STAGE, ['--help'])\n"
        "except SystemExit:\n"
        "    print('policy', os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)\n",
    )
    assert done.stdout.endswith("policy PASSIVE False\n"), done.stdout + done.stderr


def test_a_policy_that_somebody_chose_is_kept() -> None:
    code = """if True:
        import os
        from seedbed.runtime.options import main
        from seedbed.stages.predict import STAGE
        try:
            main(STAGE, ["--help"])
        except SystemExit:
            print(os.environ["OMP_WAIT_POLICY"])
        """
    assert python("-c", code, OMP_WAIT_POLICY="ACTIVE").stdout.endswith("ACTIVE\n")


@pytest.mark.parametrize("missing", ["--params", "--output"])
def test_a_missing_option_is_named(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--params", "p", "--index", "i", "--classifier", "c", "--output", "o", "--shard", "train-0"]
    place = options.index(missing)
    with pytest.raises(SystemExit) as left:
        parser(ALL_STAGES["dump_cams"]).parse_args(options[:place] + options[place + 2 :])
    assert left.value.code == 2
    assert missing in capsys.readouterr().err


def fail_with(
    error: BaseException, log_path: Path | None, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    def work(log: Log) -> None:
        log.line("started")
        raise error

    status = guarded("dump_cams", log_path, work)
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [SeedbedError("no such\n  thing; do this"), ValueError("no such\n  thing; do this")],
    ids=["ours", "value"],
)
def test_a_users_mistake_is_exactly_one_line(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, shown = fail_with(error, tmp_path / "logs" / "x.log", capsys)
    assert status == 1
    assert shown == "dump_cams: error: no such thing; do this\n"
    log = (tmp_path / "logs" / "x.log").read_text()
    assert log.startswith("started\nTraceback (most recent call last)")


def test_a_surprise_is_one_line_that_names_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.log"
    status, shown = fail_with(KeyError("weights"), path, capsys)
    assert status == 1
    assert shown == f"dump_cams: error: KeyError: 'weights' (traceback in {path})\n"
    assert "in work" in path.read_text()


def test_a_surprise_without_a_log_shows_its_traceback_and_ends_with_the_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, shown = fail_with(KeyError("weights"), None, capsys)
    assert status == 1
    assert "Traceback" in shown
    assert shown.endswith("\ndump_cams: error: KeyError: 'weights'\n")


def test_an_error_without_words_is_named_by_its_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, shown = fail_with(ZeroDivisionError(), tmp_path / "x.log", capsys)
    assert shown.startswith("dump_cams: error: ZeroDivisionError (traceback in ")


def test_an_interruption_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fail_with(KeyboardInterrupt(), tmp_path / "x.log", capsys) == (130, "dump_cams: interrupted\n")


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("")
    status = guarded("dump_cams", tmp_path / "logs" / "x.log", lambda log: None)
    shown = capsys.readouterr().err
    assert status == 1
    assert re.fullmatch(
        r"dump_cams: error: cannot write \S+/logs/x\.log: there is a file where a folder should go.*\n", shown
    )


def test_success_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded("x", tmp_path / "x.log", lambda log: log.line("done")) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "x.log").read_text() == "done\n"


def test_a_failed_command_prints_one_line(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    missing = str(tmp_path / "slice.json")
    done = script("gather", "--params", missing, "--output", str(tmp_path), "--log", str(log))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"gather: error: expected the stage's slice at {missing}, found none; "
        "`seedbed plan` writes the slices\n"
    )
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(("total", "lines"), [(3, 3), (10, 10), (25, 13)])
def test_progress_goes_to_the_log(tmp_path: Path, total: int, lines: int) -> None:
    """25 images: a line after each 2 of them (25 // 10), and one at the end."""
    log = Log(tmp_path / "x.log")
    assert list(log.progress(range(total), total, "dump_cams train-0")) == list(range(total))
    written = (tmp_path / "x.log").read_text().splitlines()
    assert len(written) == lines
    assert written[-1] == f"dump_cams train-0: {total}/{total}"


def test_progress_of_nothing(tmp_path: Path) -> None:
    assert list(Log(tmp_path / "x.log").progress([], 0, "x")) == []


def test_the_gather_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[Sequence[Path]] = []
    monkeypatch.setattr(
        "seedbed.runtime.options.gather", lambda stages, params, folder: calls.append((params, folder))
    )
    log = str(tmp_path / "x.log")
    assert gather_main(STAGES, ["--params", "p.json", "--output", "out", "--log", log]) == 0
    assert calls == [(Path("p.json"), Path("out"))]


def test_main_runs_the_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []
    monkeypatch.setattr(
        "seedbed.runtime.run.run_stage",
        lambda stage, work, options, log: seen.append((stage.name, options.shard)),
    )
    options = ["--params", "p", "--index", "i", "--cams", "c", "--output", "o", "--shard", "train-0"]
    assert main(STAGES["pseudo_masks"], [*options, "--log", str(tmp_path / "x.log")]) == 0
    assert seen == [("pseudo_masks", "train-0")]


def test_a_judge_is_named_by_the_first_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        judge_main(["evaluate", "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("usage: python workflow_scripts/judge.py evaluate ")
    for words in (["evalute"], []):
        assert judge_main(words) == 1
        told = capsys.readouterr().err
        assert told.startswith("judge: error: unknown judge ")
        assert "evaluate" in told
