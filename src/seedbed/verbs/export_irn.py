"""`seedbed export --format irn`: CAMs as IRN (Ahn et al. 2019) stores them, one `.npy` file per image.

A pickled dict: `keys`, classes from 0; `cam`, scores on a grid of every fourth pixel; `high_res`, scores at the image's
size. `keys` and `cam` are tensors of torch, as there; an image without classes has empty ones.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from seedbed.artifacts.atomic import write_bytes
from seedbed.errors import SeedbedError
from seedbed.verbs.exported import Photographs
from seedbed.verbs.locate import Located
from seedbed.verbs.names import names_of

STRIDE = 4


def export_irn(
    located: Located, out: Path, splits: Sequence[str], photographs: Photographs
) -> tuple[Path, int]:
    """`NAME.npy`, in one folder per split if there are several; sizes are those that the stages saw.

    Raises:
        SeedbedError: the maps are saliency, which has no classes.
    """
    import torch

    count = 0
    for split in splits:
        store = located.artifact.open(split)
        if store.is_saliency:
            raise SeedbedError(f"{located.artifact.folder} is saliency, which has no classes; expected CAMs")
        folder = out / split if len(splits) > 1 else out
        image_ids = list(store)
        for image_id, name in zip(image_ids, names_of(image_ids), strict=True):
            stored = store[image_id]
            height, width = stored.size
            grid = ((height - 1) // STRIDE + 1, (width - 1) // STRIDE + 1)
            content = {
                "keys": torch.tensor(stored.class_ids, dtype=torch.int64),
                "cam": torch.from_numpy(store.scores(image_id, grid)),
                "high_res": store.scores(image_id),
            }
            stream = BytesIO()
            np.save(stream, np.array(content, dtype=object), allow_pickle=True)
            write_bytes(folder / f"{name}.npy", stream.getvalue())
            count += 1
    return out, count
