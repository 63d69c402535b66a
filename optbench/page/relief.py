"""The heights of f over a view, on the scale in which its contours are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from optbench.figures.contours import contour_levels
from optbench.page.payload import Bytewise

DIGITS = 4096  # steps per decade: what a contour is drawn from needs no more


def relief(values: np.ndarray, reference: float | None, *, signed: bool) -> dict[str, Any]:
    """Heights on a scale where the levels of `contour_levels` are equally far apart.

    That is the decimal logarithm; for heights of both signs it is linear up to the first level on
    either side of 0, and logarithmic beyond it.

    Args:
        values: [m, n] f.
        reference: what heights are above; the lowest value if not given.
        signed: whether heights of both signs count.
    """
    values = np.where(np.isfinite(values), values, np.nan)
    heights = values - (np.nanmin(values) if reference is None else reference)
    levels = contour_levels(heights, signed=signed)
    above = levels[levels > 0]
    step = float(np.log10(above[1] / above[0]))
    if signed:
        scale = np.vectorize(lambda h: _signed(h, above[0], step), otypes=[float])
    else:
        heights = np.maximum(heights, levels[0] / 10)
        scale = np.log10
    ticks = [level for level in levels if level == 0 or _is_power(level)]
    return {
        "z": Bytewise((np.round(scale(heights) * DIGITS) / DIGITS).astype(np.float32)),
        "low": float(scale(levels[0])),
        "high": float(scale(levels[-1])),
        "step": step,
        "ticks": [float(scale(level)) for level in ticks],
        "texts": [_text(level) for level in ticks],
        "signed": signed,
    }


def _signed(height: float, first: float, step: float) -> float:
    size = abs(height)
    if not size > first:
        return height / first * step
    return float(np.copysign(step + np.log10(size / first), height))


def _is_power(level: float) -> bool:
    exponent = np.log10(abs(level))
    return bool(np.isclose(exponent, np.round(exponent)))


def _text(level: float) -> str:
    """A level in the markup of Plotly."""
    if level == 0:
        return "0"
    sign = "\N{MINUS SIGN}" if level < 0 else ""
    return f"{sign}10<sup>{round(np.log10(abs(level)))}</sup>".replace("-", "\N{MINUS SIGN}")
