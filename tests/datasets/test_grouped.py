"""Faults of one cause are one line with a count; faults of different causes are each told."""

import re

from hypothesis import given
from hypothesis import strategies as st

from seedbed.datasets.grouped import grouped

ADVICE = "known: [0, 1, 255]; correct the mask"


def test_few_faults_are_told_as_they_are():
    faults = [f"masks/{k}.png: mask holds unknown index 9; {ADVICE}" for k in range(3)]
    assert grouped(faults) == faults
    different = [
        f"labels.csv, line {k}: expected 0 or 1 for 'cat', got {word!r}" for k, word in enumerate("abc")
    ]
    assert grouped(different) == different


def test_four_faults_of_one_family_are_a_line_with_all_values():
    cells = [
        f"labels.csv, line {k}: expected 0 or 1 for 'cat', got {word!r}" for k, word in enumerate("abca")
    ]
    assert grouped([*cells, cells[0].replace("'a'", "'d'")]) == [
        f"{cells[0]} (and 4 more likewise: line 1, line 2, line 3; 'a', 'b', 'c', 'd')"
    ]
    masks = [f"m/{k}.png: mask holds unknown index {k + 10}, 90; {ADVICE}" for k in range(13)]
    masks[3] = masks[3].replace(", 90", "")
    shown = ", ".join(f"index {k + 10}" + ", 90" * (k != 3) for k in range(10))
    assert grouped(masks) == [f"{masks[0]} (and 12 more likewise: m/1.png, m/2.png, …; {shown}, …)"]
    missing = [f"images: expected the folder, but there is none (labels.csv, line {k})" for k in range(8)]
    assert grouped(missing) == [
        f"{missing[0]} (and 7 more likewise: {', '.join(f'line {k}' for k in range(1, 8))})"
    ]


def test_one_wording_names_all_places_or_two_of_many():
    faults = [f"labels.csv, line {k}: unknown class 'kat'; did you mean cat?" for k in range(2, 7)]
    assert grouped(faults) == [f"{faults[0]} (and 4 more likewise: line 3, line 4, line 5, line 6)"]
    many = [f"masks/{k}.png: mask holds unknown index 9; {ADVICE}" for k in range(1273)]
    assert grouped(many) == [f"{many[0]} (and 1272 more likewise: masks/1.png, masks/2.png, …)"]


def test_few_wordings_of_many_faults_are_one_line_each():
    faults = [f"masks/{k}.png: mask holds unknown index {8 + k % 2}; {ADVICE}" for k in range(20)]
    assert grouped(faults) == [
        f"{faults[0]} (and 9 more likewise: masks/2.png, masks/4.png, masks/6.png, masks/8.png, masks/10.png, "
        "masks/12.png, masks/14.png, masks/16.png, masks/18.png)",
        f"{faults[1]} (and 9 more likewise: masks/3.png, masks/5.png, masks/7.png, masks/9.png, masks/11.png, "
        "masks/13.png, masks/15.png, masks/17.png, masks/19.png)",
    ]


def listed(form: str, end: int, first: int = 1) -> str:
    return ", ".join(form.format(k) for k in range(first, end)) + ", …"


def test_many_wordings_differ_in_names_or_numbers():
    missing = [f"photos: expected a photograph for 'q{k}', but there is no such file" for k in range(12)]
    names = listed("'q{}'", 11)
    assert grouped(missing) == [f"{missing[0]} (and 11 more likewise: {names})"]
    coco = [f"a.json, annotation {k}: there is no image with id {k}; correct the file" for k in range(20)]
    ids = listed("id {}", 10, 0)
    assert grouped(coco) == [f"{coco[0]} (and 19 more likewise: annotation 1, annotation 2, …; {ids})"]
    words = [f"a.json: expected images with `id`, got {{'id': {k}}}" for k in range(20)]
    assert grouped(words) == [f"{words[0]} (and 19 more likewise: {listed('{}', 11)})"]


def test_other_faults_stay_in_their_order():
    many = [f"m/{k}.png: not a readable mask" for k in range(11)]
    assert grouped(["a: one", *many[:6], "b: two", *many[6:], "a: one"]) == [
        "a: one",
        f"{many[0]} (and 10 more likewise: m/1.png, m/2.png, …)",
        "b: two",
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y 'z'", "'q' 3"]), st.integers(0, 30)),
        max_size=80,
    )
)
def test_every_fault_is_counted_once(parts):
    faults = [f"{file}, line {line}: {text}" for file, text, line in parts]
    told = grouped(faults)
    more = [re.search(r"\(and (\d+) more likewise: ", line) for line in told]
    assert len(told) + sum(int(m[1]) for m in more if m) == len(set(faults))
    assert all(any(line.startswith(fault) for fault in faults) for line in told)
