"""Batches for training, the same for any number of workers and resumable at any batch.

Randomness is keyed by (rng, epoch, image id), never by worker or by what was drawn before, so a run that
resumes in the middle of an epoch replays nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from seedbed.errors import SeedbedError
from seedbed.input.augmentation import Augmentation
from seedbed.input.examples import Examples
from seedbed.input.transforms import augment


@dataclass(frozen=True)
class HostBatch:
    """A batch as loaded: uint8, on the host."""

    image_ids: tuple[str, ...]
    images: UInt8[Tensor, "batch crop crop 3"]
    labels: Float32[Tensor, "batch classes"]
    valid: Bool[Tensor, "batch crop crop"]
    fields: Mapping[str, Tensor]
    """As in `seedbed.input.batch.Batch`."""


def sample_generator(rng: int, epoch: int, image_id: str) -> np.random.Generator:
    """The generator of one image in one epoch: PCG64 seeded by SHA-256 of the three."""
    return _generator("sample", rng, epoch, image_id)


def epoch_order(rng: int, epoch: int, ids: Sequence[str]) -> list[str]:
    """The ids in the random order of an epoch; depends on rng, epoch and the order of `ids`."""
    return [ids[k] for k in _generator("order", rng, epoch).permutation(len(ids))]


def _generator(*key: object) -> np.random.Generator:
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest, "big")))


class TrainingLoader:
    """Augmented batches of an epoch, in random order."""

    def __init__(
        self,
        examples: Examples,
        augmentation: Augmentation,
        batch_size: int,
        rng: int,
        workers: int = 0,
        drop_last: bool = True,
    ) -> None:
        """Prepare; reads no image.

        Args:
            examples: what to read.
            augmentation: what to do with it.
            batch_size: images per batch.
            rng: random seed of the run.
            workers: processes that read; 0 reads in this one. The batches are the same.
            drop_last: leave out the last images of an epoch if they do not fill a batch.

        Raises:
            SeedbedError: no batch can be filled.
        """
        self.examples = examples
        self.augmentation = augmentation
        self.batch_size = batch_size
        self.rng = rng
        self.workers = workers
        self.drop_last = drop_last
        if len(self) == 0:
            raise SeedbedError(
                f"expected enough images for one batch of {batch_size}, but there are {len(examples.ids)};"
                " lower batch_size or add images"
            )

    def __len__(self) -> int:
        """Batches per epoch."""
        count = len(self.examples.ids)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[HostBatch]:
        """The batches of an epoch, starting at `start_batch`.

        Raises:
            SeedbedError: an image cannot be read; the same line whatever the number of workers.
        """
        order = epoch_order(self.rng, epoch, self.examples.ids)
        batches = [
            order[k * self.batch_size : (k + 1) * self.batch_size] for k in range(start_batch, len(self))
        ]
        loader: DataLoader[Any] = DataLoader(
            _Samples(self.examples, self.augmentation, self.rng, epoch),
            batch_sampler=batches,
            num_workers=self.workers,
            collate_fn=_collate,
            # Its own generator: the global one, which is part of a checkpoint, must not be drawn from.
            generator=torch.Generator(),
        )
        for batch in loader:
            if isinstance(batch, SeedbedError):
                raise batch
            yield batch


class _Samples(TorchDataset[Any]):
    def __init__(self, examples: Examples, augmentation: Augmentation, rng: int, epoch: int) -> None:
        self.examples, self.augmentation, self.rng, self.epoch = examples, augmentation, rng, epoch

    def __getitem__(self, image_id: str) -> Any:
        # An error is returned, not raised: torch would bury its one line under a worker's traceback.
        try:
            sample = augment(
                self.examples.image(image_id),
                self.examples.fields(image_id),
                self.augmentation,
                sample_generator(self.rng, self.epoch, image_id),
            )
            return image_id, sample, self.examples.labels(image_id)
        except SeedbedError as error:
            return error
        except ValueError as error:
            return SeedbedError(f"image {image_id!r}: {error}")


def _collate(items: list[Any]) -> HostBatch | SeedbedError:
    for item in items:
        if isinstance(item, SeedbedError):
            return item
    ids, samples, labels = zip(*items, strict=True)
    names = list(samples[0].fields)
    for image_id, sample in zip(ids, samples, strict=True):
        if list(sample.fields) != names:
            had = ", ".join(sample.fields) or "none"
            return SeedbedError(
                f"expected fields {', '.join(names) or 'none'} for every image, but {image_id} has {had}"
            )
    return HostBatch(
        image_ids=ids,
        images=torch.from_numpy(np.stack([s.image for s in samples])),
        labels=torch.from_numpy(np.stack(labels).astype(np.float32)),
        valid=torch.from_numpy(np.stack([s.valid for s in samples])),
        fields={name: _stacked([s.fields[name] for s in samples]) for name in names},
    )


def _stacked(values: Sequence[np.ndarray]) -> Tensor:
    stack = torch.from_numpy(np.stack(values))
    return stack.long() if stack.dtype == torch.uint8 else stack


def normalise(
    images: UInt8[Tensor, "batch height width 3"],
    valid: Bool[Tensor, "batch height width"],
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | str = "cpu",
) -> Float[Tensor, "batch 3 height width"]:
    """(x / 255 − mean) / std on the device; 0, the mean colour, on padding.

    Args:
        images: uint8, on the host or the device.
        valid: False on padding.
        mean: of R, G, B, in [0, 1].
        std: of R, G, B, in [0, 1].
        device: where the result is made; the bytes travel as uint8.

    Returns:
        float32, in channels-last memory.
    """
    x = images.to(device, non_blocking=True).permute(0, 3, 1, 2).float()
    centre = 255 * torch.tensor(mean, dtype=torch.float32, device=device)[:, None, None]
    spread = 255 * torch.tensor(std, dtype=torch.float32, device=device)[:, None, None]
    padding = ~valid.to(device, non_blocking=True)[:, None]
    return x.sub_(centre).div_(spread).masked_fill_(padding, 0)
