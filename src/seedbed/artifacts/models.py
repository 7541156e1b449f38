"""Networks on disk: safetensors, with the kept epochs of a training run in one file next to the final weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

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
    """State dict of a model file."""
    from safetensors.torch import load_file

    return load_file(path)


def read_epoch(path: Path, epoch: int) -> dict[str, Tensor]:
    """State dict of a kept epoch.

    Raises:
        SeedbedError: that epoch was not kept.
    """
    from safetensors import safe_open

    prefix = f"epoch{epoch:03d}/"
    with safe_open(path, framework="pt") as handle:
        names = list(handle.keys())
        state = {
            name.removeprefix(prefix): handle.get_tensor(name) for name in names if name.startswith(prefix)
        }
    if not state:
        kept = sorted({int(name.partition("/")[0].removeprefix("epoch")) for name in names})
        raise SeedbedError(
            f"epoch {epoch} was not kept in {path} (kept: {', '.join(map(str, kept)) or 'none'}); "
            "name it in `keep_epochs` of the node that trains it"
        )
    return state
