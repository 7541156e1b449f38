"""Which errors say that there is no memory left, and what is said of them."""

import errno
import pickle

import pytest
import torch

from seedbed.errors import ImageMemoryError, is_out_of_memory, memory_for_image
from seedbed.runtime.memory import out_of_memory, training_out_of_memory

CPU_ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"
    " 4000000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 7.28 TiB for an array with shape (1000000, 1000000)"),
        RuntimeError(CPU_ALLOCATOR),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_errors_of_every_allocator(error):
    assert is_out_of_memory(error)


def test_torchs_own_error():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shapes differ"), OSError(errno.ENOSPC, "No space left"), ValueError("out of memory")],
)
def test_other_errors(error):
    assert not is_out_of_memory(error)


def test_the_lines():
    assert str(out_of_memory("birds", "a.jpg", (4000, 3000))) == (
        "image 'a.jpg' (4000 × 3000, 12.0 MP): out of memory; shrink the photographs: set datasets.birds.longest in"
        " params.yaml, for instance to 2000"
    )
    assert str(out_of_memory("birds", "", None)) == (
        "out of memory; close other programs, or shrink the photographs: set datasets.birds.longest in params.yaml"
    )
    assert str(training_out_of_memory({"batch_size": 16, "augmentation": {"crop": 512}})) == (
        "out of memory at batch_size 16 and crop 512; lower batch_size and raise accumulate, or lower augmentation.crop"
    )


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(CPU_ALLOCATOR), OSError(errno.ENOMEM, "none")])
def test_the_image_is_named_once_also_from_another_process(error):
    with pytest.raises(ImageMemoryError) as caught, memory_for_image("outer"), memory_for_image("a.jpg"):
        raise error
    assert pickle.loads(pickle.dumps(caught.value)).image_id == caught.value.image_id == "a.jpg"


def test_other_errors_of_an_image_pass():
    with pytest.raises(RuntimeError, match="shapes differ"), memory_for_image("a.jpg"):
        raise RuntimeError("shapes differ")
