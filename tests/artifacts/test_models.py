"""Network files: equal weights, equal bytes; a kept epoch is found by its number, or said to be missing."""

from pathlib import Path

import pytest
import torch

from seedbed.artifacts.models import encode_epochs, encode_state, read_epoch, read_state
from seedbed.errors import SeedbedError

STATE = {"b.weight": torch.arange(6.0).reshape(2, 3), "a.steps": torch.tensor(7), "c": torch.zeros(0)}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[k], other[k]) and one[k].dtype == other[k].dtype for k in one
    )


def test_a_state_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(encode_state(STATE))
    assert equal(read_state(path), STATE)


def test_bytes_depend_neither_on_order_nor_on_memory_layout() -> None:
    turned = {name: STATE[name] for name in reversed(STATE)} | {
        "b.weight": STATE["b.weight"].T.contiguous().T
    }
    assert encode_state(turned) == encode_state(STATE)


def test_tensors_that_share_memory_are_written_each() -> None:
    """safetensors refuses tied weights and slices of one storage when they are handed over as they are."""
    base = torch.arange(4.0)
    assert encode_state({"x": base, "y": base, "z": base[:2]})


def test_parameters_that_need_gradients_are_written() -> None:
    assert encode_state({"w": torch.nn.Parameter(torch.ones(2))}) == encode_state({"w": torch.ones(2)})


def test_kept_epochs_come_back_by_number(tmp_path: Path) -> None:
    path = tmp_path / "epochs.safetensors"
    other = {name: tensor + 1 for name, tensor in STATE.items()}
    path.write_bytes(encode_epochs({3: STATE, 30: other}))
    assert equal(read_epoch(path, 3), STATE)
    assert equal(read_epoch(path, 30), other)


@pytest.mark.parametrize(("epochs", "kept"), [((3, 30), "kept: 3, 30"), ((), "kept: none")])
def test_an_epoch_that_was_not_kept_is_one_line(tmp_path: Path, epochs: tuple[int, ...], kept: str) -> None:
    path = tmp_path / "epochs.safetensors"
    path.write_bytes(encode_epochs(dict.fromkeys(epochs, STATE)))
    with pytest.raises(SeedbedError, match=f"epoch 4 was not kept in .*{kept}.*`keep_epochs`") as caught:
        read_epoch(path, 4)
    assert "\n" not in str(caught.value)


def test_epochs_of_four_digits(tmp_path: Path) -> None:
    path = tmp_path / "epochs.safetensors"
    path.write_bytes(encode_epochs({1000: STATE}))
    assert equal(read_epoch(path, 1000), STATE)
    with pytest.raises(SeedbedError, match="kept: 1000"):
        read_epoch(path, 100)
