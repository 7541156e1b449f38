"""Read the one pickle that the field publishes, a dict of plain vectors, without unpickling.

`cls_labels.npy` of PSA, IRN and their successors is a pickled dict. Unpickling runs code, and even numpy's own
constructors (`dtype.__setstate__`) corrupt memory if their state is forged. So the opcodes are walked by
`pickletools.genops`, which executes nothing, and only the forms that numpy writes for such a dict are understood.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Shaped

from seedbed.regular_files import open_regular

LONGEST = 4096
"""Most bytes or characters of a single value: 253 classes of 8 bytes need 2024."""
NUMBERS = frozenset({"f2", "f4", "f8", "b1"} | {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)})
"""Types of numbers, as numpy writes them."""
OBJECT = "O8"
"""The type of the array around the dict."""

_GLOBALS = {
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
    **{f"numpy.{core}.multiarray _reconstruct": "array" for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray scalar": "scalar" for core in ("core", "_core")},
    **{f"numpy.{core}.numeric _frombuffer": "buffer" for core in ("core", "_core")},
}
_VALUES = frozenset({"BININT", "BININT1", "BININT2", "LONG1"})
_VALUES |= {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"}
_VALUES |= {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_PUTS = frozenset({"BINPUT", "LONG_BINPUT", "MEMOIZE"})
_GETS = frozenset({"BINGET", "LONG_BINGET"})


def pickle_of(path: Path) -> bytes:
    """The pickle in a `.npy` file of one object.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is another `.npy` file, or none.
    """
    with open_regular(path) as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, kind = read(file)
        if shape != () or kind != np.dtype(object):
            raise ValueError(f"it is an array of shape {shape} and type {kind}")
        return file.read()


class NotPlainError(ValueError):
    """The pickle holds something other than a dict of plain vectors."""


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(eq=False)
class _Type:
    code: str
    built: bool = False


@dataclass(eq=False)
class _Array:
    content: Any = None


def read_plain_pickle(content: bytes) -> dict[str | int, Shaped[np.ndarray, "length"]]:
    """The dict of a pickled object array without dimensions (`np.save` of a dict).

    Args:
        content: the pickle, without the header of the `.npy` file.

    Raises:
        NotPlainError: anything but a dict of one-dimensional arrays of numbers whose keys are strings or integers.
    """
    return read_with(PickleReader(), content)


def read_with(reader: "PickleReader", content: bytes) -> dict[str | int, Shaped[np.ndarray, "..."]]:
    """What a reader makes of a pickle.

    Raises:
        NotPlainError: it is none that the reader understands.
    """
    try:
        reader.read(content)
    except NotPlainError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise NotPlainError(f"it is cut off or damaged: {error}") from error
    return reader.result()


class PickleReader:
    """A stack, its marks and a memo, as pickle has them; every value is one of this module or a plain one.

    What is understood are the names in `GLOBALS`, by which calls in `CALLS` are found; a subclass may know more.
    """

    LONGEST: ClassVar = LONGEST
    DIMENSIONS: ClassVar = 1
    """Of arrays, at most."""
    GLOBALS: ClassVar[Mapping[str, str]] = _GLOBALS
    CALLS: ClassVar[Mapping[str, Callable[..., Any]]]

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def result(self) -> dict[str | int, Shaped[np.ndarray, "..."]]:
        """The dict in the outer array."""
        outer = self.stack[-1] if len(self.stack) == 1 else None
        if not isinstance(outer, _Array) or not isinstance(outer.content, dict):
            raise NotPlainError("it does not hold one dict")
        return outer.content

    def read(self, content: bytes) -> None:
        """All opcodes; the most frequent ones stand here, because a call for each would take most of the time."""
        stack, memo = self.stack, self.memo
        argument: Any
        for opcode, argument, _ in pickletools.genops(content):
            name = opcode.name
            if name in _PUTS:
                memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
            elif name in _GETS:
                stack.append(memo[argument])
            elif name in _VALUES:
                if isinstance(argument, str | bytes | bytearray) and len(argument) > self.LONGEST:
                    raise NotPlainError(f"it holds a value of {len(argument)} bytes")
                stack.append(argument)
            elif name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            elif name not in ("PROTO", "FRAME", "STOP"):
                act = getattr(self, f"_{name.lower()}", None)
                if act is None:
                    raise NotPlainError(f"it uses the opcode {name}")
                act(argument)

    def _take(self, count: int) -> list[Any]:
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise NotPlainError("it is damaged: a value is missing")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def _marked(self) -> list[Any]:
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def _mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def _tuple1(self, _: Any) -> None:
        self.stack.append(tuple(self._take(1)))

    def _tuple2(self, _: Any) -> None:
        self.stack.append(tuple(self._take(2)))

    def _tuple3(self, _: Any) -> None:
        self.stack.append(tuple(self._take(3)))

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._marked()))

    def _empty_list(self, _: Any) -> None:
        self.stack.append([])

    def _empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def _append(self, _: Any) -> None:
        (value,) = self._take(1)
        _expect(self.stack[-1], list).append(value)

    def _appends(self, _: Any) -> None:
        values = self._marked()
        _expect(self.stack[-1], list).extend(values)

    def _setitem(self, _: Any) -> None:
        self._set(self._take(2))

    def _setitems(self, _: Any) -> None:
        self._set(self._marked())

    def _set(self, pairs: list[Any]) -> None:
        target = _expect(self.stack[-1], dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            array = value.content if isinstance(value, _Array) else value
            if type(key) not in (str, int) or not isinstance(array, np.ndarray):
                what = "a vector" if self.DIMENSIONS == 1 else "an array"
                raise NotPlainError(
                    f"it holds {_kind(key)} → {_kind(value)} instead of an id → {what} of numbers"
                )
            target[key] = array

    def _global(self, name: str) -> None:
        if name not in self.GLOBALS:
            raise NotPlainError(f"it holds {name.replace(' ', '.')}")
        self.stack.append(_Global(self.GLOBALS[name]))

    def _stack_global(self, _: Any) -> None:
        module, name = self._take(2)
        self._global(f"{module} {name}")

    def _reduce(self, _: Any) -> None:
        function, arguments = self._take(2)
        called = _expect(function, _Global).name
        if called not in self.CALLS:
            raise NotPlainError(f"it calls {called}")
        self.stack.append(self.CALLS[called](*_expect(arguments, tuple)))

    def _build(self, _: Any) -> None:
        (state,) = self._take(1)
        target = self.stack[-1]
        if isinstance(target, _Type):
            _build_type(target, state)
        else:
            _build_array(_expect(target, _Array), _expect(state, tuple), self.DIMENSIONS)


def _kind(value: Any) -> str:
    return type(value).__name__.strip("_").lower()


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise NotPlainError(f"it holds {_kind(value)} where {kind.__name__.strip('_').lower()} belongs")
    return value


def _bytes(value: Any) -> bytes:
    """Bytes; Python 2 wrote them as text."""
    return value.encode("latin-1") if isinstance(value, str) else bytes(value)


def _encoded(text: Any, encoding: Any) -> bytes:
    if encoding != "latin1":
        raise NotPlainError(f"it holds text in the encoding {encoding!r}")
    return bytes(_expect(text, str).encode("latin-1"))


def _typed(code: Any, align: Any, copy: Any) -> _Type:
    if code not in NUMBERS | {OBJECT} or align or not copy:
        raise NotPlainError(f"it holds the type {code!r}")
    return _Type(code)


def _build_type(target: _Type, state: Any) -> None:
    """Only the state that numpy writes for a plain little-endian type: no names, fields, sizes or metadata."""
    order = "<" if target.code in NUMBERS and not target.code.endswith("1") else "|"
    if state != (3, order, None, None, None, -1, -1, 63 if target.code == OBJECT else 0):
        raise NotPlainError(f"the type {target.code!r} has an unusual state")
    target.built = True


def _numbers(kind: Any, shape: Any, content: Any, dimensions: int = 1) -> Shaped[np.ndarray, "..."]:
    if not _expect(kind, _Type).built or kind.code not in NUMBERS:
        raise NotPlainError(f"it holds an array of type {kind.code!r} instead of numbers")
    if (
        type(shape) is not tuple
        or not 1 <= len(shape) <= dimensions
        or not all(type(side) is int for side in shape)
    ):
        told = "a vector" if dimensions == 1 else f"at most {dimensions} dimensions"
        raise NotPlainError(f"it holds an array of shape {shape!r} instead of {told}")
    size = int(kind.code[1:])
    if not isinstance(content, str | bytes | bytearray) or prod(shape) * size != len(_bytes(content)):
        raise NotPlainError(f"a vector of {prod(shape)} numbers of {size} bytes has another number of bytes")
    return np.frombuffer(_bytes(content), dtype=f"<{kind.code}").reshape(shape)


def _empty_array(kind: Any, shape: Any, code: Any) -> _Array:
    if kind != _Global("ndarray") or shape != (0,) or code not in (b"b", "b"):
        raise NotPlainError("an array starts in an unusual way")
    return _Array()


def _build_array(target: _Array, state: tuple[Any, ...], dimensions: int) -> None:
    version, shape, kind, column_major, content = state
    if version != 1 or column_major is not False:
        raise NotPlainError("an array has an unusual state")
    if shape == () and _expect(kind, _Type).built and kind.code == OBJECT:
        (target.content,) = _expect(content, list)
        _expect(target.content, dict)
    else:
        target.content = _numbers(kind, shape, content, dimensions)


def _scalar(kind: Any, content: Any) -> Any:
    return _numbers(kind, (1,), content)[0].item()


def from_buffer(
    content: Any, kind: Any, shape: Any, order: Any, dimensions: int = 1
) -> Shaped[np.ndarray, "..."]:
    """An array as protocol 5 writes it."""
    if order != "C":
        raise NotPlainError("an array has an unusual order")
    return _numbers(kind, shape, content, dimensions)


PickleReader.CALLS = {
    "encode": _encoded,
    "dtype": _typed,
    "array": _empty_array,
    "scalar": _scalar,
    "buffer": from_buffer,
}
