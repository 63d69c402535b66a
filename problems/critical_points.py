"""Functions that are about one critical point, or about flats and walls instead of one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near

RECURRENCES = 50  # steps of the recurrent unit behind the cliff


def _monkey_saddle(params: Any) -> Any:
    x, y = params
    return x**3 - 3 * x * y**2


def monkey_saddle() -> Problem:
    """The monkey saddle x^3 - 3 x y^2: three ways down and three ways up, and no curvature at 0.

    Dimension: 2. Start: (1, 0.01), near the way up y = 0; other seeds move it by 1e-3. x*, f*:
    none, f is unbounded below; the saddle's value is 0, and to escape is to fall as far below it
    as the start lies above.
    Constants: none holds globally. The Hessian at 0 vanishes: the gradient flow reaches the saddle
    as x = 1 / (3 t + 1) and leaves by y = 0.01 (3 t + 1)^2, slower than any exponential.

    Source: Hilbert & Cohn-Vossen (1952), "Geometry and the Imagination", chapter IV.
    """
    return Problem(
        objective=_monkey_saddle,
        start=start_near(np.array([1.0, 0.01]), scale=1e-3),
        critical_points=(CriticalPoint("saddle", 0.0, np.zeros(2)),),
        saddle=0.0,
        bounded_below=False,
        constants=Constants(convex=False),
        region=((-1.5, 1.5), (-1.5, 1.5)),
        name="monkey_saddle",
        source="Hilbert & Cohn-Vossen (1952), Geometry and the Imagination, chapter IV",
    )


def _unequal_mixed_partials(params: Any) -> Any:
    x, y = params
    square = x**2 + y**2
    return x * y * (x**2 - y**2) / jnp.where(square > 0, square, 1.0)


def unequal_mixed_partials() -> Problem:
    """f = x y (x^2 - y^2) / (x^2 + y^2): at 0, d/dx (df/dy) = 1 and d/dy (df/dx) = -1.

    In polar coordinates f = r^2 sin(4 phi) / 4: once differentiable with a Lipschitz gradient, and
    twice everywhere but at 0, where it has a saddle.
    Dimension: 2. Start: (1, 0.25), above the saddle; other seeds move it by 0.1. x*, f*: none, f is
    unbounded below; the saddle's value is 0, and to escape is to fall as far below it as the start
    lies above.
    Constants: L = 3.5: the eigenvalues of the Hessian are -1.5 s +- sqrt(1 + 3 s^2) with
    s = sin(4 phi), whatever r, so that they jump at 0 and no M exists.

    Source: Rudin (1976), "Principles of Mathematical Analysis", chapter 9, exercise 27.
    """
    return Problem(
        objective=_unequal_mixed_partials,
        start=start_near(np.array([1.0, 0.25])),
        critical_points=(CriticalPoint("saddle", 0.0, np.zeros(2)),),
        saddle=0.0,
        bounded_below=False,
        constants=Constants(smoothness=3.5, convex=False),
        region=((-1.5, 1.5), (-1.5, 1.5)),
        name="unequal_mixed_partials",
        source="Rudin (1976), Principles of Mathematical Analysis, chapter 9, exercise 27",
    )


def _double_well(params: Any) -> Any:
    return jnp.sum(params[:-1] ** 2) / 2 - params[-1] ** 2 / 2 + params[-1] ** 4 / 4


def double_well(dim: int = 10) -> Problem:
    """f = (x_1^2 + ... + x_{n-1}^2 - x_n^2) / 2 + x_n^4 / 4: a saddle at 0 between two minima.

    Dimension: `dim`. Start: (1, ..., 1, 1e-3), near the stable manifold x_n = 0 of the saddle;
    other seeds move it by 1e-3. x* = (0, ..., 0, 1), f* = -1/4; -x* is as low.
    Constants: none holds globally; at the saddle the Hessian is diag(1, ..., 1, -1), so x_n is the
    one direction of escape, and at x* it is diag(1, ..., 1, 2).

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 1.2.3, in two dimensions.

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no double well in {dim} dimensions", "give dim >= 2")
    along = np.eye(dim)[-1]
    return Problem(
        objective=_double_well,
        start=start_near(np.where(along > 0, 1e-3, 1.0), scale=1e-3),
        minimum=-0.25,
        minimizer=along,
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", 0.0, np.zeros(dim)),),
        constants=Constants(convex=False),
        region=((-1.5, 1.5), (-1.5, 1.5)) if dim == 2 else None,
        name="double_well",
        source="Nesterov (2018), section 1.2.3",
    )


def _gaussian_bump(params: Any) -> Any:
    return jnp.exp(-jnp.sum(params**2) / 2)


def gaussian_bump(dim: int = 2) -> Problem:
    """f = exp(-|x|^2 / 2): a maximum from which every way leads down to a plain without end.

    Dimension: `dim`. Start: (0.1, ..., 0.1), near the maximum; other seeds move it by 0.1.
    x*: none, f* = 0 is the infimum. The gradient flow leaves the maximum exponentially, and then
    slows down: |x|^2 grows as 2 log t.
    Constants: L = 1, attained at the maximum; the Hessian (x x^T - I) f has eigenvalues in
    [-1, 2 exp(-3/2)]. M = max_s (3 s - s^3) exp(-s^2 / 2), at s^2 = 3 - sqrt(6); G = exp(-1/2).

    Source: Lee, Simchowitz, Jordan & Recht (2016), "Gradient descent only converges to minimizers",
    COLT, of whose strict saddles a maximum is one.

    Args:
        dim: number of unknowns, at least 1.

    Raises:
        OptbenchError: fewer than 1 dimension.
    """
    if dim < 1:
        raise OptbenchError(f"no Gaussian bump in {dim} dimensions", "give dim >= 1")
    square = 3 - np.sqrt(6)
    return Problem(
        objective=_gaussian_bump,
        start=start_near(np.full(dim, 0.1)),
        minimum=0.0,
        minimum_kind="closed form",
        critical_points=(CriticalPoint("maximum", 1.0, np.zeros(dim)),),
        constants=Constants(
            smoothness=1.0,
            hessian_lipschitz=float(np.sqrt(6 * square) * np.exp(-square / 2)),
            gradient_bound=float(np.exp(-0.5)),
            convex=False,
        ),
        region=((-3.0, 3.0), (-3.0, 3.0)) if dim == 2 else None,
        name="gaussian_bump",
        source="Lee, Simchowitz, Jordan & Recht (2016), COLT",
    )


def _quartic_form(params: Any, curvatures: Any) -> Any:
    return jnp.sum(curvatures * params**2) ** 2 / 4


def _quartic_residual(params: Any, curvatures: Any) -> Any:
    return jnp.sum(curvatures * params**2) / jnp.sqrt(2.0)


def degenerate_quartic(dim: int = 2, condition_number: float = 10.0) -> Problem:
    """f = (x^T A x)^2 / 4 with A diagonal, log-spaced in [1 / kappa, 1]: no curvature at x*.

    Not separable; `power` is the separable one.
    Dimension: `dim`. Start: (1, ..., 1). x* = 0, f* = 0.
    Constants: mu = 0, for the Hessian at x* vanishes; L is unbounded; f is convex as the square of
    a convex function that is nowhere negative. f is homogeneous of degree 4: Newton's method is
    linear, with factor 2/3 per step.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 4.2.2, for |x|^p / p.

    Args:
        dim: number of unknowns, at least 2.
        condition_number: kappa, at least 1.

    Raises:
        OptbenchError: fewer than 2 dimensions, or the condition number is below 1.
    """
    if dim < 2 or not 1 <= condition_number < np.inf:
        raise OptbenchError(
            f"no degenerate quartic in {dim} dimensions with condition number {condition_number}",
            "give dim >= 2 and condition_number >= 1",
        )
    return Problem(
        objective=_quartic_form,
        data=(np.geomspace(1.0, 1.0 / condition_number, dim),),
        start=start_near(np.ones(dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        residuals=_quartic_residual,
        region=((-1.5, 1.5), (-1.5, 1.5)) if dim == 2 else None,
        name="degenerate_quartic",
        source="Nesterov (2018), section 4.2.2",
    )


def _curved_ridge_residuals(params: Any, width: Any) -> Any:
    x, y = params
    across = (y - x**2) / width
    return jnp.stack([1 - x, (across**2 - 1) / jnp.sqrt(2.0)])


def _curved_ridge(params: Any, width: Any) -> Any:
    return jnp.sum(_curved_ridge_residuals(params, width) ** 2) / 2


def curved_ridge(width: float = 0.25) -> Problem:
    """f = (1 - x)^2 / 2 + (t^2 - 1)^2 / 4, t = (y - x^2) / width: a ridge between two valleys.

    The crest is the parabola y = x^2, the floors lie `width` above and below it; all three fall
    towards x = 1.
    Dimension: 2. Start: (-1, 1.001), beside the crest; other seeds move it by 1e-3.
    x* = (1, 1 + width), f* = 0; (1, 1 - width) is as low. At the end of the crest, (1, 1), lies a
    saddle, with f = 1/4.
    Constants: none holds globally; across the crest the curvature is -(1 + 4 x^2) / width^2, down
    its length 1.

    Source: built for this suite on the parabola of Rosenbrock (1960), "An automatic method for
    finding the greatest or least value of a function", The Computer Journal 3, whose valley it
    turns into a ridge.

    Args:
        width: distance along y of the valleys from the crest.

    Raises:
        OptbenchError: the width is not positive.
    """
    if not 0 < width < np.inf:
        raise OptbenchError(f"width is {width}", "give width > 0")
    return Problem(
        objective=_curved_ridge,
        data=(np.float64(width),),
        start=start_near(np.array([-1.0, 1.001]), scale=1e-3),
        minimum=0.0,
        minimizer=np.array([1.0, 1.0 + width]),
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", 0.25, np.ones(2)),),
        constants=Constants(convex=False),
        residuals=_curved_ridge_residuals,
        region=((-1.75, 1.75), (-0.75, 2.5)),
        name="curved_ridge",
        source="Rosenbrock (1960), The Computer Journal 3, its valley turned into a ridge",
    )


def _plateau(params: Any) -> Any:
    return jnp.sum(jnp.tanh(params) ** 2) / 2


def plateau(dim: int = 2, distance: float = 4.0) -> Problem:
    """f = sum_i tanh(x_i)^2 / 2: a hole in a plateau, as of saturated units with target 0.

    Dimension: `dim`. Start: (d, ..., d) with d = `distance`, where the gradient is
    4 exp(-2 d); other seeds move it by half a standard normal. x* = 0, f* = 0; far out f is n / 2.
    Constants: L = 1, attained at x*: with t = tanh^2 the curvatures are (1 - t) (1 - 3 t), no less
    than -1/3. M = 8 u - 20 u^3 + 12 u^5 at u^2 = 1/2 - sqrt(105) / 30; G = sqrt(n) 2 / sqrt(27).

    Source: Goodfellow, Bengio & Courville (2016), "Deep Learning", section 8.2.3.

    Args:
        dim: number of unknowns, at least 1.
        distance: of the start from x* in each coordinate, not 0.

    Raises:
        OptbenchError: fewer than 1 dimension, or a start at x*.
    """
    if dim < 1 or not 0 < abs(distance) < np.inf:
        raise OptbenchError(
            f"no plateau in {dim} dimensions at distance {distance}", "give dim >= 1, distance > 0"
        )
    u = np.sqrt(0.5 - np.sqrt(105) / 30)
    return Problem(
        objective=_plateau,
        start=start_near(np.full(dim, distance), scale=0.5),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=1.0,
            hessian_lipschitz=float(8 * u - 20 * u**3 + 12 * u**5),
            gradient_bound=2 * (dim / 27) ** 0.5,
            convex=False,
            sharp=True,
        ),
        residuals=jnp.tanh,
        region=((-5.0, 5.0), (-5.0, 5.0)) if dim == 2 else None,
        name="plateau",
        source="Goodfellow, Bengio & Courville (2016), Deep Learning, section 8.2.3",
    )


def _cliff_residual(params: Any) -> Any:
    weight, bias = params

    def step(state: Any, _: Any) -> Any:
        return weight * jax.nn.sigmoid(state) + bias, None

    last, _ = jax.lax.scan(step, jnp.full_like(weight, 0.5), length=RECURRENCES)
    return jnp.sqrt(2.0) * (jax.nn.sigmoid(last) - 0.7)


def _cliff(params: Any) -> Any:
    return _cliff_residual(params) ** 2 / 2


def cliff() -> Problem:
    """A recurrent unit's error (sigmoid(x_50) - 0.7)^2, where x_t = w sigmoid(x_{t-1}) + b.

    Dimension: 2, (w, b). Start: (6, -2.9), above a wall and sloping towards it; other seeds move it
    by 0.1. x* = (0, log(7/3)), f* = 0, the one point of a curve of minimizers that is simple.
    Constants: none holds globally. x_0 = 0.5 is a fixed point where b = 0.5 - w sigmoid(0.5), and
    unstable for w > 4.26: along that line f jumps, and the gradient has a factor (0.235 w)^50.
    Methods that take no account of that are thrown far away; clipping is the cure.

    Source: Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent neural
    networks", ICML, section 2.3 and its error surface of a single hidden unit.
    """
    return Problem(
        objective=_cliff,
        start=start_near(np.array([6.0, -2.9])),
        minimum=0.0,
        minimizer=np.array([0.0, np.log(7 / 3)]),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        residuals=_cliff_residual,
        region=((-0.5, 7.0), (-4.5, 1.5)),
        coordinates=("w", "b"),
        name="cliff",
        source="Pascanu, Mikolov & Bengio (2013), ICML, section 2.3",
    )
