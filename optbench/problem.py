"""What is minimized, and what is known about it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np

from optbench import catalog, trees
from optbench.catalog import Catalog
from optbench.errors import OptbenchError

Params = Any  # a pytree of floating-point arrays
MinimumKind = Literal["closed form", "published", "certified", "best known"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Constants:
    """What theory needs to know of an objective; `None` is unknown.

    Attributes:
        smoothness: L, with |grad f(x) - grad f(y)| <= L |x - y| for all x, y.
        strong_convexity: mu, with f(x) - mu |x|^2 / 2 convex (0 for merely convex).
        hessian_lipschitz: M, with |hess f(x) - hess f(y)| <= M |x - y|.
        convex: whether f is convex.
        quadratic: whether f is a quadratic function.
        sharp: whether `smoothness` and `strong_convexity` are attained.
    """

    smoothness: float | None = None
    strong_convexity: float | None = None
    hessian_lipschitz: float | None = None
    convex: bool | None = None
    quadratic: bool = False
    sharp: bool = False

    @property
    def condition_number(self) -> float | None:
        """Kappa = L / mu, where both are known and mu > 0."""
        if self.smoothness is None or not self.strong_convexity:
            return None
        return self.smoothness / self.strong_convexity


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """An objective over a pytree of parameters, with its passport.

    A `Problem` is a pytree: its leaves are `data`, its structure is its functions. The passport
    (name, start, minimum, constants, ...) is no part of that structure, so all instances of a
    family share one compiled program. Functions live at module level; a lambda made afresh in
    each call is a new compilation.

    Attributes:
        objective: f(params, *data) -> real scalar.
        start: seed -> x_0, a pytree of NumPy arrays; equal for equal seeds.
        data: arrays that `objective` and its kin take after params.
        minimum: f*, or None where unknown.
        minimizer: x*, or None where unknown.
        minimum_kind: where `minimum` comes from.
        saddle: f at the saddle the problem is about; its target is then escape, and descent
            without bound is no failure.
        bounded_below: whether f has a lower bound.
        constants: what theory may use.
        residuals: r(params, *data) with f = |r|^2 / 2.
        outputs: z(params, *data), any pytree, with f = output_loss(z, *data); where output_loss
            is a negative log-likelihood in natural parameters z, J^T (hess output_loss) J is the
            Fisher matrix.
        output_loss: l(z, *data) -> real scalar, convex in z.
        sample_loss: l(params, key, *data) -> real scalar, an unbiased estimate of f.
        sample_fraction: cost of a sampled gradient over that of a full one (B / N).
        monitors: (name, function of (params, *data)) pairs, evaluated at log points off the clock.
        region: ((low, high), ...) per coordinate, the box a contour plot shows.
        coordinates: what a plot calls the coordinates; None for x_1, x_2.
        name: its name in the catalog, with arguments in brackets.
        source: paper or book, with page or theorem.
    """

    objective: Callable[..., Any]
    start: Callable[[int], Params]
    data: tuple[Any, ...] = ()
    minimum: float | None = None
    minimizer: Params | None = None
    minimum_kind: MinimumKind | None = None
    saddle: float | None = None
    bounded_below: bool = True
    constants: Constants = Constants()
    residuals: Callable[..., Any] | None = None
    outputs: Callable[..., Any] | None = None
    output_loss: Callable[..., Any] | None = None
    sample_loss: Callable[..., Any] | None = None
    sample_fraction: float = 1.0
    monitors: tuple[tuple[str, Callable[..., Any]], ...] = ()
    region: tuple[tuple[float, float], ...] | None = None
    coordinates: tuple[str, ...] | None = None
    name: str = ""
    source: str = ""

    @property
    def dim(self) -> int:
        """Number of scalars in the parameters."""
        return trees.size(self.start(0))

    @property
    def stochastic(self) -> bool:
        """Whether optimizers see sampled losses."""
        return self.sample_loss is not None

    @property
    def has_fisher(self) -> bool:
        """Whether outputs and their loss are given."""
        return self.outputs is not None and self.output_loss is not None

    @property
    def known_minimum(self) -> float:
        """f*.

        Raises:
            OptbenchError: where it is unknown.
        """
        if self.minimum is None:
            raise OptbenchError(
                f"problem {self.name!r} has no known minimum",
                "set Problem.minimum, or plot the objective instead of the suboptimality",
            )
        return self.minimum

    def require(self, *names: str) -> tuple[Any, ...]:
        """The constants of the given names.

        Raises:
            OptbenchError: where one is unknown, naming it.
        """
        values = tuple(getattr(self.constants, name) for name in names)
        for name, value in zip(names, values, strict=True):
            if value is None:
                raise OptbenchError(
                    f"problem {self.name!r} does not know its {name}",
                    f"set Problem.constants.{name}",
                )
        return values


_FUNCTIONS = ("objective", "residuals", "outputs", "output_loss", "sample_loss", "monitors")


def _flatten(problem: Problem) -> tuple[tuple[Any], tuple[Any, ...]]:
    return (problem.data,), tuple(getattr(problem, name) for name in _FUNCTIONS)


def _unflatten(functions: tuple[Any, ...], children: tuple[Any]) -> Problem:
    return Problem(
        **dict(zip(_FUNCTIONS, functions, strict=True)), data=children[0], start=_no_start
    )


def _no_start(seed: int) -> Params:
    raise OptbenchError("a problem inside a trace has no start", "call start outside the trace")


jax.tree_util.register_pytree_node(Problem, _flatten, _unflatten)


@dataclasses.dataclass(frozen=True, eq=False)
class StartNear:
    """Seed 0 starts at `center`; every other seed at center + scale * standard normal draws."""

    center: Params
    scale: float = 0.1

    def __call__(self, seed: int) -> Params:
        """The start of this seed."""
        center = jax.tree.map(_inexact, self.center)
        if seed == 0:
            return center
        rng = np.random.default_rng(seed)
        return jax.tree.map(lambda x: x + self.scale * rng.standard_normal(x.shape), center)


def _inexact(leaf: Any) -> np.ndarray:
    """The leaf as float64 or complex128."""
    return np.asarray(leaf, dtype=np.result_type(np.asarray(leaf).dtype, np.float64))


@dataclasses.dataclass(frozen=True, eq=False)
class StartNormal:
    """Every seed starts at scale * standard normal draws of this shape."""

    shape: tuple[int, ...]
    scale: float = 1.0

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        return self.scale * np.random.default_rng(seed).standard_normal(self.shape)


def start_near(center: Params, scale: float = 0.1) -> StartNear:
    """A start rule: the published start for seed 0, its neighborhood for the others."""
    return StartNear(center, scale)


def standard_normal(shape: tuple[int, ...], scale: float = 1.0) -> StartNormal:
    """A start rule: independent normal draws."""
    return StartNormal(shape, scale)


def problem_builder(label: str, problems: Catalog) -> Callable[[], Problem]:
    """What builds the problem of a label.

    Args:
        label: `rosenbrock[dim=10]` or `file.py:function`.
        problems: the catalog to look in.

    Raises:
        OptbenchError: an unknown name or argument, or a label that cannot be read.
    """
    parsed = catalog.parse_label(label)
    if parsed.inner is not None:
        raise OptbenchError(f"problem {parsed.name!r} wraps no other", catalog.GRAMMAR)
    factory = catalog.lookup(parsed.name, problems, "problem", "Problem")
    catalog.check_arguments(factory, parsed.arguments, "problem", parsed.name)
    return functools.partial(factory, **dict(parsed.arguments))


def find_problem(label: str, problems: Catalog) -> Problem:
    """The problem that a label names.

    Args:
        label: as `problem_builder` takes it.
        problems: the catalog to look in.

    Raises:
        OptbenchError: there is none, or its function refuses its arguments or returns no problem.
    """
    build = problem_builder(label, problems)
    try:
        problem = build()
    except (TypeError, ValueError) as error:
        raise OptbenchError(
            f"problem {label!r} cannot be built: {error}", "look at its arguments"
        ) from error
    if not isinstance(problem, Problem):
        raise OptbenchError(
            f"problem {label!r} is a {type(problem).__name__}",
            "the function returns an optbench.Problem",
        )
    return dataclasses.replace(problem, name=label)
