"""`seedbed scores` on judges' files written by hand."""

from typing import Any

import pytest

from result_files import judgement_bytes
from seedbed.errors import SeedbedError
from seedbed.verbs.scores import scores_text


def test_scores_are_shown_and_a_changed_file_is_refused(tree: Any) -> None:
    workflow = tree.workflow(recipes=["base"], rngs=[0])
    first, *_ = [j for j in workflow.judgements.values() if j.task.name == "cams"]
    best = {"threshold": 0.3, "mean_iou": 0.625}
    content = judgement_bytes("cams", first.split, "cam", {"mean_iou": 0.5}, best=best)
    path = tree.write(str(first.path.relative_to(tree.folder)), content)
    (line,) = [line for line in scores_text(workflow, "all").splitlines() if " cams " in line]
    assert line.split(maxsplit=4)[4] == "mean_iou 0.500  best 0.625 at 0.30 (chosen with masks)"
    path.write_bytes(content.replace(b'"mean_iou": 0.5', b'"mean_iou": 0.9'))
    with pytest.raises(SeedbedError, match=r"cams-\w+\.json was changed: .*; run its stage again"):
        scores_text(workflow, "all")
