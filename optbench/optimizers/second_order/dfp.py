"""The first quasi-Newton method."""

from __future__ import annotations

import optimistix as optx

from optbench.optimizer import Optimizer
from optbench.optimizers.libraries.optimistix_adapter import TOLERANCE, from_optimistix


def dfp() -> Optimizer:
    """x_{k+1} = x_k - t H_k g_k with g_k = grad f(x_k), and H_k the DFP update: it tunes itself.

    With s = x_{k+1} - x_k and y = g_{k+1} - g_k, from H_0 = I,

        H_{k+1} = H_k - H_k y y^T H_k / y^T H_k y + s s^T / s^T y

    where s^T y > eps, else H_k. t is the first of 1, 1/2, 1/4, ... with
    f(x_k + t d) <= f(x_k) + t g_k^T d / 10, d = -H_k g_k.

    Calls per step: one step tries one t, for a value and gradient; until one is accepted, the point
    stays. The first step judges the start, for nothing.
    Source: Davidon (1959); Fletcher and Powell (1963); Nocedal and Wright (2006), equation 6.15;
    optimistix.DFP.
    """
    return from_optimistix(optx.DFP(TOLERANCE, TOLERANCE))
