"""Steps of Adam, momentum and Lion, whatever the objective."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optbench.assumption import EXACT_GRADIENTS, Assumption
from optbench.bound import Theorem
from optbench.bounds.adaptive.in_order import in_order, listed
from optbench.bounds.adaptive.instances import bowl, diabetes, tumors
from optbench.bounds.adaptive.quantities import (
    DISPLACEMENT,
    LARGEST_COORDINATE,
    LARGEST_MOVE,
    by_recursion,
    coordinates,
)
from optbench.bounds.instances import (
    DIM,
    FAR,
    NUM_RANDOM,
    quadratic,
)
from optbench.case import Case, Instance, InstanceKind
from optbench.formula import kept, one_step
from optbench.method import make_method
from optbench.optimizers.adaptive.moments import adam, lion
from optbench.optimizers.first_order.momentum import momentum
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Problem
from optbench.quantity import Quantity
from optbench.recursion import Path, Recursion
from optbench.symbol import gradients_at
from optbench.trajectory import Trajectory

RATE = 0.07
ROUNDS = 240
NO_EPS = 1e-60  # in place of 0, for 0 / 0 where all gradients so far were 0
FINITE_SUM = Assumption(
    "a finite sum",
    lambda p: p.row_arrays > 0,
    "set Problem.row_arrays: the rows are taken one by one",
)
LINEAR = Assumption(
    "a linear objective",
    lambda p: p.constants.smoothness == 0,
    "set Problem.constants.smoothness=0 where the gradient is the same everywhere",
)
STEPS = {
    "learning_rate": lambda: RATE,
    "b1": lambda b1: b1,
    "b2": lambda b2: b2,
    "eps": lambda: NO_EPS,
}
DECAYS = {"b1": (0.5, 0.8), "b2": (0.9, 0.95)}


def _gradients(table: np.ndarray, name: str, start: float = 0.0) -> Problem:
    return listed(table, np.full(DIM, start), name)


def _constant(start: float = 0.0) -> Problem:
    return _gradients(np.outer(np.ones(ROUNDS), [1.0, -2.0, 0.5, 3.0, -1.0]), "constant", start)


def _spike(start: float = 0.0) -> Problem:
    """Gradients of zero, and one at the end."""
    last = np.arange(ROUNDS) == ROUNDS - 1
    return _gradients(np.outer(last, [1.0, -2.0, 0.5, 3.0, -1.0]), "spike", start)


def _growing(b1: float, b2: float, start: float = 0.0) -> Problem:
    """Gradients that grow by b2 / b1 in every step, up to 1: equality in Cauchy and Schwarz."""
    growth = (b1 / b2) ** np.arange(ROUNDS - 1, -1.0, -1.0)
    return _gradients(np.outer(growth, [1.0, -2.0, 0.5, 3.0, -1.0]), "growing", start)


def _random(seed: int) -> Problem:
    """Normal gradients of sizes that change a thousandfold."""
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.uniform(-3.5, 3.5, (ROUNDS, 1)))
    return _gradients(sizes * rng.standard_normal((ROUNDS, DIM)), f"normal[seed={seed}]")


def _tumors() -> Problem:
    """The first five features of 240 tumors of breast_cancer, as gradients."""
    return _gradients(tumors()[:ROUNDS], "breast_cancer")


def _of_all_kinds(worst: Sequence[Problem], translated: Sequence[Problem]) -> list[Instance]:
    return [
        *(Instance("worst", problem) for problem in worst),
        *(Instance("translated", problem) for problem in translated),
        *(Instance("random", _random(seed)) for seed in range(NUM_RANDOM)),
        Instance("data", _tumors()),
    ]


def adam_update_bound() -> Theorem:
    """A rule of thumb: no coordinate moves by more than eta max(1, (1 - b1) / sqrt(1 - b2)).

    Late in a run of Adam, with eps = 0. Attained by constant gradients, and, where 1 - b1 is the
    larger, by one gradient after many that are zero. No theorem: gradients that grow steadily
    exceed it (see `adam_update_sup`), as the instance "growing" shows.

    Source: Kingma and Ba (2015), section 2.1.
    """

    def instances(b1: float, b2: float) -> list[Instance]:
        found = _of_all_kinds([_spike(), _constant()], [_spike(FAR), _constant(FAR)])
        return [*found, Instance("random", _growing(b1, b2))]

    return Theorem(
        name="adam_update_bound",
        statement="A step of Adam moves no coordinate by more than the learning rate times the "
        "larger of 1 and (1 - b1) / sqrt(1 - b2).",
        latex=r"\|x_k - x_{k-1}\|_\infty \le \eta \max\{1, (1 - \beta_1) / \sqrt{1 - \beta_2}\}",
        source="Kingma and Ba (2015), section 2.1",
        standing="heuristic",
        assumptions=(FINITE_SUM,),
        parameters=DECAYS,
        method=make_method(in_order, inner=make_method(adam)),
        steps=STEPS,
        quantity=LARGEST_MOVE,
        formula=lambda b1, b2: RATE * max(1.0, (1 - b1) / np.sqrt(1 - b2)),
        error_growth=one_step,
        k_range=(200, ROUNDS),
        attained_at=(ROUNDS,),
        instances=instances,
    )


def adam_update_sup() -> Theorem:
    """No coordinate moves by more than eta (1 - b1) / sqrt((1 - b2) (1 - b1^2 / b2)).

    Late in a run of Adam with b1^2 < b2 and eps = 0, when its bias corrections are 1 (without them,
    at every step): by Cauchy and Schwarz, m = (1 - b1) sum b1^i g_{t-i} is at most
    sqrt(v) (1 - b1) / sqrt(1 - b2) times the root of sum (b1^2 / b2)^i. Attained by gradients that
    grow by b2 / b1 in every step. For the default decays it is 7.27 eta.

    Source: Cauchy and Schwarz; derived here.
    """

    def instances(b1: float, b2: float) -> list[Instance]:
        return _of_all_kinds([_growing(b1, b2)], [_growing(b1, b2, FAR), _spike(FAR)])

    return Theorem(
        name="adam_update_sup",
        statement="A late step of Adam moves no coordinate by more than the learning rate times "
        "(1 - b1) / sqrt((1 - b2) (1 - b1^2 / b2)).",
        latex=r"\|x_k - x_{k-1}\|_\infty \le "
        r"\frac{\eta (1 - \beta_1)}{\sqrt{(1 - \beta_2) (1 - \beta_1^2 / \beta_2)}}",
        source="Cauchy and Schwarz; derived here",
        assumptions=(FINITE_SUM,),
        parameters=DECAYS,
        method=make_method(in_order, inner=make_method(adam)),
        steps=STEPS,
        quantity=LARGEST_MOVE,
        formula=lambda b1, b2: RATE * (1 - b1) / np.sqrt((1 - b2) * (1 - b1**2 / b2)),
        error_growth=one_step,
        k_range=(200, ROUNDS),
        attained_at=(200, ROUNDS),
        instances=instances,
    )


def _expected_moments(case: Case, k: np.ndarray, decay: float) -> Path:
    """(1 - b^t), as E m_t / E g and E v_t / E g^2, over all sequences of gradients from a set.

    Each sequence is a coordinate of one Adam; its probability is a product.
    """
    values, probabilities = case.data
    sequences = list(itertools.product(range(len(values)), repeat=int(k[-1])))
    weights = np.prod(probabilities[np.array(sequences)], axis=1)
    with jax.enable_x64(True):
        optimizer = adam(b1=decay, b2=decay)
        point = jnp.zeros(len(sequences))
        problem = Problem(objective=jnp.sum, start=lambda seed: point)
        state, found = optimizer.init(point), []
        for gradients in values[np.array(sequences)].T:
            seen = Evaluation(point, jnp.zeros(()), jnp.asarray(gradients))
            state = optimizer.step(seen, state, Oracle(problem)).state
            moments = [weights @ np.asarray(optax.tree.get(state, m)) for m in ("mu", "nu")]
            found.append(moments[case.symbols["order"] == 2])
    mean = probabilities @ values ** case.symbols["order"]
    return Path(np.array(found)[k - 1] / mean)


def adam_bias_correction() -> Theorem:
    """Gradients drawn independently from one distribution: E m_t = (1 - b1^t) E g.

    Likewise E v_t = (1 - b2^t) E g^2: Adam's bias corrections make both averages unbiased.
    Observed is the exact mean over all sequences of ten gradients from two values.

    Source: Kingma and Ba (2015), section 3.
    """
    draws = np.array([-1.0, 3.0]), np.array([0.75, 0.25])
    lopsided = np.array([0.5, 2.0]), np.array([0.1, 0.9])
    return Theorem(
        name="adam_bias_correction",
        statement="Where gradients come independently from one distribution, the expected moments "
        "of Adam are those of a gradient times 1 - b^t.",
        latex=r"E\, m_t = (1 - \beta_1^t)\, E\, g, \quad E\, v_t = (1 - \beta_2^t)\, E\, g^2",
        source="Kingma and Ba (2015), section 3",
        method=Recursion("moments of Adam", _expected_moments),
        parameters={"b": (0.5, 0.9)},
        steps={"decay": lambda b: b},
        quantity=by_recursion("E m_t / E g", r"E\, m_t / E\, g"),
        formula=lambda k, b: 1 - b**k,
        direction="identity",
        k_range=(1, 8),
        instances=lambda b: [
            Instance("random", Case(name=f"{name}[order={n}]", symbols={"order": n}, data=data))
            for name, data in (("centered", (draws[0] + 0.5, draws[1])), ("lopsided", lopsided))
            for n in (1, 2)
        ],
    )


def _sign_defect(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    """[T] max_i |x_k - x_{k-1} + eta sign(g_{k-1})|_i / eta; NaN at the start."""
    signs = np.sign(gradients_at(problem, trajectory.params))[:-1]
    defects = np.abs(np.diff(coordinates(trajectory), axis=0) + RATE * signs).max(axis=1)
    return np.concatenate([[np.nan], defects / RATE])


def adam_sign_identity() -> Theorem:
    """Adam without memory, b1 = b2 = 0, and with eps = 0 is sign descent: the difference is 0.

    Source: Balles and Hennig (2018), section 1.
    """
    return Theorem(
        name="adam_sign_identity",
        statement="Adam with b1 = b2 = eps = 0 moves each coordinate by the learning rate, against "
        "the sign of its gradient.",
        latex=r"\beta_1 = \beta_2 = 0:\ x_k = x_{k-1} - \eta\, "
        r"\mathrm{sign}(\nabla f(x_{k-1}))",
        source="Balles and Hennig (2018), section 1",
        assumptions=(EXACT_GRADIENTS,),
        method=make_method(adam),
        steps={
            "learning_rate": lambda: RATE,
            "b1": lambda: 0.0,
            "b2": lambda: 0.0,
            "eps": lambda: 0.0,
        },
        quantity=Quantity(
            "max_i |x_k - x_{k-1} + eta sign g_{k-1}|_i / eta",
            r"\|x_k - x_{k-1} + \eta\, \mathrm{sign}(g_{k-1})\|_\infty / \eta",
            (),
            _sign_defect,
            lambda p, t, shift: 2 * shift / RATE,
        ),
        formula=lambda k: 0.0 * k,
        error_growth=one_step,
        direction="identity",
        instances=lambda: [
            Instance("translated", bowl(FAR)),
            Instance("random", bowl(0.0, slope=1.0)),
            *(Instance("random", quadratic(seed)) for seed in range(3)),
            Instance("data", diabetes()),
        ],
    )


def momentum_effective_lr() -> Theorem:
    """The heavy ball on a linear function: momentum multiplies the learning rate by 1 / (1 - beta).

        |x_k - x_0| = eta |g| (k / (1 - beta) - beta (1 - beta^k) / (1 - beta)^2).

    Source: elementary, from v_k = beta v_{k-1} + g, x_k = x_{k-1} - eta v_k.
    """
    return Theorem(
        name="momentum_effective_lr",
        statement="On a linear function k steps of the heavy ball lead as far as k / (1 - beta) - "
        "beta (1 - beta^k) / (1 - beta)^2 of gradient descent.",
        latex=r"\|x_k - x_0\| = \eta \|g\| \left(\frac{k}{1 - \beta} - "
        r"\frac{\beta (1 - \beta^k)}{(1 - \beta)^2}\right)",
        source="elementary",
        assumptions=(EXACT_GRADIENTS, LINEAR),
        parameters={"beta": (0.0, 0.5, 0.9)},
        method=make_method(momentum),
        steps={"learning_rate": lambda: RATE, "momentum": lambda beta: beta},
        quantity=DISPLACEMENT,
        formula=lambda k, g0, beta: (
            RATE * g0 * (k / (1 - beta) - beta * (1 - beta**k) / (1 - beta) ** 2)
        ),
        error_growth=kept,
        direction="identity",
        instances=lambda beta: [
            Instance("translated", _constant(FAR)),
            *(Instance("random", _random(seed)) for seed in range(2)),
            Instance("data", _tumors()),
        ],
    )


def sign_wd_bound() -> Theorem:
    """Lion, or any method of unit steps, with decoupled weight decay w and eta w <= 1.

        |x_k|_inf <= (1 - eta w)^k |x_0|_inf + (1 - (1 - eta w)^k) / w,

    because each step is x = (1 - eta w) x - eta s with |s|_inf <= 1. Attained where the gradient
    keeps pushing away from 0, on a linear function. With b1 = 0 Lion is signSGD.

    Source: elementary; Chen et al. (2023) for the box |x|_inf <= 1 / w.
    """

    def instances(b1: float) -> list[Instance]:
        worst = _gradients(-np.ones((ROUNDS, DIM)), "outward", 1.5)
        far = _gradients(-np.ones((ROUNDS, DIM)), "outward", FAR)
        others = [quadratic(0), quadratic(1), bowl(0.0, slope=1.0)]
        found: list[tuple[InstanceKind, Problem]] = [
            ("worst", worst),
            ("translated", far),
            ("data", diabetes()),
            *(("random", p) for p in others),
        ]
        return [
            Instance(kind, p, symbols={"x0": float(np.abs(p.start(0)).max())}) for kind, p in found
        ]

    return Theorem(
        name="sign_wd_bound",
        statement="Lion with decoupled weight decay w keeps every coordinate below "
        "(1 - eta w)^k |x_0|_inf + (1 - (1 - eta w)^k) / w.",
        latex=r"\|x_k\|_\infty \le (1 - \eta w)^k \|x_0\|_\infty + \frac{1 - (1 - \eta w)^k}{w}",
        source="elementary; Chen et al. (2023) for the box |x|_inf <= 1 / w",
        assumptions=(EXACT_GRADIENTS,),
        parameters={"b1": (0.0, 0.9)},
        method=make_method(lion, weight_decay=0.25),
        steps={"learning_rate": lambda: RATE, "b1": lambda b1: b1},
        given={"x0": "|x_0|_inf"},
        quantity=LARGEST_COORDINATE,
        formula=lambda k, x0: (1 - 0.25 * RATE) ** k * x0 + (1 - (1 - 0.25 * RATE) ** k) / 0.25,
        attained_at=(1, 2, 5, 10, 20, 50, 100),
        instances=instances,
    )
