"""The number formats in which networks compute."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator


def _without_quotes(value: Any) -> Any:
    """YAML reads `precision: 32` as a number."""
    return "32" if type(value) is int and value == 32 else value


Precision = Annotated[Literal["32", "bf16"], BeforeValidator(_without_quotes)]
"""float32, or bf16 under autocast, in which weights and results stay float32. bf16 is faster on processors with
instructions for it (`avx512_bf16` or `amx_bf16` among the flags in /proc/cpuinfo), and slower on others."""
