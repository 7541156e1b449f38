"""Names that become parts of paths and of commands."""

import pytest

from seedbed.names import DATASET, NODE, RECIPE, SPLIT, NameKind

HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "../up",
    "/absolute",
    "a/b",
    "a\n",
    "$(touch x)",
    "`touch x`",
    "it's",
    "a&b",
    "a(",
    "a+",
]


@pytest.mark.parametrize("kind", [DATASET, RECIPE, NODE, SPLIT], ids=lambda kind: kind.what)
@pytest.mark.parametrize("name", [*HOSTILE, "-option", "_a", "a.b", "ä", "a" * 65])
def test_what_a_shell_or_a_file_system_reads_otherwise_is_refused(kind: NameKind, name: str) -> None:
    assert "\n" not in kind.fault(name)
    assert kind.fault(name).startswith(f"{kind.what} name ")


@pytest.mark.parametrize(
    ("kind", "name", "proposal"),
    [
        (DATASET, "my birds", "my-birds"),
        (DATASET, "../Up & down", "Up-down"),
        (RECIPE, "PSA_2 (new)", "psa-2-new"),
        (NODE, "refined-CAMs", "refined_cams"),
        (NODE, "2nd", "node_2nd"),
        (SPLIT, "train-aug", "train_aug"),
        (SPLIT, "été", "ete"),
        (DATASET, "a" * 64 + "b", "a" * 64),
    ],
)
def test_a_valid_spelling_is_proposed(kind: NameKind, name: str, proposal: str) -> None:
    assert kind.fault(name).endswith(f" does not match {kind.pattern}; for instance {proposal}")
    assert kind.fault(proposal) == ""


@pytest.mark.parametrize("name", ["", "..", "/", "鳥"])
def test_where_nothing_can_be_kept_nothing_is_proposed(name: str) -> None:
    assert DATASET.fault(name) == (
        f"data set name {name!r} does not match [A-Za-z0-9][A-Za-z0-9_-]{{0,63}}; choose another name"
    )


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (DATASET, ["voc", "VOC2012", "2007_a-b", "a" * 64]),
        (RECIPE, ["psa", "cam-randaugment-ls"]),
        (NODE, ["cams", "masks_", "cams2"]),
        (SPLIT, ["train", "train_aug", "2012"]),
    ],
)
def test_ordinary_names_are_taken(kind: NameKind, names: list[str]) -> None:
    assert [kind.fault(name) for name in names] == [""] * len(names)


def test_a_very_long_name_is_not_repeated_in_full() -> None:
    assert len(DATASET.fault("x" * 100_000)) < 250
