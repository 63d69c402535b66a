"""Worst cases that need more than one dimension."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems.convex_composite.projections import onto_simplex
from problems.draws import data_rng, orthonormal
from problems.linear_models import errors, half_mean_square, least_squares, predictions
from problems.spectra import quadratic_constants

LIFT = 0.5  # of the first coordinate of a start above the others, which keeps it off the kink


def _diagonal(params: Any, curvatures: Any) -> Any:
    return jnp.sum(curvatures * params**2) / 2


def _largest(params: Any, slope: Any, depth: Any) -> Any:
    largest = params[jnp.argmax(params)]  # the first of equals gives the subgradient
    return slope * jnp.where(largest > -depth, largest, -depth)


def _coupled(params: Any, coupling: Any) -> Any:
    return ((1 - coupling) * jnp.sum(params**2) + coupling * jnp.sum(params) ** 2) / 2


def _square(params: Any) -> Any:
    return jnp.sum(params**2)


def cg_worst_case(num_steps: int = 5, condition_number: float = 100.0) -> Problem:
    """The quadratic and the start from which k steps of conjugate gradients reduce f least.

    f(x) = sum_j h_j x_j^2 / 2, with h_j the points where the Chebyshev polynomial of degree k on
    [mu, L] is +-1, and x_0 such that no polynomial does better: f(x_k) = f(x_0) /
    cosh(k arccosh((L + mu) / (L - mu)))^2, the bound for any quadratic between mu and L. One step
    later CG has finished.

    Dimension: k + 1. Start: x_j = sqrt(w_j) / h_j with w = (1/2, 1, ..., 1, 1/2); other seeds move
    it by 0.1 times a standard normal, and off the worst case. x* = 0, f* = 0.
    Constants: L = 1 and mu = 1 / condition_number, attained; M = 0.

    Source: Greenbaum (1979), "Comparison of splittings used with the conjugate gradient algorithm",
    Numerische Mathematik 33, pages 181-193, which shows that the bound is attained at each k.

    Args:
        num_steps: k, at least 1.
        condition_number: L / mu, above 1.

    Raises:
        OptbenchError: no steps, or a condition number of 1 or less.
    """
    if num_steps < 1 or not 1 < condition_number < np.inf:
        raise OptbenchError(
            f"num_steps is {num_steps} and condition_number {condition_number}",
            "give num_steps >= 1 and condition_number > 1",
        )
    least = 1 / condition_number
    cosines = np.cos(np.pi * np.arange(num_steps + 1) / num_steps)
    curvatures = (1 + least) / 2 + (1 - least) / 2 * cosines
    weights = np.ones(num_steps + 1)
    weights[[0, -1]] = 0.5
    return Problem(
        objective=_diagonal,
        data=(curvatures,),
        start=start_near(np.sqrt(weights) / curvatures),
        minimum=0.0,
        minimizer=np.zeros(num_steps + 1),
        minimum_kind="closed form",
        constants=quadratic_constants(1.0, least),
        name="cg_worst_case",
        source="Greenbaum (1979), Numerische Mathematik 33, pages 181-193",
    )


def subgradient_worst_case(num_steps: int = 9, slope: float = 1.0, depth: float = 100.0) -> Problem:
    """f(x) = G max(x_1, ..., x_n, -c): each subgradient lowers one coordinate, and n steps do all.

    With n = N + 1, the N steps of size c / G lower the first N coordinates, and the best value seen
    is still 0, c G above f*. No method that steps in the span of N subgradients can do better than
    G |x_0 - x*| / sqrt(N + 1), which is this but for the lift of x_0. Where coordinates are equal,
    the subgradient is that of the first. All of f is its nonsmooth part.

    Dimension: N + 1. Start: (1/2, 0, ..., 0), lifted off the kink at 0; other seeds move it by 0.01
    times a standard normal. x* = (-c, ..., -c), f* = -c G.
    Constants: G; L = mu = M = 0, those of the smooth part, 0.

    Source: Drori & Teboulle (2016), "An optimal variant of Kelley's cutting-plane method",
    Mathematical Programming 160, pages 321-351.

    Args:
        num_steps: N, at least 1.
        slope: G, positive.
        depth: c, above the lift of 1/2.

    Raises:
        OptbenchError: an argument is out of range.
    """
    if num_steps < 1 or not 0 < slope < np.inf or not LIFT < depth < np.inf:
        raise OptbenchError(
            f"num_steps is {num_steps}, slope {slope} and depth {depth}",
            f"give num_steps >= 1, slope > 0 and depth > {LIFT}",
        )
    dim = num_steps + 1
    return Problem(
        objective=_largest,
        data=(np.float64(slope), np.float64(depth)),
        start=start_near(LIFT * np.eye(dim)[0], scale=0.01),
        minimum=-slope * depth,
        minimizer=np.full(dim, -float(depth)),
        minimum_kind="closed form",
        constants=quadratic_constants(0.0, 0.0, gradient_bound=float(slope)),
        nonsmooth=_largest,
        name="subgradient_worst_case",
        source="Drori & Teboulle (2016), Mathematical Programming 160, pages 321-351",
    )


def cyclic_descent_worst_case(dim: int = 10, coupling: float = 0.99) -> Problem:
    """f(x) = ((1 - c) |x|^2 + c (x_1 + ... + x_n)^2) / 2: slow for coordinates in fixed order.

    As c approaches 1, exact minimization along the coordinates in cyclic order needs about
    (n / (2 pi))^2 times as many updates as along random ones. No fixed order does better, f being
    symmetric.

    Dimension: `dim`. Start: evenly spaced from -1 to 2; other seeds move it by 0.1 times a standard
    normal. x* = 0, f* = 0.
    Constants: the Hessian has 1 on its diagonal, the coordinate-wise L, and c elsewhere: L =
    1 + (n - 1) c along (1, ..., 1) and mu = 1 - c across it, both attained; M = 0.

    Source: Sun & Ye (2021), "Worst-case complexity of cyclic coordinate descent: O(n^2) gap with
    randomized version", Mathematical Programming 185, pages 487-520.

    Args:
        dim: n, at least 2.
        coupling: c, in (0, 1).

    Raises:
        OptbenchError: fewer than 2 dimensions, or a coupling out of range.
    """
    if dim < 2 or not 0 < coupling < 1:
        raise OptbenchError(
            f"dim is {dim} and coupling {coupling}", "give dim >= 2 and 0 < coupling < 1"
        )
    return Problem(
        objective=_coupled,
        data=(np.float64(coupling),),
        start=start_near(np.linspace(-1.0, 2.0, dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=quadratic_constants(1 + (dim - 1) * coupling, 1 - coupling),
        name="cyclic_descent_worst_case",
        source="Sun & Ye (2021), Mathematical Programming 185, pages 487-520",
    )


def kaczmarz_worst_case(dim: int = 10, seed: int = 0, *, batch_size: int | None = 1) -> Problem:
    """f(x) = |Q x - b|^2 / (2 n) with orthonormal rows: random projections just miss each other.

    SGD on single rows with step 1 is the randomized Kaczmarz method. A row drawn again is of no
    use, and E |x_k - x*|^2 = (1 - 1 / n)^k |x_0 - x*|^2 exactly, the bound for n x n matrices of
    condition 1; each row once, in any order, would solve the system.

    Dimension: `dim`. Start: 0; other seeds move it by a standard normal. x*: standard normal, drawn
    from the seed of the problem; f* = 0.
    Constants: L = mu = 1 / n, attained; M = 0. No noise_variance holds globally: the noise grows
    with the distance from x*, where it vanishes.

    Source: Strohmer & Vershynin (2009), "A randomized Kaczmarz algorithm with exponential
    convergence", Journal of Fourier Analysis and Applications 15, theorem 2.

    Args:
        dim: n, unknowns and equations.
        seed: of Q and x*.
        batch_size: equations per sample; None for exact gradients.

    Raises:
        OptbenchError: no dimension, or no such batch.
    """
    if dim < 1:
        raise OptbenchError(f"dim is {dim}", "give dim >= 1")
    rng = data_rng(seed)
    rows, minimizer = orthonormal(rng, dim, dim), rng.standard_normal(dim)
    problem = Problem(
        objective=least_squares,
        data=(rows, rows @ minimizer),
        start=start_near(np.zeros(dim), scale=1.0),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=quadratic_constants(1 / dim, 1 / dim),
        residuals=errors,
        outputs=predictions,
        output_loss=half_mean_square,
        row_arrays=2,
        name="kaczmarz_worst_case",
        source="Strohmer & Vershynin (2009), Journal of Fourier Analysis and Applications 15",
    )
    return dataclasses.replace(minibatches(problem, batch_size), name="kaczmarz_worst_case")


@dataclasses.dataclass(frozen=True)
class StartAtVertex:
    """A start rule: seed k starts at the (k mod n)-th unit vector."""

    dim: int

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        return np.eye(self.dim)[seed % self.dim]


def frank_wolfe_worst_case(dim: int = 50) -> Problem:
    """f(x) = |x|^2 on the simplex, whose every point near x* needs all vertices.

    After k steps that add one vertex each, x has at most k + 1 nonzero coordinates, and so
    f(x_k) - f* >= 1 / (k + 1) - 1 / n, whatever the steps: Frank-Wolfe methods are no faster.
    Projected gradient steps of size 1/2 arrive at once.

    Dimension: `dim`. Start: the first vertex; seed k takes the k-th other. x* = (1, ..., 1) / n,
    f* = 1 / n. Constants: L = mu = 2, attained; M = 0; G = 2 on the simplex.

    Source: Jaggi (2013), "Revisiting Frank-Wolfe: projection-free sparse convex optimization",
    ICML, lemma 3.

    Args:
        dim: n, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"dim is {dim}", "give dim >= 2")
    return Problem(
        objective=_square,
        start=StartAtVertex(dim),
        minimum=1 / dim,
        minimizer=np.full(dim, 1 / dim),
        minimum_kind="closed form",
        constants=quadratic_constants(2.0, 2.0, gradient_bound=2.0),
        prox=onto_simplex,
        name="frank_wolfe_worst_case",
        source="Jaggi (2013), ICML, lemma 3",
    )
