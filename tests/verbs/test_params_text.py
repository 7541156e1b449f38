"""params.yaml is edited as text: what was there stays, and it says what is wanted."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import SeedbedError
from seedbed.verbs.params_text import with_dataset

COMMITTED = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
DECLARED = {"kind": "folder", "root": "~/my photographs", "splits": {"train": {"masks": False}}}
CHOSEN = {"train_classifier": {"epochs": 3, "augmentation": {"resize_long": [64, 96], "crop": 64}}}


def test_the_committed_file_keeps_every_line_but_one() -> None:
    new = with_dataset(COMMITTED, "birds", DECLARED, CHOSEN)
    lines = [line for line in COMMITTED.splitlines() if line != "dataset: composites"]
    left = iter(new.splitlines())
    assert all(line in left for line in lines), "a line is gone, or they are in another order"
    assert len(new.splitlines()) == len(COMMITTED.splitlines()) + 4 + 2
    assert (
        "\n  birds:\n    kind: folder\n    root: ~/my photographs\n    splits: {train: {masks: false}}\n"
        in new
    )
    assert (
        "\n  birds:\n    train_classifier: {epochs: 3, augmentation: {resize_long: [64, 96], crop: 64}}\n"
        in new
    )


def test_a_block_is_replaced_where_it_stands() -> None:
    text = (
        "dataset: b # mine\ndatasets:\n  # first\n  a:\n    kind: x\n    # inside\n    root: y\n\n"
        "  # second\n  b: {kind: z}\nsettings: {}\nrngs: [0] # last\n"
    )
    new = with_dataset(text, "a", {"kind": "folder"}, {"s": {"k": 1}})
    assert new == (
        "dataset: a # mine\ndatasets:\n  # first\n  a:\n    kind: folder\n\n  # second\n  b: {kind: z}\n"
        "settings:\n  a:\n    s: {k: 1}\nrngs: [0] # last\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dataset: a\n",
        "datasets:\nsettings:\n",
        "datasets: {a: {kind: x}}\ndataset: a",
        "dataset: a\ndatasets:\n    a:\n        kind: x",
        "settings:\n  b: {t: {u: 2}}\ndatasets:\n  a: {kind: x} # note\n\n# end\n",
        "dataset: a\r\ndatasets:\r\n  a:\r\n    kind: x\r\n",
        "\ufeffdataset: a\ndatasets:\n  a: {kind: x}\n",
        "dataset: ä\ndatasets:\n  a:\n    text: |\n      two\n      lines\n",
    ],
)
def test_other_layouts(text: str) -> None:
    new = with_dataset(text, "birds", DECLARED, CHOSEN)
    found, before = yaml.safe_load(new), yaml.safe_load(text) or {}
    assert found["dataset"] == "birds"
    assert found["datasets"] == (before.get("datasets") or {}) | {"birds": DECLARED}
    assert found["settings"] == (before.get("settings") or {}) | {"birds": CHOSEN}
    assert "\r\n" not in text or new.count("\n") == new.count("\r\n")


@pytest.mark.parametrize(
    "text", ["{dataset: a, datasets: {a: {kind: x}}}\n", "datasets: &all\n  a: {kind: x}\nx: *all\n"]
)
def test_a_file_that_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises(SeedbedError, match="laid out in a way that cannot be edited here"):
        with_dataset(text, "birds", DECLARED, CHOSEN)


name = st.sampled_from(["a", "b", "birds", "yes", "1", "null"])
leaf = st.one_of(
    st.integers(), st.booleans(), st.text("ab #:{}\n\"'é", max_size=6), st.none(), st.builds(lambda: [1, "x"])
)
blocks = st.dictionaries(
    name, st.dictionaries(name, leaf | st.dictionaries(name, leaf, max_size=2), max_size=3), max_size=4
)


@given(
    datasets=blocks,
    chosen=blocks,
    new=name,
    value=st.dictionaries(name, leaf, min_size=1, max_size=3),
    flow=st.sampled_from([None, True, False]),
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_file_holds_it_ends_as_wanted(
    datasets: dict[str, Any], chosen: dict[str, Any], new: str, value: dict[str, Any], flow: bool | None
) -> None:
    """`with_dataset` compares what it wrote with what is wanted, and refuses otherwise; here it must not refuse."""
    raw = {"dataset": "a", "datasets": datasets, "settings": chosen, "rngs": [0]}
    body = yaml.safe_dump(
        {k: v for k, v in raw.items() if k != "dataset"}, default_flow_style=flow, allow_unicode=True
    )
    if flow:
        body = "".join(
            f"{key}: {yaml.safe_dump(raw[key], default_flow_style=True, width=99999)}"
            for key in raw
            if key != "dataset"
        )
    text = with_dataset(f"# top\ndataset: a\n{body}# end\n", new, value, value)
    assert text.startswith("# top\ndataset: ")
    assert text.endswith("# end\n")
