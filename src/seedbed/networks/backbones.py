"""Backbones: any timm architecture as a list of feature maps, at a chosen output stride.

Where a stage would make the map coarser than the output stride, timm replaces its stride by dilation
(DeepLab, arXiv:1606.00915 §3.1).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Literal

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

import seedbed.networks.wide_resnet38  # noqa: F401, registers the network with timm
from seedbed.errors import unknown_name
from seedbed.networks.weights import InitialWeights, check_keys, load_weights

BatchNormTraining = Literal["trained", "statistics", "frozen"]
"""What of batch norm learns: everything, scale and shift, or nothing."""


class Backbone(nn.Module):
    """A timm network that returns the feature maps of its stages.

    Attributes:
        channels: channels of each map.
        reductions: how many input pixels one cell of each map spans along each axis.
        stages: the modules of each stage, in the order in which timm registers them.
        mean, std: the input normalisation (on [0, 1] RGB) that the weights expect.
        provenance: where the initial weights came from.
    """

    def __init__(
        self,
        body: Any,
        conv_head: Any,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        provenance: dict[str, str],
        smallest_reduction: int = 1,
        pooled_stem: bool = False,
    ):
        super().__init__()
        self.body = body
        self.conv_head = conv_head
        info = body.feature_info
        self.channels: list[int] = list(info.channels())
        self.reductions: list[int] = list(info.reduction())
        if conv_head is not None:
            self.channels[-1] = conv_head[0].out_channels
        self._stem_pool: nn.Module | None = getattr(body, "maxpool", None) if pooled_stem else None
        if self._stem_pool is not None:
            self.reductions[0] = self.reductions[1]
        self._first = sum(r < smallest_reduction for r in self.reductions)
        # Transformers on patches need whole patches; convolutions take any size.
        self._multiple = self.reductions[0] if len(set(self.reductions)) == 1 else 1
        del self.channels[: self._first], self.reductions[: self._first]
        self.mean, self.std, self.provenance = mean, std, provenance
        self.stages = _stages(body, [entry.get("stage_end", entry["module"]) for entry in info.get_dicts()])
        if conv_head is not None:
            self.stages[-1].extend(conv_head.modules())
        self._channels_last = str(getattr(body, "output_fmt", "NCHW")).endswith("NHWC")

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Feature maps from the first stage (largest) to the last (deepest)."""
        maps = self.stage_maps(images)
        maps[-1] = self.deepest(maps[-1])
        if self._stem_pool is not None:
            maps[0] = self._stem_pool(maps[0])
        return maps[self._first :]

    def stage_maps(self, images: Float[Tensor, "batch 3 H W"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """The maps of all stages, before the convolution that `conv_head` adds to the last one."""
        bottom, right = (-images.shape[-2] % self._multiple, -images.shape[-1] % self._multiple)
        if bottom or right:
            images = functional.pad(images, (0, right, 0, bottom))
        maps: list[Tensor] = list(self.body(images))
        if self._channels_last:
            maps = [m.permute(0, 3, 1, 2).contiguous() for m in maps]
        return maps

    def deepest(self, last: Float[Tensor, "batch _ h w"]) -> Float[Tensor, "batch _ h w"]:
        """The last stage's map after the convolution that `conv_head` adds, if there is one."""
        result: Tensor = last if self.conv_head is None else self.conv_head(last)
        return result

    @property
    def stage_channels(self) -> list[int]:
        """Channels of each of `stage_maps`."""
        return list(self.body.feature_info.channels())


def build_backbone(
    name: str,
    output_stride: int = 16,
    weights: str | InitialWeights = "none",
    *,
    rng: int = 0,
    conv_head: bool | None = False,
    dilated: bool = True,
    smallest_reduction: int = 1,
    pooled_stem: bool = False,
    allow_mask_trained: bool = False,
) -> Backbone:
    """Build a timm backbone.

    Args:
        name: timm's architecture, without tag, for instance `resnet50`.
        output_stride: input pixels per cell of the last map; 8, 16 or 32, where the family supports it.
        weights: see `seedbed.networks.weights.load_weights`.
        rng: seed of the random initialisation of what the weights do not cover.
        conv_head: end with the 1x1 convolution that EfficientNets have after their last stage; None: if the family
            has one.
        dilated: where a stride is removed, dilate the convolutions that follow, so that each covers the extent that
            it was trained on. False keeps dilation 1 (IRN; Puzzle-CAM's and ISIM's ResNets).
        smallest_reduction: leave out maps with a smaller reduction (AffinityNet reads those from 8 on).
        pooled_stem: return the first map behind the max-pool that follows the stem, where the family has one (ResNets).
        allow_mask_trained: accept weights that were trained on pixel masks.

    Raises:
        ValueError: an unknown backbone (near names are offered), an output stride that the family does not support,
            weights that do not fit, or `conv_head` where the family has none.
    """
    if name not in timm.list_models():
        raise ValueError(unknown_name("backbone", name, timm.list_models()))
    if isinstance(weights, str):
        weights = load_weights(weights, name, allow_mask_trained=allow_mask_trained)
    if weights.state is not None:
        whole = _meta_model(name)
        classifiers = whole.pretrained_cfg.get("classifier") or ()
        classifiers = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
        check_keys(weights.state, whole.state_dict(), tuple(f"{c}." for c in classifiers))
    with seeded(rng), _silent_timm():
        body = _create_body(name, output_stride, weights.state)
        if not dilated:
            _remove_dilation(body)
        head = _create_conv_head(name, weights.state, conv_head) if conv_head is not False else None
    cfg = timm.get_pretrained_cfg(name)
    mean = weights.mean or (tuple(cfg.mean) if cfg is not None else (0.485, 0.456, 0.406))
    std = weights.std or (tuple(cfg.std) if cfg is not None else (0.229, 0.224, 0.225))
    return Backbone(body, head, mean, std, weights.provenance, smallest_reduction, pooled_stem)


def freeze_stages(backbone: Backbone, count: int) -> list[nn.Module]:
    """Take the weights of a backbone's first stages out of the training.

    Args:
        backbone: whose.
        count: how many stages.

    Returns:
        their modules, which stay in evaluation mode only if they are put there after every `train()`.

    Raises:
        ValueError: more stages than the backbone has.
    """
    if not 0 <= count <= len(backbone.stages):
        raise ValueError(
            f"expected frozen_stages from 0 to {len(backbone.stages)} for this backbone, got {count}"
        )
    frozen = [module for stage in backbone.stages[:count] for module in stage]
    for module in frozen:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(False)
    return frozen


def hold_batch_norm(module: nn.Module, batch_norm: BatchNormTraining) -> None:
    """Put batch norm into the state that training asks for; call it after every `train()`.

    Args:
        module: whose batch norm.
        batch_norm: `trained` changes nothing; `statistics` keeps the running statistics, while scale and shift learn
            (IRN's code, layers 3 and 4); `frozen` keeps those, too ("FixedBN").
    """
    if batch_norm == "trained":
        return
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.eval()
            if batch_norm == "frozen":
                for parameter in part.parameters():
                    parameter.requires_grad_(False)


@contextlib.contextmanager
def seeded(rng: int) -> Iterator[None]:
    """Run with torch's global CPU generator seeded, and restore its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng)
        yield


@contextlib.contextmanager
def _silent_timm() -> Iterator[None]:
    """Keep timm from warning about keys outside the stages: `check_keys` has checked them."""
    logger = logging.getLogger("timm.models._builder")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _create_body(name: str, output_stride: int, state: dict[str, Tensor] | None) -> Any:
    settings: dict[str, Any] = {"features_only": True}
    if state is not None:
        settings |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": dict(state)}}
    attempts: list[dict[str, Any]] = [{"output_stride": output_stride}, {"dynamic_img_size": True}, {}]
    for extra in attempts if output_stride != 32 else attempts[1:]:
        try:
            body: Any = timm.create_model(name, **settings, **extra)
        except (TypeError, AssertionError, NotImplementedError):
            continue
        if body.feature_info.reduction()[-1] == output_stride:
            return body
    own: Any = timm.create_model(name, features_only=True)
    only = own.feature_info.reduction()[-1]
    raise ValueError(f"backbone {name} cannot have output stride {output_stride}; use its own, {only}")


def _remove_dilation(body: nn.Module) -> None:
    for part in body.modules():
        if isinstance(part, nn.Conv2d) and max(part.dilation) > 1:
            if not isinstance(part.padding, str):
                part.padding = tuple(p // d for p, d in zip(part.padding, part.dilation, strict=True))
            part.dilation = (1, 1)


def _create_conv_head(
    name: str, state: dict[str, Tensor] | None, wanted: bool | None
) -> nn.Sequential | None:
    whole: Any = timm.create_model(name)
    if not (hasattr(whole, "conv_head") and hasattr(whole, "bn2")):
        if wanted is None:
            return None
        raise ValueError(f"backbone {name} has no convolution after its last stage; set conv_head: false")
    head = nn.Sequential(whole.conv_head, whole.bn2)
    if state is not None:
        for module, prefix in zip(head, ("conv_head.", "bn2."), strict=True):
            module.load_state_dict(
                {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            )
    return head


def _meta_model(name: str) -> Any:
    try:
        with torch.device("meta"):
            return timm.create_model(name)
    except (RuntimeError, NotImplementedError):
        return timm.create_model(name)  # some families compute with values while they are built


def _stages(body: nn.Module, ends: list[str]) -> list[list[nn.Module]]:
    """Split a network's modules, in the order of registration, after the last module of each stage."""
    named = list(body.named_modules())
    stages: list[list[nn.Module]] = []
    start = 0
    for end in ends:
        prefixes = (end, end.replace(".", "_"))
        inside = [
            i for i, (n, _) in enumerate(named) if any(n == p or n.startswith(p + ".") for p in prefixes)
        ]
        stop = max([start - 1, *inside]) + 1
        stages.append([module for _, module in named[start:stop]])
        start = stop
    stages[-1].extend(module for _, module in named[start:])
    return stages
