"""Every optimizer of optax by name: `optax.NAME` and `optax.contrib.NAME`.

Arguments and defaults are those of optax's own signatures, less what no label can say (masks,
functions, transformations). A learning rate without a default stays required. What takes another
optimizer is a wrapper: `optax.contrib.mechanize(adam)`.

Calls per step: what the update function asks for, counted where it is handed.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from optbench.errors import NotApplicable
from optbench.optimizer import Optimizer, State, Step
from optbench.optimizers.libraries.optax_wrappers import WRAPPERS, wrapping
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params
from optbench.transformation import from_optax

EXCLUDED = MappingProxyType(
    {
        "optax.contrib.normalize": "scales gradients, and is no optimizer: a part of SAM",
        "optax.contrib.differentially_private_aggregate": "clips gradients: a part of dpsgd",
        "optax.optimistic_adam": "deprecated, and warns: optax.optimistic_adam_v2 replaces it",
        "optax.contrib.reduce_on_plateau": "scales updates, and branches on its numbers in Python",
    }
)

_MATRIX_ACTS = MappingProxyType(
    {"optax.contrib.muon": "orthogonalizes", "optax.contrib.galore": "projects"}
)

# Rules that take norms, matrices or noise of one array of params at a time.
_BY_ARRAY = frozenset(
    {
        "optax.adafactor",
        "optax.contrib.dpsgd",
        "optax.contrib.galore",
        "optax.contrib.muon",
        "optax.contrib.sophia",
        "optax.fromage",
        "optax.lamb",
        "optax.lars",
        "optax.noisy_sgd",
        "optax.novograd",
        "optax.sm3",
    }
)

# Rules that take norms of the params themselves.
_BY_ORIGIN = frozenset(
    {"optax.adafactor", "optax.contrib.dog", "optax.fromage", "optax.lamb", "optax.lars"}
)

# On complex params these fail, drop imaginary parts, or order complex numbers.
_REAL_ONLY = frozenset(
    {
        "optax.MultiSteps",
        "optax.adadelta",
        "optax.contrib.adopt",
        "optax.contrib.cocob",
        "optax.contrib.dadapt_adamw",
        "optax.contrib.galore",
        "optax.contrib.madgrad",
        "optax.contrib.mechanize",
        "optax.contrib.momo",
        "optax.contrib.momo_adam",
        "optax.contrib.prodigy",
        "optax.contrib.simplified_ademamix",
        "optax.contrib.sophia",
        "optax.rprop",
        "optax.sm3",
    }
)

_MARKS = _MATRIX_ACTS, _REAL_ONLY, _BY_ARRAY, _BY_ORIGIN

_NUMBERS = int, float, bool, jax.typing.ArrayLike, optax.ScalarOrSchedule
_UNSAID = frozenset(
    {
        "base_optimizer",
        "key",
        "mask",
        "print_win_rate_every_n_steps",
        "seed",
        "verbose",
        "weight_decay_mask",
        "weight_dimension_numbers",
    }
)


def public_optimizers() -> dict[str, Callable[..., Any]]:
    """Label -> function, of all that optax offers: its aliases, and what is contributed whole."""
    aliases, home = _returning_transformations(optax), optax.adam.__module__
    contributed = _returning_transformations(optax.contrib)
    return {f"optax.{n}": f for n, f in aliases.items() if _plain(f).__module__ == home} | {
        f"optax.contrib.{n}": f for n, f in contributed.items() if not n.startswith("scale_by_")
    }


def _returning_transformations(module: Any) -> dict[str, Callable[..., Any]]:
    kinds = optax.GradientTransformation, optax.GradientTransformationExtraArgs
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(_plain(function))
        and not name.startswith("_")
        and _returns(inspect.signature(function, eval_str=True), kinds)
    }


def _plain(function: Any) -> Any:
    """The function that a partial one calls: nadam is adam with an argument fixed."""
    return function.func if isinstance(function, functools.partial) else function


def _returns(signature: inspect.Signature, kinds: tuple[type, ...]) -> bool:
    """Whether it says so; where it says nothing, whether it takes a learning rate."""
    if signature.return_annotation is signature.empty:
        return "learning_rate" in signature.parameters
    return signature.return_annotation in kinds


@functools.cache
def entries() -> Mapping[str, Callable[..., Any]]:
    """Label -> factory, of every optimizer of optax that a label can give its arguments."""
    found: dict[str, Callable[..., Any]] = {}
    for label, function in public_optimizers().items():
        if label in EXCLUDED or label in WRAPPERS:
            continue
        if label in _NOISY:
            found[label] = _noisy(function, *_NOISY[label])
        elif wrapped := wrapping(function):
            found[label] = wrapped
        elif _is_sayable(function):
            found[label] = function
    found |= WRAPPERS
    labels = sorted(found, key=lambda label: (label.count("."), label))
    return MappingProxyType({label: _fitted(label, found[label]) for label in labels})


def optimizer_of(label: str, **arguments: Any) -> Optimizer:
    """The optimizer that a label names, which refuses params it was not made for."""
    built = entries()[label](**arguments)
    return built if isinstance(built, Optimizer) else from_optax(built)


def _is_sayable(function: Callable[..., Any]) -> bool:
    """Whether all that it requires are numbers."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return all(p.annotation in _NUMBERS for p in parameters if p.default is p.empty)


def _fitted(label: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself where it fits as it is."""
    is_marked = any(label in marks for marks in _MARKS)
    if not is_marked and _sayable(function) == inspect.signature(function):
        return function

    def factory(**arguments: Any) -> Optimizer:
        built = function(**arguments)
        optimizer = built if isinstance(built, Optimizer) else from_optax(built)
        return _marked(label, optimizer) if is_marked else optimizer

    return _signed(function, factory)


def _sayable(function: Callable[..., Any]) -> inspect.Signature:
    """The signature less what no label can say."""
    signature = inspect.signature(function)
    plain = type(None), bool, int, float, str, tuple
    kept = [
        p
        for p in signature.parameters.values()
        if p.default is p.empty or (type(p.default) in plain and p.name not in _UNSAID)
    ]
    return signature.replace(parameters=kept)


def _signed(function: Callable[..., Any], factory: Any) -> Callable[..., Any]:
    """The factory with the name, the docstring and the sayable signature of a function."""
    factory.__name__ = factory.__qualname__ = _plain(function).__name__
    factory.__doc__ = function.__doc__
    factory.__signature__ = _sayable(function)
    return factory


def _marked(label: str, optimizer: Optimizer) -> Optimizer:
    """The optimizer, which refuses params that it was not made for, and tells its kind."""

    def init(params: Params) -> State:
        leaves = jax.tree.leaves(params)
        if label in _REAL_ONLY and any(jnp.iscomplexobj(leaf) for leaf in leaves):
            raise NotApplicable(
                f"{label} takes no complex params",
                f"write optax.contrib.split_real_and_imaginary({label})",
            )
        if label in _MATRIX_ACTS and not any(jnp.ndim(leaf) == 2 for leaf in leaves):
            raise NotApplicable(
                f"{label} {_MATRIX_ACTS[label]} matrices, and these params have none",
                "use an optimizer that takes vectors: adam, momentum",
            )
        return optimizer.init(params)

    return optimizer._replace(init=init, by_array=label in _BY_ARRAY, by_origin=label in _BY_ORIGIN)


# What draws noise -> (the argument that seeds it, whether it is handed gradients of single rows).
_NOISY = MappingProxyType(
    {"optax.noisy_sgd": ("key", False), "optax.contrib.dpsgd": ("seed", True)}
)


def _noisy(function: Callable[..., Any], seed: str, by_rows: bool) -> Callable[..., Optimizer]:
    """A factory whose noise is drawn from the key of the step, so that seeds differ."""

    def factory(**arguments: Any) -> Optimizer:
        with warnings.catch_warnings():  # dpsgd hands on its seed under a deprecated name
            warnings.simplefilter("ignore", DeprecationWarning)
            inner = from_optax(function(**arguments, **{seed: 0}))

        def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
            calls = Calls()
            if by_rows:
                rows = oracle.sample_rows()
                grads = oracle.row_gradients(evaluation.params, rows)
                evaluation = evaluation._replace(grad=grads)
                calls = Calls(row_gradients=len(rows))
            drawing: Any = oracle.key
            key = jax.random.fold_in(drawing, _NOISE)  # not that which draws the sample
            state = optax.tree.set(state, rng_key=_as_key(key, optax.tree.get(state, "rng_key")))
            return inner.step(evaluation, state, oracle)._replace(calls=calls)

        return inner._replace(step=step)

    signature = inspect.signature(function)
    others = [p for p in signature.parameters.values() if p.name != seed]
    factory.__signature__ = signature.replace(parameters=others)  # pyright: ignore
    factory.__name__ = function.__name__
    factory.__doc__ = function.__doc__
    return factory


_NOISE = 1


def _as_key(key: jax.Array, like: jax.Array) -> jax.Array:
    """The key in the form, typed or of plain numbers, of another."""
    is_typed = jnp.issubdtype(like.dtype, jax.dtypes.prng_key)
    return key if is_typed else jax.random.key_data(key).astype(like.dtype)
