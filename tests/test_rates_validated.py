"""Rates of real runs whose truth is known by other means, and traps that have none.

Each row of `PAIRS` is run from three starts, through the real loop and past the noise floor, as far
as it says. Its truth comes from a closed form, or from eigenvalues of what the method does to the
error on a quadratic: never from `optbench.rate_formulas`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from optbench import orders, rates, regimes
from optbench.instance import make_instance
from optbench.method import find_method
from optbench.optimizers.names import known_optimizers
from optbench.plan import Lanes, Plan, log_grid
from optbench.problem import Problem
from optbench.rates import Abstention, Rate
from optbench.records import ProblemRecord
from optbench.regimes import fit_regime, observed_rate
from optbench.run import execute, prepare
from optbench.start import start_near
from optbench.theory import known_of
from optbench.trajectory import Trajectory
from optbench.transforms import noisy
from problems.classical.bowls import power
from problems.classification.likelihoods import logistic_separable
from problems.convex_smooth.linear_growth import log_cosh
from problems.quadratics import ill_conditioned_bowl, paraboloid, quadratic, saddle
from problems.spectra import quadratic_constants

SEEDS = (1, 2, 3)
DIM = 5


# Problems of this file


def _bent(x, cubic, quartic):
    return jnp.sum(x**2 / 2 + cubic * x**3 / 3 + quartic * x**4 / 4)


def bent(cubic: float, quartic: float, dim: int = DIM, minimum: float | None = 0.0) -> Problem:
    """sum x^2 / 2 + c x^3 / 3 + d x^4 / 4: x* = 0, where the Hessian is I and f''' = 2 c.

    Without its minimum it is measured by |grad f|, which is exact down to 0.
    """
    return Problem(
        objective=_bent,
        data=(np.float64(cubic), np.float64(quartic)),
        start=start_near(np.full(dim, 0.5), scale=0.1),
        minimum=minimum,
        minimizer=None if minimum is None else np.zeros(dim),
        minimum_kind=None if minimum is None else "closed form",
        name="bent",
    )


def _exponential(x):
    return jnp.sum(jnp.exp(-x))


def exponential() -> Problem:
    """sum exp(-x_i): f* = 0 lies at infinity."""
    return Problem(
        objective=_exponential,
        start=start_near(np.zeros(DIM), scale=0.1),
        minimum=0.0,
        minimum_kind="closed form",
        name="exponential",
    )


def _distance(x):
    return jnp.sum(jnp.abs(x))


def distance() -> Problem:
    """sum |x_i|."""
    return Problem(
        objective=_distance,
        start=start_near(np.full(DIM, 0.7), scale=0.1),
        minimum=0.0,
        minimizer=np.zeros(DIM),
        minimum_kind="closed form",
        name="distance",
    )


def spread(condition_number: float) -> Problem:
    return quadratic(dim=DIM, condition_number=condition_number)


# Truths: spectral radii of the matrices by which one step, or a sweep, moves the errors


def _hessian(condition_number: float) -> np.ndarray:
    return np.asarray(spread(condition_number).data[0])


def _squared_radius(matrix: np.ndarray, steps: int = 1) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max() ** (2 / steps))


def descent_factor(kappa: float, eta: float) -> float:
    return _squared_radius(np.eye(DIM) - eta * _hessian(kappa))


def momentum_factor(kappa: float, eta: float, beta: float) -> float:
    """(x_k, x_{k-1}) -> ((1 + beta) x_k - eta H x_k - beta x_{k-1}, x_k)."""
    identity, zero = np.eye(DIM), np.zeros((DIM, DIM))
    now = (1 + beta) * identity - eta * _hessian(kappa)
    return _squared_radius(np.block([[now, -beta * identity], [identity, zero]]))


def nesterov_factor(kappa: float, eta: float, beta: float) -> float:
    """(y_k, x_k) -> (x' + beta (x' - x_k), x') with x' = (I - eta H) y_k."""
    identity, zero = np.eye(DIM), np.zeros((DIM, DIM))
    step = identity - eta * _hessian(kappa)
    return _squared_radius(np.block([[(1 + beta) * step, -beta * identity], [step, zero]]))


def sweep_factor(kappa: float, eta: float) -> float:
    """Of one of the DIM steps that make a sweep over the coordinates."""
    sweep, hessian = np.eye(DIM), _hessian(kappa)
    for i in range(DIM):
        step = np.eye(DIM)
        step[i] -= eta * hessian[i]
        sweep = step @ sweep
    return _squared_radius(sweep, DIM)


def accelerated(kappa: float) -> float:
    return ((np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)) ** 2


def power_of(exponent: float) -> float:
    """x' = -x^(p - 1) gives x ~ t^(-1 / (p - 2)), and f = x^p / p."""
    return exponent / (exponent - 2)


def optimal_nesterov(kappa: float) -> float:
    root = np.sqrt(kappa)
    return nesterov_factor(kappa, 1.0, (root - 1) / (root + 1))


GOLDEN = (1 + np.sqrt(5)) / 2
EIGENVALUES, CLOSED = "eigenvalues", "closed form"
SECANT = "in one dimension it is the secant method: Ortega & Rheinboldt (1970)"
NEWTON = "Newton's method: f''' != 0 at x*"
CUBIC = "Newton's method: f''' = 0 at x*, and f'''' is not"
FLOW = "solution of the differential equation"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    problem: Callable[[], Problem]
    method: str
    steps: int
    kind: str
    truth: float
    source: str
    seeds: tuple[int, ...] = SEEDS


def linear(problem, method: str, steps: int, truth: float, source: str, **more) -> Pair:
    names = dict(problem=problem, method=method, steps=steps, truth=truth, source=source)
    return Pair(kind="linear", **names, **more)


def sublinear(problem, method: str, steps: int, truth: float, source: str) -> Pair:
    return dataclasses.replace(linear(problem, method, steps, truth, source), kind="sublinear")


def superlinear(problem, method: str, truth: float, source: str) -> Pair:
    return dataclasses.replace(linear(problem, method, 40, truth, source), kind="superlinear")


def at(**values: float) -> str:
    return f"[{','.join(f'{name}={value!r}' for name, value in values.items())}]"


def eta_beta(method: str, eta: float, beta: float) -> str:
    return method + at(learning_rate=eta, momentum=beta)


def eta(method: str, learning_rate: float) -> str:
    return method + at(learning_rate=learning_rate)


# fmt: off
PAIRS = [
    # problem, method, steps, truth, its source
    *(linear(lambda k=k: spread(k), eta("gradient_descent", a), n, descent_factor(k, a),
             EIGENVALUES)
      for k, a, n in [(4.0, 1.0, 120), (10.0, 1.0, 300), (10.0, 1.8, 300), (50.0, 1.9, 1500),
                      (100.0, 1.0, 2500)]),
    *(linear(lambda k=k: spread(k), eta_beta("momentum", a, b), n, momentum_factor(k, a, b),
             EIGENVALUES)
      for k, a, b, n in [(10.0, 1.0, 0.3, 300), (10.0, 1.0, 0.9, 500), (50.0, 1.0, 0.5, 900),
                         (100.0, 1.0, 0.9, 600)]),
    *(linear(lambda k=k: spread(k), eta_beta("nesterov", a, b), n, nesterov_factor(k, a, b),
             EIGENVALUES)
      for k, a, b, n in [(10.0, 1.0, 0.3, 300), (10.0, 1.0, 0.9, 400), (50.0, 1.0, 0.5, 900),
                         (100.0, 1.0, 0.8, 600)]),
    *(linear(lambda k=k: spread(k), "nesterov_strongly_convex", n, optimal_nesterov(k),
             EIGENVALUES)
      for k, n in [(10.0, 200), (100.0, 500)]),
    *(linear(lambda k=k: spread(k), "triple_momentum", n, (1 - k**-0.5) ** 2, CLOSED)
      for k, n in [(10.0, 200), (50.0, 400), (400.0, 1200)]),
    *(linear(lambda k=k: spread(k), "chebyshev", n, accelerated(k), CLOSED)
      for k, n in [(10.0, 100), (100.0, 250), (400.0, 400)]),
    *(linear(lambda k=k: spread(k), eta("cyclic_coordinate_descent", 0.5), n,
             sweep_factor(k, 0.5), EIGENVALUES)
      for k, n in [(10.0, 2000), (50.0, 6000)]),
    linear(lambda: spread(10.0), "gradient_flow[time_step=0.5,num_substeps=8]", 500,
           np.exp(-0.1), CLOSED),
    *(linear(lambda k=k: ill_conditioned_bowl(k), "exact_line_search", n,
             ((k - 1) / (k + 1)) ** 2, CLOSED, seeds=(0,))
      for k, n in [(4.0, 100), (30.0, 800)]),
    linear(lambda: paraboloid(DIM), "polyak_step", 20, 0.25, CLOSED),
    linear(lambda: power(4.0, DIM), "polyak_step", 18, 0.75**4, CLOSED),
    *(linear(lambda p=p: power(p, DIM), "newton", 200, ((p - 2) / (p - 1)) ** p, CLOSED)
      for p in (3.0, 4.0, 6.0)),
    *(linear(lambda: spread(10.0), eta("newton", a), 300, (1 - a) ** 2, CLOSED)
      for a in (0.1, 0.5)),
    linear(exponential, "newton", 200, np.exp(-1), CLOSED),
    linear(lambda: bent(0.3, 0.2), eta("gradient_descent", 0.2), 300, 0.8**2, CLOSED),
    linear(lambda: bent(0.3, 0.2), eta_beta("momentum", 0.5, 0.25), 100, 0.5**2, CLOSED),
    linear(lambda: log_cosh(DIM), eta("gradient_descent", 0.3), 200, 0.7**2, CLOSED),
    *(sublinear(lambda p=p: power(p, DIM), eta("gradient_descent", 0.1), n, power_of(p), FLOW)
      for p, n in [(3.0, 20_000), (4.0, 2000), (4.0, 20_000), (6.0, 20_000), (8.0, 20_000)]),
    *(sublinear(lambda p=p: power(p, DIM), "gradient_flow[time_step=0.3]", 20_000, power_of(p),
                FLOW)
      for p in (4.0, 6.0)),
    sublinear(lambda: power(4.0, DIM), eta_beta("momentum", 0.02, 0.9), 20_000, 2.0, FLOW),
    sublinear(exponential, eta("gradient_descent", 1.0), 20_000, 1.0, FLOW),
    sublinear(exponential, "gradient_flow[time_step=0.5]", 20_000, 1.0, FLOW),
    sublinear(exponential, eta_beta("momentum", 0.1, 0.9), 20_000, 1.0, FLOW),
    sublinear(exponential, "nesterov_convex[smoothness=1.0]", 20_000, 2.0, FLOW),
    sublinear(logistic_separable, eta("gradient_descent", 1.0), 50_000, 1.0,
              "Soudry et al. (2018)"),
    sublinear(distance, eta("subgradient", 0.1), 20_000, 0.5, "its steps shrink so"),
    *(superlinear(lambda: bent(0.6, 0.3), m, 2.0, NEWTON)
      for m in ("newton", "damped_newton", "trust_region_newton",
                "cubic_newton[hessian_lipschitz=10.0]")),
    superlinear(lambda: bent(0.3, 0.5, minimum=None), "newton", 2.0, NEWTON),
    *(superlinear(lambda: bent(0.0, 0.3), m, 3.0, CUBIC)
      for m in ("newton", "trust_region_newton")),
    superlinear(lambda: bent(0.6, 0.3, 1), "exact_line_search", 2.0, NEWTON),
    superlinear(lambda: bent(0.6, 0.3, 1), "bfgs", GOLDEN, SECANT),
    superlinear(lambda: bent(0.6, 0.3, 1), "dfp", GOLDEN, SECANT),
]
# fmt: on


Fit = Callable[..., Rate | Abstention]
Log = tuple[Trajectory, ProblemRecord]


def run_pair(problem: Problem, method: str, steps: int, seeds: Sequence[int] = SEEDS) -> Log:
    """The log of a run that no noise floor ends, and the record that knows the floor."""
    label = problem.name
    made = make_instance(label, lambda: problem, Plan(num_steps=steps, budget=None), seeds)
    settled = find_method(method, known_optimizers()).settled(known_of(problem))
    plan = dataclasses.replace(made.plan, noise_floor=0.0)
    lanes = Lanes(seeds=tuple(seeds))
    return execute(prepare(made.problem, [settled], lanes, plan)), made.record


@pytest.fixture(scope="module")
def logs() -> list[Log]:
    return [run_pair(pair.problem(), pair.method, pair.steps, pair.seeds) for pair in PAIRS]


def fitted(logs: Sequence[Log]) -> list[Rate | Abstention]:
    return [observed_rate(trajectory, 0, record) for trajectory, record in logs]


def broken_laws(found: Sequence[Rate | Abstention]) -> set[str]:
    """Which of the laws do not hold; an abstention covers nothing."""
    told = [(pair, rate) for pair, rate in zip(PAIRS, found, strict=True) if isinstance(rate, Rate)]
    covered = [pair for pair, rate in told if rate.low <= pair.truth <= rate.high]
    broken = set()
    if len(covered) < 0.9 * len(PAIRS):
        broken.add("coverage")
    if np.median([rate.relative_width for _, rate in told]) > 0.05:
        broken.add("width")
    if any(rate.kind != pair.kind for pair, rate in told):
        broken.add("regime")
    return broken


def test_the_table_is_as_large_as_it_should_be():
    assert len(PAIRS) >= 40
    assert len({pair.method.partition("[")[0] for pair in PAIRS}) >= 8
    assert {pair.kind for pair in PAIRS} == {"linear", "sublinear", "superlinear"}


def test_the_readme_counts_the_table():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    traps = len(TRAPPED_RUNS) + len(TRAPPED_SEQUENCES)
    assert f"{len(PAIRS)} runs of known rate and {traps} traps" in readme


def test_rates_of_runs_hold_the_laws(logs):
    """At least 90 % covered, abstentions counted as not; median width 5 % at most; no wrong regime.

    Widths are relative: of an exponent or an order to itself, of a factor q in -log q, which is
    harder than in q wherever q is above 1 / e.
    """
    assert broken_laws(fitted(logs)) == set()


# Planted defects, each of which the laws must reject


def test_a_noise_floor_that_is_ignored_breaks_the_laws(logs):
    found = [fit_regime(t.steps, t.merit_values[:, 0]) for t, _ in logs]
    assert "coverage" in broken_laws(found)


def test_an_interval_without_width_breaks_the_laws(logs):
    found = fitted(logs)
    narrow = [
        dataclasses.replace(rate, low=rate.estimate, high=rate.estimate)
        if isinstance(rate, Rate)
        else rate
        for rate in found
    ]
    assert broken_laws(narrow) == {"coverage"}


def test_an_interval_as_wide_as_it_pleases_breaks_the_laws(logs):
    wide = [
        dataclasses.replace(rate, low=rate.low / 2, high=max(rate.high, 2 * rate.estimate))
        if isinstance(rate, Rate) and rate.kind != "linear"
        else dataclasses.replace(rate, low=rate.low**2, high=rate.high**0.5)
        if isinstance(rate, Rate)
        else rate
        for rate in fitted(logs)
    ]
    assert broken_laws(wide) == {"width"}


def test_an_estimate_that_is_always_linear_breaks_the_laws(logs):
    found = [always_linear(t.steps, t.merit_values[:, 0], r.noise_floor) for t, r in logs]
    assert {"coverage", "regime"} <= broken_laws(found)


def always_linear(steps: np.ndarray, errors: np.ndarray, noise_floor: float) -> Rate:
    """A line through log e of the first run, all of it above the floor, whatever it looks like."""
    used = errors[0] > 10 * np.nan_to_num(noise_floor)
    slope = np.polyfit(steps[used], np.log(errors[0][used]), 1)[0]
    names = dict(estimate=np.exp(slope), low=np.exp(1.02 * slope), high=np.exp(0.98 * slope))
    return Rate(kind="linear", window=(0, int(steps[used][-1])), points=int(used.sum()), **names)


@pytest.mark.parametrize(
    ("module", "name"), [(rates, "twice_as_wide"), (orders, "twice_as_wide")], ids=["rate", "order"]
)
def test_the_interval_needs_its_width(logs, monkeypatch, module, name):
    """The bare range of the estimates covers too few truths: it is doubled for a reason."""
    monkeypatch.setattr(module, name, lambda values: (float(values.min()), float(values.max())))
    bare = fitted(logs)
    kinds = ("superlinear",) if module is orders else ("linear", "sublinear")
    told = [
        (pair, rate)
        for pair, rate in zip(PAIRS, bare, strict=True)
        if isinstance(rate, Rate) and pair.kind in kinds
    ]
    covered = sum(rate.low <= pair.truth <= rate.high for pair, rate in told)
    assert covered < 0.9 * len(told)


# Traps: only an abstention is right


def trap(problem: Problem, method: str, steps: int) -> Callable[[], Log]:
    return lambda: run_pair(problem, method, steps)


def _tilted(x):
    return jnp.sum(x**2 * (1 - x) ** 2 * (1 + 4 * x) / 2)


def two_valleys() -> Problem:
    """x^2 (1 - x)^2 (1 + 4 x) / 2: f* = 0 at 0 and 1, where f'' is 1 and 5."""
    return Problem(
        objective=_tilted,
        start=lambda seed: np.array([0.2 if seed == 1 else 0.9]),
        minimum=0.0,
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        name="two_valleys",
    )


def _tail(x, curvatures):
    return jnp.sum(curvatures * x**2) / 2


def long_tail() -> Problem:
    """sum i^-3 x_i^2 / 2 over 100 coordinates, all of which start near 1."""
    return Problem(
        objective=_tail,
        data=(np.arange(1.0, 101) ** -3,),
        start=start_near(np.ones(100), scale=0.01),
        minimum=0.0,
        minimizer=np.zeros(100),
        minimum_kind="closed form",
        constants=quadratic_constants(1.0, 1e-6),
        name="long_tail",
    )


TRAPPED_RUNS = {
    "at the noise floor at once": trap(spread(10.0), "newton", 100),
    "too few steps": trap(spread(10.0), eta("gradient_descent", 1.0), 6),
    "divergence": trap(spread(10.0), eta("gradient_descent", 2.5), 200),
    "no motion": trap(spread(10.0), eta("gradient_descent", 1e-14), 200),
    "a limit cycle": trap(distance(), eta("sign_gradient_descent", 0.1), 500),
    "a ball of noise": trap(noisy(spread(10.0), scale=0.1), eta("gradient_descent", 0.5), 2000),
    "an end after n steps": trap(spread(100.0), "conjugate_gradient", 50),
    "oscillation not yet damped": trap(spread(1e4), eta_beta("momentum", 1.0, 0.99), 300),
    "slow directions not yet moving": trap(long_tail(), eta("gradient_descent", 1.0), 300),
    "a switch from fast to slow directions": trap(
        quadratic(condition_number=1e3), eta("gradient_descent", 1.0), 600
    ),
    "escape from a saddle": trap(saddle(), eta("gradient_descent", 0.1), 200),
    "valleys of different curvature": trap(two_valleys(), eta("gradient_descent", 0.1), 300),
    "too few steps for an order": trap(bent(0.6, 0.3), "newton", 2),
}


@pytest.mark.parametrize("name", TRAPPED_RUNS)
def test_a_run_without_a_rate_is_told_none(name):
    trajectory, record = TRAPPED_RUNS[name]()
    found = observed_rate(trajectory, 0, record)
    assert isinstance(found, Abstention), found.sentence
    assert found.reason


K = log_grid(10_000).astype(float)
RNG = np.random.default_rng(0)
TRAPPED_SEQUENCES = {
    "a constant": np.ones_like(K),
    "linear, then a plateau": 0.99**K + 1e-6,
    "linear, then a noisy plateau": 0.99**K + 1e-4 * RNG.random(len(K)),
    "fast, then slow": np.exp(-0.01 * np.minimum(K, 4000) - 0.001 * np.maximum(K - 4000, 0)),
    "slow, then fast": np.exp(-0.001 * np.minimum(K, 7000) - 0.01 * np.maximum(K - 7000, 0)),
    "1/k, then linear at the very end": np.exp(-0.002 * np.maximum(K - 8000, 0)) / (K + 1),
    "1/k above a level": 1 / (K + 1) + 1e-3,
    "1 / log k": 1 / np.log(K + 2),
    "1 / (log k)^2": 1 / np.log(K + 2) ** 2,
    "1 / (k log k)": 1 / ((K + 2) * np.log(K + 2)),
    "log k / k": np.log(K + 2) / (K + 2),
    "log k / sqrt k": np.log(K + 2) / np.sqrt(K + 2),
    "powers that set in at other times": 1 / (K + 10) ** 2 + 3 / (K + 3000) ** 2,
    "exp(-sqrt k)": np.exp(-np.sqrt(K)),
    "exp(-k^1.3)": np.exp(-((0.01 * K) ** 1.3)),
    "oscillation without trend": 2 + np.sin(0.01 * K),
    "a random walk": np.exp(np.cumsum(RNG.standard_normal(len(K)) - 0.1)),
    "growth": 1.001**K,
    "never finite": np.full_like(K, np.nan),
}


@pytest.mark.parametrize("name", TRAPPED_SEQUENCES)
def test_a_sequence_without_a_rate_is_told_none(name):
    found = fit_regime(K, [scale * TRAPPED_SEQUENCES[name] for scale in (1.0, 0.7, 1.4)])
    assert isinstance(found, Abstention), found.sentence


def test_the_planted_estimators_fall_into_the_traps():
    claimed = [
        name
        for name, errors in TRAPPED_SEQUENCES.items()
        if np.isfinite(errors).all() and always_linear(K, errors[None], 0.0).points
    ]
    assert len(claimed) == len(TRAPPED_SEQUENCES) - 1


def test_without_its_test_a_factor_log_k_is_taken_for_a_power(monkeypatch):
    monkeypatch.setattr(rates, "LOG_LEAD", np.inf)
    for name in ("1 / (k log k)", "log k / k", "log k / sqrt k"):
        found = fit_regime(K, [TRAPPED_SEQUENCES[name]])
        assert isinstance(found, Rate) and found.kind == "sublinear"
        assert not found.low <= {"log k / sqrt k": 0.5}.get(name, 1.0) <= found.high


def test_without_its_limit_an_exponent_that_drifts_is_told(monkeypatch):
    monkeypatch.setattr(rates, "UNSETTLED", np.inf)
    found = fit_regime(K, [TRAPPED_SEQUENCES["powers that set in at other times"]])
    assert isinstance(found, Rate) and found.kind == "sublinear"
    assert not found.low <= 2.0 <= found.high


def test_without_the_condition_number_directions_that_do_not_move_look_sublinear(monkeypatch):
    trajectory, record = TRAPPED_RUNS["slow directions not yet moving"]()
    assert "condition number of 1e+06" in observed_rate(trajectory, 0, record).reason
    monkeypatch.setattr(regimes, "SLOWEST", 0.0)
    found = observed_rate(trajectory, 0, record)
    assert isinstance(found, Rate) and found.kind == "sublinear"


# Pooling


LINEAR, POWER_LAW, PLATEAU = 0.99**K, 1 / (K + 1), 0.99**K + 1e-6


def test_the_pooled_interval_holds_those_of_all_runs():
    runs = [0.99**K, 0.991**K, 0.992**K]
    single = [fit_regime(K, [run]) for run in runs]
    pooled = fit_regime(K, runs)
    assert pooled.estimate == single[1].estimate == pytest.approx(0.991)
    assert pooled.low == min(s.low for s in single) and pooled.high == max(s.high for s in single)
    assert (pooled.runs, pooled.points) == (3, sum(s.points for s in single))


def test_most_runs_must_have_the_rate_and_none_another():
    assert fit_regime(K, [LINEAR, LINEAR, PLATEAU]).runs == 2
    assert "2 of 4 starts" in fit_regime(K, [LINEAR, LINEAR, PLATEAU, PLATEAU]).reason
    assert fit_regime(K, [LINEAR, LINEAR, POWER_LAW]).reason == (
        "the starts disagree: 2 linear, 1 sublinear of 3 starts"
    )
    assert fit_regime(K, [0.99**K, 0.98**K]).reason == (
        "the starts disagree: from q=0.980 to q=0.990"
    )


def test_a_dip_at_the_end_is_no_order():
    """Three runs that fall like q^k, each fall of the last four 1.3 times as long as before."""
    falls = np.concatenate([np.ones(60), 1.3 ** np.arange(1, 5)])
    steps = np.arange(65)
    errors = 0.5 ** np.concatenate([[0.0], np.cumsum(falls)])
    runs = [scale * errors for scale in (1.0, 0.5, 2.0)]
    assert isinstance(orders.fit_order(steps, runs), Abstention)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "MAIN_SHARE", 0.0)
        assert isinstance(orders.fit_order(steps, runs), Rate)


def test_lost_lanes_are_counted():
    trajectory, record = TRAPPED_RUNS["divergence"]()
    assert observed_rate(trajectory, 0, record).reason == "3 diverged of 3 starts"
