"""Stages that run networks without torch's compiler, which none of them uses.

torchvision and timm name a few things of `torch._dynamo` when they are imported, and torch does when it first calls
some of its functions: whether a function can be compiled, and that one must not be. That loads the whole compiler,
which takes about as much CPU time as the rest of the start. In a stage a placeholder answers instead. It gives way to
the compiler as soon as it is asked for anything else. Training, whose optimisers ask for more, loads the compiler.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

COMPILER, UTILS = "torch._dynamo", "torch._dynamo.utils"


class _Placeholder(ModuleType):
    """Stands for a module of the compiler until it is asked for what it does not have."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _remove()
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Put the placeholder in the compiler's place, unless that is loaded already."""
    import torch  # noqa: F401

    if COMPILER in sys.modules:
        yield
        return
    found = importlib.util.find_spec(COMPILER)
    compiler, utils = _Placeholder(COMPILER), _Placeholder(UTILS)
    vars(compiler).update(
        __path__=(found and found.submodule_search_locations) or [],
        utils=utils,
        disable=_unchanged,
    )
    vars(utils).update(is_compile_supported=_never)
    sys.modules |= {COMPILER: compiler, UTILS: utils}
    try:
        yield
    finally:
        _remove()


def _remove() -> None:
    for name in (COMPILER, UTILS):
        if isinstance(sys.modules.get(name), _Placeholder):
            del sys.modules[name]


def _unchanged(function: Any, *arguments: Any, **options: Any) -> Any:
    """What marks a function that must not be compiled; without arguments, a decorator that does."""
    return function if function is not None else _unchanged


def _never(device_type: str) -> bool:
    return False
