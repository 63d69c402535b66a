"""What a transform makes of a problem keeps every law, and is what its formula says."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from optbench.checks import check_problem
from optbench.errors import OptbenchError
from optbench.labels import find_problem, known_transforms
from optbench.oracle import Oracle
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from optbench.transforms import (
    heavy_tailed,
    minibatches,
    noisy,
    permuted,
    quantized,
    rotated,
    scaled,
    shifted,
    sometimes_nan,
    sparse_noise,
    stretched,
)
from optbench.transforms.wrapper import FUNCTIONS

# Small problems, each with another part of what a passport may hold


def form(x: Any, curvatures: Any) -> Any:
    return jnp.sum(curvatures * x**2) / 2


def form_residuals(x: Any, curvatures: Any) -> Any:
    return jnp.sqrt(curvatures) * x


def norm(x: Any, curvatures: Any) -> Any:
    return jnp.sqrt(jnp.sum(x**2))


CURVED = Constants(
    smoothness=4.0,
    strong_convexity=0.5,
    hessian_lipschitz=0.0,
    convex=True,
    quadratic=True,
    sharp=True,
)


def bowl() -> Problem:
    """A diagonal quadratic with residuals, a monitor, a region and names for its axes."""
    return Problem(
        objective=form,
        data=(np.array([4.0, 0.5]),),
        start=start_near(np.array([1.0, -2.0])),
        minimum=0.0,
        minimizer=np.zeros(2),
        minimum_kind="closed form",
        constants=CURVED,
        residuals=form_residuals,
        monitors=(("norm", norm),),
        region=((-1.0, 2.0), (-3.0, 1.0)),
        coordinates=("a", "b"),
        name="bowl",
        source="a book",
    )


def predictions(params: Any, features: Any, targets: Any, l2: Any) -> Any:
    return features @ params["w"] + params["b"], params["w"]


def squares(outputs: Any, features: Any, targets: Any, l2: Any) -> Any:
    predicted, weights = outputs
    return jnp.mean((predicted - targets) ** 2) / 2 + l2 * jnp.sum(weights**2) / 2


def regression_loss(params: Any, features: Any, targets: Any, l2: Any) -> Any:
    return squares(predictions(params, features, targets, l2), features, targets, l2)


def regression() -> Problem:
    """A finite sum over a pytree of params, with outputs and their loss, seen through rows."""
    rng = np.random.default_rng(1)
    features, targets, l2 = rng.standard_normal((12, 2)), rng.standard_normal(12), 0.1
    extended = np.column_stack([np.ones(12), features])  # b comes before w, in order of names
    hessian = extended.T @ extended / 12 + np.diag([0.0, l2, l2])
    solution = np.linalg.solve(hessian, extended.T @ targets / 12)
    found = np.mean((extended @ solution - targets) ** 2) / 2 + l2 * np.sum(solution[1:] ** 2) / 2
    low, *_, high = np.linalg.eigvalsh(hessian)
    problem = Problem(
        objective=regression_loss,
        data=(features, targets, np.float64(l2)),
        start=start_near({"b": np.float64(0.5), "w": np.array([2.0, -1.0])}),
        minimum=float(found),
        minimizer={"b": np.float64(solution[0]), "w": solution[1:]},
        minimum_kind="closed form",
        constants=dataclasses.replace(CURVED, smoothness=high, strong_convexity=low),
        outputs=predictions,
        output_loss=squares,
        row_arrays=2,
        name="regression",
        source="a book",
    )
    return minibatches(problem, batch_size=3)


def well(x: Any) -> Any:
    return (x[0] ** 2 - 1) ** 2 + x[0] / 4 + x[1] ** 2


def double_well() -> Problem:
    """Two minima and a saddle, of known derivatives to all orders."""
    points = np.sort(np.roots([4.0, 0.0, -4.0, 0.25]).real)
    points -= (4 * points**3 - 4 * points + 0.25) / (12 * points**2 - 4)  # Newton, to rounding
    values = [float((x**2 - 1) ** 2 + x / 4) for x in points]
    low, between, high = (np.array([x, 0.0]) for x in points)
    return Problem(
        objective=well,
        start=start_near(np.array([1.6, 0.7])),
        minimum=values[0],
        minimizer=low,
        minimum_kind="closed form",
        critical_points=(
            CriticalPoint("saddle", values[1], between),
            CriticalPoint("local minimum", values[2], high),
        ),
        constants=Constants(convex=False),
        region=((-2.0, 2.0), (-1.0, 1.0)),
        name="double_well",
        source="a book",
    )


def lasso_loss(x: Any, center: Any, penalty: Any) -> Any:
    return jnp.sum((x - center) ** 2) / 2 + penalty * jnp.sum(jnp.abs(x))


def one_norm(x: Any, center: Any, penalty: Any) -> Any:
    return penalty * jnp.sum(jnp.abs(x))


def soft_threshold(x: Any, step: Any, center: Any, penalty: Any) -> Any:
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - step * penalty, 0)


def lasso() -> Problem:
    """A composite: |x - c|^2 / 2 + penalty |x|_1."""
    center, penalty = np.array([2.0, -0.25, 1.0]), 0.5
    minimizer = np.array([1.5, 0.0, 0.5])
    smooth = np.sum((minimizer - center) ** 2) / 2
    return Problem(
        objective=lasso_loss,
        data=(center, np.float64(penalty)),
        start=start_near(np.array([-1.0, 1.0, 2.0])),
        minimum=float(smooth + penalty * np.sum(np.abs(minimizer))),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=dataclasses.replace(CURVED, smoothness=1.0, strong_convexity=1.0),
        nonsmooth=one_norm,
        prox=soft_threshold,
        name="lasso",
        source="a book",
    )


def rayleigh(x: Any, curvatures: Any) -> Any:
    return form(x, curvatures)


def retract(x: Any, step: Any, curvatures: Any) -> Any:
    return x / jnp.sqrt(jnp.sum(x**2))


def project(x: Any, v: Any, curvatures: Any) -> Any:
    return v - jnp.sum(x * v) * x


@dataclasses.dataclass(frozen=True)
class OnSphere:
    def __call__(self, seed: int) -> np.ndarray:
        draw = np.random.default_rng(seed).standard_normal(3)
        return draw / np.linalg.norm(draw)


def sphere() -> Problem:
    """A quadratic on the unit sphere, least along the axis of least curvature."""
    return Problem(
        objective=rayleigh,
        data=(np.array([3.0, 1.0, 2.0]),),
        start=OnSphere(),
        minimum=0.5,
        minimizer=np.array([0.0, 1.0, 0.0]),
        minimum_kind="closed form",
        prox=retract,
        tangent=project,
        name="sphere",
        source="a book",
    )


def modulus_loss(z: Any, target: Any) -> Any:
    return jnp.sum((z - target).real ** 2 + (z - target).imag ** 2) / 2


def complex_bowl() -> Problem:
    """|z - c|^2 / 2 over complex z."""
    target = np.array([1 + 2j, -1j])
    return Problem(
        objective=modulus_loss,
        data=(target,),
        start=start_near(np.array([0.5 + 0.5j, 1.0])),
        minimum=0.0,
        minimizer=target,
        minimum_kind="closed form",
        constants=dataclasses.replace(CURVED, smoothness=1.0, strong_convexity=1.0),
        name="complex_bowl",
        source="a book",
    )


SMALL = {f.__name__: f for f in (bowl, regression, double_well, lasso, sphere, complex_bowl)}
MOVES = (shifted, rotated, permuted)
NOISES = (noisy, heavy_tailed, sparse_noise, quantized)
CASES = [
    *((t, bowl) for t in (rotated, scaled, stretched, heavy_tailed, quantized)),
    *((t, double_well) for t in (permuted, scaled)),
    *((t, lasso) for t in (rotated, shifted, scaled, noisy)),
    *((t, sphere) for t in (rotated, shifted)),
    *((t, complex_bowl) for t in (shifted, quantized)),
    (sparse_noise, regression),
]


def names(value: Any) -> str:
    return getattr(value, "__name__", repr(value))


def failures(problem: Problem) -> list[str]:
    return [check.law for check in check_problem(problem) if not check.passed]


@pytest.mark.parametrize(("transform", "build"), CASES, ids=names)
def test_every_transform_keeps_the_laws(transform, build):
    assert failures(transform(build())) == []


def test_all_at_once_keep_the_laws():
    inner = shifted(rotated(regression(), seed=3), offset=(1.0, -2.0, 0.5))
    nested = noisy(stretched(scaled(permuted(inner, seed=2), factor=3.0), 9.0), scale=0.2)
    assert failures(quantized(nested, spacing=0.5)) == []


def test_every_function_of_a_problem_is_wrapped():
    fields = dataclasses.fields(Problem)
    functions = {field.name for field in fields if field.type.startswith("Callable")}
    assert {*FUNCTIONS, "start"} == functions


# Names


EXAMPLES = [
    (noisy, {"scale": 0.25}),
    (heavy_tailed, {"scale": 0.5, "degrees_of_freedom": 2.5}),
    (sparse_noise, {"scale": 0.5, "probability": 0.25}),
    (quantized, {"spacing": 0.25}),
    (sometimes_nan, {"probability": 0.5}),
    (scaled, {"factor": 0.5}),
    (rotated, {"seed": 3}),
    (permuted, {"seed": 4}),
    (shifted, {"offset": -2.0}),
    (shifted, {"offset": (1.0, 2.0, 3.0)}),
    (stretched, {"condition_number": 4.0}),
    (minibatches, {"batch_size": 2}),
]


def passport(problem: Problem) -> dict[str, Any]:
    kept = ("minimum", "constants", "sample_fraction", "row_arrays", "region", "name", "source")
    found = {name: getattr(problem, name) for name in kept}
    arrays = problem.start(0), problem.start(1), problem.minimizer, problem.data
    return found | {"arrays": [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(arrays)]}


@pytest.mark.parametrize(("transform", "arguments"), EXAMPLES, ids=names)
@pytest.mark.parametrize("defaults", [False, True])
def test_a_name_gives_the_problem_back(transform, arguments, defaults):
    chosen = {"batch_size": 5} if transform is minibatches else {}
    problem = transform(regression(), **(chosen if defaults else arguments))
    again = find_problem(problem.name, {"regression": lambda: exact(regression())} | SMALL)
    assert passport(again) == passport(problem)
    assert jax.tree.structure(again) == jax.tree.structure(problem)


def exact(problem: Problem) -> Problem:
    return dataclasses.replace(problem, sample_loss=None, sample_fraction=1.0)


def test_names_leave_out_defaults():
    assert noisy(rotated(bowl()), scale=np.float64(0.5)).name == "noisy(rotated(bowl))[scale=0.5]"
    assert shifted(bowl(), (1.0, 2.0)).name == "shifted(bowl)[offset=(1.0,2.0)]"
    assert (
        minibatches(regression(), 4).name == "minibatches(minibatches(regression)[batch_size=3])"
        "[batch_size=4]"
    )


@pytest.mark.parametrize("transform", known_transforms().values(), ids=names)
def test_docstrings_say_what_is_needed(transform):
    docstring = inspect.getdoc(transform)
    assert "Args:" in docstring and "Raises:" in docstring


# One program for all numbers


@pytest.mark.parametrize(("transform", "arguments"), EXAMPLES[:-1], ids=names)
def test_equal_functions_share_one_program(transform, arguments):
    traces = []

    @jax.jit
    def evaluate(problem: Problem, params: Any, key: Any) -> Any:
        traces.append(params)
        exact_value = problem.objective(params, *problem.data)
        return exact_value + Oracle(problem, key).value(params)

    params = jax.tree.map(jnp.asarray, regression().start(0))
    evaluate.trace(transform(regression()), params, jax.random.key(0))
    evaluate.trace(transform(regression(), **arguments), params, jax.random.key(1))
    assert len(traces) == 1
    assert hash(jax.tree.structure(transform(regression()))) == hash(
        jax.tree.structure(transform(regression(), **arguments))
    )
    evaluate.trace(noisy(transform(regression())), params, jax.random.key(0))
    assert len(traces) == 2


# Coordinates


def value(problem: Problem, params: Any) -> float:
    with jax.enable_x64(True):
        return float(problem.objective(params, *problem.data))


def gradient(problem: Problem, params: Any, key: int | None = None) -> Any:
    """Of the objective, or of the loss sampled with a key."""
    with jax.enable_x64(True):
        seen = problem if key is not None else exact(problem)
        params = jax.tree.map(jnp.asarray, params)
        grad = Oracle(seen, jax.random.key(key or 0)).value_and_grad(params).grad
        return jax.tree.map(np.asarray, grad)


def descent(problem: Problem, num_steps: int = 30, step: float = 0.2) -> list[float]:
    """f along gradient descent, in a plain loop."""
    x, values = problem.start(0), []
    for _ in range(num_steps):
        values.append(value(problem, x))
        x = x - step * gradient(problem, x)
    return values


@pytest.mark.parametrize("transform", MOVES, ids=names)
def test_gradient_descent_does_not_see_rigid_motions(transform):
    np.testing.assert_allclose(descent(transform(bowl())), descent(bowl()), rtol=1e-10)


def test_gradient_descent_does_see_a_stretch():
    assert descent(stretched(bowl(), 25.0))[-1] > 10 * descent(bowl())[-1]


def test_a_rotation_keeps_the_spectrum_and_mixes_the_axes():
    problem = rotated(bowl())
    hessian = np.stack(
        [gradient(problem, axis) for axis in np.eye(2)]
    )  # of a quadratic, least at 0
    np.testing.assert_allclose(np.linalg.eigvalsh(hessian), [0.5, 4.0], rtol=1e-14)
    assert abs(hessian[0, 1]) > 0.1
    matrix = problem.data[-1]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(matrix @ problem.start(0), bowl().start(0), atol=1e-15)
    assert problem.region is None and problem.coordinates is None


def test_rotations_of_seeds_differ():
    assert np.abs(rotated(bowl(), seed=1).data[-1] - rotated(bowl()).data[-1]).max() > 0.1


@pytest.mark.parametrize("build", [regression, complex_bowl], ids=names)
def test_a_shift_back_is_the_identity(build):
    inner, there_and_back = build(), shifted(shifted(build(), 0.7), -0.7)
    for seed in (0, 1):
        params = inner.start(seed)
        np.testing.assert_allclose(value(there_and_back, params), value(inner, params), rtol=1e-14)
        moved = jax.tree.leaves(there_and_back.start(seed))
        for a, b in zip(moved, jax.tree.leaves(params), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)
            assert a.dtype == b.dtype


def test_a_shift_moves_start_minimizer_and_region_together():
    problem = shifted(bowl(), (1.0, 10.0))
    np.testing.assert_array_equal(problem.minimizer, [1, 10])
    np.testing.assert_array_equal(problem.start(0), [2, 8])
    assert problem.region == ((0.0, 3.0), (7.0, 11.0))
    assert problem.constants == CURVED


def test_a_complex_shift_moves_both_parts():
    problem = shifted(complex_bowl(), (1.0, 2.0, 3.0, 4.0))
    np.testing.assert_array_equal(problem.minimizer - complex_bowl().minimizer, [1 + 2j, 3 + 4j])


def test_a_permutation_orders_all_that_has_coordinates():
    problem = next(p for p in (permuted(bowl(), seed) for seed in range(9)) if p.data[-1][0] == 1)
    np.testing.assert_array_equal(problem.start(0), bowl().start(0)[::-1])
    assert problem.region == ((-3.0, 1.0), (-1.0, 2.0))
    assert value(problem, np.array([3.0, 5.0])) == value(bowl(), np.array([5.0, 3.0]))


def test_monitors_see_the_inner_coordinates():
    for problem in (shifted(bowl()), noisy(bowl()), scaled(bowl())):
        ((name, monitor),) = problem.monitors
        with jax.enable_x64(True):
            np.testing.assert_allclose(monitor(problem.start(0), *problem.data), np.sqrt(5))
        assert name == "norm"


def test_critical_points_move_along():
    for transform in (*MOVES, stretched):
        problem = transform(double_well())
        for found, before in zip(
            problem.critical_points, double_well().critical_points, strict=True
        ):
            assert (found.kind, found.value) == (before.kind, before.value)
            np.testing.assert_allclose(gradient(problem, found.point), 0, atol=1e-14)


def test_a_stretch_gives_a_round_bowl_its_condition_number():
    round_bowl = dataclasses.replace(
        bowl(),
        data=(np.ones(2),),
        constants=dataclasses.replace(CURVED, smoothness=1.0, strong_convexity=1.0),
    )
    problem = stretched(round_bowl, 1e4)
    assert problem.constants.sharp and problem.constants.condition_number == 1e4
    assert failures(problem) == []
    assert not stretched(bowl(), 4.0).constants.sharp and stretched(bowl(), 1.0).constants.sharp
    np.testing.assert_allclose(problem.region, [(-1, 2), (-300, 100)])


def test_a_stretch_of_a_saddle_keeps_its_negative_curvature():
    constants = Constants(smoothness=1.0, strong_convexity=-1.0, sharp=True)
    problem = dataclasses.replace(
        bowl(), data=(np.array([-1.0, 1.0]),), minimum=None, minimizer=None, constants=constants,
        bounded_below=False, residuals=None,
    )  # fmt: skip
    assert stretched(problem, 9.0).constants.strong_convexity == -1.0
    assert failures(stretched(problem, 9.0)) == []


# Values


def test_scaling_multiplies_every_figure():
    claims = dataclasses.replace(CURVED, gradient_bound=3.0, noise_variance=5.0)
    inner = dataclasses.replace(double_well(), constants=claims, saddle=0.25)
    problem = scaled(inner, factor=10.0)
    found = problem.constants
    assert (found.smoothness, found.strong_convexity, found.gradient_bound) == (40.0, 5.0, 30.0)
    assert (found.noise_variance, problem.saddle) == (500.0, 2.5)
    assert problem.minimum == 10 * double_well().minimum
    assert [c.value for c in problem.critical_points] == [
        10 * c.value for c in double_well().critical_points
    ]
    np.testing.assert_allclose(
        gradient(problem, inner.start(0)), 10 * gradient(inner, inner.start(0)), rtol=1e-14
    )


def test_scaling_by_a_half_undoes_scaling_by_two():
    problem = scaled(scaled(regression(), 2.0), 0.5)
    assert problem.minimum == regression().minimum
    params = regression().start(0)
    assert value(problem, params) == value(regression(), params)


# Noise

NUM_KEYS = 4000


def noise_of(problem: Problem, num_keys: int = NUM_KEYS) -> np.ndarray:
    """[K, n] sampled gradients less the exact one, at one point."""
    params = problem.start(1)

    with jax.enable_x64(True):
        traced, at = jax.tree.map(jnp.asarray, (problem, params))
        keys = jax.random.split(jax.random.key(5), num_keys)
        drawn = jax.jit(jax.vmap(lambda k: flat(Oracle(traced, k).value_and_grad(at).grad)))(keys)
        return np.asarray(drawn) - np.asarray(flat(gradient(problem, params)))


def flat(params: Any) -> Any:
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(params)])


def close_to_mean(samples: np.ndarray, expected: float) -> None:
    """To five standard errors."""
    error = np.std(samples, ddof=1) / np.sqrt(len(samples))
    assert abs(np.mean(samples) - expected) < 5 * error


def row_noise() -> float:
    """E |g - grad f|^2 of the regression's own samples, over all rows exactly."""
    problem = regression()
    features, targets, l2 = problem.data
    params = problem.start(1)
    extended = np.column_stack([np.ones(12), features])
    weights = np.concatenate([[params["b"]], params["w"]])
    rows = (extended @ weights - targets)[:, None] * extended
    return float(np.sum(np.var(rows, axis=0)) / 3)


@pytest.mark.parametrize(
    ("transform", "arguments", "per_coordinate"),
    [
        (noisy, {"scale": 0.5}, 0.25),
        (sparse_noise, {"scale": 0.5, "probability": 0.2}, 0.25),
        (heavy_tailed, {"scale": 0.5, "degrees_of_freedom": 10.0}, 0.25 * 10 / 8),
    ],
    ids=names,
)
def test_noise_has_the_variance_claimed(transform, arguments, per_coordinate):
    problem = transform(bowl(), **arguments)
    np.testing.assert_allclose(problem.constants.noise_variance, 2 * per_coordinate, rtol=1e-15)
    noise = noise_of(problem)
    for squares_of in (noise**2).T:
        close_to_mean(squares_of, per_coordinate)
    close_to_mean(noise[:, 0] * noise[:, 1], 0.0)


def test_noise_adds_to_that_of_the_rows():
    problem = noisy(regression(), scale=0.5)
    assert problem.constants.noise_variance is None  # the rows' own is not known
    close_to_mean(np.sum(noise_of(problem) ** 2, axis=1), row_noise() + 3 * 0.25)


def test_independent_noises_add_their_variances():
    problem = noisy(noisy(bowl(), scale=0.5), scale=2.0)
    np.testing.assert_allclose(problem.constants.noise_variance, 2 * (0.25 + 4), rtol=1e-15)
    close_to_mean(np.sum(noise_of(problem) ** 2, axis=1), 2 * (0.25 + 4))


def test_complex_noise_has_two_parts():
    problem = noisy(complex_bowl(), scale=0.5)
    assert problem.constants.noise_variance == 1.0
    noise = noise_of(problem)
    for part in (noise.real, noise.imag):
        close_to_mean(np.sum(part**2, axis=1), 0.5)


@pytest.mark.parametrize("degrees_of_freedom", [1.5, 2.5])
def test_heavy_tails_are_those_of_student(degrees_of_freedom):
    problem = heavy_tailed(bowl(), 0.5, degrees_of_freedom)
    assert (problem.constants.noise_variance is None) == (degrees_of_freedom <= 2)
    draws = noise_of(problem).ravel() / 0.5
    assert scipy.stats.kstest(draws, scipy.stats.t(degrees_of_freedom).cdf).pvalue > 1e-3


def test_sparse_noise_leaves_coordinates_alone():
    noise = noise_of(sparse_noise(bowl(), probability=0.2))
    close_to_mean((np.abs(noise) > 1e-12).ravel().astype(float), 0.2)


def test_noise_keeps_curvature_and_belongs_to_one_function():
    """The Hessian is that of f, and a value moves as the sampled gradient says."""
    problem, x, v = noisy(bowl(), scale=3.0), np.array([1.0, 2.0]), np.array([1e-6, -1e-6])
    with jax.enable_x64(True):
        oracle = Oracle(problem, jax.random.key(0))
        np.testing.assert_allclose(oracle.hessian_product(jnp.asarray(x))(v), [4e-6, -0.5e-6])
        moved = oracle.value(jnp.asarray(x + v)) - oracle.value(jnp.asarray(x - v))
        np.testing.assert_allclose(moved, 2 * oracle.value_and_grad(jnp.asarray(x)).grad @ v)


def test_rounding_stays_on_the_grid_and_next_to_the_gradient():
    problem, x = quantized(bowl(), spacing=0.3), np.array([1.0, 2.0])
    for key in range(5):
        rounded, exact_gradient = gradient(problem, x, key), np.array([4.0, 1.0])
        np.testing.assert_allclose(rounded / 0.3, np.round(rounded / 0.3), atol=1e-12)
        assert np.all(np.abs(rounded - exact_gradient) < 0.3)
    assert problem.constants.noise_variance == pytest.approx(2 * 0.09 / 4)
    with jax.enable_x64(True):
        oracle = Oracle(problem, jax.random.key(0))
        assert float(oracle.value(jnp.asarray(x))) == value(bowl(), x)
        np.testing.assert_allclose(oracle.hessian_product(jnp.asarray(x))(x), [4.0, 1.0])


def test_rounding_half_way_attains_the_variance():
    problem = quantized(
        dataclasses.replace(bowl(), start=start_near(np.array([0.1, 0.8]), 0.0)), 0.8
    )
    noise = noise_of(problem)  # gradients (0.4, 0.4) between 0 and 0.8
    np.testing.assert_allclose(np.sum(noise**2, axis=1), problem.constants.noise_variance)
    close_to_mean(noise[:, 0], 0.0)


def test_some_samples_are_nan_and_the_others_are_untouched():
    problem, inner = sometimes_nan(noisy(bowl()), probability=0.25), noisy(bowl())
    noise = noise_of(problem)
    lost = np.isnan(noise)
    np.testing.assert_array_equal(lost[:, 0], lost[:, 1])
    close_to_mean(lost[:, 0].astype(float), 0.25)
    with jax.enable_x64(True):
        key = next(k for k in map(jax.random.key, range(9)) if not np.isnan(
            Oracle(problem, k).value(jnp.ones(2))
        ))  # fmt: skip
        expected = Oracle(inner, jax.random.split(key)[0]).value_and_grad(jnp.ones(2))
        found = Oracle(problem, key).value_and_grad(jnp.ones(2))
    np.testing.assert_array_equal(found.grad, expected.grad)
    assert found.value == expected.value
    assert problem.constants.noise_variance is None


# Finite sums


@pytest.mark.parametrize("transform", [permuted, stretched, scaled], ids=names)
def test_rows_stay_rows(transform):
    problem = transform(exact(regression()))
    assert problem.row_arrays == 2
    assert failures(minibatches(problem, batch_size=4)) == []


@pytest.mark.parametrize("transform", [*NOISES, sometimes_nan], ids=names)
def test_what_is_noisy_is_no_sum_of_exact_terms(transform):
    with pytest.raises(OptbenchError, match="no finite sum"):
        minibatches(transform(regression()), batch_size=2)


def test_new_samples_forget_the_variance_of_the_old():
    known = dataclasses.replace(CURVED, noise_variance=1.0)
    fresh = dataclasses.replace(exact(regression()), constants=known)
    assert minibatches(fresh, 2).constants.noise_variance == 1.0
    assert minibatches(minibatches(fresh, 2), 1).constants.noise_variance is None


# Refusals


REFUSED = [
    lambda: noisy(bowl(), scale=-1.0),
    lambda: noisy(bowl(), scale=np.inf),
    lambda: heavy_tailed(bowl(), degrees_of_freedom=1.0),
    lambda: sparse_noise(bowl(), probability=0.0),
    lambda: quantized(bowl(), spacing=0.0),
    lambda: sometimes_nan(bowl(), probability=1.5),
    lambda: scaled(bowl(), factor=-2.0),
    lambda: scaled(bowl(), factor=np.nan),
    lambda: rotated(complex_bowl()),
    lambda: rotated(dataclasses.replace(bowl(), start=start_near(np.ones(2001)))),
    lambda: permuted(complex_bowl()),
    lambda: stretched(complex_bowl()),
    lambda: stretched(lasso()),
    lambda: stretched(bowl(), condition_number=0.5),
    lambda: stretched(dataclasses.replace(bowl(), start=start_near(np.ones(1)))),
    lambda: shifted(bowl(), offset=(1.0, 2.0, 3.0)),
    lambda: minibatches(bowl()),
    lambda: minibatches(regression(), batch_size=13),
]


@pytest.mark.parametrize("build", REFUSED)
def test_what_makes_no_sense_is_refused_in_one_line(build):
    with pytest.raises(OptbenchError) as raised:
        build()
    assert raised.value.hint and "\n" not in str(raised.value)


# Each law rejects a planted defect


def biased(key: Any, like: Any, numbers: Any) -> Any:
    return numbers[0] * (0.2 + jax.random.normal(key, like.shape, like.dtype))


def test_noise_with_a_mean_is_found():
    problem = noisy(bowl())
    loss = dataclasses.replace(problem.sample_loss, draw=biased)
    assert "sampled slope" in failures(dataclasses.replace(problem, sample_loss=loss))


def test_a_minimizer_left_behind_is_found():
    for transform in (shifted, stretched):
        problem = dataclasses.replace(transform(bowl()), minimizer=np.ones(2) * 0.3)
        assert {"minimum", "stationary"} <= {*failures(problem)}


def test_a_prox_of_the_unscaled_part_is_found():
    problem = scaled(lasso(), 3.0)
    unscaled = dataclasses.replace(noisy(lasso()).prox)  # sees neither factor nor scale
    assert "prox" in failures(dataclasses.replace(problem, prox=unscaled))


def test_too_small_a_variance_is_found():
    problem = noisy(bowl())
    claims = dataclasses.replace(problem.constants, noise_variance=1.5)
    assert failures(dataclasses.replace(problem, constants=claims)) == ["noise variance"]
