"""The simplex search of Nelder and Mead, which needs no gradient."""

from __future__ import annotations

from typing import cast

import optimistix as optx

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.libraries.optimistix_adapter import TOLERANCE, from_optimistix


def nelder_mead(initial_size: Scalar = 0.1) -> Optimizer:
    """Moves a simplex of n + 1 vertices, and reports the best of them: it tunes itself.

    The vertices are x_0 and x_0 + s e_i at first, with s = `initial_size`. With x the worst vertex
    and c the mean of the others, a step looks at x + 2 (c - x), and replaces x by

        x + 3 (c - x)          where that is better than the best vertex
        x + 3/2 (c - x)        where it is worse than the second worst
        x + 1/2 (c - x)        where it is worse than the worst
        x + 2 (c - x)          elsewhere

    unless the new vertex is worse than x: then all shrink towards the best vertex by half.

    Calls per step: two values, n + 1 more where the simplex shrinks; n + 1 in the first step. The
    loop evaluates the point it reports beyond these, with a gradient the search does not use.
    Source: Nelder and Mead (1965); Nocedal and Wright (2006), section 9.5; optimistix.NelderMead.
    """
    size = cast(float, initial_size)
    return from_optimistix(optx.NelderMead(TOLERANCE, TOLERANCE, rdelta=0.0, adelta=size))
