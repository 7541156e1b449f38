"""Networks on disk: safetensors, with the kept epochs of a training run in one file next to the final weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from seedbed.artifacts.manifest import run_again
from seedbed.errors import SeedbedError

if TYPE_CHECKING:
    from torch import Tensor

MODEL, EPOCHS, HISTORY = NETWORK_FILES = ("model.safetensors", "epochs.safetensors", "history.csv")


def encode_state(state: Mapping[str, Tensor]) -> bytes:
    """Safetensors bytes of a state dict, on the CPU; equal weights, equal bytes."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(state.items())})


def encode_epochs(epochs: Mapping[int, Mapping[str, Tensor]]) -> bytes:
    """Safetensors bytes of the weights kept after several epochs (from 1); an empty mapping is a valid file."""
    flat = {f"epoch{epoch:03d}/{name}": t for epoch, state in epochs.items() for name, t in state.items()}
    return encode_state(flat)


def read_state(path: Path) -> dict[str, Tensor]:
    """State dict of a model file.

    Raises:
        SeedbedError: it is not a safetensors file.
    """
    return _tensors(path, lambda name: True)[1]


def read_epoch(path: Path, epoch: int) -> dict[str, Tensor]:
    """State dict of a kept epoch.

    Raises:
        SeedbedError: that epoch was not kept.
    """
    prefix = f"epoch{epoch:03d}/"
    names, found = _tensors(path, lambda name: name.startswith(prefix))
    state = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    if not state:
        kept = sorted({int(match[1]) for name in names if (match := re.match(r"epoch(\d+)/", name))})
        raise SeedbedError(
            f"epoch {epoch} was not kept in {path} (kept: {', '.join(map(str, kept)) or 'none'}); "
            "name it in `keep_epochs` of the node that trains it"
        )
    return state


def _tensors(path: Path, is_wanted: Callable[[str], bool]) -> tuple[list[str], dict[str, Tensor]]:
    """Names of all tensors of a file, and those that are wanted."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as handle:
            names = list(handle.keys())
            return names, {name: handle.get_tensor(name) for name in names if is_wanted(name)}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise SeedbedError(f"{path}: not readable weights ({error}); {run_again(path)}") from None
