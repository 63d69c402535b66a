"""What a point and the step taken from it show: curvature, directions, sizes, lost digits.

All is measured on the whole objective as autodiff sees it, in float64 whatever the precision of
the run; constraints and prox are not looked at. Complex numbers are two real coordinates each.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.health import LOW_PRECISIONS, STATISTICS
from optbench.krylov import (
    Product,
    dense_solution,
    krylov_solution,
    lanczos,
    top_eigenvalue,
)
from optbench.oracle import Calls
from optbench.problem import Params, Problem
from optbench.stability import broadcast_to_coordinates

DENSE_DIM = 128  # up to here the Hessian is formed, beyond it Krylov spaces must do
SHARPNESS_PRODUCTS, NEWTON_PRODUCTS = 32, 64  # their dimensions
SHARPNESS_TOLERANCE, NEWTON_TOLERANCE = 1e-2, 1e-3  # residuals above these are no answer


def measure(
    problem: Problem, before: Params, after: Params, preconditioner: Params | None
) -> dict[str, jax.Array]:
    """All diagnostics of one step, by name.

    Args:
        problem: f.
        before: x, where the step starts; all diagnostics but the step's are of this point.
        after: where it ends.
        preconditioner: the diagonal P with which the method looks at H; None for I.

    Returns:
        `sharpness`, lambda_max(H), and `preconditioned_sharpness`, lambda_max(P^{-1/2} H P^{-1/2});
        `step_cosine_gradient` and `step_cosine_newton`, between the step and -g and -H^{-1} g;
        `update_ratio`, |step| / |x|; `underflow_float16` and its kin (`underflow`); and per leaf
        of x and of g the `STATISTICS`. Not a number where undefined or not found.
    """
    layout, x = trees.layout_of(before), trees.coordinates(before)
    step = trees.coordinates(after) - x

    def value(flat: jax.Array) -> jax.Array:
        return problem.objective(trees.unpack(layout, flat), *problem.data)

    grad, product = jax.linearize(jax.grad(value), x)
    found = _curvature(before, grad, step, product, preconditioner)
    found["step_cosine_gradient"] = cosine(step, -grad)
    found["update_ratio"] = _ratio(jnp.linalg.norm(step), jnp.linalg.norm(x))
    found |= {f"underflow_{name}": underflow(grad, name) for name in LOW_PRECISIONS}
    gradient = trees.unpack(layout, grad)
    return found | leaf_statistics("params", before) | leaf_statistics("gradient", gradient)


def _curvature(
    point: Params, grad: jax.Array, step: jax.Array, product: Product, diagonal: Params | None
) -> dict[str, jax.Array]:
    """The sharpness, with and without a preconditioner, and the cosine to the Newton step."""
    dim = grad.size
    if dim <= DENSE_DIM:
        hessian = jax.vmap(product)(jnp.eye(dim, dtype=grad.dtype))
        hessian = (hessian + hessian.T) / 2
        product = lambda vector: hessian @ vector  # noqa: E731
        newton = dense_solution(hessian, -grad)
    else:
        krylov = lanczos(product, -grad, NEWTON_PRODUCTS)
        newton = krylov_solution(krylov, jnp.linalg.norm(grad), NEWTON_TOLERANCE)
    found = {"sharpness": sharpness(product, dim), "step_cosine_newton": cosine(step, newton)}
    if diagonal is not None:
        root = jnp.sqrt(broadcast_to_coordinates(diagonal, point))
        scaled = sharpness(lambda vector: product(vector / root) / root, dim)
        found["preconditioned_sharpness"] = scaled
    return found


def calls_per_point(dim: int, *, preconditioned: bool) -> Calls:
    """What `measure` asks of the objective at one point, for `dim` real coordinates."""
    products = dim
    if dim > DENSE_DIM:
        products = NEWTON_PRODUCTS + SHARPNESS_PRODUCTS * (1 + preconditioned)
    return Calls(value_and_gradients=1, hessian_products=products)


def sharpness(product: Product, dim: int) -> jax.Array:
    """The largest eigenvalue of a symmetric H, by Lanczos from one fixed vector.

    Exact to rounding up to `SHARPNESS_PRODUCTS` coordinates; beyond them it is at most the
    eigenvalue, and not a number where the residual is above `SHARPNESS_TOLERANCE`.
    """
    start = jnp.asarray(np.random.default_rng(0).standard_normal(dim))
    krylov = lanczos(product, start, min(dim, SHARPNESS_PRODUCTS))
    return top_eigenvalue(krylov, SHARPNESS_TOLERANCE)


def cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """Of the angle between two vectors; not a number where one is 0."""
    lengths = jnp.linalg.norm(a), jnp.linalg.norm(b)
    return (a / lengths[0]) @ (b / lengths[1])


def _ratio(over: jax.Array, under: jax.Array) -> jax.Array:
    return jnp.where(under > 0, over / under, jnp.nan)


def underflow(grad: jax.Array, precision: str) -> jax.Array:
    """The share of the entries other than 0 that become 0 or subnormal when rounded to nearest.

    Args:
        grad: in float64.
        precision: float16, bfloat16 or float32.
    """
    low = jnp.finfo(precision)
    smallest = float(low.tiny) * (1 - float(low.eps) / 2)  # what rounds up to a normal number
    is_there = grad != 0
    lost = is_there & (jnp.abs(grad) < smallest)
    return jnp.sum(lost) / jnp.maximum(jnp.sum(is_there), 1)


def leaf_statistics(of: str, tree: Params) -> dict[str, jax.Array]:
    """The `STATISTICS` of the real coordinates of each leaf, as `params/layer/weights/mean`."""
    found: dict[str, jax.Array] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        place = "/".join(filter(None, (of, jax.tree_util.keystr(path, simple=True, separator="/"))))
        numbers = trees.coordinates(leaf)
        size = jnp.linalg.norm(numbers)
        values = numbers.mean(), numbers.std(), numbers.min(), numbers.max(), size
        found |= {f"{place}/{n}": value for n, value in zip(STATISTICS, values, strict=True)}
    return found
