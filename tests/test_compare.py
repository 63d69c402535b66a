"""Comparing on one's own loss: the numbers of a plain loop, and one-line refusals."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optbench
from optbench.compare import SPREAD
from optbench.design import LogGrid
from optbench.errors import OptbenchError
from optbench.member import step_key
from optbench.method import make_method
from optbench.results import Results

GRID = LogGrid(low=1e-2, high=1e-1, num=2)
RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((12, 3))
LABELS = np.sign(FEATURES @ np.array([1.0, -2.0, 0.5]))
START = {"bias": np.zeros(()), "weights": np.array([0.1, 0.2, -0.3])}


def bowl(x: jax.Array) -> jax.Array:
    return jnp.sum((x - 1.0) ** 2)


def logistic(params: Mapping[str, jax.Array], batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    features, labels = batch
    logits = features @ params["weights"] + params["bias"]
    return jnp.mean(jax.nn.softplus(-labels * logits))


def compared(loss: Any, params: Any, optimizers: Any, **options: Any) -> Results:
    options = {"budget": 10.0, "seeds": 2, "learning_rate": GRID} | options
    return optbench.compare(loss, params, optimizers, **options)


def plain_loop(
    transformation: optax.GradientTransformation, params: Any, batches: list[Any]
) -> list[Any]:
    """The points of an optax optimizer, one eager step per batch."""
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, params)
        state, points = transformation.init(params), [params]
        for batch in batches:
            grad = jax.grad(logistic)(params, batch)
            updates, state = transformation.update(grad, state, params)
            params = optax.apply_updates(params, updates)
            points.append(params)
    return points


def values_at(points: list[Any], batch: Any) -> np.ndarray:
    with jax.enable_x64(True):
        return np.array([float(logistic(point, batch)) for point in points])


# The numbers are those of a plain loop


def test_full_batches_walk_as_a_plain_loop():
    data = (FEATURES, LABELS)
    results = compared(logistic, START, {"adam": optax.adam, "built": optax.sgd(0.3)}, data=data)
    walked = results.trajectory("logistic", "adam")
    for setting, rate in enumerate(GRID.values()):
        points = plain_loop(optax.adam(rate), START, [data] * 9)
        value = walked.value[0, setting]
        assert np.allclose(value[:10], values_at(points, data), rtol=1e-12)
    built = results.trajectory("logistic", "built")
    assert built.value.shape[:2] == (2, 1) and dict(built.settings) == {}
    points = plain_loop(optax.sgd(0.3), START, [data] * 9)
    assert np.allclose(built.value[0, 0, :10], values_at(points, data), rtol=1e-12)


def minibatches(seed: int, num_steps: int, batch_size: int) -> list[Any]:
    """The batches of one seed, drawn with the key of each step."""
    words = jnp.array([0, seed], jnp.uint32)
    keys = [step_key(words, jnp.int32(step)) for step in range(num_steps)]
    draws = [jax.random.randint(k, (batch_size,), 0, len(LABELS), jnp.int32) for k in keys]
    return [(FEATURES[rows], LABELS[rows]) for rows in map(np.asarray, draws)]


def test_minibatches_walk_as_a_plain_loop_and_are_told_on_all_data():
    data, held_out = (FEATURES[:12], LABELS[:12]), (FEATURES[:4] + 1, LABELS[:4])
    results = compared(
        logistic, START, ["momentum", "adam"], data=data, batch_size=3, test_data=held_out
    )
    trajectory = results.trajectory("logistic", "adam")
    points = plain_loop(optax.adam(GRID.high), START, minibatches(0, 39, 3))
    logged = trajectory.steps[trajectory.steps < 40]
    expected = values_at(points, data)[logged]
    assert np.allclose(trajectory.value[0, 1, : len(logged)], expected, rtol=1e-10)
    told = trajectory.diagnostics["test_loss"][0, 1, : len(logged)]
    assert np.allclose(told, values_at(points, held_out)[logged], rtol=1e-10)
    assert trajectory.cost[0, 1, 4] == pytest.approx(5 * 3 / 12)  # a step sees a quarter
    assert trajectory.resolution == "log points"
    other = plain_loop(optax.adam(GRID.high), START, minibatches(1, 39, 3))
    assert not np.allclose(values_at(other, data)[logged], expected)  # the seed decides


def test_seed_zero_starts_at_params_and_the_others_near():
    params = {"weights": np.full(400, 2.0), "bias": np.zeros(100)}

    def total(params):
        return jnp.sum(params["weights"] ** 2) + jnp.sum(params["bias"])

    results = compared(total, params, ["gradient_descent"], seeds=3)
    first = results.trajectory("total", "gradient_descent").value[:, 0, 0]
    assert first[0] == 1600 and len(set(first)) == 3
    scale = SPREAD * np.sqrt(1600 / 500)
    assert np.allclose(first[1:] - first[0], 400 * scale**2, atol=6 * scale * np.sqrt(400) * 4)


# What optimizers may be


def mine(learning_rate: float = 0.1, momentum: float = 0.5) -> optax.GradientTransformation:
    return optax.sgd(learning_rate, momentum)


def test_optimizers_are_factories_labels_methods_or_built():
    optimizers = {
        "factory": optax.adam,
        "mine": mine,
        "partial": functools.partial(optax.sgd, momentum=0.5),
        "label": "clip_by_global_norm(adam)[max_norm=0.5]",
        "method": make_method(mine, momentum=0.0),
        "built": optax.sgd(0.1),
        "search": optax.lbfgs,
        "any name (v2)": lambda learning_rate: optax.sgd(learning_rate, 0.5),
    }
    results = compared(bowl, np.zeros(2), optimizers)
    assert results.optimizers == tuple(optimizers)
    assert {cell.status for cell in results.cells} == {"finished"}, results.cells
    ends = {label: results.trajectory("bowl", label).value[0, -1] for label in optimizers}
    assert np.array_equal(ends["mine"], ends["partial"])
    assert np.array_equal(ends["mine"], ends["any name (v2)"])
    assert not np.array_equal(ends["mine"], ends["method"])
    assert ends["search"][-1] < 1e-12 and str(results).startswith("compare: 1 problem")


def test_a_list_of_labels_and_methods_names_them():
    results = compared(bowl, np.zeros(2), ["adam[b1=0.5]", make_method(mine, momentum=0.0)])
    assert results.optimizers == ("adam[b1=0.5]", "mine[momentum=0.0]")


def test_an_optimizer_that_fails_is_recorded_and_the_others_go_on():
    def broken(learning_rate: float = 0.1):
        raise RuntimeError("no such luck")

    results = compared(bowl, np.zeros(2), {"broken": broken, "adam": "adam"})
    assert [cell.status for cell in results.cells] == ["failed", "finished"]
    assert results.cells[0].message == "RuntimeError: no such luck"


def test_params_may_be_a_large_tree():
    params = [{"w": np.ones((200, 300), np.float32), "b": jnp.zeros(300)} for _ in range(3)]

    def total(layers):
        return sum(jnp.sum(jnp.tanh(x) ** 2) for x in jax.tree.leaves(layers))

    results = compared(total, params, ["adam"], budget=3.0, seeds=1, precision="float32")
    assert results.cells[0].status == "finished" and results.problems["total"].dim == 180_900


def test_results_may_be_kept_in_a_folder(tmp_path: Path):
    for scale in (1.0, 2.0):  # what a loss refers to may change, so all is computed again

        def scaled(x, scale=scale):
            return scale * jnp.sum(x**2)

        compared(scaled, np.ones(2), ["adam"], folder=tmp_path)
    kept = Results.open(tmp_path)
    assert kept.folder == tmp_path and kept.study["name"] == "compare"
    assert kept.trajectory("scaled", "adam").value[0, 0, 0] == 4.0
    assert len(kept.cells) == 1


# What cannot be compared


def vector(x: jax.Array) -> jax.Array:
    return 2 * x


def whole_number(x: jax.Array) -> jax.Array:
    return jnp.sum(x > 0)


def undefined(x: jax.Array) -> jax.Array:
    return jnp.sum(x) * jnp.nan


def needs_more(learning_rate: float, model: object) -> optax.GradientTransformation:
    raise NotImplementedError


DATA = (FEATURES, LABELS)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((vector, np.ones(2), ["adam"]), {}, "shape"),
        ((whole_number, np.ones(2), ["adam"]), {}, "whole_number"),
        ((undefined, np.ones(2), ["adam"]), {}, "nan at the start"),
        ((logistic, START, ["adam"]), {}, "cannot be called with 1 argument"),
        ((bowl, np.ones(2), ["adam"]), {"data": DATA}, "fails when called"),
        ((bowl, np.ones(2, int), ["adam"]), {}, "int"),
        ((bowl, np.ones(2) * 1j, ["adam"]), {}, "complex"),
        ((bowl, [], ["adam"]), {}, "params are"),
        ((bowl, np.ones(0), ["adam"]), {}, "params are empty"),
        ((bowl, np.ones(2), {}), {}, "no optimizers"),
        ((bowl, np.ones(2), "adam"), {}, "neither a mapping nor a list"),
        ((bowl, np.ones(2), ["adm"]), {}, "no optimizer named 'adm'"),
        ((bowl, np.ones(2), {"mine": needs_more}), {}, "'mine' needs model"),
        ((bowl, np.ones(2), ["adam"]), {"budget": 0.0}, "budget is 0"),
        ((bowl, np.ones(2), ["adam"]), {"seeds": 0}, "seeds is 0"),
        ((bowl, np.ones(2), ["adam"]), {"batch_size": 3}, "need data"),
        ((bowl, np.ones(2), ["adam"]), {"test_data": DATA}, "need data"),
        ((logistic, START, ["adam"]), {"data": DATA, "batch_size": 0}, "batch_size is 0"),
        ((logistic, START, ["adam"]), {"data": DATA, "batch_size": 13}, "batch_size is 13"),
        ((logistic, START, ["adam"]), {"data": (FEATURES, LABELS[:5])}, "rows"),
        ((logistic, START, ["adam"]), {"data": ()}, "rows"),
        ((logistic, START, ["adam"]), {"data": DATA, "test_data": FEATURES}, "structured"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(arguments, options, message: str):
    with pytest.raises(OptbenchError) as caught:
        compared(*arguments, **options)
    told = caught.value
    assert message in f"{told.message} {told.hint}"
    assert told.hint and "\n" not in told.message + told.hint


OF_ANOTHER_TYPE = """
import jax.numpy as jnp
import numpy as np
import optbench
start = np.ones(2)
for arguments, options in (
    ((3, start, ["adam"]), {}),
    ((np.sum, start, ["adam"]), {}),  # no function that JAX can trace
    ((jnp.sum, start, {"mine": 3}), {}),
    ((jnp.sum, start, ["adam"]), {"seeds": 2.5}),
    ((jnp.sum, start, ["adam"]), {"budget": "much"}),
    ((jnp.sum, start, ["adam"]), {"precision": 64}),
    ((jnp.sum, start, ["adam"]), {"data": start, "batch_size": 1.5}),
):
    try:
        optbench.compare(*arguments, **options)
    except optbench.OptbenchError as error:
        print(error.message)
"""


def test_what_is_of_another_type_is_refused_in_one_line(fresh_python):
    told = fresh_python(OF_ANOTHER_TYPE)  # where no test hook checks types
    expected = ["loss is a int", "loss is a _Array", "'mine' is a int", "2.5", "much", "64", "1.5"]
    assert all(message in line for line, message in zip(told, expected, strict=True)), told
