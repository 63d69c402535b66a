from __future__ import annotations

import collections
import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest
import scipy.optimize
from walks import ROSENBROCK, WAVY, X0, walk, wavy_at, wavy_grad

import problems
from optbench.catalog import collect
from optbench.checks.plain_loop import counting, make_problem
from optbench.errors import NotApplicable, OptbenchError
from optbench.labels import find_problem
from optbench.method import find_method
from optbench.optimizers.first_order.nonlinear_cg import METHODS, nonlinear_cg
from optbench.optimizers.libraries import optax_names, optimistix_names, scipy_names
from optbench.optimizers.second_order.dfp import dfp
from optbench.optimizers.second_order.least_squares import dogleg, gauss_newton, levenberg_marquardt
from optbench.optimizers.zeroth_order.nelder_mead import nelder_mead
from optbench.oracle import Oracle, Prices
from optbench.problem import Problem
from optbench.run import run
from optbench.start import standard_normal

KNOWN = optimistix_names.entries()
START = np.array([-1.2, 1.0, 0.7])


def residuals(x):
    return jnp.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1], 0.1 * x])


def half_squares(x):
    return jnp.sum(residuals(x) ** 2) / 2


VALLEY = Problem(objective=half_squares, residuals=residuals, start=standard_normal((3,)))
VALUES = {"learning_rate": 1e-3}


def built(label: str):
    method = find_method(label, KNOWN)
    given = {(h.depth, h.name): h.value or VALUES[h.name] for h in method.hyperparameters()}
    return method.build(given)


# ---- every solver of the library, by name


def test_every_solver_has_a_name_or_a_reason_why_not():
    kinds = optx.AbstractMinimiser, optx.AbstractLeastSquaresSolver
    public = {
        name
        for name, item in vars(optx).items()
        if inspect.isclass(item) and issubclass(item, kinds) and not name.startswith("Abstract")
    }
    others = {name for name in public if takes_another(getattr(optx, name))}
    assert others == {"BestSoFarLeastSquares", "BestSoFarMinimiser", "OptaxMinimiser"}
    named = {label.partition(".")[2] for label in KNOWN}
    assert public - others == named | optimistix_names.EXCLUDED.keys()
    excluded = optimistix_names.EXCLUDED | optax_names.EXCLUDED | scipy_names.EXCLUDED
    assert len(excluded) <= 5 and all(excluded.values())  # of all libraries


def takes_another(solver: type) -> bool:
    """Whether it wraps another solver: it is none itself, and what it wraps has a name."""
    return bool({"solver", "optim"} & inspect.signature(solver).parameters.keys())


def test_arguments_are_those_of_the_solver():
    assert str(inspect.signature(KNOWN["optimistix.LBFGS"])).startswith(
        "(*, use_inverse: 'bool' = True, history_length: 'int' = 10)"
    )
    label = "optimistix.NonlinearCG[method=dai_yuan]"
    assert find_method(label, KNOWN).label == label
    assert find_method("optimistix.NelderMead", KNOWN).has("adelta")
    assert find_method("optimistix.GradientDescent", KNOWN).hyperparameters()[0].value is None
    with pytest.raises(OptbenchError, match="polak_ribier'"):
        find_method("optimistix.NonlinearCG[method=polak_ribier]", KNOWN).build({})
    with pytest.raises(OptbenchError, match="rtol"):
        find_method("optimistix.BFGS[rtol=0.1]", KNOWN)


SOLVERS = {
    "BFGS": optx.BFGS(1e-9, 1e-9),
    "BFGS[use_inverse=False]": optx.BFGS(1e-9, 1e-9, use_inverse=False),
    "DFP": optx.DFP(1e-9, 1e-9),
    "LBFGS[history_length=3]": optx.LBFGS(1e-9, 1e-9, history_length=3),
    "GradientDescent": optx.GradientDescent(1e-3, 1e-9, 1e-9),
    "NonlinearCG[method=fletcher_reeves]": optx.NonlinearCG(
        1e-9, 1e-9, method=optx.fletcher_reeves
    ),
    "GaussNewton": optx.GaussNewton(1e-9, 1e-9),
    "LevenbergMarquardt": optx.LevenbergMarquardt(1e-9, 1e-9),
    "IndirectLevenbergMarquardt": optx.IndirectLevenbergMarquardt(1e-9, 1e-9),
    "Dogleg": optx.Dogleg(1e-9, 1e-9),
}
GRADIENTS, VALUE, PRODUCTS = "value_and_gradients", "values", "jacobian_products"


def of_the_library(solver, num_steps: int):
    """The points that the library's own steps accept, and the best vertices of a simplex."""
    squares = isinstance(solver, optx.AbstractLeastSquaresSolver)

    def function(y, args):
        return (residuals(y) if squares else half_squares(y)), None

    with jax.enable_x64(True):
        y = jnp.asarray(START)
        shape = jax.eval_shape(lambda: function(y, None)[0])
        begun = solver.init(function, y, None, {}, shape, None, frozenset())
        arrays, rest = eqx.partition(begun, eqx.is_array)

        def tick(carry, _):
            y, state = carry[0], eqx.combine(carry[1], rest)
            y, state, _ = solver.step(function, y, None, {}, state, frozenset())
            return (y, eqx.filter(state, eqx.is_array)), (y, getattr(state, "best", None))

        return jax.tree.map(np.asarray, jax.lax.scan(tick, (y, arrays), None, num_steps)[1])


@pytest.mark.parametrize("name", SOLVERS)
def test_steps_are_those_of_the_library(name: str):
    steps = walk(built(f"optimistix.{name}"), VALLEY, START, 300)
    own, _ = of_the_library(SOLVERS[name], 12)
    np.testing.assert_allclose(steps.params[:12], own, rtol=1e-8, atol=1e-8)
    squares = isinstance(SOLVERS[name], optx.AbstractLeastSquaresSolver)
    for kind, calls in steps.calls._asdict().items():
        per_step = {VALUE: 1, PRODUCTS: 3} if squares else {GRADIENTS: 1}
        first = squares * per_step.get(kind, 0)
        assert calls.tolist() == [first] + [per_step.get(kind, 0)] * 299
    spent = sum(np.cumsum(n) * p for n, p in zip(steps.calls, Prices(), strict=True)) + 1
    assert steps.evaluation is not None
    low = scipy.optimize.minimize(lambda x: float(half_squares(x)), START, tol=1e-10).fun
    at_start = float(half_squares(START))
    assert steps.evaluation.value[spent <= 500][-1] - low < 0.1 * (at_start - low)


def test_nelder_mead_with_the_librarys_sizes_comes_down():
    steps = walk(built("optimistix.NelderMead"), VALLEY, START, 200)
    assert steps.evaluation is not None
    value = steps.evaluation.value
    assert value[-1] < 0.1 * value[0]
    assert np.all(steps.calls.values[[0, 1]] == [4, 2])


def test_complex_params_are_pairs_of_real_ones():
    def pair(z):
        return jnp.stack([z["a"].real, z["a"].imag, z["b"]])

    problem = Problem(
        objective=lambda z: half_squares(pair(z)),
        residuals=lambda z: residuals(pair(z)),
        start=standard_normal((3,)),
    )
    with jax.enable_x64(True):
        start = {"a": jnp.complex128(START[0] + 1j * START[1]), "b": jnp.float64(START[2])}
        optimizer, oracle = levenberg_marquardt(), Oracle(problem, jax.random.key(0))
        stepping = jax.jit(lambda seen, state: optimizer.step(seen, state, oracle))
        seen, state = oracle.value_and_grad(start), optimizer.init(start)
        for _ in range(4):
            step = stepping(seen, state)
            seen, state = step.evaluation, step.state
        found = np.array([seen.params["a"].real, seen.params["a"].imag, seen.params["b"]])
    real = walk(optimizer, VALLEY, START, 4).params[-1]
    np.testing.assert_allclose(found, real, rtol=1e-12)
    assert seen.params["a"].dtype == jnp.complex128


def test_evaluations_returned_are_those_at_the_point():
    for name in ("optimistix.LevenbergMarquardt", "optimistix.DFP"):
        steps = walk(built(name), VALLEY, START, 12)
        assert steps.evaluation is not None
        with jax.enable_x64(True):
            value, grad = jax.vmap(jax.value_and_grad(half_squares))(jnp.asarray(steps.params))
        np.testing.assert_allclose(steps.evaluation.value, value, rtol=1e-12)
        np.testing.assert_allclose(steps.evaluation.grad, grad, rtol=1e-9, atol=1e-9)


# ---- the formulas once more, in NumPy: one trial per step, the first of which is the start


def trials(direction, num_steps: int, x=X0) -> np.ndarray:
    """Armijo's rule from 1 by halves, along direction(g, g before, d before, s) and its memory."""
    points, memory = [x], None
    g = wavy_grad(x)
    d, memory = direction(g, memory, None)
    length = 1.0
    while len(points) < num_steps:
        ahead = x + length * d
        if wavy_at(ahead) - wavy_at(x) <= 0.1 * length * g @ d:
            moved, x, g = ahead - x, ahead, wavy_grad(ahead)
            (d, memory), length = direction(g, memory, moved), 1.0
        else:
            length /= 2
        points.append(x)
    return np.stack(points)


BETAS = {
    "fletcher_reeves": lambda g, before, d: g @ g / (before @ before),
    "polak_ribiere": lambda g, before, d: max(0.0, g @ (g - before) / (before @ before)),
    "hestenes_stiefel": lambda g, before, d: g @ (g - before) / (d @ (g - before)),
    "dai_yuan": lambda g, before, d: g @ g / (d @ (g - before)),
}


def conjugate(method: str):
    def direction(g, memory, moved):
        d = -g if memory is None else -g + BETAS[method](g, *memory) * memory[1]
        d = d if g @ d < 0 else -g
        return d, (g, d)

    return direction


def davidon(g, memory, moved):
    h = np.eye(3)
    if memory is not None:
        before, h = memory
        y = g - before
        if moved @ y > np.finfo(float).eps:
            h = h - np.outer(h @ y, h @ y) / (y @ h @ y) + np.outer(moved, moved) / (moved @ y)
    return -h @ g, (g, h)


@pytest.mark.parametrize("method", METHODS)
def test_nonlinear_cg_is_its_formula(method: str):
    steps = walk(nonlinear_cg(method), WAVY, X0, 20)
    np.testing.assert_allclose(steps.params, trials(conjugate(method), 20), rtol=1e-9)


def test_dfp_is_its_formula():
    np.testing.assert_allclose(walk(dfp(), WAVY, X0, 20).params, trials(davidon, 20), rtol=1e-9)


def test_the_sign_of_the_librarys_own_formulas():
    """Why hestenes_stiefel and dai_yuan are written here: to be dropped once this fails."""
    g, before, d = np.array([1.0, 2.0]), np.array([1.0, -1.0]), np.array([-1.0, 1.0])
    for method in ("hestenes_stiefel", "dai_yuan"):
        theirs = float(getattr(optx, method)(*map(jnp.asarray, (g, before, d))))
        assert theirs == pytest.approx(-BETAS[method](g, before, d), rel=1e-6)


def test_gauss_newton_is_its_formula():
    steps, x = walk(gauss_newton(), VALLEY, START, 6), START
    jacobian = jax.jacfwd(residuals)
    for k in range(1, 6):
        with jax.enable_x64(True):
            r, j = np.asarray(residuals(jnp.asarray(x))), np.asarray(jacobian(jnp.asarray(x)))
        x = x - np.linalg.pinv(j) @ r
        np.testing.assert_allclose(steps.params[k], x, rtol=1e-9)


@pytest.mark.parametrize("factory", [gauss_newton, dogleg])
@pytest.mark.parametrize("rows", [[[1, 1, 0], [2, 2, 0], [0, 0, 3], [0, 0, 1]], [[1, 1, 0]]])
def test_where_the_jacobian_has_no_full_rank_the_step_is_the_shortest(factory, rows):
    jacobian, x = np.array(rows, float), np.array([1.0, 0.0, 2.0])

    def affine(x):
        return jacobian @ x - 1.0

    problem = Problem(
        objective=lambda x: jnp.sum(affine(x) ** 2) / 2,
        residuals=affine,
        start=standard_normal((3,)),
    )
    expected = x - np.linalg.pinv(jacobian) @ (jacobian @ x - 1.0)
    steps = walk(factory(), problem, x, 8)
    np.testing.assert_allclose(steps.params[-1], expected, rtol=1e-9, atol=1e-12)


def test_the_default_linear_solver_of_the_library_takes_no_singular_jacobian():
    """Why gauss_newton and dogleg name another: to be dropped once this fails."""
    jacobian, x = np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]), np.array([1.0, 0.0])

    def affine(x):
        return jacobian @ x - np.array([1.0, 2.0, 3.0])

    problem = Problem(
        objective=lambda x: jnp.sum(affine(x) ** 2) / 2,
        residuals=affine,
        start=standard_normal((2,)),
    )
    steps = walk(built("optimistix.GaussNewton"), problem, x, 3)
    assert not np.max(np.abs(steps.params[-1])) < 1e6


def numpy_simplex(size: float, num_steps: int) -> np.ndarray:
    """The best vertices."""
    simplex = [X0, *(X0 + size * unit for unit in np.eye(3))]
    points = []
    for step in range(num_steps):
        simplex.sort(key=wavy_at)
        if step > 0:
            low, (second, worst) = wavy_at(simplex[0]), map(wavy_at, simplex[-2:])
            x, ahead = simplex[-1], np.mean(simplex[:-1], axis=0) - simplex[-1]
            f = wavy_at(x + 2 * ahead)
            factor = 3 if f < low else 0.5 if f > worst else 1.5 if f > second else 2
            if wavy_at(x + factor * ahead) > worst:
                simplex = [simplex[0] + (v - simplex[0]) / 2 for v in simplex]
            else:
                simplex[-1] = x + factor * ahead
        points.append(min(simplex, key=wavy_at))
    return np.stack(points)


def test_nelder_mead_is_its_rule():
    steps = walk(nelder_mead(0.5), WAVY, X0, 60)
    np.testing.assert_allclose(steps.params, numpy_simplex(0.5, 60), atol=1e-12)
    assert set(steps.calls.values.tolist()) == {4, 2}
    assert steps.evaluation is not None
    assert np.all(np.diff(steps.evaluation.value) <= 0)
    assert np.linalg.norm(wavy_grad(steps.params[-1])) < 1e-2


def test_the_first_simplex_of_the_library_is_flat():
    """Why another one is put in its place: to be dropped once this fails."""
    shape = jax.ShapeDtypeStruct((), jnp.float32)
    solver = optx.NelderMead(1e-9, 1e-9, rdelta=0.0, adelta=1.0)
    begun = solver.init(lambda y, _: (y[0], None), jnp.zeros(3), None, {}, shape, None, frozenset())
    assert np.linalg.matrix_rank(begun.simplex[1:] - begun.simplex[:1]) < 3


def test_the_stale_vertices_of_the_library():
    """Why its state is mended: to be dropped once this fails."""

    points, (value, _, _) = of_the_library(optx.NelderMead(1e-9, 1e-9), 10)
    stale = [float(half_squares(y)) - f for y, f in zip(points, value, strict=True)]
    assert max(stale) > 1e-2


# ---- second sources, on problems of the catalog


@pytest.mark.parametrize(
    ("factory", "name"),
    [
        (levenberg_marquardt, "nist_thurber[start=2]"),
        (dogleg, "nist_rat42[start=2]"),
        (gauss_newton, "nist_rat42[start=2]"),
    ],
)
def test_least_squares_reach_the_point_that_scipy_reaches(factory, name: str):
    problem = find_problem(name, collect(problems, "Problem"))
    with jax.enable_x64(True):
        function = jax.jit(lambda x: problem.residuals(x, *problem.data))
        jacobian = jax.jit(jax.jacfwd(function))
        start = problem.start(0)
        found = scipy.optimize.least_squares(
            lambda x: np.asarray(function(x)),
            start,
            jac=lambda x: np.asarray(jacobian(x)),
            method="lm",
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
        )
    steps = walk(factory(), problem, start, 40)
    np.testing.assert_allclose(steps.params[-1], found.x, rtol=1e-5)


def test_nonlinear_cg_reaches_the_point_that_scipy_reaches():
    found = scipy.optimize.minimize(wavy_at, X0, jac=wavy_grad, method="CG", tol=1e-10)
    np.testing.assert_allclose(walk(nonlinear_cg(), WAVY, X0, 60).params[-1], found.x, atol=1e-7)


# ---- counting


def test_mapped_calls_are_counted_one_by_one():
    counts = collections.Counter()
    oracle = counting(counts)(make_problem(), jax.random.key(0), 0.0)
    points = jnp.zeros((5, 6))
    with jax.disable_jit():
        jax.vmap(oracle.value)(points)
        jax.vmap(oracle.value_and_grad)(points[:2])
    assert counts == {VALUE: 5, GRADIENTS: 2}


def test_products_with_the_jacobian_are_counted():
    counts = collections.Counter()
    oracle = counting(counts)(make_problem(), jax.random.key(0), 0.0)
    with jax.disable_jit():
        residuals, product = oracle.linearized_residuals(jnp.zeros(6))
        jax.lax.map(product, jnp.eye(6))
    assert residuals.shape == (11,)
    assert counts == {VALUE: 1, PRODUCTS: 6}


# ---- what cannot run


def test_who_has_no_residuals_is_told():
    with pytest.raises(NotApplicable, match="no sum of squares"):
        run(ROSENBROCK, levenberg_marquardt, num_steps=3)


def test_samples_are_refused():
    noisy = Problem(
        objective=half_squares,
        residuals=residuals,
        sample_loss=lambda x, key: half_squares(x),
        start=standard_normal((3,)),
    )
    with pytest.raises(NotApplicable, match="one and the same function"):
        run(noisy, dfp, num_steps=3)


def test_runs_are_charged_what_they_ask():
    trajectory = run(VALLEY, levenberg_marquardt, num_steps=5)
    assert trajectory.calls[PRODUCTS].tolist() == [0, 3, 6, 9, 12, 15]
    np.testing.assert_allclose(trajectory.cost, 1 + np.arange(6) * (1 / 3 + 3 * 0.75))
    free = run(VALLEY, dfp, num_steps=5)
    assert free.cost.tolist() == [1, 1, 2, 3, 4, 5]
