"""Comparing optimizers on somebody's own loss and data, in three lines."""

from __future__ import annotations

import dataclasses
import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optbench import catalog, trees
from optbench.design import LogGrid, Study
from optbench.errors import OptbenchError
from optbench.method import Method, find_method, make_method
from optbench.optimizers.names import known_optimizers
from optbench.problem import Params, Problem
from optbench.results import Results
from optbench.schedule import Listener
from optbench.start import start_near
from optbench.study import Parts, run_parts
from optbench.validation import validate_problem

NAME = "compare"  # of the study
SPREAD = 0.1  # of the starts around params, relative to their root mean square

Chosen = str | Method | optax.GradientTransformation | Callable[..., Any]


def compare(
    loss: Callable[..., Any],
    params: Params,
    optimizers: Mapping[str, Chosen] | Sequence[str | Method],
    *,
    data: Any = None,
    batch_size: int | None = None,
    test_data: Any = None,
    budget: float | int = 1000.0,
    seeds: int = 5,
    learning_rate: LogGrid | None = None,
    precision: str = "float64",
    folder: str | Path | None = None,
    listener: Listener | None = None,
) -> Results:
    """Compare optimizers on one loss.

    Every optimizer sees the same starts and the same minibatches. Seed 0 starts at `params`, the
    others at params + 0.1 r * normal draws, with r the root mean square of params (1 where they
    are all zero). With `batch_size`, each step sees that many samples, drawn with replacement;
    what is reported is the loss on all of `data`, and a step costs batch_size / num_samples of
    the budget. As the minimum is unknown, targets are fractions of the first gradient norm.

    Args:
        loss: of (params), or of (params, data) where data are given, to one real number.
        params: where to start: a pytree of floating-point arrays.
        optimizers: label -> a factory such as `optax.adam`, whose learning rate is swept; a
            label of the catalog such as "momentum"; a `Method`; or an optax transformation that
            is already built, which runs as it is. Or a list of labels and methods.
        data: a pytree of arrays with one row per sample.
        batch_size: samples per step; None for all of them.
        test_data: of the structure of `data`; their loss is logged as "test_loss".
        budget: in gradient-equivalents per run: passes over all of `data`.
        seeds: how many.
        learning_rate: values to run at in place of a search.
        precision: "float64" or "float32".
        folder: where the results are kept; None for in memory.
        listener: told what happens.

    Raises:
        OptbenchError: the loss, the params, the data or an optimizer cannot be used.
    """
    methods = _methods(optimizers)
    problem = _problem(loss, params, data, batch_size, test_data)
    validate_problem(problem)
    study = Study.from_mapping(
        {
            "name": NAME,
            "problems": [problem.name],
            "optimizers": list(methods),
            "seeds": seeds,
            "budget": budget,
            "precision": precision,
        }
    )
    study = dataclasses.replace(study, learning_rate=learning_rate)
    parts = Parts(problems={problem.name: lambda: problem}, methods=methods, find=_unknown)
    # What a function refers to outside its own text cannot be hashed: nothing is skipped.
    return run_parts(study, parts, folder, fresh=True, listener=listener)


def _unknown(label: str) -> Method:
    raise OptbenchError(f"{label!r} is not compared any more", "")


def _problem(
    loss: Callable[..., Any], params: Params, data: Any, batch_size: int | None, test_data: Any
) -> Problem:
    """The problem; the same functions for the same loss, so that nothing is compiled again."""
    if not callable(loss) or not _is_referable(loss):
        raise OptbenchError(
            f"loss is a {type(loss).__name__}", "give a function of params: def loss(params): ..."
        )
    name = getattr(loss, "__name__", "loss").replace("<lambda>", "loss")
    start = start_near(params, _spread(params))
    if data is None:
        if batch_size is not None or test_data is not None:
            raise OptbenchError("batch_size and test_data need data", "give data=(X, y)")
        return Problem(objective=loss, start=start, name=name)
    total = _num_samples(data, "data")
    tested = test_data is not None
    if tested:
        _num_samples(test_data, "test_data")
        if jax.tree.structure(test_data) != jax.tree.structure(data):
            raise OptbenchError("test_data is not structured as data", "give test_data=(X, y)")
    if batch_size is not None and not (isinstance(batch_size, int) and 1 <= batch_size <= total):
        raise OptbenchError(f"batch_size is {batch_size!r}", f"give 1 to {total}, or None")
    return Problem(
        objective=_on_data(loss),
        start=start,
        data=(data, test_data) if tested else (data,),
        sample_loss=None if batch_size is None else _on_samples(loss, batch_size),
        sample_fraction=1.0 if batch_size is None else batch_size / total,
        monitors=(("test_loss", _on_test_data(loss)),) if tested else (),
        name=name,
    )


def _is_referable(function: Any) -> bool:
    """Whether JAX can keep programs under a function; of some it crashes the process instead."""
    try:
        return hash(function) is not None and weakref.ref(function) is not None
    except TypeError:
        return False


def _spread(params: Params) -> float:
    """The scale of the draws around params."""
    leaves = jax.tree.leaves(params)
    if not leaves or not all(jnp.issubdtype(jnp.result_type(x), jnp.floating) for x in leaves):
        raise OptbenchError(
            f"params are {jax.tree.map(jnp.result_type, params)}",
            "optimizers move floating-point numbers: give a pytree of real float arrays",
        )
    squares = sum(float(np.sum(np.square(np.asarray(x, float)))) for x in leaves)
    return SPREAD * (np.sqrt(squares / max(1, trees.size(params))) or 1.0)


def _num_samples(data: Any, name: str) -> int:
    lengths = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(data)}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise OptbenchError(
            f"the arrays of {name} have {sorted(lengths)} rows", "give one row per sample to each"
        )
    return lengths.pop()[0]


@functools.lru_cache(maxsize=128)
def _on_data(loss: Callable[..., Any]) -> Callable[..., Any]:
    def objective(params: Params, data: Any, *test_data: Any) -> jax.Array:
        return loss(params, data)

    return objective


@functools.lru_cache(maxsize=128)
def _on_test_data(loss: Callable[..., Any]) -> Callable[..., Any]:
    def test_loss(params: Params, data: Any, test_data: Any) -> jax.Array:
        return loss(params, test_data)

    return test_loss


@functools.lru_cache(maxsize=128)
def _on_samples(loss: Callable[..., Any], batch_size: int) -> Callable[..., Any]:
    def sample_loss(params: Params, key: jax.Array, data: Any, *test_data: Any) -> jax.Array:
        total = jax.tree.leaves(data)[0].shape[0]
        rows = jax.random.randint(key, (batch_size,), 0, total, jnp.int32)
        return loss(params, jax.tree.map(lambda leaf: leaf[rows], data))

    return sample_loss


def _methods(optimizers: Mapping[str, Chosen] | Sequence[str | Method]) -> dict[str, Method]:
    """Label -> method."""
    if not isinstance(optimizers, Mapping):
        if isinstance(optimizers, str) or not all(isinstance(o, str | Method) for o in optimizers):
            raise OptbenchError(
                "optimizers are neither a mapping nor a list of labels",
                'write {"adam": optax.adam}, or ["adam", "momentum"]',
            )
        optimizers = {o if isinstance(o, str) else o.label: o for o in optimizers}
    known = known_optimizers()
    return {label: _method(label, chosen, known) for label, chosen in optimizers.items()}


def _method(label: str, chosen: Chosen, known: catalog.Catalog) -> Method:
    if isinstance(chosen, Method):
        return chosen
    if isinstance(chosen, str):
        return find_method(chosen, known)
    if isinstance(chosen, optax.GradientTransformation):
        return make_method(_as_built(chosen), label)
    if not callable(chosen):
        raise OptbenchError(
            f"optimizer {label!r} is a {type(chosen).__name__}",
            "give a factory such as optax.adam, or a label of the catalog",
        )
    missing = [
        p.name for p in catalog.parameters(chosen) if p.required and p.name != "learning_rate"
    ]
    if missing:
        raise OptbenchError(
            f"optimizer {label!r} needs {', '.join(missing)}",
            "give what it returns, or a function whose only required argument is learning_rate",
        )
    return make_method(chosen, label)


@functools.lru_cache(maxsize=128)
def _as_built(transformation: optax.GradientTransformation) -> Callable[[], Any]:
    def built() -> optax.GradientTransformation:
        return transformation

    return built
