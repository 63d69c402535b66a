"""Limits between which a gradient is healthy, and where a run leaves them. Needs no JAX."""

from __future__ import annotations

import numpy as np

VANISHING, EXPLODING = 1e-7, 1e3  # gradient norms below and above which health is lost
SPIKE_FACTOR, SPIKE_WINDOW = 10, 9  # a spike: so far above the median of so many points before
LOW_PRECISIONS = ("float16", "bfloat16", "float32")  # in which underflow is looked for
STATISTICS = ("mean", "std", "min", "max", "norm")  # of each leaf


def gradient_health(norms: np.ndarray) -> dict[str, np.ndarray]:
    """Where gradient norms [..., T] vanish, explode or spike: 1 or 0, NaN where unknown.

    They vanish below `VANISHING`, explode above `EXPLODING`, and spike where they are more than
    `SPIKE_FACTOR` times the median of the `SPIKE_WINDOW` log points before (of all, while there
    are fewer; the first is none).
    """
    spikes = np.zeros(norms.shape)
    for t in range(1, norms.shape[-1]):
        before = norms[..., max(0, t - SPIKE_WINDOW) : t]
        spikes[..., t] = norms[..., t] > SPIKE_FACTOR * np.median(before, axis=-1)
    marks = {
        "gradient_vanishes": norms < VANISHING,
        "gradient_explodes": norms > EXPLODING,
        "gradient_spikes": spikes,
    }
    return {name: np.where(np.isnan(norms), np.nan, mark) for name, mark in marks.items()}
