"""What theory promises: a theorem as data, and the bound that it gives on one instance."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from optbench import trees
from optbench.assumption import Assumption
from optbench.case import Case, Instance
from optbench.errors import OptbenchError
from optbench.formula import Formula, apply, kept, over_steps, symbols_of
from optbench.method import Method
from optbench.problem import Problem
from optbench.quantity import EPS, Quantity
from optbench.recursion import Observation, Recursion
from optbench.symbol import PATH_SYMBOLS, SYMBOLS, distances
from optbench.trajectory import Trajectory

Direction = Literal["upper", "lower", "identity"]
Standing = Literal["theorem", "counterexample", "conjecture", "heuristic", "empirical"]
IDENTITY = 1e-10  # relative error granted to an identity
REPORTED = ("conjecture", "heuristic", "empirical")  # never fail: what is seen is told


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Theorem:
    """A convergence bound with its method, its class of problems, and members of that class.

    A formula is a function that takes its symbols by name: k (an array), those of `SYMBOLS`, the
    theorem's own parameters, letters that its instances give, and, in the bound itself, those of
    `PATH_SYMBOLS`. In a theorem about a recursion its cases and its path give all of them.

    Attributes:
        name: the function that returns it.
        statement: one plain sentence.
        latex: the inequality, in LaTeX.
        source: paper or book, with the number of the theorem.
        assumptions: the class of problems, or of cases.
        method: the optimizer it is about, or the recursion.
        also: other methods of which it speaks; their steps are their own.
        steps: hyperparameter of the method -> the formula that sets it, the step size first.
        quantity: what is bounded; a recursion observes it itself.
        formula: the bound.
        instances: the theorem's parameters, by name -> members of the class.
        direction: which side the formula bounds.
        standing: what kind of statement it is; what is no theorem is reported, and never fails.
        parameters: the theorem's own parameters -> the values at which it is checked.
        given: letters whose values its instances give, or its recursion finds -> their meaning.
        k_range: first and last step compared, or a function of the parameters that gives them.
        attained_at: steps at which a worst instance attains the bound; none, if it is not tight.
        unattained: why no instance attains a bound that is said to be tight.
        error_growth: formula for how many roundings, of relative size eps, x_k has gathered.
        tolerance: relative error granted to an identity; absolute, where it states zero.
        precise: the same method in high precision, where rounding breaks the bound in float64.
    """

    name: str
    statement: str
    latex: str
    source: str
    method: Method | Recursion
    formula: Formula
    quantity: Quantity
    instances: Callable[..., Sequence[Instance]]
    assumptions: tuple[Assumption, ...] = ()
    also: tuple[Method, ...] = ()
    steps: Mapping[str, Formula] = dataclasses.field(default_factory=dict)
    direction: Direction = "upper"
    standing: Standing = "theorem"
    parameters: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)
    k_range: tuple[int, int] | Callable[..., tuple[int, int]] = (1, 100)
    attained_at: Sequence[int] = ()
    unattained: str = ""
    error_growth: Formula = kept
    tolerance: float = IDENTITY
    precise: Recursion | None = None

    def __post_init__(self) -> None:
        """Refuse a theorem that cannot be evaluated.

        Raises:
            OptbenchError: an unknown symbol or hyperparameter, or an empty range of steps.
        """
        known = {"k", *SYMBOLS, *PATH_SYMBOLS, *self.parameters, *self.given}
        for name in symbols_of(self.formula, *self.steps.values(), self.error_growth):
            if name not in known:
                letters = [f"{letter} = {symbol.meaning}" for letter, symbol in SYMBOLS.items()]
                raise OptbenchError(
                    f"{self.name} uses an unknown symbol {name!r}",
                    f"use k, {', '.join(letters)}, a parameter of its own, or one that is given",
                )
        method = self.method
        for name in self.steps:
            if isinstance(method, Method) and not method.accepts(name):
                raise OptbenchError(
                    f"{self.name} sets {name}, which {method.label} does not have",
                    "steps are keyed by hyperparameters of the method",
                )
        for ends in map(self.range_of, self.settings):
            if len(ends) != 2 or not 0 <= ends[0] <= ends[1]:
                raise OptbenchError(
                    f"{self.name} compares no step", "k_range is (first, last), from 0"
                )

    @property
    def tight(self) -> bool:
        """Whether an instance is said to attain the bound; an identity is attained by all."""
        return len(self.attained_at) > 0 or bool(self.unattained) or self.direction == "identity"

    @property
    def settings(self) -> Iterator[dict[str, float]]:
        """Every combination of the values of its parameters."""
        for values in itertools.product(*self.parameters.values()):
            yield dict(zip(self.parameters, values, strict=True))

    def range_of(self, setting: Mapping[str, float]) -> tuple[int, int]:
        """First and last step compared, for values of its parameters."""
        return apply(self.k_range, setting) if callable(self.k_range) else self.k_range

    def _letters(self) -> tuple[str, ...]:
        """The letters whose values do not depend on the path, in order of appearance."""
        own = {"k", *PATH_SYMBOLS, *self.parameters}
        letters = symbols_of(self.formula, *self.steps.values(), self.error_growth)
        return tuple(letter for letter in letters if letter not in own)

    @property
    def needs(self) -> tuple[Assumption, ...]:
        """Its assumptions, and what its symbols and its quantity need to be known."""
        if isinstance(self.method, Recursion):
            return self.assumptions
        letters = symbols_of(self.formula, *self.steps.values(), self.error_growth)
        tables = (SYMBOLS, PATH_SYMBOLS)
        found = [t[n].needs for n in letters for t in tables if n in t and n not in self.given]
        of_symbols = [needs for needs in found if needs is not None]
        return tuple(dict.fromkeys((*self.assumptions, *of_symbols, *self.quantity.needs)))

    def on(
        self,
        subject: Problem | Case,
        seed: int = 0,
        symbols: Mapping[str, float] | None = None,
        **setting: float,
    ) -> Bound:
        """The bound it gives on a problem, from one start, or on a case.

        Args:
            subject: a member of its class.
            seed: which start.
            symbols: values of the letters that the subject does not know.
            **setting: a value for each of its parameters.

        Raises:
            OptbenchError: an assumption is not known to hold.
        """
        refuse_outsiders(self, subject)
        if setting.keys() != self.parameters.keys():
            raise OptbenchError(
                f"{self.name} takes {', '.join(self.parameters) or 'no parameter'}",
                "give each of its parameters a value",
            )
        if isinstance(subject, Case):
            known = dict(subject.symbols)
        else:
            start = subject.start(seed)
            letters = [n for n in self._letters() if n in SYMBOLS and n not in self.given]
            known = {n: SYMBOLS[n].value(subject, start) for n in letters} | dict(symbols or {})
        first, last = self.range_of(setting)
        k = np.arange(first, last + 1)
        values = known | setting | {"k": k.astype(float)}
        self.refuse_unknown(symbols_of(*self.steps.values()), values, subject)
        return Bound(
            theorem=self,
            subject=subject,
            seed=seed,
            setting=setting,
            steps={name: _number(apply(f, values)) for name, f in self.steps.items()},
            k=k,
            symbols=values,
        )

    def refuse_unknown(
        self, letters: Sequence[str], known: Mapping[str, Any], subject: Problem | Case
    ) -> None:
        """Raise where a letter has no value.

        Raises:
            OptbenchError: nobody gives a letter, said with its meaning.
        """
        missing = [letter for letter in letters if letter not in known]
        if missing:
            raise OptbenchError(
                f"{self.name} needs {missing[0]}, and {subject.name!r} does not give it",
                f"it is {self.given.get(missing[0], 'known along a run only')}",
            )


def refuse_outsiders(theorem: Theorem, subject: Problem | Case) -> None:
    """Raise where a theorem says nothing of a problem or a case.

    Raises:
        OptbenchError: an assumption is not known to hold, or it is about something else.
    """
    if isinstance(theorem.method, Recursion) != isinstance(subject, Case):
        raise OptbenchError(
            f"{theorem.name} is about {theorem.method.label}, which does not run on "
            f"{subject.name!r}",
            "check it on its own instances: leave the problem out",
        )
    missing = [a for a in theorem.needs if not a.holds(subject)]
    if missing:
        kind = "case" if isinstance(subject, Case) else "problem"
        raise OptbenchError(
            f"{theorem.name} needs {_listed(theorem.needs)}, and {kind} {subject.name!r} "
            f"lacks {_listed(missing)}",
            missing[0].hint,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bound:
    """What a theorem gives on one problem, from one start, or on one case.

    Attributes:
        theorem: the theorem.
        subject: a member of its class.
        seed: which start.
        setting: the theorem's parameter -> its value.
        steps: hyperparameter -> the value that the theorem sets.
        k: [T] the steps that it speaks of.
        symbols: letter -> its value, k and the parameters among them.
    """

    theorem: Theorem
    subject: Problem | Case
    seed: int
    setting: Mapping[str, float]
    steps: Mapping[str, Any]
    k: np.ndarray
    symbols: Mapping[str, Any]

    @property
    def values(self) -> np.ndarray:
        """[T] the bound, where it does not depend on the path."""
        return self._over_k(self.theorem.formula, {})

    @property
    def roundings(self) -> np.ndarray:
        """[T] how many roundings x_k has gathered."""
        return self._over_k(self.theorem.error_growth, {})

    def stretched(self, factor: float) -> Bound:
        """The same bound, next to a method whose step size, the first of `steps`, is longer."""
        name = next(iter(self.steps))
        return dataclasses.replace(self, steps={**self.steps, name: factor * self.steps[name]})

    def method(self, optimizer: Method | None = None) -> Method:
        """The theorem's method, or another in its place, with the steps that the theorem sets.

        Raises:
            OptbenchError: the optimizer lacks a hyperparameter that the theorem sets, or fixes it.
        """
        method = self.theorem.method if optimizer is None else optimizer
        assert isinstance(method, Method)
        for name in self.steps:
            if not method.accepts(name):
                raise OptbenchError(
                    f"{self.theorem.name} sets {name}, which {method.label} does not have",
                    f"give an optimizer with {', '.join(self.steps)}",
                )
            if optimizer is not None and _fixes(method, name):
                raise OptbenchError(
                    f"{self.theorem.name} sets {name}, and {method.label} fixes it",
                    f"leave {name} out of the brackets",
                )
        return method.replace(**self.steps)

    def along_run(self, trajectory: Trajectory) -> Observation:
        """What a run on the problem shows, logged at every step from 0 to the last.

        Each rounding of x_k is taken as 4 eps (|x*| + R).
        """
        theorem, problem = self.theorem, self.subject
        assert isinstance(problem, Problem)
        read = symbols_of(theorem.formula)
        path = {n: s.along(problem, trajectory) for n, s in PATH_SYMBOLS.items() if n in read}
        at_k = {name: self._at_k(trajectory, along) for name, along in path.items()}
        shift = np.full(len(trajectory.steps), np.nan)
        reached = np.isin(self.k, trajectory.steps)
        each = 4 * EPS * _size(problem, trajectory)
        shift[np.isin(trajectory.steps, self.k)] = each * self.roundings[reached]
        rounding = theorem.quantity.rounding(problem, trajectory, shift)
        return Observation(
            observed=self._at_k(trajectory, theorem.quantity.observe(problem, trajectory)),
            bound=self._over_k(theorem.formula, at_k),
            rounding=self._at_k(trajectory, rounding),
            roundings=self.roundings,
        )

    def along(self, recursion: Recursion) -> Observation:
        """What a recursion shows on the case, or on the problem."""
        path = recursion.follow(self.subject, self.k, **self.steps)
        return Observation(
            observed=np.asarray(path.observed, float),
            bound=self._over_k(self.theorem.formula, path.symbols),
            rounding=np.broadcast_to(np.asarray(path.rounding, float), self.k.shape),
            roundings=self.roundings,
        )

    def _over_k(self, formula: Formula, path: Mapping[str, Any]) -> np.ndarray:
        symbols = {**self.symbols, **path}
        self.theorem.refuse_unknown(symbols_of(formula), symbols, self.subject)
        return over_steps(formula, symbols, self.k)

    def _at_k(self, trajectory: Trajectory, logged: np.ndarray) -> np.ndarray:
        values = np.full(len(self.k), np.nan)
        values[np.isin(self.k, trajectory.steps)] = logged[np.isin(trajectory.steps, self.k)]
        return values


def _size(problem: Problem, trajectory: Trajectory) -> float:
    """|x*| + R; where x* is not known, the largest |x_k|."""
    if problem.minimizer is None:
        points = jax.tree.map(np.zeros_like, problem.start(0))
        return float(np.nanmax(distances(trajectory.params, points)))
    radius = distances(trajectory.params, problem.minimizer)[0]
    return float(np.linalg.norm(trees.flat(problem.minimizer))) + radius


def _number(value: Any) -> Any:
    """A step as a Python number, or as the array that it is."""
    return value if isinstance(value, (int, np.ndarray)) else float(value)


def _fixes(method: Method | None, name: str) -> bool:
    """Whether a method, or one that it wraps, is given a value for a hyperparameter."""
    return method is not None and (name in dict(method.arguments) or _fixes(method.inner, name))


def _listed(assumptions: Sequence[Assumption]) -> str:
    *names, last = [a.name for a in assumptions]
    return f"{', '.join(names)} and {last}" if names else last
