"""Methods for sums of squares, f = |r|^2 / 2, by their residuals r and the Jacobian J of these.

All need `Problem.residuals` and few coordinates, n: J is formed, from n products, and factored.

Calls per step: a value and n products with the Jacobian. The value and gradient at the point that
the step keeps follow from these. The first step judges the start and stays there.
"""

from __future__ import annotations

import lineax as lx
import optimistix as optx

from optbench.optimizer import Optimizer
from optbench.optimizers.libraries.optimistix_adapter import TOLERANCE, from_optimistix


def gauss_newton() -> Optimizer:
    """x_{k+1} = x_k - J^+ r, with J^+ the pseudoinverse: it has no parameter and no safeguard.

    Newton's method with J^T J in place of the Hessian: as fast where the residuals vanish at the
    minimizer, and free to diverge where they do not. J may lose rank: singular values below
    (n + 1) eps times the largest count as 0.

    Source: Nocedal and Wright (2006), section 10.3; optimistix.GaussNewton.
    """
    return from_optimistix(optx.GaussNewton(TOLERANCE, TOLERANCE, linear_solver=lx.SVD()))


def levenberg_marquardt() -> Optimizer:
    """x_{k+1} = x_k - (J^T J + lambda I)^{-1} J^T r where that lowers f enough, else x_k.

    It tunes itself: lambda starts at 1, and shrinks or grows with the ratio of the decrease of f
    to the decrease that the linear model r + J d promises.

    Source: Marquardt (1963); Nocedal and Wright (2006), section 10.3;
    optimistix.LevenbergMarquardt.
    """
    return from_optimistix(optx.LevenbergMarquardt(TOLERANCE, TOLERANCE))


def dogleg() -> Optimizer:
    """x_{k+1} = x_k + p where that lowers f enough, else x_k; |p| is at most the trust radius.

    p lies on the path from x_k over the minimizer of the linear model r + J d along the gradient
    to the Gauss-Newton step -J^+ r, where that path leaves the trust region. It tunes itself: the
    radius is a multiple of the length of the Gauss-Newton step, which shrinks or grows with the
    ratio of the decrease of f to the one that the model promises.

    Source: Powell (1970); Nocedal and Wright (2006), section 4.1, "The dogleg method";
    optimistix.Dogleg.
    """
    return from_optimistix(optx.Dogleg(TOLERANCE, TOLERANCE, linear_solver=lx.SVD()))
