"""Schedules: pure functions of the position in training."""


def poly_decay(step: int, steps: int, power: float) -> float:
    """(1 - step/steps)^power, the learning-rate factor of DeepLab (arXiv:1606.00915 §4.1) and of PSA.

    Args:
        step: optimiser step, from 0.
        steps: optimiser steps of the whole training.
        power: 0.9 in the field.

    Raises:
        ValueError: `step` outside 0 to steps - 1.
    """
    if not 0 <= step < steps:
        raise ValueError(f"step must be 0 to {steps - 1}, not {step}")
    return float((1 - step / steps) ** power)


def warmup(step: int, steps: int) -> float:
    """Linear factor (step + 1)/steps during warm-up, then 1; `steps` of 0 means no warm-up."""
    return min((step + 1) / steps, 1.0) if steps else 1.0


def linear_ramp(fraction: float, start: float, end: float, until: float = 1.0) -> float:
    """From `start` at 0 linearly to `end` at fraction `until` of training, and `end` from then on.

    Puzzle-CAM's weight is `linear_ramp(t, 0, 4, 0.5)`, OC-CSE's is `linear_ramp(t, 0.3, 1)`.

    Raises:
        ValueError: `until` outside (0, 1].
    """
    if not 0 < until <= 1:
        raise ValueError(f"a ramp ends at a fraction in (0, 1], not at {until}")
    return start + (end - start) * min(max(fraction / until, 0.0), 1.0)
