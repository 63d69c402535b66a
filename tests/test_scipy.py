from __future__ import annotations

import collections
import inspect
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import _minimize
from walks import ROSENBROCK, rosenbrock

import problems
from optbench import checks
from optbench.catalog import collect
from optbench.cli.door import require_step
from optbench.errors import NotApplicable, OptbenchError
from optbench.host import HostSolver
from optbench.job import prepare
from optbench.labels import find_problem
from optbench.method import Method, find_method, make_method
from optbench.optimizers.libraries import scipy_names
from optbench.optimizers.names import known_optimizers
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.run import execute, run
from optbench.start import standard_normal
from optbench.study import Study, run_study
from problems.quadratics import quadratic

START = np.array([-1.2, 1.0, 0.7])
VALLEY = Problem(objective=rosenbrock, start=lambda seed: START, minimum=0.0)
STEPS = 8
GRADIENTS, VALUES, PRODUCTS = "value_and_gradients", "values", "hessian_products"


def method(label: str) -> Method:
    return find_method(label, known_optimizers())


def final(trajectory, name: str):
    return getattr(trajectory, name)[trajectory.last]


# ---- every method of the library, by name


def test_every_method_has_a_name_or_a_reason_why_not():
    covered = {name.lower() for name in scipy_names.METHODS}
    assert covered | scipy_names.EXCLUDED.keys() == set(_minimize.MINIMIZE_METHODS)
    assert {f"scipy.{name}" for name in scipy_names.METHODS} <= known_optimizers().keys()


def test_options_of_a_label_are_those_of_the_method():
    assert str(inspect.signature(scipy_names.entries()["scipy.BFGS"])).startswith(
        "(*, c1: float = 0.0001, c2: float = 0.9)"
    )
    label = "scipy.L-BFGS-B[maxcor=3]"
    assert method(label).label == label
    with pytest.raises(OptbenchError, match="gtol"):
        method("scipy.BFGS[gtol=0.1]")
    short, long = (run(VALLEY, method(f"scipy.L-BFGS-B[maxcor={m}]"), num_steps=9) for m in (1, 9))
    assert final(short, "value") != final(long, "value")


# ---- what it does is what scipy does, and what it asks is charged


class Stop(Exception):
    pass


def directly(name: str, num_steps: int):
    """scipy itself: its last iterate, how often it called what, and its own counts, if it has."""
    options, counts = scipy_names.METHODS[name], collections.Counter()
    functions = {
        "value": jax.jit(rosenbrock),
        "value_and_grad": jax.jit(jax.value_and_grad(rosenbrock)),
        "hessian_product": jax.jit(lambda x, v: jax.jvp(jax.grad(rosenbrock), (x,), (v,))[1]),
        "hessian": jax.jit(jax.hessian(rosenbrock)),
    }
    iterates: list[np.ndarray] = []

    def calling(kind: str):
        def called(*vectors):
            counts[kind] += 1
            return jax.tree.map(np.array, functions[kind](*vectors))

        return called

    def told(x, *state):
        iterates.append(x)
        if len(iterates) == num_steps:
            raise Stop if name == "TNC" else StopIteration

    given = {"fun": calling("value_and_grad"), "jac": True}
    if "value" in options.asks:
        given = {"fun": lambda x: float(calling("value")(x))}
    if "hessian_product" in options.asks:
        given["hessp"] = calling("hessian_product")
    if "hessian" in options.asks:
        given["hess"] = calling("hessian")
    own = scipy.optimize.OptimizeResult()
    with jax.enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            own = scipy.optimize.minimize(
                x0=START, method=name, callback=told, options=dict(options.fixed), **given
            )
        except Stop:
            pass
    return iterates[-1], counts, own


@pytest.mark.parametrize("name", scipy_names.METHODS)
def test_points_and_counts_are_those_of_scipy(name: str):
    trajectory = run(VALLEY, method(f"scipy.{name}"), num_steps=STEPS)
    point, counts, own = directly(name, STEPS)
    assert final(trajectory, "steps") == STEPS
    np.testing.assert_array_equal(final(trajectory, "params"), point)
    charged = {kind: int(calls[-1]) for kind, calls in trajectory.calls.items() if calls[-1]}
    expected = {
        VALUES: counts["value"],
        GRADIENTS: counts["value_and_grad"],
        PRODUCTS: counts["hessian_product"] + 3 * counts["hessian"],
    }
    assert charged == {kind: n for kind, n in expected.items() if n}
    prices = {VALUES: 1 / 3, GRADIENTS: 1, PRODUCTS: 1.5}
    cost = sum(n * prices[kind] for kind, n in charged.items())
    assert final(trajectory, "cost") == pytest.approx(cost, rel=1e-12)
    if "nfev" in own:
        assert own.nfev == charged.get(VALUES, 0) + charged.get(GRADIENTS, 0)
        assert own.get("njev", 0) <= own.nfev
    if "hessian" in scipy_names.METHODS[name].asks:
        assert 3 * own.nhev == charged[PRODUCTS]
    if "hessian_product" in scipy_names.METHODS[name].asks:
        # of the trust-region methods scipy counts one product that it never asks for
        assert own.nhev - name.startswith("trust") == charged[PRODUCTS]


def test_slsqp_tells_iterates_and_no_trials():
    trajectory = run(
        find_problem("rosenbrock[dim=4]", collect(problems, "Problem")),
        method("scipy.SLSQP"),
        num_steps=12,
    )
    assert np.nanmax(trajectory.value) == trajectory.value[0]


@pytest.mark.parametrize("name", scipy_names.METHODS)
def test_every_method_cuts_the_gap(name: str):
    trajectory = run(ROSENBROCK_KNOWN, method(f"scipy.{name}"), budget=200.0)
    assert trajectory.hit_costs[0] <= 200
    assert final(trajectory, "cost") <= 200


ROSENBROCK_KNOWN = Problem(
    objective=rosenbrock, start=lambda seed: np.array([1.3, 0.8 + seed / 10]), minimum=0.0
)


# ---- budget, ends and statuses


def test_the_budget_is_never_overdrawn():
    budgets = np.arange(2.0, 30.0, 3.7)
    for label in ("scipy.trust-ncg", "scipy.trust-exact", "scipy.Nelder-Mead"):
        spent = [final(run(VALLEY, method(label), budget=b), "cost") for b in budgets]
        assert np.all(spent <= budgets * (1 + 1e-12))
        assert np.all(budgets - spent < 4.6)  # less than the Hessian that was not granted


def test_who_stops_with_targets_unmet_has_stalled():
    def saddle(x):
        return x[0] ** 2 - x[1] ** 2 + x[1] ** 4

    problem = Problem(objective=saddle, start=lambda seed: np.array([1.0, 0.01]), minimum=-0.25)
    stopped = run(problem, method("scipy.dogleg"), budget=500.0)  # its Hessian is not definite
    assert stopped.status == "stalled"
    assert final(stopped, "cost") == 1 + 2 * 1.5
    reached = run(ROSENBROCK_KNOWN, method("scipy.BFGS"), budget=500.0)
    assert reached.status == "reached target"
    spent = run(ROSENBROCK_KNOWN, method("scipy.Nelder-Mead"), budget=12.0)
    assert spent.status == "budget exhausted"


def test_values_that_are_not_finite():
    def wall(x):
        return jnp.where(x[0] < 0.5, jnp.nan, jnp.sum(x**2))

    problem = Problem(objective=wall, start=lambda seed: np.array([1.0, 1.0]), minimum=0.0)
    ends = {"BFGS": "stalled", "trust-exact": "stalled", "Newton-CG": "non-finite"}
    ends |= {"Powell": "non-finite", "SLSQP": "budget exhausted"}
    for name, end in ends.items():
        trajectory = run(problem, method(f"scipy.{name}"), budget=100.0)
        assert trajectory.status == end, name

    def tumbling() -> HostSolver:
        def minimize(ask, start, told):
            told(start * 0)
            raise AssertionError("an iterate that is not finite ends the lane")

        return HostSolver(minimize, ("value_and_grad",))

    assert run(problem, tumbling, budget=100.0).status == "non-finite"

    def failing() -> HostSolver:
        def minimize(ask, start, told):
            ask.value(start)
            raise ValueError("a mistake of its own")

        return HostSolver(minimize, ("value",))

    with pytest.raises(ValueError, match="its own"):
        run(problem, failing, budget=100.0)


def test_hits_are_the_first_iterates_below():
    trajectory = run(ROSENBROCK_KNOWN, method("scipy.BFGS"), num_steps=60)
    gap = trajectory.value / trajectory.value[0]
    for target, step, cost in zip(
        trajectory.targets, trajectory.hit_steps, trajectory.hit_costs, strict=True
    ):
        first = int(np.argmax(gap <= target))
        assert (step, cost) == (first, trajectory.cost[first])


def test_an_end_between_log_points_is_shown_at_the_next():
    problem = find_problem("rosenbrock[dim=20]", collect(problems, "Problem"))
    plan = Plan(budget=None, log_steps=(0, 1, 2, 1000))
    trajectory = run(problem, method("scipy.L-BFGS-B"), plan=plan)
    assert final(trajectory, "steps") == 1000
    assert final(trajectory, "value") < 1e-12
    assert final(trajectory, "cost") > trajectory.hit_costs[-1] > trajectory.cost[2]


# ---- lanes


def test_lanes_are_runs_one_after_the_other():
    lanes = Lanes(seeds=(0, 1), settings={"c2": np.array([0.5, 0.9])}, recorded=(0, 3))
    plan = Plan(budget=40.0)
    job = prepare(ROSENBROCK_KNOWN, [method("scipy.BFGS")], lanes, plan)
    shares: list[float] = []
    together = execute(job, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] <= 1
    for seed, setting in np.ndindex(2, 2):
        alone = run(
            ROSENBROCK_KNOWN,
            method(f"scipy.BFGS[c2={lanes.settings['c2'][setting]}]"),
            seed,
            plan=plan,
        )
        lane = together.lane(seed, setting)
        end = alone.last + 1
        np.testing.assert_array_equal(lane.value[:end], alone.value)
        assert np.isnan(lane.value[end:]).all() and np.isnan(lane.cost[end:]).all()
        np.testing.assert_array_equal(lane.hit_costs, alone.hit_costs)
        assert lane.status == alone.status
        if seed == setting:
            np.testing.assert_array_equal(lane.params[:end], alone.params)


def test_complex_and_nested_params_are_real_coordinates():
    def tangled(tree):
        return rosenbrock(jnp.stack([tree["z"][0].real, tree["z"][0].imag, tree["x"]]))

    start = {"z": np.array([START[0] + 1j * START[1]]), "x": np.float64(START[2])}
    problem = Problem(objective=tangled, start=lambda seed: start, minimum=0.0)
    one, other = (run(p, method("scipy.BFGS"), num_steps=9) for p in (problem, VALLEY))
    np.testing.assert_allclose(one.value, other.value, rtol=1e-9)
    assert one.params["z"].dtype == np.complex128
    np.testing.assert_allclose(one.params["z"][:, 0].imag, other.params[:, 1], rtol=1e-9)


def test_merit_by_gradient_and_monitors():
    problem = Problem(
        objective=rosenbrock,
        start=lambda seed: START,
        monitors=(("first", lambda x: x[0]),),
    )
    trajectory = run(problem, method("scipy.BFGS"), budget=100.0)
    assert trajectory.merit == "gradient norm"
    assert trajectory.status == "reached target"
    np.testing.assert_array_equal(trajectory.diagnostics["first"], trajectory.params[:, 0])


def test_float32_is_the_precision_of_the_objective():
    trajectory = run(VALLEY, method("scipy.L-BFGS-B"), budget=200.0, dtype="float32")
    assert final(trajectory, "value") < 1e-10
    assert np.all(trajectory.value == trajectory.value.astype(np.float32))


# ---- what cannot run, and laws


@pytest.mark.parametrize(
    ("label", "what"),
    [
        ("noisy(rosenbrock)", "samples"),
        ("lasso", "a nonsmooth part"),
        ("entropy_simplex", "a constraint"),
    ],
)
def test_problems_that_are_not_smooth_and_free_are_refused(label: str, what: str):
    problem = find_problem(label, collect(problems, "Problem"))
    with pytest.raises(NotApplicable, match=what):
        run(problem, method("scipy.BFGS"), num_steps=3)


def test_it_cannot_be_wrapped_or_grouped():
    with pytest.raises(OptbenchError, match="no step"):
        run(ROSENBROCK, method("clip_by_value(scipy.BFGS)"), num_steps=3)
    with pytest.raises(OptbenchError, match="runs on the host"):
        prepare(ROSENBROCK, [method("adam"), method("scipy.BFGS")], Lanes(), Plan())


def test_laws_of_the_host():
    assert all(check.passed for check in checks.check_optimizer(method("scipy.BFGS")))
    require_step(method("scipy.BFGS"))

    def uphill() -> HostSolver:
        def minimize(ask, start, told):
            x = start
            while True:
                x = x + ask.value_and_grad(x)[1] + 1e-3
                told(x)

        return HostSolver(minimize, ("value_and_grad",))

    found = {check.law: check.passed for check in checks.check_optimizer(uphill)}
    assert found == {"any nesting": True, "stationary": False, "budget": True, "decrease": False}


def downhill(minimize) -> Method:
    """A solver of the host from `minimize`, which is handed x -> x - grad f(x) / 1000."""

    def factory() -> HostSolver:
        def run_it(ask, start, told):
            minimize(ask, start, told, lambda x: x - ask.value_and_grad(x)[1] / 1000)

        return HostSolver(run_it, ("value_and_grad",))

    return make_method(factory)


def test_a_solver_that_lifts_its_budget_breaks_the_law():
    def lifted(ask, start, told, step):
        ask.budget, x = np.inf, start
        for _ in range(100):
            x = step(step(x))
            told(x)

    found = {check.law: check.passed for check in checks.check_optimizer(downhill(lifted))}
    assert [law for law, passed in found.items() if not passed] == ["budget"]


def test_a_solver_that_passes_over_errors_gets_no_step_for_nothing():
    def stubborn(ask, start, told, step):
        x = start
        for _ in range(100):
            try:
                x = step(step(x))
            except Exception:
                x = x / 2  # for nothing
            told(x)

    trajectory = run(quadratic(dim=3), downhill(stubborn), budget=5.0)
    np.testing.assert_array_equal(trajectory.cost, [1, 2, 4, 5])
    assert trajectory.value[3] == trajectory.value[2] > 0  # the end of the second step


def test_a_study_has_them_beside_others(tmp_path):
    study = Study(
        name="both",
        problems=("rosenbrock", "noisy(rosenbrock)"),
        optimizers=("scipy.L-BFGS-B", "lbfgs"),
        seeds=2,
        budget=60.0,
    )
    results = run_study(study, tmp_path)
    cells = {(cell.problem, cell.optimizer): cell for cell in results.cells}
    assert cells["rosenbrock", "scipy.L-BFGS-B"].status == "finished"
    assert cells["noisy(rosenbrock)", "scipy.L-BFGS-B"].status == "not applicable"
    again = run_study(study, tmp_path)
    assert [cell.key for cell in again.cells] == [cell.key for cell in results.cells]
    kept = results.trajectory("rosenbrock", "scipy.L-BFGS-B")
    assert kept.lane(1, 0).status == "reached target"
    fresh = run(
        find_problem("rosenbrock", collect(problems, "Problem")),
        method("scipy.L-BFGS-B"),
        1,
        budget=60.0,
    )
    np.testing.assert_array_equal(kept.lane(1, 0).hit_costs, fresh.hit_costs)


def test_starts_are_those_of_the_rule():
    problem = Problem(objective=rosenbrock, start=standard_normal((2,)), minimum=0.0)
    for seed in (0, 3):
        trajectory = run(problem, method("scipy.BFGS"), seed, num_steps=2)
        np.testing.assert_array_equal(trajectory.params[0], problem.start(seed))
