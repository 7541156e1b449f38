"""Reading ahead: the same order, one key further at most, and errors in their turn."""

import threading

import pytest

from seedbed.input.ahead import read_ahead


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_everything_is_read_once_in_order(count):
    assert list(read_ahead(range(count), lambda key: key * key)) == [(k, k * k) for k in range(count)]


def test_one_key_is_read_ahead_by_another_thread():
    started = [threading.Event() for _ in range(4)]
    threads = set()

    def read(key):
        threads.add(threading.get_ident())
        started[key].set()

    reader = read_ahead(range(4), read)
    assert next(reader)[0] == 0
    assert started[1].wait(10)
    assert not started[2].is_set()
    reader.close()
    assert not started[2].is_set()
    assert threading.get_ident() not in threads


def test_an_error_comes_in_its_turn():
    def read(key):
        if key == 2:
            raise ValueError("unreadable")
        return key

    reader = read_ahead(range(4), read)
    assert [next(reader), next(reader)] == [(0, 0), (1, 1)]
    with pytest.raises(ValueError, match="unreadable"):
        next(reader)
