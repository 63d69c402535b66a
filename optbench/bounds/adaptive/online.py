"""Adaptive methods against losses that come one by one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.adaptive.adagrad import adagrad_norm
from optbench.bounds.adaptive.in_order import in_order, linear_game
from optbench.bounds.adaptive.instances import tumors
from optbench.bounds.adaptive.quantities import by_recursion
from optbench.bounds.instances import DIM
from optbench.case import Case, Instance
from optbench.method import Method, make_method
from optbench.optimizers.adaptive.moment_variants import amsgrad
from optbench.optimizers.adaptive.moments import adagrad, adam
from optbench.plan import Plan
from optbench.problem import Problem
from optbench.recursion import Path, Recursion
from optbench.run import run

ROUNDS = 100
RADIUS = 0.75  # of the box |x_i| <= r
REGRET = by_recursion("regret after T rounds", "R_T")
AVERAGE_REGRET = by_recursion("mean regret", "R_T / T")
LINEAR_GAME = Assumption(
    name="a game of linear losses over a box",
    holds=lambda case: isinstance(case.data, Problem) and case.data.constrained,
    hint="give a Case whose data is a `linear_game`",
)


def _points(problem: Problem, method: Method, num_rounds: int) -> np.ndarray:
    """[T, n] what a method plays in T rounds."""
    plan = Plan(budget=None, log_steps=tuple(range(num_rounds + 1)), noise_floor=-np.inf)
    endless = dataclasses.replace(problem, bounded_below=False)
    return np.asarray(run(endless, method, plan=plan).params)[:num_rounds]


def _regrets(problem: Problem, points: np.ndarray) -> np.ndarray:
    """[T] sum_{t<=T} <g_t, x_t> - min_x sum_{t<=T} <g_t, x> over the box."""
    rows, radius = problem.data
    gradients = np.resize(rows, points.shape)
    best = -radius * np.abs(np.cumsum(gradients, axis=0)).sum(axis=1)
    return np.cumsum(np.sum(gradients * points, axis=1)) - best


def _path(case: Case, k: np.ndarray, points: np.ndarray) -> Path:
    """The regret, G = sum_i |g_{1:T,i}| and S2 = sum |g_t|^2 after k rounds."""
    squares = np.cumsum(np.resize(case.data.data[0], points.shape) ** 2, axis=0)
    symbols = {"G": np.sqrt(squares).sum(axis=1)[k - 1], "S2": squares.sum(axis=1)[k - 1]}
    return Path(_regrets(case.data, points)[k - 1], symbols)


def _games() -> list[Instance]:
    """Gradients that always point outwards, random ones, sparse ones, and those of real data."""
    rng = np.random.default_rng(0)
    sparse = rng.standard_normal((ROUNDS, DIM)) * (rng.random((ROUNDS, DIM)) < 0.1)
    sparse[0] = 1.0
    features = tumors()
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    tables = {
        "outward": -np.ones((ROUNDS, DIM)),
        "normal": rng.standard_normal((ROUNDS, DIM)),
        "sparse": sparse,
        "breast_cancer": features[:ROUNDS],
    }
    return [
        Instance(
            "data" if name == "breast_cancer" else "random",
            Case(
                name=name,
                symbols={"Dinf": 2 * RADIUS, "D": 2 * RADIUS * np.sqrt(DIM)},
                data=linear_game(table, RADIUS, np.full(DIM, -RADIUS), name),
            ),
        )
        for name, table in tables.items()
    ]


GIVEN = {
    "Dinf": "the width of the box",
    "D": "the diameter of the box",
    "G": "the sum over coordinates of the norm of all gradients so far",
    "S2": "the sum of the squares of all gradients so far",
}


def _played_by_adagrad(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    bare = make_method(adagrad, initial_accumulator_value=0.0, eps=0.0, learning_rate=learning_rate)
    return _path(case, k, _points(case.data, make_method(in_order, inner=bare), int(k[-1])))


def adagrad_regret() -> Theorem:
    """Diagonal AdaGrad with step eta, projected on a box of width D, against convex losses.

        R_T <= (D^2 / (2 eta) + eta) sum_i |g_{1:T,i}|,

    g_{1:T,i} the vector of the i-th entries of all gradients. Observed with linear losses, which
    are the hardest: convex ones lie above their tangents.

    Source: Duchi, Hazan and Singer (2011), Theorem 5 and Corollary 6.
    """
    return Theorem(
        name="adagrad_regret",
        statement="The regret of diagonal AdaGrad on a box of width D is at most "
        "(D^2 / (2 eta) + eta) times the sum over coordinates of the norms of all gradients.",
        latex=r"R_T \le \left(\frac{D_\infty^2}{2 \eta} + \eta\right) \sum_i \|g_{1:T,i}\|",
        source="Duchi, Hazan and Singer (2011), Theorem 5",
        assumptions=(LINEAR_GAME,),
        parameters={"eta": (0.25, 1.0)},
        method=Recursion("projected AdaGrad against linear losses", _played_by_adagrad),
        steps={"learning_rate": lambda eta: eta},
        given=GIVEN,
        quantity=REGRET,
        formula=lambda G, Dinf, eta: (Dinf**2 / (2 * eta) + eta) * G,
        k_range=(1, ROUNDS),
        instances=lambda eta: _games(),
    )


def _played_by_norm(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    method = make_method(in_order, inner=make_method(adagrad_norm, learning_rate=learning_rate))
    return _path(case, k, _points(case.data, method, int(k[-1])))


def adagrad_norm_regret() -> Theorem:
    """AdaGrad-Norm with step D / sqrt(2), projected on a set of diameter D.

        R_T <= sqrt(2) D sqrt(sum_t |g_t|^2).

    Observed with linear losses on a box.

    Source: Streeter and McMahan (2010); Orabona (2019), Theorem 4.14 (its number is from memory).
    """
    return Theorem(
        name="adagrad_norm_regret",
        statement="The regret of AdaGrad-Norm with the step D / sqrt(2) on a set of diameter D is "
        "at most sqrt(2) D times the root of the sum of all |g|^2.",
        latex=r"R_T \le \sqrt{2} D \sqrt{\sum_t \|g_t\|^2}",
        source="Streeter and McMahan (2010)",
        assumptions=(LINEAR_GAME,),
        method=Recursion("projected AdaGrad-Norm against linear losses", _played_by_norm),
        steps={"learning_rate": lambda D: D / np.sqrt(2)},
        given=GIVEN,
        quantity=REGRET,
        formula=lambda S2, D: np.sqrt(2) * D * np.sqrt(S2),
        k_range=(1, ROUNDS),
        instances=_games,
    )


def _amsgrad_of_the_paper(case: Case, k: np.ndarray, learning_rate: float, b1: float) -> Path:
    """AMSGrad without bias corrections, b1_t = b1 / t, a_t = a / sqrt(t), b2 = 0.9, projected."""
    b2 = 0.9
    rows, radius = case.data.data
    point = case.data.start(0)
    first, second, largest = np.zeros((3, DIM))
    points, sums, drift = [], [], [0.0]
    for t, gradient in enumerate(np.resize(rows, (int(k[-1]), DIM)), 1):
        points.append(point)
        first = b1 / t * first + (1 - b1 / t) * gradient
        second = b2 * second + (1 - b2) * gradient**2
        largest = np.maximum(largest, second)
        roots, step = np.sqrt(largest), learning_rate / np.sqrt(t)
        moved = np.divide(first, roots, np.zeros(DIM), where=roots > 0)
        point = np.clip(point - step * moved, -radius, radius)
        sums.append(roots.sum())
        drift.append(drift[-1] + b1 / t * roots.sum() / step)
    path = _path(case, k, np.array(points))
    of_path = {"V": np.array(sums)[k - 1], "W": np.array(drift)[k]}
    return path._replace(symbols={**path.symbols, **of_path})


def amsgrad_regret() -> Theorem:
    """AMSGrad with a_t = a / sqrt(t), b1_t = b1 / t, gamma = b1 / sqrt(b2) < 1, b2 = 0.9, on a box.

        R_T <= D^2 sqrt(T) / (a (1 - b1)) sum_i vhat_{T,i}^(1/2)
               + D^2 / (2 (1 - b1)) sum_{t,i} b1_t vhat_{t,i}^(1/2) / a_t
               + a sqrt(1 + ln T) / ((1 - b1)^2 (1 - gamma) sqrt(1 - b2)) sum_i |g_{1:T,i}|,

    D the width of the box. It is the paper's AMSGrad, with b1 that falls and no bias corrections,
    which the catalog's has not. Observed with linear losses.

    Source: Reddi, Kale and Kumar (2018), Theorem 4.
    """

    def formula(*, k: Any, a: Any, b1: Any, Dinf: Any, V: Any, W: Any, G: Any) -> Any:
        noise = a * np.sqrt(1 + np.log(k)) / ((1 - b1) ** 2 * (1 - b1 / np.sqrt(0.9)))
        drift = Dinf**2 / (1 - b1) * (np.sqrt(k) / a * V + W / 2)
        return drift + noise / np.sqrt(1 - 0.9) * G

    return Theorem(
        name="amsgrad_regret",
        statement="The regret of AMSGrad on a box is of order sqrt(T), with constants from its "
        "second moments and its gradients.",
        latex=r"R_T \le \frac{D_\infty^2 \sqrt T}{a (1 - \beta_1)} \sum_i \hat v_{T,i}^{1/2} + "
        r"\frac{D_\infty^2}{2 (1 - \beta_1)} \sum_{t,i} \frac{\beta_{1t} \hat v_{t,i}^{1/2}}{a_t}"
        r" + \frac{a \sqrt{1 + \ln T} \sum_i \|g_{1:T,i}\|}"
        r"{(1 - \beta_1)^2 (1 - \gamma) \sqrt{1 - \beta_2}}",
        source="Reddi, Kale and Kumar (2018), Theorem 4",
        assumptions=(LINEAR_GAME,),
        parameters={"a": (0.3, 3.0), "b1": (0.0, 0.5)},
        method=Recursion("AMSGrad against linear losses", _amsgrad_of_the_paper),
        steps={"learning_rate": lambda a: a, "b1": lambda b1: b1},
        given=GIVEN
        | {"V": "the sum of the roots of vhat_T", "W": "the sum of b1_t sqrt(vhat_t) / a_t"},
        quantity=REGRET,
        formula=formula,
        k_range=(1, ROUNDS),
        instances=lambda a, b1: _games(),
    )


def _periodic(slope: float) -> Case:
    """The losses C x, -x, -x, C x, ... on [-1, 1], from 1; the best point is -1."""
    table = np.array([[slope], [-1.0], [-1.0]])
    game = linear_game(table, 1.0, np.ones(1), f"periodic[slope={slope:g}]")
    return Case(name=game.name, symbols={"C": slope}, data=game)


def _against_periodic(
    method: Method, case: Case, k: np.ndarray, learning_rate: float
) -> np.ndarray:
    """[3 k] the points of a method with b1 = 0, b2 = 1 / (1 + C^2), a_t = a / sqrt(t)."""
    decay = 1 / (1 + case.symbols["C"] ** 2)
    inner = method.replace(learning_rate=learning_rate, b1=0.0, b2=decay, eps=0.0)
    played = make_method(in_order, inner=inner, decay=0.5)
    return _points(case.data, played, 3 * int(k[-1]))[:, 0]


def _regret_of_adam(case: Case, k: np.ndarray) -> Path:
    points = _against_periodic(make_method(adam), case, k, 0.01)
    return Path(_regrets(case.data, points[:, None])[3 * k - 1] / (3 * k))


def _period_of_amsgrad(case: Case, k: np.ndarray) -> Path:
    return Path(_against_periodic(make_method(amsgrad), case, k, 0.15)[3 * k - 3])


def adam_reddi_counterexample() -> Theorem:
    """Adam with b1 = 0, b2 = 1 / (1 + C^2) against C x, -x, -x, C x, ... on [-1, 1], C > 2.

        R_T / T >= 2 (C - 2) / 3   for T = 3 k,

    though the steps a / sqrt(t) shrink: after every third loss it is back at 1, where each period
    costs C - 2 at least, and -1 would have gained as much. Attained as T grows. Observed is the
    catalog's Adam, with bias corrections (which soon are 1), a = 0.01 < sqrt(1 - b2).

    Source: Reddi, Kale and Kumar (2018), Theorem 1.
    """
    return Theorem(
        name="adam_reddi_counterexample",
        statement="Against the losses C x, -x, -x, C x, ... on [-1, 1] the mean regret of Adam "
        "stays above 2 (C - 2) / 3.",
        latex=r"R_T / T \ge 2 (C - 2) / 3",
        source="Reddi, Kale and Kumar (2018), Theorem 1",
        standing="counterexample",
        direction="lower",
        assumptions=(LINEAR_GAME,),
        method=Recursion("Adam against three periodic losses", _regret_of_adam),
        given={"C": "slope of every third loss"},
        quantity=AVERAGE_REGRET,
        formula=lambda C: 2 * (C - 2) / 3,
        k_range=(1, 3000),
        attained_at=(3000,),
        instances=lambda: [Instance("worst", _periodic(slope)) for slope in (4.0, 10.0)],
    )


def amsgrad_reddi() -> Theorem:
    """AMSGrad against the losses that mislead Adam: x goes to -1, the best point.

    b1 = 0, b2 = 1 / (1 + C^2), a_t = 0.15 / sqrt(t), on [-1, 1]. Observed is x_{3 k - 2}, where
    a period begins, of the catalog's AMSGrad; after k = 3000 periods it is within 0.1 % of -1.

    Source: Reddi, Kale and Kumar (2018), section 4.
    """
    return Theorem(
        name="amsgrad_reddi",
        statement="Against the losses C x, -x, -x, C x, ... on [-1, 1] the points of AMSGrad tend "
        "to the best one, -1.",
        latex=r"x_T \to -1",
        source="Reddi, Kale and Kumar (2018), section 4",
        direction="identity",
        tolerance=1e-3,
        assumptions=(LINEAR_GAME,),
        method=Recursion("AMSGrad against three periodic losses", _period_of_amsgrad),
        given={"C": "slope of every third loss"},
        quantity=by_recursion("x_{3 k - 2}", "x_{3 k - 2}"),
        formula=lambda: -1.0,
        k_range=(2900, 3000),
        instances=lambda: [Instance("random", _periodic(slope)) for slope in (4.0, 10.0)],
    )
