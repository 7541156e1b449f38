"""Damages of what planning remembers, which it can do without."""

import os
from collections.abc import Iterator

from hostile.damages import Damage, content, folder_at, link_loop, pipe_at, works

PARAMS = "results/.params/birds"
REMEMBERED = (
    f"{PARAMS}/known.json",
    f"{PARAMS}/data.json",
    f"{PARAMS}/masks-data.json",
    f"{PARAMS}/copies/index.csv",
    "results/birds/tiny/rng0/classifier/.runs/train_classifier.json",
)


def damages() -> Iterator[Damage]:
    """All of them."""
    runs = (works("plan"), works("plan --hours"), works("doctor", "no faults"))
    for name in REMEMBERED:
        last = os.path.basename(name)
        for how, text in {
            "empty": "",
            "a list": "[]",
            "nested deeply": "[" * 200_000,
            "not UTF-8": b'{"a": "\xff"}',
            "of infinities": '{"look": 1e400, "photographs": {"a": [1e400, 1, 1, 1]}, "seconds": 1e400}',
            "of lists": '{"command": [[]], "seconds": [], "look": [], "photographs": [[]]}',
        }.items():
            yield Damage(f"planning: {last} {how}", content(name, text), runs)
        yield Damage(f"planning: {last} a link loop", link_loop(name), runs)
    for name in (REMEMBERED[0], REMEMBERED[4]):
        last = os.path.basename(name)
        yield Damage(f"planning: {last} a folder", folder_at(name), runs)
        yield Damage(f"planning: {last} a named pipe", pipe_at(name), runs)
