"""Laws of landscapes: the plane through paths, and what a study stores of it."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from sklearn.decomposition import PCA
from test_results import same

import optbench.survey
from optbench import catalog, database, landscape
from optbench.design import Study
from optbench.errors import OptbenchError
from optbench.landscape import Landscape, pack_landscape, unpack_landscape
from optbench.program import precision
from optbench.results import Results
from optbench.study import StudyFinished, run_study
from optbench.tracks import tuned_index

STUDY = Study(
    name="seen",
    problems=("rosenbrock", "quadratic[dim=20]", "phase_retrieval", "parabola", "softmax_wine"),
    optimizers=("gradient_descent", "momentum", "adam", "gradient_descent_backtracking"),
    seeds=2,
    tuning_seeds=2,
    trials=2,
    budget=40.0,
)
CATALOG = catalog.collect("problems", "Problem")
BUILT = {
    "quadratic[dim=20]": lambda: CATALOG["quadratic"](dim=20),
    "phase_retrieval": CATALOG["phase_retrieval"],
    "softmax_wine": CATALOG["softmax_wine"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seen")
    run_study(STUDY, path)
    return path


@pytest.fixture(scope="module")
def seen(folder: Path) -> Results:
    return Results.open(folder)


def planted_paths(dim: int, counts: tuple[int, ...]) -> list[np.ndarray]:
    """Paths of different lengths with variances that fall from direction to direction."""
    rng = np.random.default_rng(dim)
    return [rng.standard_normal((n, dim)) * 0.7 ** np.arange(dim) + i for i, n in enumerate(counts)]


# The plane


@pytest.mark.parametrize("dim", [3, 17, 300])
@pytest.mark.parametrize("at_minimizer", [False, True])
def test_directions_are_those_of_scikit_learn(dim: int, at_minimizer: bool):
    """Each path is repeated until all have 400 points; reflected points put the mean at x*."""
    paths = planted_paths(dim, (40, 100, 200))
    center = np.full(dim, 0.3) if at_minimizer else np.mean([p.mean(0) for p in paths], axis=0)
    found = landscape.principal_directions(paths, center)
    assert found is not None
    directions, explained = found
    alike = np.concatenate([np.tile(path, (400 // len(path), 1)) for path in paths])
    whole = np.concatenate([alike, 2 * center - alike]) if at_minimizer else alike
    expected = PCA(svd_solver="full").fit(whole)
    np.testing.assert_allclose(expected.mean_, center, atol=1e-12)
    np.testing.assert_allclose(directions, expected.components_[:2], atol=1e-9)
    shares = expected.explained_variance_ratio_[: len(explained)]
    np.testing.assert_allclose(explained, shares, atol=1e-12)
    unequal = PCA(svd_solver="full").fit(np.concatenate(paths))
    assert np.abs(directions - unequal.components_[:2]).max() > 1e-3


@pytest.mark.parametrize("dim", [3, 400])
def test_paths_in_a_plane_are_explained_and_lie_on_it(dim: int):
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((dim, 2)))[0].T
    paths = [rng.standard_normal((150, 2)) @ basis + 2.0 for _ in range(2)]
    center, is_minimizer = landscape.center_of(paths, None)
    assert not is_minimizer
    directions, explained = landscape.principal_directions(paths, center)
    np.testing.assert_allclose(explained[:2].sum(), 1.0, rtol=1e-14)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-14)
    assert (directions.max(axis=1) == np.abs(directions).max(axis=1)).all()
    flat, off = landscape.project(paths[0], center, directions)
    assert (off * np.linalg.norm(paths[0] - center, axis=-1)).max() < 1e-13
    np.testing.assert_allclose(center + flat @ directions, paths[0], atol=1e-13)
    normal = np.linalg.svd(np.concatenate([directions, np.zeros((1, dim))]))[2][-1]
    lifted = center + 3.0 * directions[0] + 4.0 * normal
    _, off = landscape.project(lifted[None], center, directions)
    np.testing.assert_allclose(off, 0.8, rtol=1e-12)


def test_a_plane_without_extent_is_none_and_one_point_is_enough():
    assert landscape.principal_directions([np.ones((3, 4))], np.ones(4)) is None
    directions, explained = landscape.principal_directions([np.eye(4)[:1] * 2], np.zeros(4))
    np.testing.assert_allclose(np.abs(directions[0]), [1, 0, 0, 0])
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(explained[0], 1.0)


def test_what_diverged_or_ran_far_does_not_count():
    steady = np.linspace(0, 1, 5)[:, None] * np.ones(3)
    broken = steady.copy()
    broken[-1] = np.nan
    paths = {"a": steady, "b": 2 * steady, "far": 1e3 * steady, "lost": steady, "broken": broken}
    assert landscape.counted(paths, {"a", "b", "far", "broken"}) == ("a", "b")
    assert landscape.counted({"far": 1e3 * steady}, {"far"}) == ("far",)
    assert landscape.counted(paths, set()) == ()


def test_the_center_is_the_minimizer_where_paths_go_there():
    goal = np.zeros(3)
    towards, away = (np.linspace(*ends)[:, None] * np.ones(3) for ends in ((2, 1, 5), (1, 3, 5)))
    assert landscape.center_of([towards, away], goal)[1]
    center, is_minimizer = landscape.center_of([towards, away, away], goal)
    assert not is_minimizer
    np.testing.assert_allclose(center, (1.5 + 2 + 2) / 3)


def test_a_grid_covers_the_paths_and_is_not_too_narrow():
    x, y = landscape.grid_over([np.array([[0.0, 0.0], [10.0, 0.1]])])
    assert x[0] < 0 < 10 < x[-1] and len(x) == len(y) == landscape.GRID_POINTS
    np.testing.assert_allclose(np.ptp(y), landscape.NARROW * np.ptp(x))


# What a study stores


@pytest.mark.parametrize("problem", BUILT)
def test_f_on_the_grid_is_the_objective_at_its_points(seen: Results, problem: str):
    plane = seen.landscape(problem).plane
    built = BUILT[problem]()

    def differ(directions: np.ndarray) -> float:
        with precision("float64"):
            _, unravel = ravel_pytree(real_view(built.start(0)))
            worst = 0.0
            for j, i in ((0, 0), (80, 3), (40, 40), (17, 62)):
                flat = plane.center + plane.x[j] * directions[0] + plane.y[i] * directions[1]
                value = float(built.objective(complex_view(unravel(flat), built), *built.data))
                worst = max(worst, abs(value - plane.values[i, j]) / abs(value))
        return worst

    assert plane.values.shape == (landscape.GRID_POINTS,) * 2
    assert differ(plane.directions) < 1e-11
    assert differ(plane.directions[::-1]) > 1e-3


def real_view(params: np.ndarray) -> np.ndarray:
    return np.stack([params.real, params.imag], -1) if np.iscomplexobj(params) else params


def complex_view(params: jax.Array, built) -> jax.Array:
    return params[..., 0] + 1j * params[..., 1] if np.iscomplexobj(built.start(0)) else params


@pytest.mark.parametrize("problem", BUILT)
def test_the_points_of_two_settings_are_kept_in_single_precision(seen: Results, problem: str):
    for cell in seen.cells:
        if cell.problem != problem:
            continue
        kept = seen.trajectory_of(cell)
        expected = {tuned_index(kept, cell.trials, seen.target)}
        expected |= {cell.trials} if cell.default_source else set()
        assert set(kept.recorded) == expected
        points = kept.params
        assert points.dtype == (np.complex64 if problem == "phase_retrieval" else np.float32)
        start = np.asarray(BUILT[problem]().start(0)).astype(points.dtype)
        assert all(np.array_equal(lane[0], start) for lane in points)


def test_points_in_the_plane_are_kept_of_all_lanes_and_whole(seen: Results):
    for cell in seen.cells:
        kept = seen.trajectory_of(cell)
        if cell.problem == "rosenbrock":
            assert len(kept.recorded) == kept.status.size and kept.params.dtype == np.float64
        if cell.problem == "parabola":
            assert len(kept.recorded) == 0


@pytest.mark.parametrize("problem", BUILT)
def test_paths_are_those_of_the_tuned_lanes(seen: Results, problem: str):
    plane = seen.landscape(problem).plane
    assert list(plane.paths) == list(STUDY.optimizers)
    for name, path in plane.paths.items():
        trajectory, cell = seen.trajectory(problem, name), seen.cell(problem, name)
        assert path.setting == tuned_index(trajectory, cell.trials, seen.target)
        points = trajectory.points_of(0, path.setting)
        assert np.array_equal(path.steps, trajectory.steps[: len(points)])
        flat = (points - plane.center) @ plane.directions.T
        np.testing.assert_allclose(path.points, flat, atol=1e-12)
        assert ((path.off_plane >= 0) & (path.off_plane <= 1)).all()
        if name not in plane.left_out:
            assert plane.x[0] < flat[:, 0].min() and flat[:, 0].max() < plane.x[-1]
            assert plane.y[0] < flat[:, 1].min() and flat[:, 1].max() < plane.y[-1]


def test_each_problem_has_what_its_dimension_allows(seen: Results):
    plane, points = seen.landscape("quadratic[dim=20]"), seen.landscape("rosenbrock")
    assert (plane.plane.is_minimizer, plane.critical_points) == (True, None)
    assert plane.modes is not None and seen.landscape("softmax_wine").modes is None
    assert (points.plane, points.modes, points.critical_points.kinds) == (None, None, ("minimum",))
    assert seen.landscape("parabola") is None
    assert points.seconds > 0 and points.failure is None
    with pytest.raises(OptbenchError, match="no problem named"):
        seen.landscape("rosenbrok")


def without_time(results: Results) -> dict[str, Landscape | None]:
    found = {problem: results.landscape(problem) for problem in results.problems}
    return {p: f and dataclasses.replace(f, seconds=0.0) for p, f in found.items()}


def test_two_runs_have_equal_landscapes(seen: Results):
    again = run_study(STUDY)
    assert again.folder is None and same(without_time(again), without_time(seen))


def test_a_landscape_is_read_as_it_was_stored(seen: Results):
    for found in without_time(seen).values():
        assert found is None or same(unpack_landscape(pack_landscape(found)), found)


# Running again


def counting(monkeypatch) -> list[str]:
    """The problems whose landscapes are computed from now on."""
    computed, survey = [], optbench.survey.survey

    def noted(instance, lanes):
        computed.append(instance.record.label)
        return survey(instance, lanes)

    monkeypatch.setattr(optbench.survey, "survey", noted)
    return computed


TWO = dataclasses.replace(
    STUDY, problems=("quadratic[dim=3]", "rosenbrock"), optimizers=("gradient_descent", "adam")
)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    run_study(TWO, tmp_path)
    return tmp_path


def change(folder: Path, text: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / database.FILE)) as connection, connection:
        connection.execute(text)


def test_only_what_is_missing_is_computed_again(two: Path, monkeypatch):
    whole, told = without_time(Results.open(two)), []
    computed = counting(monkeypatch)
    run_study(TWO, two, listener=told.append)
    (ended,) = (event for event in told if isinstance(event, StudyFinished))
    assert (computed, ended.landscape_seconds) == ([], 0.0)
    change(two, "DELETE FROM landscapes WHERE problem = 'rosenbrock'")
    assert Results.open(two).landscape("rosenbrock") is None
    run_study(TWO, two, listener=told.append)
    assert computed == ["rosenbrock"] and told[-1].landscape_seconds > 0
    assert same(without_time(Results.open(two)), whole)


def test_another_cell_makes_another_landscape(two: Path, monkeypatch):
    computed = counting(monkeypatch)
    longer = dataclasses.replace(TWO, optimizers=(*TWO.optimizers, "momentum"))
    found = run_study(longer, two).landscape("quadratic[dim=3]")
    assert computed == list(TWO.problems) and "momentum" in found.plane.paths
    run_study(TWO, two)
    assert computed == 2 * list(TWO.problems)
    run_study(TWO, two, fresh=True)
    assert computed == 3 * list(TWO.problems)


def test_one_of_other_cells_is_not_shown(two: Path):
    change(two, "UPDATE landscapes SET key = 'of other cells'")
    assert Results.open(two).landscape("rosenbrock") is None


def test_a_search_for_another_target_has_its_own(two: Path, monkeypatch):
    """Its cells are copies, with the points of the settings that the first search chose."""
    computed = counting(monkeypatch)
    results = run_study(dataclasses.replace(TWO, target=1e-1), two)
    assert computed == list(TWO.problems)
    plane = results.landscape("quadratic[dim=3]").plane
    for name, path in plane.paths.items():
        assert path.setting in results.trajectory("quadratic[dim=3]", name).recorded


def test_one_that_fails_is_told_and_tried_again(two: Path, monkeypatch):
    tried = []

    def broken(terrain):
        tried.append(terrain)
        raise ValueError("no way\nat all")

    planar = dataclasses.replace(TWO, problems=("rosenbrock", "booth"), name="planar")
    with monkeypatch.context() as patched:
        patched.setattr(optbench.survey, "critical_points", broken)
        run_study(planar)
        assert len(tried) == 2  # once each, in this run
        change(two, "DELETE FROM landscapes")
        results = run_study(TWO, two)
    assert results.landscape("rosenbrock").failure == "ValueError: no way"
    assert results.landscape("quadratic[dim=3]").failure is None
    computed = counting(monkeypatch)
    assert run_study(TWO, two).landscape("rosenbrock").failure is None
    assert computed == ["rosenbrock"]


def test_results_of_the_schema_before_are_refused(two: Path):
    change(two, "PRAGMA user_version = 2")
    with pytest.raises(OptbenchError, match="older optbench") as caught:
        Results.open(two)
    assert "run the study again" in caught.value.hint
