"""What people, spreadsheets and pandas write into a CSV of labels, and what is said about it."""

import re

import numpy as np
import pandas as pd
import pytest

from seedbed.datasets.label_csv import read_label_csv


@pytest.fixture
def read(tmp_path):
    def from_text(text: str, classes: list[str] | None = None):
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8", newline="")
        return read_label_csv(path, classes)

    return from_text


def told(table) -> list[str]:
    """The faults without the folder."""
    assert all("\n" not in fault for fault in table.faults)
    return [re.sub(r"^.*/labels\.csv", "labels.csv", fault) for fault in table.faults]


def test_rows_with_too_few_or_too_many_cells(read):
    table = read("image_id,cat,dog\na,1\nb,1,0,1\nc,0,1\n\nd\n")
    advice = "put a cell that contains commas in quotes"
    assert told(table) == [
        f"labels.csv, line 2: expected 3 cells as in the header, got 2; {advice}",
        f"labels.csv, line 3: expected 3 cells as in the header, got 4; {advice}",
        f"labels.csv, line 6: expected 3 cells as in the header, got 1; {advice}",
    ]
    assert {i: row.tolist() for i, row in table.rows.items()} == {"c": [False, True]}
    assert set(table.refused) == {"a", "b", "d"}


def test_cells_that_are_not_0_or_1(read):
    table = read("image_id,cat,dog\na,,1\nb,1,x\nc,1.0,0.0\n")
    assert told(table) == [
        "labels.csv, line 2: expected 0 or 1 for 'cat', got an empty cell",
        "labels.csv, line 3: expected 0 or 1 for 'dog', got 'x'",
    ]
    assert {i: row.tolist() for i, row in table.rows.items()} == {"c": [True, False]}


def test_the_index_of_pandas_and_a_trailing_comma(read, tmp_path):
    frame = pd.DataFrame({"image_id": ["a", "b"], "cat": [1, 0]})
    frame.to_csv(tmp_path / "labels.csv")
    table = read_label_csv(tmp_path / "labels.csv")
    assert told(table) == ["labels.csv, line 1: column 1 has no name; pandas: to_csv(…, index=False)"]
    assert table.classes == ("cat",)
    pd.read_csv(tmp_path / "labels.csv").to_csv(tmp_path / "labels.csv", index=False)
    table = read_label_csv(tmp_path / "labels.csv")
    assert told(table) == [
        "labels.csv, line 1: column 'Unnamed: 0' is the index of a pandas table; write it with index=False"
    ]
    assert table.classes == ("cat",)
    table = read("image_id,cat,\na,1,\n")
    assert told(table) == ["labels.csv, line 1: column 3 has no name; remove the trailing comma"]
    assert table.classes == ("cat",)
    assert read("image_id,cat,\na,1,\n", ["cat"]).faults == []


def test_columns_that_are_no_classes(read):
    table = read("image_id,Background,cat,reviewed\na,1,1,yes\nb,0,0,no\n")
    advice = "name the classes in `classes`, or remove the column"
    assert told(table) == [
        f"labels.csv, line 1: column 'Background' is not a class of a label file; {advice}",
        "labels.csv, line 1: column 'reviewed' is not a class: expected 0 or 1, got 'yes' in line 2; if it is a"
        " class, write 1 where it is shown and 0 where not; if it is none, name the classes in `classes`",
    ]
    assert table.classes == ("cat",)
    assert [row.tolist() for row in table.rows.values()] == [[True], [False]]
    assert read("image_id,Background,cat,reviewed\na,1,1,yes\n", ["cat"]).faults == []


def test_a_column_twice_and_classes_that_differ_in_case(read):
    table = read("image_id,cat,cat,Cat\na,1,0,0\n")
    assert told(table) == [
        "labels.csv, line 1: column 'cat' occurs 2 times; keep one",
        "labels.csv, line 1: the classes 'cat' and 'Cat' differ only in case; write one of them",
    ]
    assert told(read("image_id,image_id,cat\na,b,1\n")) == [
        "labels.csv, line 1: column 'image_id' occurs 2 times; keep one"
    ]
    assert told(read("image_id,labels\na,cat\nb,cat;Cat\n")) == [
        "labels.csv, line 3: the classes 'Cat' and 'cat' differ only in case; write one of them"
    ]


@pytest.mark.parametrize(("separator", "name"), [(";", "';'"), ("\t", "tab"), ("|", "'|'")])
def test_other_separators(read, separator, name):
    table = read(f"image_id{separator}cat\na{separator}1\n")
    assert told(table) == [
        f"labels.csv, line 1: expected commas between the columns, got the separator {name}; write commas"
    ]
    assert not table.readable


def test_files_that_are_no_tables(read, tmp_path):
    assert told(read("")) == ["labels.csv: expected a CSV of labels, but the file is empty"]
    (tmp_path / "labels.csv").write_bytes("image_id,Bär\n".encode("latin-1"))
    (fault,) = told(read_label_csv(tmp_path / "labels.csv"))
    told_of_bytes = "not a readable CSV (byte 0xe4 in line 1 is not UTF-8); save it as UTF-8 with commas"
    assert fault == f"labels.csv: {told_of_bytes}"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(encoding, tmp_path):
    (tmp_path / "labels.csv").write_bytes("image_id,cat\na,1\n".encode(encoding))
    (fault,) = told(read_label_csv(tmp_path / "labels.csv"))
    assert fault.startswith(
        "labels.csv: not a readable CSV (it is UTF-16, which spreadsheets call Unicode text"
    )


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (
            'a,cat\nb,"dog\nc,cat\n',
            "line 3: a quotation mark opens a cell and is not closed in this line; close it, or remove it",
        ),
        (
            'a,cat\nb,"dog\nc,"cat"\n',
            "line 3: a quotation mark opens a cell and is not closed in this line; close it, or remove it",
        ),
        (
            'a,cat\nb,"dog"s\nc,cat\n',
            "line 3: text follows a closing quotation mark; write two marks for one inside a cell",
        ),
    ],
)
def test_quotation_marks(read, rows, fault):
    table = read(f"image_id,labels\n{rows}")
    assert told(table) == [f"labels.csv, {fault}"]
    assert not table.readable


@pytest.mark.parametrize("header", ["image_id,cat,dog", "image_id,split,cat", "image_id,labels"])
@pytest.mark.parametrize("rows", ["", "\n\n", ",,\n", " \n\t\n"])
def test_a_header_without_rows_is_one_fault(read, header, rows):
    table = read(f"{header}\n{rows}")
    assert told(table) == ["labels.csv: expected a row for each image below the header, got none; add them"]
    assert not table.readable


@pytest.mark.parametrize("last", [",,", "   ", "\t", ",,,,", '"",""'])
def test_rows_without_any_text_are_nothing(read, last):
    table = read(f"image_id,cat,dog\na,1,0\n{last}\nb,0,1\n{last}\n")
    assert told(table) == []
    assert table.lines == {"a": 2, "b": 4}


@pytest.mark.parametrize(
    ("no", "yes"), [("False", "True"), ("FALSE", "TRUE"), ("false", "true"), ("0.0", "1.0")]
)
def test_truth_values(read, no, yes):
    table = read(f"image_id,cat,dog\na,{yes},{no}\nb,{no},{no}\n")
    assert told(table) == []
    assert {i: row.tolist() for i, row in table.rows.items()} == {"a": [True, False], "b": [False, False]}


@pytest.mark.parametrize("column", ["label", "Labels", "class", "CLASSES", "Category", "tags"])
@pytest.mark.parametrize("classes", [None, ["cat", "dog"]])
def test_a_column_of_names_under_another_name(read, column, classes):
    table = read(f"image_id,{column}\na,cat\nb,dog\n", classes)
    assert told(table) == [
        f"labels.csv, line 1: column {column!r} seems to name the classes; call it 'labels', or remove it"
    ]
    beside = read(f"image_id,{column},cat,dog\na,big,1,0\nb,small,0,1\n", classes)
    assert told(beside) == ([] if classes else told(table))


@pytest.mark.parametrize("column", ["label", "labels", "class"])
def test_0_and_1_in_a_column_that_is_not_named_after_a_class(read, column):
    """It would be a class `label`, or two classes `0` and `1`."""
    table = read(f"image_id,{column}\na,1\nb,0\n")
    assert told(table) == [
        f"labels.csv, line 1: column {column!r} holds 0 and 1, but its name is not that of a class; "
        "call it what 1 means"
    ]


def test_numbers_may_be_names_if_they_are_declared(read):
    table = read("image_id,labels\na,1\nb,0\n", ["0", "1"])
    assert (told(table), table.rows["a"].tolist()) == ([], [False, True])
    assert read("image_id,labels\na,1\nb,0\nc,2\n").classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ('"[""cat"",""dog""]"', "write 'cat;dog'"),
        ("\"['cat', 'dog']\"", "write 'cat;dog'"),
        ('["cat";"dog"]', "write 'cat;dog'"),
        ("['cat']", "write 'cat'"),
        ("[]", "leave the cell empty"),
        ("\"('cat', 'dog')\"", "write 'cat;dog'"),
        ("\"{'cat'}\"", "write 'cat'"),
        ("'cat'", "write 'cat'"),
    ],
)
def test_lists_as_python_and_json_write_them(read, cell, advice):
    table = read(f"image_id,labels\na,{cell}\nb,cat\nc,dog\n")
    (fault,) = told(table)
    assert fault.startswith("labels.csv, line 2: expected names separated by ';', got ")
    assert fault.endswith(f"; {advice}")
    assert table.classes == ("cat", "dog")


def test_names_with_brackets_are_names(read):
    assert read("image_id,labels\na,cat (big);(other)\nb,dog[2]\nc,(other)\n").classes == (
        "(other)",
        "cat (big)",
        "dog[2]",
    )


def test_a_declared_class_that_is_misspelt(read):
    rows = "a,dog\nb,dog\nc,cat\n"
    assert told(read(f"image_id,labels\n{rows}", ["cat", "dgo"])) == [
        f"labels.csv, line {line}: no cell names the class 'dgo' of `classes`, but several name 'dog'; correct "
        "one of them"
        for line in (2, 3)
    ]
    (fault,) = told(read("image_id,labels\na,dog\nb,dgo\nc,cat\n", ["cat", "dog"]))
    assert fault == "labels.csv, line 3: unknown class 'dgo'; did you mean dog?"


@pytest.mark.parametrize("image_id", ["../../x", "/x.jpg", "a/../../x", "..\\x", "\\\\host\\x"])
def test_ids_that_lead_out_of_the_folder(read, image_id):
    table = read(f"image_id,cat\n{image_id},1\n")
    assert told(table) == [
        f"labels.csv, line 2: {image_id!r} leads out of the folder of images; write a path below it"
    ]
    assert table.rows == {}


def test_a_missing_class_is_told_once_and_refuses_the_rows(read):
    table = read("image_id,cat\na,1\nb,0\n", ["cat", "dgo"])
    assert told(table) == ["labels.csv, line 1: unknown class (column) 'dgo'; known: cat."]
    assert set(table.refused) == {"a", "b"}


def test_semicolons_anywhere_keep_spaces_in_names(read):
    table = read("image_id,labels\na,tea; coffee cup ;\nb,coffee cup\nc,\n")
    assert table.faults == []
    assert table.classes == ("coffee cup", "tea")
    assert [row.tolist() for row in table.rows.values()] == [[True, True], [True, False], [False, False]]


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (
            ["hot dog", "cat"],
            "line 2: 'hot dog' may be one class or two, because 'hot' never occurs without 'dog'",
        ),
        (["cat", "cat hot dog", "dog"], "line 3: 'hot dog' may be one class or two, because 'hot' never"),
        (["dog", "hot dog", "hot cat", "cat"], None),
        (["dog", "hot dog", "hot"], None),
        (["cat;dog", "bird", "cat dog"], "line 4: 'cat dog' may be one class or 2; separate names by ';'"),
    ],
)
def test_names_with_spaces(read, cells, fault):
    text = "image_id,labels\n" + "".join(f"{k},{cell}\n" for k, cell in enumerate(cells))
    faults = told(read(text))
    assert len(faults) == (fault is not None)
    assert not fault or faults[0].startswith(f"labels.csv, {fault}")
    assert not fault or "name the classes in `classes`" in faults[0]


def test_declared_names_with_spaces_are_not_ambiguous(read):
    table = read("image_id,labels\na,hot dog\nb,dog cat\n", ["hot dog", "dog", "cat"])
    assert table.faults == []
    assert [row.tolist() for row in table.rows.values()] == [[True, False, False], [False, True, True]]


def test_commas_between_names(read):
    table = read('image_id,labels\na,"cat, dog"\nb,cat\n')
    assert told(table) == [
        "labels.csv, line 2: expected names separated by ';', got 'cat, dog'; write 'cat;dog'"
    ]
    assert table.classes == ("cat",)
    declared = read('image_id,labels\na,"tea, green"\n', ["tea, green"])
    assert (declared.faults, declared.rows["a"].tolist()) == ([], [True])


def test_background_among_names(read):
    table = read("image_id,labels\na,cat;background\nb,cat;dog\n")
    assert told(table)[0] == (
        "labels.csv, line 2: 'background' is not a class of a label file; leave the cell empty"
    )
    assert table.classes == ("cat", "dog")


def test_ids_and_splits_of_refused_rows_are_kept(read):
    table = read("image_id,split,cat\na,train,\nb,val,1\n")
    assert table.splits == {"a": "train", "b": "val"}
    assert table.lines == {"a": 2, "b": 3}
    assert np.array_equal(table.rows["b"], [True])


@pytest.mark.parametrize(
    "pair", [("no", "yes"), ("", "x"), ("F", "T"), ("0.00", "1.00"), ("-", "+"), ("N", "Y"), ("off", "on")]
)
def test_other_words_for_0_and_1_are_not_to_be_removed(read, pair):
    no, yes = pair
    faults = told(read(f"image_id,cat,dog\na,{no},{yes}\nb,{yes},{no}\n"))
    assert [fault.split(" is not")[0] for fault in faults] == [
        "labels.csv, line 1: column 'cat'",
        "labels.csv, line 1: column 'dog'",
    ]
    assert all("write 1 where it is shown and 0 where not" in f and "remove" not in f for f in faults)


@pytest.mark.parametrize(
    "column", ["species", "class_name", "Label Name", "category_names", "Category", "what is seen"]
)
def test_further_names_of_a_column_of_names(read, column):
    assert told(read(f"image_id,{column}\na,dog\nb,cat\n")) == [
        f"labels.csv, line 1: column {column!r} seems to name the classes; call it 'labels', or remove it"
    ]


@pytest.mark.parametrize("column", ["subset", "Splits", "data_split", "phase"])
def test_a_column_of_splits_under_another_name(read, column):
    word = "train" if column == "phase" else "trn"
    assert told(read(f"image_id,{column},cat\na,{word},1\nb,{word},0\n")) == [
        f"labels.csv, line 1: column {column!r} seems to name the splits; call it 'split', or remove it"
    ]


@pytest.mark.parametrize(
    "columns", [["is_train"], ["fold"], ["train", "val"], ["Train", "test"], ["validation"]]
)
def test_columns_that_flag_a_split_are_no_classes(read, columns):
    text = f"image_id,{','.join(columns)},cat\na{',1' * len(columns)},1\nb{',0' * len(columns)},0\n"
    table = read(text)
    assert told(table) == [
        f"labels.csv, line 1: column {c!r} seems to say which split an image is in; write a column 'split' of train,"
        " val, … instead, or name the classes in `classes`"
        for c in columns
    ]
    assert table.classes == ("cat",)
    assert read(text, ["cat", *columns]).faults == []


def test_a_train_may_be_a_class(read):
    """VOC's trains are vehicles."""
    table = read("image_id,train,object\na,1,1\nb,0,0\n")
    assert (table.classes, table.faults) == (("train", "object"), [])


@pytest.mark.parametrize(
    ("header", "cells", "advice"),
    [
        ("labels", ("cat", "dog"), "put its names into one cell of 'labels', separated by ;"),
        ("cat,dog", ("1,0", "0,1"), "write 1 for each of its classes"),
    ],
)
def test_a_row_per_object_is_one_fault(read, header, cells, advice):
    rows = "".join(f"{name},{cell}\n" for name in "abc" for cell in cells)
    table = read(f"image_id,{header}\n{rows}")
    assert told(table) == [
        "labels.csv, line 3: expected one row per image, but 3 rows name an image again (first in line 2); join the"
        f" rows of an image: {advice}"
    ]
    assert not table.readable


def test_few_rows_twice_are_told_each(read):
    rows = "".join(f"p{k},{k % 2}\n" for k in range(30))
    faults = told(read(f"image_id,cat\n{rows}p0,1\np1,0\np2,1\n"))
    assert [fault.split("'")[1] for fault in faults] == ["p0", "p1", "p2"]
