"""Problems in other coordinates: f(T(x)) for an invertible affine map T."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Params, Problem
from optbench.transforms.wrapper import Function, extend, label, num_coordinates, require

ROTATED_DIM = 2000  # the largest dimension whose rotations are held as matrices


@dataclasses.dataclass(frozen=True)
class Change:
    """A change of coordinates, the same for all numbers that fill it in.

    Attributes:
        inward: T, (x, numbers) -> y, the coordinates within; both are [n] vectors.
        outward: T^-1, (y, numbers) -> x.
        keeps_axes: whether boxes remain boxes.
        keeps_units: whether each coordinate is one of those within, but for its origin: what has
            weights and biases for coordinates still has them.
    """

    inward: Callable[[Any, Any], Any]
    outward: Callable[[Any, Any], Any]
    keeps_axes: bool = True
    keeps_units: bool = True


def on_coordinates(function: Callable[[Any], Any], params: Params, xp: Any = jnp) -> Params:
    """Params after a function of their real coordinates; complex numbers have two each.

    Args:
        function: of all coordinates in one vector, to as many.
        params: a pytree.
        xp: jax.numpy, or numpy for float64 outside of a trace.
    """
    params = jax.tree.map(xp.asarray, params)
    return trees.unpack(trees.layout_of(params), function(trees.coordinates(params, xp)))


def _turn(x: Any, matrix: Any) -> Any:
    return matrix @ x


def _turn_back(y: Any, matrix: Any) -> Any:
    return matrix.T @ y


def _pick(x: Any, order: Any) -> Any:
    return x[order]


def _put_back(y: Any, order: Any) -> Any:
    return y[order.argsort()]


ROTATION = Change(_turn, _turn_back, keeps_axes=False, keeps_units=False)
SHIFT = Change(operator.sub, operator.add)
STRETCH = Change(operator.mul, operator.truediv, keeps_units=False)
PERMUTATION = Change(_pick, _put_back)


@dataclasses.dataclass(frozen=True)
class Changed:
    """A function of params, as the new coordinates show it."""

    function: Function
    change: Change

    def __call__(self, params: Params, *arguments: Any) -> Any:
        """The function at T(params)."""
        *inner, numbers = arguments
        within = on_coordinates(lambda x: self.change.inward(x, numbers), params)
        return self.function(within, *inner)


@dataclasses.dataclass(frozen=True)
class ChangedProx:
    """A prox, as the new coordinates show it where T keeps distances."""

    prox: Function
    change: Change

    def __call__(self, params: Params, step: Any, *data: Any) -> Params:
        """T^-1(prox(T(params)))."""
        *inner, numbers = data
        within = on_coordinates(lambda x: self.change.inward(x, numbers), params)
        nearest = self.prox(within, step, *inner)
        return on_coordinates(lambda y: self.change.outward(y, numbers), nearest)


@dataclasses.dataclass(frozen=True)
class ChangedTangent:
    """A projection on tangent spaces, as the new coordinates show it where T keeps distances."""

    tangent: Function
    change: Change

    def __call__(self, params: Params, v: Params, *data: Any) -> Params:
        """The projection of v, carried in and out by the linear part of T."""
        *inner, numbers = data

        def inward(tree: Params) -> Params:
            return on_coordinates(lambda x: self.change.inward(x, numbers), tree)

        def outward(tree: Params) -> Params:
            return on_coordinates(lambda y: self.change.outward(y, numbers), tree)

        within, v_within = jax.jvp(inward, (params,), (v,))
        projected = self.tangent(within, v_within, *inner)
        return jax.jvp(outward, (within,), (projected,))[1]


@dataclasses.dataclass(frozen=True, eq=False)
class ChangedStart:
    """A start rule, as the new coordinates show it."""

    start: Callable[[int], Params]
    change: Change
    numbers: np.ndarray

    def __call__(self, seed: int) -> Params:
        """T^-1(x_0)."""
        return _outside(self.change, self.numbers, self.start(seed))


def _outside(change: Change, numbers: np.ndarray, params: Params) -> Params:
    return on_coordinates(lambda y: change.outward(y, numbers), params, np)


def _box(problem: Problem, change: Change, numbers: np.ndarray) -> Any:
    """The region, where it remains a box."""
    if problem.region is None or not change.keeps_axes:
        return None
    low, high = (
        change.outward(np.array(end), numbers) for end in zip(*problem.region, strict=True)
    )
    return tuple(zip(map(float, low), map(float, high), strict=True))


def _changed(problem: Problem, change: Change, numbers: np.ndarray, name: str) -> Problem:
    """f(T(x)) with all that is known of it; constants, and any prox, as where T keeps distances."""
    changed = functools.partial(Changed, change=change)
    outside = functools.partial(_outside, change, numbers)
    seen = extend(
        problem if change.keeps_units else dataclasses.replace(problem, network=None),
        numbers,
        objective=changed,
        residuals=changed,
        outputs=changed,
        network=changed,
        nonsmooth=changed,
        sample_loss=changed,
        monitors=changed,
        prox=functools.partial(ChangedProx, change=change),
        tangent=functools.partial(ChangedTangent, change=change),
    )
    return dataclasses.replace(
        seen,
        start=ChangedStart(problem.start, change, numbers),
        minimizer=None if problem.minimizer is None else outside(problem.minimizer),
        critical_points=tuple(
            CriticalPoint(c.kind, c.value, outside(c.point)) for c in problem.critical_points
        ),
        region=_box(problem, change, numbers),
        coordinates=None,
        name=name,
    )


def _require_real(problem: Problem, what: str) -> None:
    if any(np.iscomplexobj(leaf) for leaf in jax.tree.leaves(problem.start(0))):
        raise OptbenchError(
            f"problem {problem.name!r} has complex params, and cannot be {what}",
            "shifted, scaled and noisy problems may have complex params",
        )


def rotated(problem: Problem, seed: int = 0) -> Problem:
    """f(Q x), with Q orthogonal, uniform over all such matrices (Haar).

    Distances and inner products stay, and so do the path of every method that sees only these, and
    L, mu, M and G. What works coordinate by coordinate (Adam, coordinate descent) loses the
    alignment that a diagonal problem grants it.

    Source: Mezzadri (2007), "How to generate random matrices from the classical compact groups",
    Notices of the AMS 54, section 5.

    Args:
        problem: with real params of at most 2000 dimensions.
        seed: of Q.

    Raises:
        OptbenchError: complex params, or too many of them.
    """
    _require_real(problem, "rotated")
    dim = num_coordinates(problem)
    if dim > ROTATED_DIM:
        raise OptbenchError(
            f"problem {problem.name!r} has {dim} dimensions, and a rotation is a dense matrix",
            f"rotate at most {ROTATED_DIM} dimensions; permuted and stretched take any number",
        )
    draws = _rng(seed).standard_normal((dim, dim))
    q, r = np.linalg.qr(draws)
    return _changed(problem, ROTATION, q * np.sign(np.diag(r)), label(rotated, problem, seed=seed))


def shifted(problem: Problem, offset: float | tuple[float, ...] = 1.0) -> Problem:
    """f(x - offset): start and minimizer move together.

    No method that sees only differences of points can tell; weight decay, a penalty on |x| or a
    starting scale taken from |x| can.

    Args:
        problem: any.
        offset: one number for all coordinates, or one for each (complex params have two each).

    Raises:
        OptbenchError: an offset for another number of coordinates.
    """
    dim = num_coordinates(problem)
    if np.shape(offset) not in ((), (dim,)):
        raise OptbenchError(
            f"offset has {np.size(offset)} numbers where {problem.name!r} has {dim} coordinates",
            "give one number, or one per coordinate",
        )
    vector = np.full(dim, offset, dtype=float)
    return _changed(problem, SHIFT, vector, label(shifted, problem, offset=offset))


def permuted(problem: Problem, seed: int = 0) -> Problem:
    """f(P x), with P a random order of the coordinates, on which no method should depend.

    Args:
        problem: with real params.
        seed: of the order.

    Raises:
        OptbenchError: complex params.
    """
    _require_real(problem, "permuted")
    order = _rng(seed).permutation(num_coordinates(problem)).astype(np.int32)
    return _changed(problem, PERMUTATION, order, label(permuted, problem, seed=seed))


def stretched(problem: Problem, condition_number: float = 100.0) -> Problem:
    """f(S x), with S diagonal and S^2 log-spaced from 1 down to 1 / condition_number.

    A round Hessian gets exactly this condition number; any other, at most its own times this one:
    L, M and G still hold, and mu holds when divided by it.

    Source: Hansen, Finck, Ros & Auger (2009), "Real-parameter black-box optimization benchmarking
    2009: noiseless functions definitions", INRIA research report RR-6829 (the matrix Lambda).

    Args:
        problem: with real params, and without a prox, of which a stretched form is not known.
        condition_number: of S^2, at least 1.

    Raises:
        OptbenchError: complex params, a prox, or a condition number that S cannot have.
    """
    _require_real(problem, "stretched")
    dim = num_coordinates(problem)
    possible = 1 <= condition_number < np.inf and (dim > 1 or condition_number == 1)
    bounds = "condition_number >= 1, and 1 in one dimension"
    require(possible, "condition_number", condition_number, bounds)
    if problem.prox is not None:
        raise OptbenchError(
            f"problem {problem.name!r} has a prox, and cannot be stretched",
            "rotated, shifted and permuted carry a prox along",
        )
    factors = np.geomspace(1.0, condition_number**-0.5, dim)
    name = label(stretched, problem, condition_number=condition_number)
    return dataclasses.replace(
        _changed(problem, STRETCH, factors, name),
        constants=_stretched_constants(problem.constants, float(condition_number)),
    )


def _stretched_constants(constants: Constants, condition_number: float) -> Constants:
    """L, M and G hold, as |S x| <= |x|; sharp if the Hessian was a multiple of the identity."""
    mu = constants.strong_convexity
    is_round = mu is not None and mu == constants.smoothness
    return dataclasses.replace(
        constants,
        strong_convexity=mu / condition_number if mu is not None and mu > 0 else mu,
        sharp=constants.sharp and (is_round or condition_number == 1),
    )


def _rng(seed: int) -> np.random.Generator:
    """A stream apart from the starts and the data of the same seed."""
    return np.random.default_rng(np.random.SeedSequence(operator.index(seed), spawn_key=(2,)))
