"""`seedbed scores` on judges' files written by hand."""

from typing import Any

import pytest

from result_files import judgement_bytes
from seedbed.engines.soundness import State
from seedbed.errors import SeedbedError
from seedbed.verbs.scores import _mark, scores_text


def test_scores_are_shown_and_a_changed_file_is_refused(tree: Any) -> None:
    workflow = tree.workflow(recipes=["base"], rngs=[0])
    first, *_ = [j for j in workflow.judgements.values() if j.task.name == "cams"]
    best = {"threshold": 0.3, "mean_iou": 0.625}
    content = judgement_bytes("cams", first.split, "cam", {"mean_iou": 0.5}, best=best)
    path = tree.write(str(first.path.relative_to(tree.folder)), content)
    (line,) = [line for line in scores_text(workflow, "all").splitlines() if " cams " in line]
    shown, _, why = line.split(maxsplit=4)[4].partition("; stale: ")
    assert shown == "mean_iou 0.500  best 0.625 at 0.30 (chosen with masks)"
    assert why  # nothing that it would be made from exists
    path.write_bytes(content.replace(b'"mean_iou": 0.5', b'"mean_iou": 0.9'))
    with pytest.raises(SeedbedError, match=r"cams-\w+\.json was changed: .*; run its stage again"):
        scores_text(workflow, "all")


def test_stale_scores_and_a_stale_page_are_marked(tree: Any) -> None:
    """An edited setting of `evaluate` makes every score stale, one of `predict` those of the predictions."""
    asked = {"recipes": ["base"], "rngs": [0], "thresholds": []}
    workflow = tree.workflow(**asked)
    tree.make(workflow)
    tree.judge(workflow)
    tree.report(workflow)
    assert "stale: " not in scores_text(workflow, "all")

    def marked(stage: str, **values: Any) -> dict[str, str]:
        text = scores_text(tree.workflow(**asked, settings={"toy": {stage: values}}), "all")
        *lines, page = text.splitlines()
        assert "index.html (stale: " in page
        return {line.split()[2]: line.partition("stale: ")[2] for line in lines[1:]}

    assert set(marked("evaluate", curve_step=0.5).values()) == {"curve_step default -> 0.5"}
    found = marked("predict", flip=False)
    assert found.pop("predictions") == "input predictions is stale"
    assert len(found) > 1
    assert not any(found.values())


def test_a_long_reason_is_shortened() -> None:
    """A changed slice can hold whole lists of judgements."""
    assert _mark(State("stale", "choices " * 1000)) == "stale: " + " ".join(["choices"] * 24) + " …"
    assert _mark(State("stale", "lr: 1 -> 2")) == "stale: lr: 1 -> 2"
    assert _mark(State("cached", "")) == ""
