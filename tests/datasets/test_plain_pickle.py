"""The published label file, read without unpickling, and pickles that mean harm."""

import io
import os
import pickle
import struct

import numpy as np
import pytest

from seedbed.datasets.labels import read_cls_labels
from seedbed.datasets.plain_pickle import NotPlainError, read_plain_pickle

VECTOR = np.array([0, 1, 0], np.float32)


def outer(content: object) -> np.ndarray:
    array = np.empty((), dtype=object)
    array[()] = content
    return array


def dumped(content: object, protocol: int = 4) -> bytes:
    return pickle.dumps(outer(content), protocol)


@pytest.fixture(scope="module")
def published(test_data):
    return test_data / "voc12-lists/voc12/cls_labels.npy"


def test_the_published_file_is_read_as_numpy_reads_it(published):
    names = [f"c{k}" for k in range(20)]
    table = read_cls_labels(published, names, names)
    assert table.faults == []
    expected = np.load(published, allow_pickle=True).item()
    assert list(table.rows) == [f"{key // 10**6}_{key % 10**6:06d}" for key in expected]
    assert np.array_equal(np.stack(list(table.rows.values())), np.stack(list(expected.values())))
    assert table.rows["2007_000032"].nonzero()[0].tolist() == [0, 14]  # an aeroplane and persons


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("key", ["2007_000032", 2007000032, np.int32(2007000032), np.int64(2007000032)])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "b1", "u1", "i1", "i2", "u4", "i8"])
def test_what_numpy_writes_is_read(protocol, key, kind):
    vector = np.array([0, 1, 1], kind)
    found = read_plain_pickle(dumped({key: vector, "other": vector[:1].copy()}, protocol))
    assert list(found) == [key, "other"]
    assert found[key].dtype == vector.dtype
    assert found[key].tolist() == vector.tolist()


def test_python_2_wrote_bytes_as_text():
    """`{'a': array([1], u1)}` by hand, as Python 2 pickled it: text for ids and for the array's bytes."""
    kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    inner = start + b"(K\x01(K\x01t" + kind + b"\x89U\x01\x01tb"
    outer_kind = kind.replace(b"u1", b"O8").replace(b"K\x00tb", b"K?tb")
    content = b"\x80\x02" + start + b"(K\x01)" + outer_kind + b"\x89](}(U\x01a" + inner + b"ue" + b"tb."
    assert {k: v.tolist() for k, v in read_plain_pickle(content).items()} == {"a": [1]}


class Call:
    """Pickles as a call of `os.mkdir`."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("where", ["alone", "value", "key of a list"])
def test_nothing_is_called(tmp_path, where):
    call = Call(tmp_path / "made")
    content = {"alone": call, "value": {"a": call}, "key of a list": {"a": VECTOR, "b": [call]}}[where]
    with pytest.raises(NotPlainError, match=r"it holds posix\.mkdir"):
        read_plain_pickle(dumped(content))
    assert not (tmp_path / "made").exists()


PLAIN = pickle.dumps(outer({"a": VECTOR}), 2)
STATE = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"


def forged(old: bytes, new: bytes) -> bytes:
    """The plain pickle with the last `old` replaced: that of the inner array."""
    head, found, tail = PLAIN.rpartition(old)
    assert found
    return head + new + tail


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # A size of elements and flags that the type does not have: numpy would read beyond its memory.
        (forged(STATE, b"NNNJ\xff\xff\x00\x00K\x01K\x00"), "the type 'f4' has an unusual state"),
        (forged(STATE, STATE[:-1] + b"\x3f"), "the type 'f4' has an unusual state"),
        (forged(STATE, b"(K\x04(K\x01tt" + STATE[1:]), "the type 'f4' has an unusual state"),
    ],
)
def test_forged_states_of_types(content, message):
    with pytest.raises(NotPlainError, match=message):
        read_plain_pickle(content)


def test_a_forged_shape():
    bent = pickle.dumps(outer({"a": VECTOR}), 3)
    head, _, tail = bent.rpartition(b"K\x03\x85")
    for number in (
        b"K\x04",
        b"J\xff\xff\xff\x7f",
        b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40",
        b"J\xff\xff\xff\xff",
    ):
        with pytest.raises(NotPlainError, match="has another number of bytes"):
            read_plain_pickle(head + number + b"\x85" + tail)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": outer("x")}, "it holds str where dict belongs"),
        ({"a": np.array([None, 1], object)}, "array of type 'O8' instead of numbers"),
        ({"a": np.zeros((2, 2), np.float32)}, r"shape \(2, 2\) instead of a vector"),
        ({"a": np.float32(1)}, "str → float instead of an id → a vector"),
        ({"a": np.array(["x"])}, "it holds the type 'U1'"),
        ({"a": np.zeros(2, ">f4")}, "the type 'f4' has an unusual state"),
        ({"a": np.zeros(2, [("x", "f4")])}, "it holds the type 'V4'"),
        ({"a": np.zeros(2000, np.float32)}, "value of 8000 bytes"),
        ({1.5: VECTOR}, "it uses the opcode BINFLOAT"),
        ({(1, 2): VECTOR}, "it uses the opcode TUPLE2|it holds tuple → "),
        ([VECTOR], "it holds"),
        (None, "where dict belongs"),
    ],
)
def test_other_contents(content, message):
    with pytest.raises(NotPlainError, match=message):
        read_plain_pickle(dumped(content))


def test_every_truncation_is_refused():
    whole = dumped({"a": VECTOR, 5: VECTOR})
    read_plain_pickle(whole)
    for length in range(len(whole)):
        with pytest.raises(NotPlainError):
            read_plain_pickle(whole[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b".",  # a memo of 4 billion entries, were it an array
        b"\x80\x04" + b"}\x94" * 20_000 + b".",
        b"\x80\x04" + b"(" * 20_000 + b".",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x02h\x07.",
        b"\x80\x020.",
        b".",
    ],
)
def test_memos_marks_and_lengths_without_end(content):
    with pytest.raises(NotPlainError):
        read_plain_pickle(content)


def saved(path, content):
    buffer = io.BytesIO()
    np.save(buffer, content, allow_pickle=True)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros(3), "it is an array of shape (3,) and type float64"),
        ({"a": np.array([0, 1])}, "expected 3 numbers for a, got 2"),
        ({"a": np.array([0, 2, 0])}, "expected zeros and ones for a, got [0, 2, 0]"),
        ({"a": [0, 1, 0]}, "str → list instead of an id → a vector"),
    ],
)
def test_faults_are_one_line(tmp_path, content, message):
    path = saved(tmp_path / "labels.npy", content)
    (fault,) = read_cls_labels(path, ["x"], ["x", "y", "z"]).faults
    assert fault.startswith(f"{path}: expected ")
    assert message in fault
    assert "\n" not in fault
