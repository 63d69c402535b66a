"""What theory promises: a theorem as data, and the bound that it gives on one problem."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from optbench import trees
from optbench.assumption import MINIMIZER, MINIMUM, SMOOTH, SYMBOLS, Assumption, distances
from optbench.errors import OptbenchError
from optbench.method import Method
from optbench.problem import Problem
from optbench.trajectory import Trajectory

Formula = Callable[..., Any]  # takes its symbols by name: lambda k, L, R: L * R**2 / (4 * k + 2)
Direction = Literal["upper", "lower", "identity"]
InstanceKind = Literal["worst", "random", "translated", "data", "given"]
EPS = float(np.finfo(float).eps)


@dataclasses.dataclass(frozen=True, eq=False)
class Quantity:
    """What a theorem bounds, as a function of a trajectory.

    Attributes:
        name: in plain text.
        latex: in LaTeX.
        needs: what must be known of the problem.
        observe: (problem, trajectory) -> [T] at the log points.
        rounding: (problem, trajectory, shift [T]) -> [T] absolute rounding error of what is
            observed, where that of x_k is `shift`.
    """

    name: str
    latex: str
    needs: tuple[Assumption, ...]
    observe: Callable[[Problem, Trajectory], np.ndarray]
    rounding: Callable[[Problem, Trajectory, np.ndarray], np.ndarray]


def _gap_rounding(problem: Problem, trajectory: Trajectory, shift: np.ndarray) -> np.ndarray:
    """|g_k| shift + L shift^2 / 2 from x_k, and 4 n eps (|f_k| + |f*|) from f."""
    (smoothness,) = problem.require("smoothness")
    size = np.abs(trajectory.value) + abs(problem.known_minimum)
    moved = trajectory.gradient_norm * shift + smoothness / 2 * shift**2
    return moved + 4 * problem.dim * EPS * size


SUBOPTIMALITY = Quantity(
    "f(x_k) - f*",
    r"f(x_k) - f_\star",
    (MINIMUM, MINIMIZER, SMOOTH),
    lambda problem, trajectory: trajectory.value - problem.known_minimum,
    _gap_rounding,
)
DISTANCE = Quantity(
    "|x_k - x*|",
    r"\|x_k - x_\star\|",
    (MINIMIZER,),
    lambda problem, trajectory: distances(trajectory.params, problem.minimizer),
    lambda problem, trajectory, shift: shift,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Instance:
    """A member of a theorem's class of problems, to compare on.

    Attributes:
        kind: worst (attains a tight bound), random, translated (x* is far from 0, where the
            rounding of x_k shows) or data.
        problem: the problem.
        seed: which of its starts.
    """

    kind: InstanceKind
    problem: Problem
    seed: int = 0


def kept(k: np.ndarray) -> np.ndarray:
    """Roundings that x_k has gathered where no step shrinks the earlier ones: k."""
    return k


def contracted(k: np.ndarray, rate: float) -> np.ndarray:
    """Roundings that x_k has gathered where each step shrinks them: min(k, 1 / (1 - rate))."""
    return 1 / np.maximum(1 / k, 1 - rate)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Theorem:
    """A convergence bound with its method, its class of problems, and members of that class.

    A formula is a function that takes its symbols by name: k (an array), those of `SYMBOLS`, and
    the theorem's own parameters.

    Attributes:
        name: the function that returns it.
        statement: one plain sentence.
        latex: the inequality, in LaTeX.
        source: paper or book, with the number of the theorem.
        assumptions: the class of problems.
        method: the optimizer it is about.
        steps: hyperparameter of the method -> the formula that sets it.
        quantity: what is bounded.
        formula: the bound.
        instances: the theorem's parameters, by name -> members of the class.
        direction: which side the formula bounds.
        parameters: the theorem's own parameters -> the values at which it is checked.
        k_range: first and last step compared.
        attained_at: steps at which a worst instance attains the bound; none, if it is not tight.
        error_growth: formula for how many roundings, of relative size eps, x_k has gathered.
    """

    name: str
    statement: str
    latex: str
    source: str
    assumptions: tuple[Assumption, ...]
    method: Method
    steps: Mapping[str, Formula]
    quantity: Quantity
    formula: Formula
    instances: Callable[..., Sequence[Instance]]
    direction: Direction = "upper"
    parameters: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    k_range: tuple[int, int] = (1, 100)
    attained_at: Sequence[int] = ()
    error_growth: Formula = kept

    def __post_init__(self) -> None:
        """Refuse a theorem that cannot be evaluated.

        Raises:
            OptbenchError: an unknown symbol or hyperparameter, or an empty range of steps.
        """
        for name in self._symbols():
            if name not in SYMBOLS and name not in self.parameters and name != "k":
                letters = [f"{letter} = {symbol.meaning}" for letter, symbol in SYMBOLS.items()]
                raise OptbenchError(
                    f"{self.name} uses an unknown symbol {name!r}",
                    f"use k, {', '.join(letters)}, or a parameter of its own",
                )
        for name in self.steps:
            if not self.method.has(name):
                raise OptbenchError(
                    f"{self.name} sets {name}, which {self.method.label} does not have",
                    "steps are keyed by hyperparameters of the method",
                )
        if not 1 <= self.k_range[0] <= self.k_range[1]:
            raise OptbenchError(f"{self.name} compares no step", "k_range is (first, last), from 1")

    def _symbols(self) -> tuple[str, ...]:
        """All symbols that its formulas use, in order of appearance."""
        formulas = (self.formula, *self.steps.values(), self.error_growth)
        return tuple(dict.fromkeys(itertools.chain.from_iterable(map(symbols_of, formulas))))

    @property
    def needs(self) -> tuple[Assumption, ...]:
        """Its assumptions, and what its symbols and its quantity need to be known."""
        of_symbols = [SYMBOLS[name].needs for name in self._symbols() if name in SYMBOLS]
        return tuple(dict.fromkeys((*self.assumptions, *of_symbols, *self.quantity.needs)))

    @property
    def settings(self) -> Iterator[dict[str, float]]:
        """Every combination of the values of its parameters."""
        for values in itertools.product(*self.parameters.values()):
            yield dict(zip(self.parameters, values, strict=True))

    def on(self, problem: Problem, seed: int = 0, **setting: float) -> Bound:
        """The bound it gives on a problem, from one start.

        Args:
            problem: a member of its class.
            seed: which start.
            **setting: a value for each of its parameters.

        Raises:
            OptbenchError: an assumption is not known to hold.
        """
        missing = [a for a in self.needs if not a.holds(problem)]
        if missing:
            raise OptbenchError(
                f"{self.name} needs {_listed(self.needs)}, and problem {problem.name!r} "
                f"lacks {_listed(missing)}",
                missing[0].hint,
            )
        if setting.keys() != self.parameters.keys():
            raise OptbenchError(
                f"{self.name} takes {', '.join(self.parameters) or 'no parameter'}",
                "give each of its parameters a value",
            )
        start = problem.start(seed)
        values = {n: SYMBOLS[n].value(problem, start) for n in self._symbols() if n in SYMBOLS}
        k = np.arange(self.k_range[0], self.k_range[1] + 1)
        symbols = values | setting | {"k": k.astype(float)}
        return Bound(
            theorem=self,
            problem=problem,
            seed=seed,
            setting=setting,
            steps={name: float(apply(f, symbols)) for name, f in self.steps.items()},
            k=k,
            values=apply(self.formula, symbols),
            roundings=apply(self.error_growth, symbols),
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bound:
    """What a theorem gives on one problem, from one start.

    Attributes:
        theorem: the theorem.
        problem: a member of its class.
        seed: which start.
        setting: the theorem's parameter -> its value.
        steps: hyperparameter -> the value that the theorem sets.
        k: [T] the steps that it speaks of.
        values: [T] the bound there.
        roundings: [T] how many roundings x_k has gathered.
    """

    theorem: Theorem
    problem: Problem
    seed: int
    setting: Mapping[str, float]
    steps: Mapping[str, float]
    k: np.ndarray
    values: np.ndarray
    roundings: np.ndarray

    def method(self, optimizer: Method | None = None) -> Method:
        """The theorem's method, or another in its place, with the steps that the theorem sets.

        Raises:
            OptbenchError: the optimizer lacks a hyperparameter that the theorem sets, or fixes it.
        """
        method = self.theorem.method if optimizer is None else optimizer
        for name in self.steps:
            if not method.has(name):
                raise OptbenchError(
                    f"{self.theorem.name} sets {name}, which {method.label} does not have",
                    f"give an optimizer with {', '.join(self.steps)}",
                )
            if _fixes(method, name):
                raise OptbenchError(
                    f"{self.theorem.name} sets {name}, and {method.label} fixes it",
                    f"leave {name} out of the brackets",
                )
        return method.replace(**self.steps)

    def observed(self, trajectory: Trajectory) -> np.ndarray:
        """[T] the theorem's quantity at the steps k; NaN where the trajectory has none."""
        return self._at_k(trajectory, self.theorem.quantity.observe(self.problem, trajectory))

    def rounding(self, trajectory: Trajectory) -> np.ndarray:
        """[T] absolute rounding error of what is observed.

        Each rounding of x_k is taken as 4 eps (|x*| + R).
        """
        radius = distances(trajectory.params, self.problem.minimizer)[0]
        size = float(np.linalg.norm(trees.flat(self.problem.minimizer))) + radius
        shift = np.full(len(trajectory.steps), np.nan)
        reached = np.isin(self.k, trajectory.steps)
        shift[np.isin(trajectory.steps, self.k)] = 4 * EPS * self.roundings[reached] * size
        rounding = self.theorem.quantity.rounding(self.problem, trajectory, shift)
        return self._at_k(trajectory, rounding)

    def _at_k(self, trajectory: Trajectory, logged: np.ndarray) -> np.ndarray:
        values = np.full(len(self.k), np.nan)
        values[np.isin(self.k, trajectory.steps)] = logged[np.isin(trajectory.steps, self.k)]
        return values


def symbols_of(formula: Formula) -> tuple[str, ...]:
    """The symbols that a formula takes."""
    return tuple(inspect.signature(formula).parameters)


def apply(formula: Formula, symbols: Mapping[str, Any]) -> Any:
    """The value of a formula for given symbols."""
    return formula(**{name: symbols[name] for name in symbols_of(formula)})


def _fixes(method: Method | None, name: str) -> bool:
    """Whether a method, or one that it wraps, is given a value for a hyperparameter."""
    return method is not None and (name in dict(method.arguments) or _fixes(method.inner, name))


def _listed(assumptions: Sequence[Assumption]) -> str:
    *names, last = [a.name for a in assumptions]
    return f"{', '.join(names)} and {last}" if names else last
