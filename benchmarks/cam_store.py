"""CAM store: one float32 map per scale in a safetensors shard, against a pickled dict of both stacks per image.

The peer is what IRN and Puzzle-CAM write: one `.npy` per image with the strided (4) and the full-resolution
stack. 60 images of 375×500, 1.6 classes on average, feature stride 16, scales ½, 1, 1½, 2. Both are read from
a warm cache.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from _harness import compare, print_table
from torch.nn.functional import interpolate

from seedbed.artifacts.maps import Maps, MapStore, pack_maps
from seedbed.cam.rebuild import full_resolution, strided

SIZE = (375, 500)
SCALES = (0.5, 1.0, 1.5, 2.0)
IMAGES = 60


def native_maps(rng: np.random.Generator, classes: int) -> tuple[np.ndarray, ...]:
    """One map a scale, as a network of stride 16 gives them."""
    shapes = [tuple(-(-round(length * scale) // 16) for length in SIZE) for scale in SCALES]
    return tuple(rng.random((classes, *shape), dtype=np.float32) for shape in shapes)


def full_by_torch(maps: tuple[np.ndarray, ...]) -> np.ndarray:
    """The sum of torch's upsamplings."""
    views = [
        interpolate(torch.from_numpy(one)[None], SIZE, mode="bilinear", align_corners=False) for one in maps
    ]
    return torch.stack(views).sum(dim=0)[0].numpy()


def equal_bits(peer: list[np.ndarray], ours: list[np.ndarray]) -> str:
    """Rebuilt stacks against those that were written; a difference stops the benchmark."""
    if any(p.tobytes() != o.tobytes() for p, o in zip(peer, ours, strict=True)):
        raise AssertionError("rebuilt stacks differ from the written ones")
    return f"{len(peer)} stacks equal bit for bit"


def distance(peer: np.ndarray, ours: np.ndarray) -> str:
    return f"at most {np.abs(peer - ours).max() / peer.max():.1e} of the maximum apart"


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    counts = rng.choice([1, 2, 3], IMAGES, p=[0.55, 0.3, 0.15])
    cams = {
        f"image{k:03d}": Maps(tuple(range(count)), SIZE, native_maps(rng, count))
        for k, count in enumerate(counts)
    }
    stacks = {
        name: {
            "keys": np.array(one.class_ids),
            "cam": strided(one.maps, SIZE),
            "high_res": full_resolution(one.maps, SIZE),
        }
        for name, one in cams.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shard = root / "train-0.safetensors"

        def write_peer() -> int:
            for name, stack in stacks.items():
                np.save(root / f"{name}.npy", stack, allow_pickle=True)
            return sum(path.stat().st_size for path in root.glob("*.npy"))

        def write_ours() -> int:
            shard.write_bytes(pack_maps(cams))
            return shard.stat().st_size

        def sizes(peer: int, ours: int) -> str:
            return (
                f"{peer / IMAGES / 1e3:,.0f} kB against {ours / IMAGES / 1e3:.0f} kB per image, "
                f"**{peer / ours:.1f}× smaller** (aim ≥ 30×)"
            )

        def read_peer() -> list[np.ndarray]:
            files = [np.load(root / f"{name}.npy", allow_pickle=True).item() for name in cams]
            return [file["high_res"] for file in files]

        def read_ours() -> list[np.ndarray]:
            store = MapStore([shard], {})
            return [full_resolution(store[name].maps, SIZE) for name in cams]

        rows = [
            compare(f"write {IMAGES} images", write_peer, write_ours, sizes),
            compare(f"read and rebuild {IMAGES} images", read_peer, read_ours, equal_bits),
        ]
    maps = native_maps(rng, 3)
    rows.append(
        compare(
            "rebuild 3 classes at 375×500 (peer: torch)",
            lambda: full_by_torch(maps),
            lambda: full_resolution(maps, SIZE),
            distance,
            aim="ours ≤ 10 ms",
        )
    )
    notes = [f"{counts.mean():.2f} classes per image; process time."]
    print_table("CAM store", rows, ("numpy", "numba", "safetensors", "torch"), notes)


if __name__ == "__main__":
    main()
