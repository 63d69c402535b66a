"""Fitted rates against sequences whose rate is known in closed form, and what must be refused."""

from __future__ import annotations

import dataclasses

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbench import orders, rates
from optbench.errors import OptbenchError
from optbench.metrics import noise_floor
from optbench.orders import fit_order
from optbench.rates import Abstention, Rate, fit_rate


def log_steps(last: int) -> np.ndarray:
    """Every step up to 64, then log-spaced: 128 at most."""
    late = np.round(np.geomspace(64, last, 64)) if last > 64 else []
    return np.unique(np.concatenate([np.arange(min(last, 64) + 1), late])).astype(int)


def found(result: Rate | Abstention) -> Rate:
    assert isinstance(result, Rate), result.sentence
    return result


def refused(result: Rate | Abstention) -> str:
    assert isinstance(result, Abstention), result.sentence
    return result.reason


def quadratic_errors(condition_number: float, steps: np.ndarray) -> np.ndarray:
    """Gradient descent with step 1 / L on x^T diag(h) x / 2, in closed form."""
    h = np.geomspace(1 / condition_number, 1, 10)
    x0 = np.random.default_rng(0).standard_normal(10)
    return ((1 - h) ** (2 * steps[:, None]) * h * x0**2).sum(1) / 2


def power_errors(power: int, last: int) -> np.ndarray:
    """Gradient descent on x^power from 1 with step 0.05, every step."""
    x, errors = 1.0, []
    for _ in range(last + 1):
        errors.append(x**power)
        x -= 0.05 * power * x ** (power - 1)
    return np.array(errors)


def heavy_ball_errors(condition_number: float, last: int) -> tuple[np.ndarray, float]:
    """Heavy ball, beta = 0.9, eta = 1 / L, on a quadratic, and its spectral radius squared."""
    h, beta = np.geomspace(1 / condition_number, 1, 10), 0.9
    roots = [np.abs(np.roots([1, -(1 + beta - c), beta])).max() for c in h]
    x = np.random.default_rng(1).standard_normal(10)
    velocity, errors = np.zeros(10), []
    for _ in range(last + 1):
        errors.append((h * x * x).sum() / 2)
        velocity = beta * velocity - h * x
        x = x + velocity
    return np.array(errors), max(roots) ** 2


@pytest.fixture(scope="module")
def logistic_errors() -> np.ndarray:
    """[4, 10001] gradient descent with step 1 / L on separable logistic regressions."""
    features = np.stack([np.random.default_rng(s).standard_normal((30, 20)) for s in range(4)])
    weights = np.random.default_rng(9).standard_normal(20)
    features = features * np.sign(features @ weights)[..., None]
    rate = [120 / np.linalg.eigvalsh(f.T @ f)[-1] for f in features]
    w, errors = np.zeros((4, 20)), []
    for _ in range(10_001):
        margins = (features @ w[:, :, None])[..., 0]
        errors.append(np.logaddexp(0, -margins).mean(1))
        slopes = 1 / (1 + np.exp(margins))
        w = w + np.array(rate)[:, None] * (slopes[:, None, :] @ features)[:, 0] / 30
    return np.array(errors).T


# Rates that must come out right.


@pytest.mark.parametrize(("condition_number", "last"), [(10, 200), (1000, 10_000), (1000, 20_000)])
def test_gradient_descent_on_a_quadratic_has_the_squared_factor(condition_number, last):
    steps = log_steps(last)
    rate = found(fit_rate(steps, quadratic_errors(condition_number, steps), 1e-17))
    rho = 1 - 1 / condition_number
    assert rate.kind == "linear"
    assert np.log(rate.estimate) == pytest.approx(2 * np.log(rho), rel=0.01)
    assert abs(np.log(rate.estimate) / np.log(rho) - 1) > 0.9  # the factor of f, not of x


@pytest.mark.parametrize(("power", "exponent"), [(4, 2.0), (6, 1.5)])
@pytest.mark.parametrize("last", [1000, 10_000])
def test_gradient_descent_on_a_power_is_sublinear(power, exponent, last):
    steps = log_steps(last)
    rate = found(fit_rate(steps, power_errors(power, last)[steps]))
    assert rate.kind == "sublinear"
    assert rate.estimate == pytest.approx(exponent, abs=0.03)
    assert rate.low <= rate.estimate <= rate.high


def test_separable_logistic_regression_falls_like_one_over_k(logistic_errors):
    steps = log_steps(10_000)
    for errors in logistic_errors:
        rate = found(fit_rate(steps, errors[steps]))
        assert rate.kind == "sublinear"
        assert rate.estimate == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("condition_number", "last"), [(10, 400), (100, 400), (1000, 1500)])
def test_an_oscillating_method_is_judged_by_its_peaks(condition_number, last):
    errors, factor = heavy_ball_errors(condition_number, last)
    steps = log_steps(last)
    rate = found(fit_rate(steps, errors[steps], 1e-17))
    assert condition_number == 1000 or np.any(np.diff(errors) > 0)
    assert rate.kind == "linear"
    assert np.log(rate.estimate) == pytest.approx(np.log(factor), rel=0.05)


def test_newton_at_a_degenerate_minimum_is_linear():
    errors = (2 / 3) ** (4.0 * np.arange(20))  # x -> 2 x / 3 on x^4
    rate = found(fit_rate(np.arange(20), errors))
    assert rate.estimate == pytest.approx((2 / 3) ** 4, rel=1e-9)
    assert "not faster than linear" in refused(fit_order(np.arange(20), [errors]))


@given(
    factor=st.floats(0.05, 0.995),
    scale=st.floats(1e-6, 1e6),
    last=st.integers(30, 3000),
)
def test_an_exact_geometric_sequence_is_found_exactly(factor, scale, last):
    steps = log_steps(last)
    steps = steps[scale * factor**steps > 1e-300]  # beyond, numbers lose their digits
    errors = scale * factor**steps
    if np.count_nonzero(errors < 0.9 * errors[0]) < 8:
        return
    rate = found(fit_rate(steps, errors))
    assert rate.kind == "linear"
    assert (rate.low, rate.estimate, rate.high) == pytest.approx((factor,) * 3, rel=1e-6)
    assert rate.heldout_error < 1e-6


@given(exponent=st.floats(0.25, 4.0), scale=st.floats(1e-6, 1e6), last=st.integers(100, 10_000))
def test_an_exact_power_law_is_found(exponent, scale, last):
    steps = log_steps(last)
    errors = scale * np.maximum(steps, 0.5) ** -exponent
    rate = found(fit_rate(steps, errors))
    assert rate.kind == "sublinear"
    assert (rate.low, rate.estimate, rate.high) == pytest.approx((exponent,) * 3, rel=1e-6)


@pytest.mark.parametrize(
    "errors",
    [
        power_errors(4, 500),
        0.98 ** np.arange(501) + 3 * 0.96 ** np.arange(501),
    ],
    ids=["sublinear", "linear"],
)
def test_the_estimate_does_not_depend_on_how_densely_the_log_was_kept(errors):
    dense, sparse = (found(fit_rate(k, errors[k])) for k in (np.arange(501), log_steps(500)))
    assert dense.kind == sparse.kind
    assert dense.estimate == pytest.approx(sparse.estimate, rel=5e-4)


# What must be refused.

K = log_steps(1000)
RNG = np.random.default_rng(0)
NO_RATE = {
    "constant": np.ones(len(K)),
    "increasing": 1.0 + K,
    "at the minimum": np.zeros(len(K)),
    "climbs back": 0.9**K + 2.0 * (K > 900),
    "noise": RNG.random(len(K)),
    "linear, then a plateau": 0.9**K + 1e-4,
    "linear, then a noisy plateau": 0.9**K + 1e-4 * RNG.random(len(K)),
    "random walk": np.exp(np.cumsum(RNG.standard_normal(len(K)) - 0.1)),
    "between both models": np.exp(-np.sqrt(K)),
    "a power law still bending": np.maximum(K, 0.5) ** -0.3 / (1 + K / 60),
    "superlinear": np.exp(-np.minimum(0.01 * K**1.7, 600)),
    "never finite": np.full(len(K), np.nan),
}


@pytest.mark.parametrize("name", NO_RATE)
def test_no_rate_is_claimed_where_there_is_none(name):
    assert refused(fit_rate(K, NO_RATE[name]))
    assert refused(fit_order(K, [NO_RATE[name]] * 5))


def test_abstains_below_eight_points():
    errors = 0.5 ** np.arange(9.0)
    assert found(fit_rate(np.arange(9), errors)).points == 8
    assert "7 log points" in refused(fit_rate(np.arange(8), errors[:8]))


def test_a_run_too_short_for_its_condition_number_has_no_rate_yet():
    steps = log_steps(300)
    assert "no model wins" in refused(fit_rate(steps, quadratic_errors(1000, steps)))


def test_a_log_with_a_gap_is_split_into_points_enough():
    steps = np.array([0, 1, *range(1000, 1012)])
    errors = np.concatenate([[2.0, 1.0], 0.5 * 0.98 ** np.arange(12)])
    assert "no model wins" in refused(fit_rate(steps, errors))


def test_abstains_where_both_models_forecast_alike():
    steps = np.array([0, *range(1000, 1010)])  # too short a stretch to tell k^-p from q^k
    errors = np.concatenate([[2.0], 0.98 ** np.arange(10)])
    noise = 1 + 3e-4 * np.random.default_rng(0).standard_normal(11)
    assert "alike" in refused(fit_rate(steps, errors * noise))
    assert found(fit_rate(steps, errors)).kind == "linear"


def test_the_window_runs_from_ten_percent_to_ten_times_the_floor():
    steps = np.arange(200)
    errors = 0.95**steps
    rate = found(fit_rate(steps, errors, noise_floor=1e-4))
    assert rate.window == (3, int(np.log(1e-3) / np.log(0.95)))
    assert rate.points == rate.window[1] - rate.window[0] + 1


def test_what_follows_the_end_of_a_lane_is_ignored():
    steps = np.arange(60)
    errors = 0.8**steps
    ended = np.where(steps < 40, errors, np.nan)
    assert fit_rate(steps, ended) == fit_rate(steps[:40], errors[:40])


@pytest.mark.parametrize(
    ("steps", "errors"),
    [
        (np.arange(5), np.ones(6)),
        (np.zeros((2, 5)), np.ones((2, 5))),
        (np.array([0, 2, 1]), np.ones(3)),
        (np.array([-1, 0, 1]), np.ones(3)),
    ],
)
def test_steps_and_errors_must_fit_together(steps, errors):
    with pytest.raises(OptbenchError):
        fit_rate(steps, errors)
    with pytest.raises(OptbenchError):
        fit_order(steps, [errors])


# Planted defects: each must spoil a rate or claim one that is not there.


def test_a_window_not_late_enough_spoils_the_logistic_rate(monkeypatch, logistic_errors):
    monkeypatch.setattr(rates, "LATE_SHARE", {"linear": 1.0, "sublinear": 1.0})
    monkeypatch.setattr(rates, "FORECAST_MISS", np.inf)
    monkeypatch.setattr(rates, "LEAD", 1.0)
    monkeypatch.setattr(rates, "LOG_LEAD", np.inf)
    monkeypatch.setattr(rates, "UNSETTLED", np.inf)
    steps = log_steps(10_000)
    fitted = [found(fit_rate(steps, errors[steps])).estimate for errors in logistic_errors]
    assert max(abs(estimate - 1) for estimate in fitted) > 0.05


def test_a_window_through_the_noise_spoils_a_linear_rate():
    steps = np.arange(300)
    errors = 0.8**steps + 1e-12 * np.random.default_rng(1).random(300)
    assert found(fit_rate(steps, errors, 1e-12)).estimate == pytest.approx(0.8, abs=0.01)
    assert refused(fit_rate(steps, errors, 0.0))


def test_a_sublinear_sequence_called_linear_has_no_stable_factor(monkeypatch):
    errors = power_errors(4, 1000)[K]
    assert found(fit_rate(K, errors)).kind == "sublinear"
    forecasts, constant = rates._forecast_errors(*rates._window(K.astype(float), errors, 0.0))
    assert forecasts["linear"] > 0.5 * constant
    assert forecasts["sublinear"] < 0.1 * constant


@pytest.mark.parametrize("name", ["random walk", "between both models", "superlinear"])
def test_without_the_forecast_a_rate_is_claimed_for_anything(monkeypatch, name):
    monkeypatch.setattr(rates, "FORECAST_MISS", np.inf)
    monkeypatch.setattr(rates, "LEAD", 0.0)
    monkeypatch.setattr(rates, "UNSETTLED", np.inf)
    assert found(fit_rate(K, NO_RATE[name]))


def test_the_best_error_so_far_would_claim_a_rate_for_a_run_that_climbs_back():
    best = np.minimum.accumulate(NO_RATE["climbs back"])
    assert found(fit_rate(K, best, 1e-40)).kind == "linear"


# Orders.


def iterate(start: float, step, floor: float = 1e-290) -> np.ndarray:
    """|x_k| of x -> step(x) in 400 digits, converging to 0, down to the floor."""
    with mpmath.workdps(400):
        x, errors = mpmath.mpf(start), []
        while len(errors) < 60 and abs(x) > floor:
            errors.append(float(abs(x)))
            x = step(x)
    return np.array(errors + [0.0] * (60 - len(errors)))


def newton(x):
    """Newton's method for f'(x) = exp(x) - 1."""
    return x - (mpmath.exp(x) - 1) / mpmath.exp(x)


def halley(x):
    """Halley's method for the same."""
    slope, curvature = mpmath.exp(x) - 1, mpmath.exp(x)
    return x - 2 * slope * curvature / (2 * curvature**2 - slope * curvature)


@pytest.mark.parametrize(("step", "order"), [(newton, 2.0), (halley, 3.0)])
def test_orders_in_high_precision(step, order):
    runs = [iterate(start, step) for start in (-2.0, -1.0, 0.7, 1.5, 3.0)]
    rate = found(fit_order(np.arange(60), runs))
    assert rate.kind == "superlinear"
    assert rate.estimate == pytest.approx(order, abs=0.02)
    assert rate.low <= rate.estimate <= rate.high


def test_the_secant_method_has_the_golden_order():
    def run(start: float) -> np.ndarray:
        before = [mpmath.mpf(start)]

        def secant(x):
            old, before[0] = before[0], x
            a, b = mpmath.exp(old) - 1, mpmath.exp(x) - 1
            return x - b * (x - old) / (b - a)

        return iterate(0.8 * start, secant)

    rate = found(fit_order(np.arange(60), [run(start) for start in (0.5, 1.0, 2.0)]))
    assert rate.estimate == pytest.approx((1 + np.sqrt(5)) / 2, abs=0.05)


def damped_newton(value, gradient, hessian, start) -> np.ndarray:
    """[51, n] iterates of damped Newton in double precision."""
    points = [start]
    for _ in range(50):
        x = points[-1]
        f, g = value(x), gradient(x)
        direction, t = -np.linalg.solve(hessian(x), g), 1.0
        allowed = 1e-14 * (1 + abs(f))  # rounding of f must not shorten a good step
        while value(x + t * direction) > f + 1e-4 * t * (g @ direction) + allowed:
            t /= 2
        points.append(x + t * direction)
    return np.array(points)


DESIGN = np.random.default_rng(0).standard_normal((40, 5))
OFFSET = np.random.default_rng(1).standard_normal(40)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max())
    return e / e.sum()


def log_sum_exp_hessian(x: np.ndarray) -> np.ndarray:
    p = softmax(DESIGN @ x - OFFSET)
    return DESIGN.T @ (DESIGN * p[:, None]) - np.outer(DESIGN.T @ p, DESIGN.T @ p)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def ridge_logistic_hessian(x: np.ndarray) -> np.ndarray:
    z = DESIGN @ x
    return DESIGN.T @ (DESIGN * (sigmoid(z) * sigmoid(-z))[:, None]) + 0.1 * np.eye(5)


LABELS = np.sign(OFFSET)
CONVEX = {  # f, grad f, hess f, and the start of each seed
    "log-sum-exp": (
        lambda x: np.logaddexp.reduce(DESIGN @ x - OFFSET),
        lambda x: DESIGN.T @ softmax(DESIGN @ x - OFFSET),
        log_sum_exp_hessian,
        lambda seed: 2 * np.random.default_rng(seed).standard_normal(5),
    ),
    "ridge logistic": (
        lambda x: np.logaddexp(0, -LABELS * (DESIGN @ x)).sum() + 0.05 * x @ x,
        lambda x: -DESIGN.T @ (LABELS * sigmoid(-LABELS * (DESIGN @ x))) + 0.1 * x,
        ridge_logistic_hessian,
        lambda seed: 2 * np.random.default_rng(seed).standard_normal(5),
    ),
    "Poisson": (
        lambda x: (np.exp(DESIGN @ x) - np.abs(OFFSET) * (DESIGN @ x)).sum(),
        lambda x: DESIGN.T @ (np.exp(DESIGN @ x) - np.abs(OFFSET)),
        lambda x: DESIGN.T @ (DESIGN * np.exp(DESIGN @ x)[:, None]),
        lambda seed: 2 * np.random.default_rng(seed).standard_normal(5),
    ),
    "log barrier": (
        lambda x: (x - np.log(x) - 1).sum() if (x > 0).all() else np.inf,
        lambda x: 1 - 1 / x,
        lambda x: np.diag(1 / x**2),
        lambda seed: np.exp(2 * np.random.default_rng(seed).standard_normal(4)),
    ),
}


def newton_errors(name: str, kind: str) -> tuple[np.ndarray, float]:
    """[10, 51] |grad f| or f - f* of damped Newton from ten starts, and its measured floor."""
    value, gradient, hessian, start = CONVEX[name]
    runs = [damped_newton(value, gradient, hessian, start(seed)) for seed in range(10)]
    minimizer = min((run[-1] for run in runs), key=value)

    def norm(x: np.ndarray) -> float:
        return float(np.linalg.norm(gradient(x)))

    measure = norm if kind == "gradient norm" else value
    errors = np.array([[measure(x) for x in run] for run in runs])
    shift = 0.0 if kind == "gradient norm" else value(minimizer)
    return errors - shift, noise_floor(measure, minimizer)


@pytest.mark.parametrize("name", CONVEX)
def test_damped_newton_has_order_two_in_double_precision(name):
    rate = found(fit_order(np.arange(51), *newton_errors(name, "gradient norm")))
    assert rate.estimate == pytest.approx(2.0, abs=0.1)
    assert rate.points >= 8


@pytest.mark.parametrize("name", ["log-sum-exp", "Poisson", "log barrier"])
def test_suboptimality_has_the_same_order(name):
    rate = found(fit_order(np.arange(51), *newton_errors(name, "suboptimality")))
    assert rate.estimate == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("name", ["Poisson", "log barrier"])
def test_a_line_through_all_steps_reads_newton_too_low(name):
    errors, floor = newton_errors(name, "suboptimality")
    used = errors[:, 1:] > 10 * floor
    before, after = np.log(errors[:, :-1][used]), np.log(errors[:, 1:][used])
    assert np.polyfit(before, after, 1)[0] < 1.85


def test_the_damped_phase_is_left_out(monkeypatch):
    quadratic = 0.1 ** (2.0 ** np.arange(7))
    runs = [np.concatenate([0.1 * 1.05 ** np.arange(12, 0, -1), quadratic])] * 2
    rate = found(fit_order(np.arange(19), runs))
    assert rate.estimate == pytest.approx(2.0, abs=1e-9)
    assert rate.window[0] >= 11
    monkeypatch.setattr(orders, "ORDER_DRIFT", np.inf)
    assert orders._terminal_phase(np.arange(19.0), runs[0], 0.0)[0][0] < 5


def test_only_consecutive_steps_count():
    errors = 0.5 ** (2.0 ** np.arange(8))
    assert found(fit_order(np.arange(8), [errors] * 2)).estimate == pytest.approx(2.0)
    assert "0 pairs" in refused(fit_order(3 * np.arange(8), [errors] * 2))


def test_runs_too_short_are_not_pooled():
    errors = 0.1 ** (2.0 ** np.arange(8))  # 10^-1, ..., 10^-128
    assert found(fit_order(np.arange(4), [errors[:4]] * 3)).points == 9
    assert "6 pairs" in refused(fit_order(np.arange(4), [errors[:4]] * 2))
    assert "0 pairs" in refused(fit_order(np.arange(3), [errors[:3]] * 20))


def test_the_floor_ends_the_terminal_phase():
    errors = 0.1 ** (2.0 ** np.arange(8)) + 1e-17
    assert found(fit_order(np.arange(8), [errors] * 3, 1e-17)).estimate == pytest.approx(2, abs=0.1)
    assert refused(fit_order(np.arange(8), [errors] * 3, 0.0))


def test_a_stall_ends_the_terminal_phase():
    errors = 0.1 ** (2.0 ** np.minimum(np.arange(12), 4))  # stuck at 1e-16
    rate = found(fit_order(np.arange(12), [errors] * 2))
    assert (rate.window, rate.estimate) == ((0, 4), pytest.approx(2.0))


def test_runs_that_disagree_have_no_order():
    steps = np.arange(5)
    orders = (1.5, 2.0, 3.0)
    runs = [0.1 ** (order**steps) for order in orders]
    assert "disagree" in refused(fit_order(steps, runs))


def test_linear_convergence_has_no_order():
    steps = np.arange(60)
    assert "not faster than linear" in refused(fit_order(steps, [0.9**steps] * 3))


# Records.


def test_sentences_and_records():
    rate = Rate(kind="linear", estimate=0.81, low=0.8, high=0.82, window=(3, 90), points=40)
    assert rate.sentence == (
        "linear: the error shrinks by a factor of 0.81 a step "
        "(0.8 to 0.82 as the window moves, steps 3 to 90)"
    )
    sublinear = dataclasses.replace(rate, kind="sublinear", estimate=2.0)
    assert "falls like k^-2 (" in sublinear.sentence
    order = dataclasses.replace(rate, kind="superlinear", estimate=2.0)
    assert "order 2 (0.8 to 0.82 from run to run" in order.sentence
    assert Abstention("why").sentence == "no rate: why"
    with pytest.raises(dataclasses.FrozenInstanceError):
        rate.estimate = 1.0  # pyright: ignore
