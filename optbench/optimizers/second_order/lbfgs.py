"""Limited-memory quasi-Newton."""

from __future__ import annotations

import optax

from optbench.optimizer import Optimizer
from optbench.transformation import from_optax


def lbfgs(memory_size: int = 10) -> Optimizer:
    """L-BFGS with a strong Wolfe search: it tunes itself.

    x_{k+1} = x_k - t H_k g with g = grad f(x_k); H_k is the two-loop recursion over the last
    `memory_size` pairs (x_{j+1} - x_j, g_{j+1} - g_j), scaled by the newest; t meets

        f(x_k - t H_k g) <= f(x_k) - c1 t g^T H_k g and |slope at t| <= c2 |slope at 0|

    with c1 = 1e-4, c2 = 0.9, found by bracketing and zoom from t = 1.

    Calls per step: a value and gradient per trial, 20 at most. The evaluation at the accepted
    point is used, not repeated.
    Source: Liu and Nocedal (1989); Nocedal and Wright (2006), algorithms 7.5, 3.5 and 3.6;
    optax.lbfgs.
    """
    return from_optax(optax.lbfgs(memory_size=memory_size))
