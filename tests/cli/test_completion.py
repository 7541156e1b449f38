"""The daily commands at the command line: completion, help, and failures of one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.cli import app

COMMANDS = ("plan", "gc", "predict", "export", "doctor", "recipe")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(shell: str) -> None:
    script = app.generate_completion(shell=shell)
    for word in (*COMMANDS, "segmenter", "overlay", "format", "forecast", "sweep"):
        assert word in script


def test_bash_takes_the_script(tmp_path: Path) -> None:
    (tmp_path / "completion").write_text(app.generate_completion(shell="bash"))
    shown = subprocess.run(
        ["bash", "-c", "set -e; source ./completion; complete -p seedbed"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0
    assert "complete" in shown.stdout
    assert shown.stdout.rstrip().endswith("seedbed")


def test_the_help_says_how_to_install_it(capsys: pytest.CaptureFixture[str]) -> None:
    app(["--help"], result_action="return_value")
    shown = capsys.readouterr().out
    assert "--install-completion" in shown
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize(
    "words",
    [["gc"], ["export", "a.b", "--out", "o"], ["predict", "x.jpg", "--segmenter", "a.b", "--out", "o"]],
    ids=["gc", "export", "predict"],
)
def test_outside_of_a_checkout_they_say_so_in_one_line(words: list[str], tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[2] / "src"
    code = "from seedbed.cli import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(source), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 1
    assert shown.stderr.startswith("seedbed: error: ")
    assert len(shown.stderr.splitlines()) == 1
    assert "params.yaml" in shown.stderr
