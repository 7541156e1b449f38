"""Large images through a network in little memory: parts of it work band by band.

An inverted residual block widens its map six times, a stage of ResNet holds several maps of its whole width at once:
at 4 megapixels that is gigabytes, though only the last, narrow map is needed. Convolutions look at a few rows around
each row. So above `LARGEST` pixels a part computes its result in bands of rows, each with as many rows around it as
its convolutions reach, and only its input and output exist as a whole. Batch norm and activations, whose rows do not
depend on each other, overwrite their input.

Which parts do so is not known from their classes: a part is tried on a narrow random image, in bands and whole, and
works in bands only if the results agree. A part that pools the whole image, or attends to it, does not, and is then
tried in its own parts. Finally the whole network is tried. Results above the limit differ from those of one pass by
float32's rounding, if at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

LARGEST = 2**21
"""Pixels of an image, up to which a network works on it as a whole."""
BAND = 2**19
"""Pixels of the image in a band, about; a band has at least four times the rows that it needs on one side of it."""
REACH = 32
"""A part whose convolutions look further than this, in rows of its input, is tried in its own parts."""
TRIAL = (1024, 32)
"""Height and width of the random image."""
TOLERANCE = 1e-4
"""Largest difference, as a share of the largest value."""


def work_in_bands(network: nn.Module, *parts: nn.Module) -> None:
    """Let a network take images of any size in little memory; smaller ones give the same bytes as before.

    Nothing changes while gradients are computed or in training mode.

    Args:
        network: in evaluation mode; takes normalised images of three channels.
        parts: modules of it that are called on images themselves, for instance its backbone.
    """
    planned = False

    def plan(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        nonlocal planned
        images = arguments[0]
        large = images.shape[-2] * images.shape[-1] > LARGEST
        if large and not planned and not network.training and not torch.is_grad_enabled():
            planned = True
            with torch.autocast(images.device.type, enabled=False):
                _plan(network, images.device)

    for module in (network, *parts):
        module.register_forward_pre_hook(plan)


def rows_at(
    maps: Float[Tensor, "batch K h w"],
    places: Float[Tensor, " rows"],
    width: int,
    align_corners: bool = False,
) -> Float[Tensor, "batch K rows {width}"]:
    """Some rows of bilinearly enlarged maps, without the others.

    Args:
        maps: to enlarge.
        places: where the rows lie, in rows of `maps`, from 0 up; ascending.
        width: to which rows are enlarged.
        align_corners: of torch's `interpolate`, for the width; `places` says it for the height.
    """
    upper = places.long().clamp(max=maps.shape[2] - 1)
    lower = (upper + 1).clamp(max=maps.shape[2] - 1)
    start = int(upper[0])
    wide = maps[:, :, start : int(lower[-1]) + 1]
    wide = interpolate(wide, (wide.shape[2], width), mode="bilinear", align_corners=align_corners)
    weights = (places - upper).to(wide.dtype)[:, None]
    return torch.lerp(wide[:, :, upper - start], wide[:, :, lower - start], weights)


class Part:
    """A module whose result is computed in bands of rows: what its `forward` is replaced by.

    Args:
        module: takes and returns one map.
        stride: rows of its input per row of its output.
        halo: rows around a band that its output depends on, a multiple of the stride.
        reduction: rows of the image per row of its input.
        in_place: overwrite the input; only if `stride` is 1 and `halo` 0.
    """

    def __init__(self, module: nn.Module, stride: int, halo: int, reduction: int, in_place: bool = False):
        self.whole: Callable[[Tensor], Tensor] = module.forward
        self.stride, self.halo, self.reduction, self.in_place = stride, halo, reduction, in_place
        self.largest, self.band = LARGEST, BAND

    def __call__(self, x: Float[Tensor, "batch _ H W"]) -> Float[Tensor, "batch _ h w"]:
        pixels_per_row = x.shape[-1] * self.reduction**2
        if torch.is_grad_enabled() or x.shape[-2] * pixels_per_row <= self.largest:
            return self.whole(x)
        rows = max(self.band // pixels_per_row, 4 * self.halo, self.stride)
        return self.in_bands(x, -(-rows // self.stride))

    def in_bands(self, x: Tensor, rows: int) -> Tensor:
        """The result by bands of `rows` rows of the output."""
        height = x.shape[-2]
        if self.in_place:
            for first in range(0, height, rows):
                band = x[..., first : first + rows, :]
                band.copy_(self.whole(band))
            return x
        result: Tensor | None = None
        written, expected = 0, -(-height // self.stride)
        for first in range(0, expected, rows):
            last = min(first + rows, expected)
            # Like the image's, so that padding that depends on the height being odd falls on the same side.
            start = max(0, first * self.stride - self.halo)
            stop = min(height, last * self.stride + self.halo + height % self.stride)
            piece = self.whole(x[..., start:stop, :])
            skipped = first - start // self.stride
            kept = (
                piece[..., skipped:, :]
                if last == expected
                else piece[..., skipped : skipped + last - first, :]
            )
            if result is None:
                shape, order = (*kept.shape[:-2], expected, kept.shape[-1]), torch.contiguous_format
                if piece.is_contiguous(memory_format=torch.channels_last):
                    order = torch.channels_last
                result = torch.empty(shape, dtype=kept.dtype, device=kept.device, memory_format=order)
            result[..., first : first + kept.shape[-2], :] = kept
            written = first + kept.shape[-2]
        assert result is not None
        return result[..., :written, :]


def _plan(network: nn.Module, device: torch.device) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((1, 3, *TRIAL), generator=generator)
    # Halves of unlike contrast: a part that looks at the whole image shows it.
    images[..., TRIAL[0] // 2 :, :] *= 4
    images = images.to(device)
    calls = _Calls(network)
    try:
        expected = [*calls.trace(images), images.clone()]
    except (RuntimeError, ValueError, AssertionError):
        return  # a network that does not take an image of this shape works as a whole
    found = dict(_parts(network, calls))
    for in_place in (True, False):
        used = {module: part for module, part in found.items() if in_place or not part.in_place}
        for module, part in used.items():
            part.largest, part.band = 0, 1
            module.forward = part
        # The image is compared as well: whoever passes it may use it again.
        given = images.clone()
        agreed = tensors_agree([*tensors_in(network(given)), given], expected)
        for module, part in used.items():
            part.largest, part.band = LARGEST, BAND
            if not agreed:
                module.forward = part.whole
        if agreed:
            return


class _Calls:
    """What each module of a network was given and gave, in one pass; only modules that were called once, with one map.

    Args:
        network: in evaluation mode.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.maps: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        self._several: set[nn.Module] = set()

    def trace(self, images: Tensor) -> list[Tensor]:
        """Run the network; its outputs."""
        inputs: dict[nn.Module, Tensor] = {}

        def before(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            if len(arguments) != 1 or named or not _is_map(arguments[0]) or module in inputs:
                self._several.add(module)
            else:
                inputs[module] = arguments[0].clone()

        def after(module: nn.Module, arguments: Any, result: Any) -> None:
            if module in inputs and _is_map(result):
                self.maps[module] = (inputs[module], result.clone())

        handles = []
        for module in self.network.modules():
            if module is not self.network:
                handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
                handles.append(module.register_forward_hook(after))
        try:
            expected = tensors_in(self.network(images))
        finally:
            for handle in handles:
                handle.remove()
        for module in self._several:
            self.maps.pop(module, None)
        return [one.clone() for one in expected]


def _parts(module: nn.Module, calls: _Calls) -> Iterator[tuple[nn.Module, Part]]:
    """The largest parts below a module that can work in bands."""
    for child in module.children():
        part = _part(child, calls)
        if part is not None:
            yield child, part
        else:
            yield from _parts(child, calls)


def _part(module: nn.Module, calls: _Calls) -> Part | None:
    if module not in calls.maps or isinstance(module, nn.Identity):
        return None
    given, result = calls.maps[module]
    height, out = given.shape[-2], result.shape[-2]
    stride = height // out
    reach = _reach(module)
    halo = -(-reach // stride) * stride if stride else 0
    if not stride or height % out or TRIAL[0] % height or reach > REACH or height < 4 * max(halo, 1):
        return None
    in_place = reach == 0 and result.shape == given.shape
    part = Part(module, stride, halo, TRIAL[0] // height, in_place)
    in_bands = part.in_bands(given.clone(), max(1, out // 4))
    return part if tensors_agree([in_bands], [result]) else None


def _reach(module: nn.Module) -> int:
    """At least the rows that an output row depends on beyond its own, from the kernels of convolutions and pools."""
    reach, stride = 0, 1
    for part in module.modules():
        kernel = getattr(part, "kernel_size", None)
        if kernel is None:
            continue
        size, step, spread = (
            value[0] if isinstance(value, tuple) else int(value or 1)
            for value in (kernel, getattr(part, "stride", 1), getattr(part, "dilation", 1))
        )
        reach += (size - 1) * spread * stride
        stride *= step
    return reach


def _is_map(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 4


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors of a network's output: one, or a list or tuple of several, of which some may be None."""
    if isinstance(value, Tensor):
        return [value]
    return [] if value is None else [one for part in value for one in tensors_in(part)]


def tensors_agree(found: list[Tensor], expected: list[Tensor]) -> bool:
    """Whether each differs from the expected one by at most `TOLERANCE` of its largest value."""
    return all(
        one.shape == other.shape and bool((one - other).abs().max() <= TOLERANCE * other.abs().max())
        for one, other in zip(found, expected, strict=True)
    )
