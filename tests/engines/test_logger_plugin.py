"""Snakemake's logger plugin: what `--quiet` keeps silent is counted all the same."""

import io
import logging
import time
from types import SimpleNamespace

import pytest
from snakemake.settings.enums import Quietness

from seedbed.engines.run_lines import RunLines
from snakemake_logger_plugin_seedbed import LogHandler

FIELDS = {"rule_msg": "", "output": ["results/toy/x/manifest.json"], "wildcards": {}, "rule_name": "predict"}


@pytest.mark.parametrize(
    ("quiet", "shown"),
    [
        (None, ["1 jobs: 1 predict", "1 of 1  predict results/toy/x: 1 s"]),
        ({Quietness.PROGRESS}, []),
        ({Quietness.RULES}, ["1 jobs: 1 predict", "1 of 1  predict results/toy/x: 1 s"]),
        ({Quietness.ALL}, []),
    ],
)
def test_quiet(monkeypatch, quiet, shown):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    names = ("printshellcmds", "debug_dag", "verbose", "stdout", "dryrun", "show_failed_logs")
    settings = SimpleNamespace(quiet=quiet, **dict.fromkeys(names, False))
    handler = LogHandler(settings, None)
    for fields in (
        {"event": "run_info", "stats": {"predict": 1, "total": 1}},
        {"event": "job_info", "jobid": 1, **FIELDS},
        {"event": "job_finished", "job_id": 1},
    ):
        handler.handle(logging.makeLogRecord({"levelno": logging.INFO, **fields}))
    assert (handler.lines.done, handler.lines.running) == (1, {})
    handler.close()
    assert stream.getvalue().splitlines() == shown


def test_a_look_that_fails_is_not_the_last(monkeypatch):
    monkeypatch.setattr("snakemake_logger_plugin_seedbed.QUIET_S", 0.01)
    looks = iter([OSError("no locks here"), "1 of 2 done"])

    def status(self: RunLines) -> str:
        found = next(looks, "1 of 2 done")
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(RunLines, "status", status)
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    names = ("printshellcmds", "debug_dag", "verbose", "stdout", "dryrun", "show_failed_logs", "quiet")
    handler = LogHandler(SimpleNamespace(**dict.fromkeys(names, False)), None)
    deadline = time.monotonic() + 10
    while not stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    handler.close()
    assert stream.getvalue() == "1 of 2 done\n"
