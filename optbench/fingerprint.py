"""Hashes of what decides numbers: values, traced functions, and source files."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.environment import PACKAGES, Environment
from optbench.layers import recorded
from optbench.method import Method
from optbench.problem import Problem

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def digest(*parts: Any) -> str:
    """The SHA-256 of arrays (dtype, shape and bytes) and JSON values, in hex."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            head, content = [str(part.dtype), part.shape], np.ascontiguousarray(part).tobytes()
        else:
            head, content = None, json.dumps(part, sort_keys=True).encode()
        found.update(json.dumps([head, len(content)]).encode() + content)
    return found.hexdigest()


def digest_problem(problem: Problem, seeds: Sequence[int]) -> str:
    """What decides the numbers of a problem: its functions as traced, data, starts and f*.

    A function is hashed as JAX sees it, with the arrays that it captured, so that a change
    anywhere in what it calls shows, and a change of a comment does not. Call it in the
    precision of the run.

    Args:
        problem: the problem.
        seeds: those whose starts count.
    """
    params, data = problem.start(0), problem.data
    traced = [_traced(jax.value_and_grad(problem.objective), params, *data)]
    if problem.sample_loss is not None:
        loss = jax.value_and_grad(problem.sample_loss)
        traced.append(_traced(loss, params, jax.random.key(0), *data))
    if problem.nonsmooth is not None:
        traced.append(_traced(jax.value_and_grad(problem.nonsmooth), params, *data))
    others = [problem.residuals, problem.outputs]
    others += [f for _, f in problem.monitors]
    traced += ["" if f is None else _traced(f, params, *data) for f in others]
    if problem.outputs is not None and problem.output_loss is not None:
        outputs = jax.eval_shape(problem.outputs, params, *data)
        traced.append(_traced(jax.value_and_grad(problem.output_loss), outputs, *data))
    if problem.network is not None:
        layers = functools.partial(recorded, problem.network)
        traced.append(_traced(lambda p, *d: layers(p, d), params, *data))
    if problem.prox is not None:
        traced.append(_traced(problem.prox, params, 1.0, *data))
    if problem.tangent is not None:
        traced.append(_traced(problem.tangent, params, params, *data))
    starts = [np.asarray(leaf) for seed in seeds for leaf in jax.tree.leaves(problem.start(seed))]
    numbers = [problem.certain_minimum, problem.saddle, problem.sample_fraction]
    numbers += [problem.bounded_below, problem.row_arrays]
    names = [name for name, _ in problem.monitors]
    structure = str(jax.tree.structure(params))
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(data)]
    return digest(traced, numbers, names, structure, *leaves, *starts)


def _traced(function: Callable[..., Any], *arguments: Any) -> str:
    closed = jax.make_jaxpr(function)(*arguments)
    return digest(_ADDRESS.sub("", str(closed)), *(_bytes_of(array) for array in closed.consts))


def _bytes_of(array: Any) -> np.ndarray:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    return np.asarray(array)


def digest_method(method: Method) -> str:
    """What decides the steps of a method: its arguments and the sources of its factories."""
    arguments = [[name, repr(value)] for name, value in method.arguments]
    inner = None if method.inner is None else digest_method(method.inner)
    factory, bound = method.factory, []
    while isinstance(factory, functools.partial):
        bound.append(_ADDRESS.sub("", repr((factory.args, factory.keywords))))
        factory = factory.func
    named = [factory.__module__, getattr(factory, "__qualname__", type(factory).__qualname__)]
    return digest(digest_sources(factory.__module__), named, bound, arguments, inner)


@functools.cache
def digest_sources(module: str) -> str:
    """The sources of a module, and of all that it imports from its own package or folder."""
    sources: dict[str, str] = {}
    _gather(module, sources)
    return digest(sources)


def _gather(name: str, sources: dict[str, str]) -> None:
    path = _file(name)
    if name in sources or path is None or _root(name) in PACKAGES:
        return
    sources[name], imports = _read(path, getattr(sys.modules[name], "__package__", None) or "")
    for other in imports:
        place = _file(other)
        if place and (_root(other) == _root(name) or place.parent == path.parent):
            _gather(other, sources)


def _root(name: str) -> str:
    return name.partition(".")[0]


def _file(name: str) -> Path | None:
    """The source file of an imported module."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return Path(file) if file and file.endswith(".py") else None


@functools.cache
def _read(path: Path, package: str) -> tuple[str, tuple[str, ...]]:
    """A source, and the names of what it imports; of `from a import b`, both `a` and `a.b`."""
    source = path.read_text(encoding="utf-8")
    names: list[str] = []
    for node in _executed(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return source, tuple(names)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`, whose imports run nothing."""
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _executed(child)


def digest_environment(environment: Environment) -> str:
    """What decides the last bits: versions, device, flags, and the engine's own sources."""
    versions = dict(environment.versions)
    versions["python"] = ".".join((versions["python"] or "").split(".")[:2])
    return digest(
        digest_sources("optbench.run"),
        versions,
        [environment.system, environment.processor, environment.device, environment.xla_flags],
        environment.compile_options,
    )
