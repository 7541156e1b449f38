"""CAMs of an image as PSA, IRN, Puzzle-CAM and their heirs write them: a dict in a `.npy` file; nothing is unpickled.

- PSA, SEAM, SC-CAM: class (from 0) → map of the image's size.
- IRN: `keys` (classes from 0), `cam` (at a quarter of the size), `high_res` (of the image's size).
- Puzzle-CAM, OC-CSE, P-NOC: `keys` from 1 with a 0 for background before them, `cam`, `hr_cam`.

`keys` and `cam` may be tensors of torch, whose storage is a stream of torch's own inside the pickle. That is walked by
its opcodes, too; nothing of it is executed.
"""

import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float32, Shaped

from seedbed.datasets.files import MOST_CLASSES
from seedbed.datasets.plain_pickle import NotPlainError, PickleReader, from_buffer, pickle_of, read_with
from seedbed.errors import SeedbedError
from seedbed.labels import MOST_PIXELS
from seedbed.regular_files import system_reason

Keys = Literal["by_style", "from_0", "from_1"]
FULL = ("high_res", "hr_cam")
_STORAGES = {
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
}
_STREAM = (119547037146038801333356, 1001)
"""Number and version with which a stream of torch begins."""


def read_cams(
    path: Path, keys: Keys = "by_style"
) -> tuple[tuple[int, ...], Float32[np.ndarray, "classes H W"]]:
    """Class ids, from 0 and ascending, and the maps of an image's size.

    Args:
        path: the `.npy` file of an image.
        keys: whether classes are counted from 0 or from 1; `by_style`: from 1 where background stands before them.

    Raises:
        SeedbedError: a file that is missing or unreadable, of another style, or whose keys do not fit the maps.
    """
    try:
        content = read_with(_CamReader(), pickle_of(path))
    except FileNotFoundError:
        raise SeedbedError(f"{path}: expected the CAMs of an image, but there is no such file") from None
    except OSError as error:
        raise SeedbedError(f"{path}: not a readable file of CAMs ({system_reason(error)})") from None
    except ValueError as error:
        raise SeedbedError(
            f"{path}: expected a dict of CAMs as PSA, IRN or Puzzle-CAM write it ({error}); save it in one of these "
            "forms: nothing else is read, because unpickling would run what is in it"
        ) from None
    try:
        ids, maps = _classes_and_maps(content, keys)
    except ValueError as error:
        raise SeedbedError(f"{path}: {error}") from None
    order = np.argsort(ids)
    return tuple(int(ids[k]) for k in order), np.ascontiguousarray(maps[order], dtype=np.float32)


def _classes_and_maps(content: Mapping[str | int, np.ndarray], keys: Keys) -> tuple[np.ndarray, np.ndarray]:
    if "keys" not in content:
        if not all(isinstance(key, int) and found.ndim == 2 for key, found in content.items()):
            names = ", ".join(sorted(map(str, content)))
            raise ValueError(
                f"expected class → map, or keys with {' or '.join(FULL)}, got {names or 'nothing'}; dump the CAMs "
                "in one of these forms, with classes as numbers"
            )
        if len({found.shape for found in content.values()}) > 1:
            raise ValueError("expected maps of one size; dump the CAMs again")
        if any(abs(int(key)) > MOST_CLASSES for key in content):
            raise ValueError(f"expected classes up to {MOST_CLASSES}, got {[*content]}; number them from 0")
        ids = np.array([int(key) for key in content], np.int64) - (keys == "from_1")
        maps = np.stack(list(content.values())) if content else np.zeros((0, 1, 1), np.float32)
        return _checked(ids, maps)
    full = [name for name in FULL if name in content]
    if len(full) != 1:
        raise ValueError(
            f"expected one of {' and '.join(FULL)} beside keys, got {', '.join(map(str, content))}; dump the CAMs "
            "at the image's size under one of these names"
        )
    if not np.issubdtype(content["keys"].dtype, np.integer):
        raise ValueError(f"expected keys that are integers, got {content['keys'].dtype}; save them as int64")
    ids, maps = content["keys"].ravel().astype(np.int64), content[full[0]]
    if maps.ndim != 3:
        raise ValueError(
            f"expected {full[0]} as [classes height width], got {list(maps.shape)}; dump the CAMs again"
        )
    has_background = len(ids) == len(maps) + 1 and ids[0] == 0
    ids = ids[1:] if has_background else ids
    counted = keys if keys != "by_style" else "from_1" if has_background else "from_0"
    return _checked(ids - (counted == "from_1"), maps)


def _checked(ids: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(ids) != len(maps):
        raise ValueError(
            f"expected one key per map, got {len(ids)} keys and {len(maps)} maps; dump the CAMs again"
        )
    if len(set(ids.tolist())) < len(ids) or (len(ids) and ids.min() < 0):
        raise ValueError(f"expected different classes from 0, got {ids.tolist()}; set `keys`")
    if not (np.isfinite(maps).all() and (not maps.size or maps.min() >= 0)):
        raise ValueError("expected finite values from 0; dump the CAMs again")
    return ids, maps


@dataclass(eq=False)
class _Storage:
    values: Shaped[np.ndarray, "length"]


def _storage(stream: Any) -> _Storage:
    """The numbers of a torch storage, written as a stream of five pickles and the raw bytes."""
    if not isinstance(stream, bytes | bytearray | str):
        raise NotPlainError("a tensor has no stream of bytes")
    file = io.BytesIO(stream.encode("latin-1") if isinstance(stream, str) else bytes(stream))
    pickles = [list(pickletools.genops(file)) for _ in range(5)]
    heads = tuple(
        next((a for o, a, _ in ops if isinstance(a, int) and o.name != "PROTO"), None) for ops in pickles[:2]
    )
    if heads != _STREAM:
        raise NotPlainError("a tensor was written by an unknown version of torch")
    kinds = [argument for opcode, argument, _ in pickles[3] if opcode.name == "GLOBAL"]
    if len(kinds) != 1 or kinds[0] not in _STORAGES:
        raise NotPlainError(f"a tensor holds {', '.join(map(str, kinds)) or 'nothing'}")
    kind = np.dtype(_STORAGES[str(kinds[0])])
    count, raw = int.from_bytes(file.read(8), "little", signed=True), file.read()
    if count < 0 or len(raw) != count * kind.itemsize:
        raise NotPlainError(f"a tensor of {count} numbers has {len(raw)} bytes")
    return _Storage(np.frombuffer(raw, kind))


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, _requires_grad: Any, _hooks: Any, *_more: Any
) -> Shaped[np.ndarray, "..."]:
    """A contiguous tensor."""
    if type(storage) is not _Storage or type(shape) is not tuple or len(shape) > _CamReader.DIMENSIONS:
        raise NotPlainError("a tensor is of an unusual form")
    contiguous = [int(np.prod(shape[k + 1 :], dtype=np.int64)) for k in range(len(shape))]
    wanted = [stride for stride, side in zip(contiguous, shape, strict=True) if side > 1]
    found = [stride for stride, side in zip(strides, shape, strict=True) if side > 1]
    if (
        not all(type(side) is int and side >= 0 for side in shape)
        or found != wanted
        or type(offset) is not int
    ):
        raise NotPlainError("a tensor is not contiguous")
    count = int(np.prod(shape, dtype=np.int64))
    if not 0 <= offset <= offset + count <= len(storage.values):
        raise NotPlainError("a tensor is larger than its storage")
    return storage.values[offset : offset + count].reshape(shape)


class _CamReader(PickleReader):
    """Arrays of up to three dimensions, and tensors."""

    LONGEST: ClassVar = 8 * 256 * MOST_PIXELS
    DIMENSIONS: ClassVar = 3
    GLOBALS: ClassVar[Mapping[str, str]] = {
        **PickleReader.GLOBALS,
        "torch._utils _rebuild_tensor_v2": "tensor",
        "torch.storage _load_from_bytes": "storage",
        "collections OrderedDict": "ordered",
    }
    CALLS: ClassVar[Mapping[str, Callable[..., Any]]] = {
        **PickleReader.CALLS,
        "buffer": partial(from_buffer, dimensions=3),
        "tensor": _tensor,
        "storage": _storage,
        "ordered": dict,
    }
