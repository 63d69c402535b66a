"""What is minimized, and what is known about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax

from optbench import trees
from optbench.errors import OptbenchError

Params = Any  # a pytree of floating-point arrays
MinimumKind = Literal["closed form", "published", "certified", "best known"]
CriticalKind = Literal["local minimum", "saddle", "maximum"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Constants:
    """What theory needs to know of an objective; `None` is unknown.

    They hold on the feasible set where the problem has one, and everywhere else. L, mu, M and
    `quadratic` are of the smooth part: f itself, less `Problem.nonsmooth` where that is given.

    Attributes:
        smoothness: L, with |grad f(x) - grad f(y)| <= L |x - y| for all x, y.
        strong_convexity: mu, with f(x) - mu |x|^2 / 2 convex (0 for merely convex).
        hessian_lipschitz: M, with |hess f(x) - hess f(y)| <= M |x - y|.
        gradient_bound: G, with |g| <= G for every (sub)gradient g of f.
        lojasiewicz: mu, with |grad f(x)|^2 >= 2 mu (f(x) - f*) for all x.
        generalized_smoothness: (L0, L1), with |hess f(x)| <= L0 + L1 |grad f(x)| for all x.
        noise_variance: sigma^2, with E |g(x, key) - grad f(x)|^2 <= sigma^2 for a sampled gradient.
        convex: whether f is convex.
        quadratic: whether f is a quadratic function.
        sharp: whether `smoothness` and `strong_convexity` are attained.
    """

    smoothness: float | None = None
    strong_convexity: float | None = None
    hessian_lipschitz: float | None = None
    gradient_bound: float | None = None
    lojasiewicz: float | None = None
    generalized_smoothness: tuple[float, float] | None = None
    noise_variance: float | None = None
    convex: bool | None = None
    quadratic: bool = False
    sharp: bool = False

    @property
    def condition_number(self) -> float | None:
        """Kappa = L / mu, where both are known and mu > 0."""
        if self.smoothness is None or not self.strong_convexity:
            return None
        return self.smoothness / self.strong_convexity


@dataclasses.dataclass(frozen=True, eq=False)
class CriticalPoint:
    """A point other than x* where the gradient vanishes: what traps or delays a solver.

    Attributes:
        kind: nothing near a local minimum lies lower; near a saddle both higher and lower points
            lie.
        value: f there.
        point: pytree like the params.
    """

    kind: CriticalKind
    value: float
    point: Params


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """An objective over a pytree of parameters, with its passport.

    A `Problem` is a pytree: its leaves are `data`, its structure is its functions and `row_arrays`.
    The passport (name, start, minimum, constants, ...) is no part of that structure, so all
    instances of a family share one compiled program. Functions live at module level; a lambda made
    afresh in each call is a new compilation.

    Attributes:
        objective: f(params, *data) -> real scalar.
        start: seed -> x_0, a pytree of NumPy arrays; equal for equal seeds.
        data: arrays that `objective` and its kin take after params.
        minimum: f*, or None where unknown.
        minimizer: x*, or None where unknown.
        minimum_kind: where `minimum` comes from. A published one is refined to rounding by Newton's
            method and agrees with all published digits; a best known one decides no verdict.
        critical_points: others than x*, as far as they are known.
        saddle: f at the saddle the problem is about; its target is then escape, and descent
            without bound is no failure.
        bounded_below: whether f has a lower bound.
        constants: what theory may use.
        residuals: r(params, *data) with f = |r|^2 / 2.
        outputs: z(params, *data), any pytree, with f = output_loss(z, *data); where output_loss
            is a negative log-likelihood in natural parameters z, J^T (hess output_loss) J is the
            Fisher matrix.
        output_loss: l(z, *data) -> real scalar, convex in z.
        network: (params, dense, *data) -> z, where all params are weights and biases of dense
            layers: the outputs once more, with each layer computed by a call of
            dense(inputs, weights, biases), or without biases. With `optbench.layers.affine` as
            `dense` it is `outputs`.
        nonsmooth: h(params, *data) -> real scalar, the part of f that is not differentiable
            everywhere: f - h is smooth. Where it is a part no prox is known for, it may be f.
        prox: (params, step, *data) -> argmin_u h(u) + |u - params|^2 / (2 step). Without
            `nonsmooth`, the nearest point of the feasible set, whatever the step; f is defined
            around that set, and may be lower outside.
        tangent: (params, v, *data) -> v projected on the tangent space at params of the feasible
            set, where that is a manifold; `prox` then retracts to it.
        sample_loss: l(params, key, *data) -> real scalar, an unbiased estimate of f.
        sample_fraction: cost of a sampled gradient over that of a full one (B / N).
        row_arrays: how many of the data arrays, from the first, hold one row per term, where f is
            a mean over rows; 0 where it is no finite sum.
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
    critical_points: tuple[CriticalPoint, ...] = ()
    saddle: float | None = None
    bounded_below: bool = True
    constants: Constants = Constants()
    residuals: Callable[..., Any] | None = None
    outputs: Callable[..., Any] | None = None
    output_loss: Callable[..., Any] | None = None
    network: Callable[..., Any] | None = None
    nonsmooth: Callable[..., Any] | None = None
    prox: Callable[..., Any] | None = None
    tangent: Callable[..., Any] | None = None
    sample_loss: Callable[..., Any] | None = None
    sample_fraction: float = 1.0
    row_arrays: int = 0
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
    def num_rows(self) -> int:
        """How many terms f is the mean of; 0 where it is no finite sum."""
        return len(self.data[0]) if self.row_arrays else 0

    @property
    def constrained(self) -> bool:
        """Whether only the points that prox leaves in place are feasible."""
        return self.prox is not None and self.nonsmooth is None

    @property
    def smooth_part(self) -> Callable[..., Any]:
        """f - h, equal for equal functions: f itself where all of it is smooth."""
        return self.objective if self.nonsmooth is None else Less(self.objective, self.nonsmooth)

    @property
    def certain_minimum(self) -> float | None:
        """f*, where a verdict may rest on it: None where it is unknown or only the best known."""
        return None if self.minimum_kind == "best known" else self.minimum

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


@dataclasses.dataclass(frozen=True)
class Less:
    """One function of (params, *data) less another."""

    whole: Callable[..., Any]
    part: Callable[..., Any]

    def __call__(self, params: Params, *data: Any) -> Any:
        """whole - part."""
        return self.whole(params, *data) - self.part(params, *data)


_STRUCTURE = (
    "objective",
    "residuals",
    "outputs",
    "output_loss",
    "network",
    "nonsmooth",
    "prox",
    "tangent",
    "sample_loss",
    "monitors",
    "row_arrays",
)


def _flatten(problem: Problem) -> tuple[tuple[Any], tuple[Any, ...]]:
    return (problem.data,), tuple(getattr(problem, name) for name in _STRUCTURE)


def _unflatten(structure: tuple[Any, ...], children: tuple[Any]) -> Problem:
    return Problem(
        **dict(zip(_STRUCTURE, structure, strict=True)), data=children[0], start=_no_start
    )


def _no_start(seed: int) -> Params:
    raise OptbenchError("a problem inside a trace has no start", "call start outside the trace")


jax.tree_util.register_pytree_node(Problem, _flatten, _unflatten)
