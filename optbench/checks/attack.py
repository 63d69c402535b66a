"""The search for a worst instance: climbing observed / bound through the unrolled method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optbench import assumption
from optbench.bound import REPORTED, Bound, Theorem
from optbench.bounds.found_instances import diagonal_quadratic, piecewise_quadratic
from optbench.case import Instance
from optbench.checks.bounds import compare_on
from optbench.checks.comparison import Comparison, Verdict, finite
from optbench.checks.plain_loop import declared_values
from optbench.checks.unrolled import Unrolled, unroll
from optbench.errors import OptbenchError
from optbench.formula import apply, symbols_of
from optbench.method import Method
from optbench.problem import Problem

SEEDS = (0, 1, 2, 3, 4)
SMOOTHNESS, STRONG_CONVEXITY = 4.0, 0.25  # of the class that is searched
CLIMB = 3000  # steps of Adam, at most
STRETCH = 500  # steps after which it is asked whether that is enough
NEAR = 1e-4  # of a path that has found the bound attained
RATE = 0.03
KNOTS = 6  # on each side of x*, in each coordinate
DIM = 2
EIGENVALUES = 8
LONGEST = 5  # the last step at which it is attacked, where the theorem leaves a choice
_CLASS = (
    assumption.EXACT_GRADIENTS,
    assumption.SMOOTH,
    assumption.CONVEX,
    assumption.STRONGLY_CONVEX,
    assumption.QUADRATIC,
    assumption.MINIMIZER,
    assumption.MINIMUM,
)
Free = dict[str, jax.Array]  # numbers without bounds, from which an instance is made


@dataclasses.dataclass(frozen=True, eq=False)
class Family:
    """A generic class of problems, free in every number.

    Attributes:
        draw: key -> random free numbers.
        make: (free numbers, mu) -> what its problems are made of, by argument.
        build: those arguments, and the class constants -> the problem.
    """

    draw: Callable[[jax.Array], Free]
    make: Callable[[Free, float], dict[str, Any]]
    build: Callable[..., Problem]


def _between(angle: jax.Array, low: float) -> jax.Array:
    """A number in [low, L] that reaches both ends."""
    return low + (SMOOTHNESS - low) * jnp.sin(angle) ** 2


def _draw_pieces(key: jax.Array) -> Free:
    """Knots at all scales around x*, curvatures anywhere in [mu, L], a start of size one."""
    widths, angles, start = jax.random.split(key, 3)
    return {
        "widths": jax.random.normal(widths, (2, DIM, KNOTS)) - 1.0,
        "angles": jax.random.uniform(angles, (DIM, 2 * KNOTS + 1)) * jnp.pi / 2,
        "start": jax.random.normal(start, (DIM,)),
    }


def _make_pieces(free: Free, strong_convexity: float) -> dict[str, Any]:
    left, right = jnp.cumsum(jnp.exp(free["widths"]), axis=-1)
    knots = jnp.concatenate([-left[:, ::-1], right], axis=-1)
    curvatures = _between(free["angles"], strong_convexity)
    return {"knots": knots, "curvatures": curvatures, "start": free["start"]}


def _draw_spectrum(key: jax.Array) -> Free:
    angles, start = jax.random.split(key)
    return {
        "angles": jax.random.uniform(angles, (EIGENVALUES,)) * jnp.pi / 2,
        "start": jax.random.normal(start, (EIGENVALUES,)),
    }


def _make_spectrum(free: Free, strong_convexity: float) -> dict[str, Any]:
    return {"eigenvalues": _between(free["angles"], strong_convexity), "start": free["start"]}


PIECES = Family(_draw_pieces, _make_pieces, piecewise_quadratic)
SPECTRA = Family(_draw_spectrum, _make_spectrum, diagonal_quadratic)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Attack:
    """The worst instance found for a theorem at one setting, from each random start.

    Attributes:
        theorem: the theorem.
        setting: its parameter -> its value.
        k: the step at which observed / bound was climbed.
        ratios: [S] the highest observed / bound, per random start.
        builder: makes the worst of the problems,
        arguments: from these,
        smoothness: as a member of the class with this L
        strong_convexity: and this mu.
        comparison: the method's own run on it, next to the bound.
    """

    theorem: Theorem
    setting: Mapping[str, float]
    k: int
    ratios: np.ndarray
    builder: Callable[..., Problem]
    arguments: Mapping[str, Any]
    smoothness: float
    strong_convexity: float
    comparison: Comparison

    @property
    def worst(self) -> float:
        """Observed / bound on the worst instance, from its own run."""
        at_k = self.comparison.ratios[self.comparison.k == self.k]
        return float(at_k[0]) if len(at_k) else float("nan")

    @property
    def broken(self) -> bool:
        """Whether the worst instance crosses the bound beyond rounding."""
        reported = self.theorem.standing in REPORTED
        return self.comparison.verdict is Verdict.CROSSED and not reported

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        crossing = self.comparison.crossing
        told = f"{self.theorem.name}: observed / bound reaches {self.worst:.4f} at k = {self.k}"
        return told + (f", and crosses first at k = {crossing.k}" if crossing else "")

    def to_json(self) -> dict[str, Any]:
        """The attack as plain Python, with the instance."""
        return {
            "theorem": self.theorem.name,
            "setting": dict(self.setting),
            "k": self.k,
            "worst": finite(self.worst),
            "ratios": [finite(float(ratio)) for ratio in self.ratios],
            "broken": self.broken,
            "instance": {name: np.asarray(v).tolist() for name, v in self.arguments.items()},
            "comparison": self.comparison.to_json(),
        }


def attack(theorem: Theorem, progress: Callable[[float], None] | None = None) -> tuple[Attack, ...]:
    """Search the class of a theorem for instances that come nearest to its bound, or cross it.

    From each of five random starts Adam climbs log(observed / bound) at one step k, differentiated
    through the unrolled method with respect to every number of the instance. The class is that of
    separable functions in 2 dimensions with piecewise constant curvature in [mu, L] and 12 free
    knots each, or of quadratics with 8 free eigenvalues; the start is free. The worst is then run
    as any other instance.

    Args:
        theorem: an upper or a lower bound.
        progress: told the share of the work that is done.

    Returns:
        One attack per setting of its parameters with a step k <= 5.

    Raises:
        OptbenchError: its class, method or formula is none that can be searched so.
    """
    family = _family(theorem)
    settings = [s for s in theorem.settings if theorem.range_of(s)[0] <= LONGEST]
    if not settings:
        raise OptbenchError(
            f"{theorem.name} speaks of no step up to {LONGEST}", "attack another theorem"
        )
    attacks = []
    for index, setting in enumerate(settings):
        attacks.append(_attack_at(theorem, family, setting))
        if progress is not None:
            progress((index + 1) / len(settings))
    return tuple(attacks)


def _family(theorem: Theorem) -> Family:
    """The generic class of a theorem's assumptions.

    Raises:
        OptbenchError: there is none.
    """
    strange = [a.name for a in theorem.needs if a not in _CLASS]
    convex = {assumption.CONVEX, assumption.STRONGLY_CONVEX, assumption.QUADRATIC}
    if theorem.direction == "identity" or not isinstance(theorem.method, Method):
        why = "it is no bound on the runs of an optimizer"
    elif strange or not convex & set(theorem.needs):
        why = f"its class needs {strange[0] if strange else 'no convexity'}"
    elif theorem.given:
        why = f"its instances give {next(iter(theorem.given))}"
    else:
        return SPECTRA if assumption.QUADRATIC in theorem.needs else PIECES
    raise OptbenchError(
        f"{theorem.name} cannot be attacked: {why}",
        "attack a bound on smooth convex functions or quadratics",
    )


def _attack_at(theorem: Theorem, family: Family, setting: Mapping[str, float]) -> Attack:
    strongly = assumption.STRONGLY_CONVEX in theorem.needs
    convexity = STRONG_CONVEXITY if strongly else 0.0
    k = _step_attacked(theorem, setting)

    def problem_of(arguments: Mapping[str, Any]) -> Problem:
        return family.build(**arguments, smoothness=SMOOTHNESS, strong_convexity=convexity)

    first = family.make(family.draw(jax.random.key(0)), convexity)
    bound = theorem.on(problem_of(jax.tree.map(np.asarray, first)), 0, None, **setting)
    ratio = _log_ratio(bound, k)
    sign = -1.0 if theorem.direction == "lower" else 1.0

    def objective(free: Free) -> jax.Array:
        arguments = family.make(free, convexity)
        return sign * ratio(problem_of(arguments), arguments["start"])

    with jax.enable_x64(True):
        best, values = _searched(theorem, family, objective)
        arguments = jax.tree.map(np.asarray, family.make(best, convexity))
    instance = Instance("given", problem_of(arguments))
    return Attack(
        theorem=theorem,
        setting=setting,
        k=k,
        ratios=np.exp(sign * values),
        builder=family.build,
        arguments=arguments,
        smoothness=SMOOTHNESS,
        strong_convexity=convexity,
        comparison=compare_on(theorem, instance, setting),
    )


def _searched(
    theorem: Theorem, family: Family, objective: Callable[[Free], jax.Array]
) -> tuple[Free, np.ndarray]:
    """The best of all free numbers, and [S] the highest value from each random start.

    Raises:
        OptbenchError: the quantity or the formula cannot be traced.
    """
    free = jax.vmap(family.draw)(jnp.stack([jax.random.key(seed) for seed in SEEDS]))
    try:
        found, values = _climb(objective, free)
    except jax.errors.TracerArrayConversionError as error:
        raise OptbenchError(
            f"{theorem.name} cannot be attacked: {theorem.quantity.name}, or its formula, is "
            "for NumPy arrays alone",
            "attack a bound on the last point of a run",
        ) from error
    return jax.tree.map(lambda leaf: leaf[np.nanargmax(values)], found), values


def _step_attacked(theorem: Theorem, setting: Mapping[str, float]) -> int:
    """The last step up to `LONGEST`, one at which the bound is attained if there is any."""
    first, last = theorem.range_of(setting)
    steps = [k for k in range(max(first, 1), last + 1) if k <= LONGEST]
    return max([k for k in steps if k in theorem.attained_at] or steps)


def _log_ratio(bound: Bound, k: int) -> Callable[[Problem, jax.Array], jax.Array]:
    """(problem, start) -> log(observed / bound) at step k, in a trace."""
    theorem = bound.theorem
    method = bound.method()
    assert isinstance(bound.subject, Problem)
    values = declared_values(method, bound.subject)
    taken = {*symbols_of(*theorem.steps.values())} & {"R", "f0", "g0"}
    if taken:
        raise OptbenchError(
            f"{theorem.name} cannot be attacked: its steps depend on {taken.pop()}",
            "attack a theorem whose steps the class alone decides",
        )

    def ratio(problem: Problem, start: jax.Array) -> jax.Array:
        path = unroll(method, values, problem, start, k)
        observed = theorem.quantity.observe(problem, cast(Any, path))[k]
        known = {**bound.symbols, **_of_path(problem, path, k), "k": np.array([float(k)])}
        allowed = jnp.ravel(jnp.asarray(apply(theorem.formula, known)))[0]
        return jnp.log(observed) - jnp.log(allowed)

    return ratio


def _of_path(problem: Problem, path: Unrolled, k: int) -> dict[str, jax.Array]:
    """The letters of a formula that depend on the start, or on the step before."""
    distance = jnp.sqrt(jnp.sum(path.params**2, axis=1))
    return {
        "R": distance[0],
        "f0": path.value[0],
        "g0": path.gradient_norm[0],
        "r_before": distance[k - 1],
        "gap_before": path.value[k - 1],
        "f_before": path.value[k - 1],
        "g_before": path.gradient_norm[k - 1],
    }


def _climb(objective: Callable[[Free], jax.Array], starts: Free) -> tuple[Free, np.ndarray]:
    """[S] the best points on the paths of Adam, and their values.

    Ends early once a path has come to within `NEAR` of the bound and has not crossed it.

    Args:
        objective: log(observed / bound), or its negative at a lower bound.
        starts: free numbers, leaves of shape [S, ...].
    """
    adam = optax.adam(optax.cosine_decay_schedule(RATE, CLIMB))

    def tick(carry: Any, _: Any) -> tuple[Any, None]:
        free, state, best, highest = carry
        value, grad = jax.value_and_grad(objective)(free)
        grad = jax.tree.map(lambda leaf: jnp.nan_to_num(-leaf), grad)
        better = value > highest
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), free, best)
        updates, state = adam.update(grad, state)
        moved = optax.apply_updates(free, updates)
        return (moved, state, best, jnp.fmax(value, highest)), None

    stretch = min(STRETCH, CLIMB)
    advance = jax.jit(jax.vmap(lambda carry: jax.lax.scan(tick, carry, length=stretch)[0]))
    carry = starts, jax.vmap(adam.init)(starts), starts, jnp.full(len(SEEDS), -jnp.inf)
    for _ in range(0, CLIMB, stretch):
        carry = advance(carry)
        if abs(float(carry[3].max())) <= NEAR:
            break
    return carry[2], np.asarray(carry[3])
