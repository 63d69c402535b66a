"""An optimizer outside a trace: a factory and its arguments, the compile key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from optbench import catalog, theory
from optbench.arguments import RATE, checked_arguments, is_continuous, plain_value
from optbench.catalog import Catalog, Label
from optbench.errors import OptbenchError, first_line, unknown_name
from optbench.optimizer import Optimizer, Rated
from optbench.transformation import from_optax


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """A continuous hyperparameter of a method; `depth` counts the wrappers around its owner."""

    depth: int
    name: str
    value: float | str | None  # text: a formula of `optbench.theory`; None: required, not given


@dataclasses.dataclass(frozen=True)
class Method:
    """An optimizer outside a trace: a factory and its arguments. Hashable.

    Attributes:
        factory: hyperparameters -> Optimizer, or -> an optax gradient transformation. A wrapper's
            first parameter is the Optimizer it wraps.
        name: its name in a catalog, or the user's.
        arguments: the arguments given, in the order of the signature.
        inner: the method it wraps.
    """

    factory: Callable[..., Any]
    name: str
    arguments: tuple[tuple[str, Any], ...] = ()
    inner: Method | None = None

    @property
    def label(self) -> str:
        """Its name in the grammar of `optbench.catalog`."""
        return str(self._label())

    def _label(self) -> Label:
        return Label(self.name, self.inner._label() if self.inner else None, self.arguments)

    @property
    def structure(self) -> tuple[Any, ...]:
        """What decides its compiled program: everything but continuous values."""
        fixed = tuple(a for a in self.arguments if a[0] not in self.continuous)
        names = tuple(self.continuous)
        return self.factory, fixed, names, self.inner.structure if self.inner else None

    @property
    def layers(self) -> tuple[Method, ...]:
        """The method, and those that it wraps, outermost first."""
        return (self, *(() if self.inner is None else self.inner.layers))

    @property
    def continuous(self) -> dict[str, float | str | None]:
        """Its own continuous hyperparameters, not those of what it wraps -> their values."""
        given = dict(self.arguments)
        found: dict[str, float | str | None] = {}
        for parameter in catalog.parameters(self.factory):
            value = given.get(parameter.name, parameter.default)
            missing = parameter.required and parameter.name not in given
            if missing and parameter.name == RATE:
                found[parameter.name] = None
            elif isinstance(value := plain_value(parameter, value), float):
                found[parameter.name] = value
            elif isinstance(value, str) and is_continuous(parameter):
                found[parameter.name] = value
        return found

    @property
    def is_settled(self) -> bool:
        """Whether no hyperparameter waits for the constants of a problem."""
        return not any(isinstance(h.value, str) for h in self.hyperparameters())

    def settled(self, known: theory.Known) -> Method:
        """The method with the value of every formula on a problem.

        Args:
            known: what `theory.known_of` tells of the problem.

        Raises:
            NotApplicable: the problem does not know a constant.
            OptbenchError: nothing is declared optimal for an argument.
        """
        formulas = {n: v for n, v in self.continuous.items() if isinstance(v, str)}
        found = {
            argument: theory.settle(self.factory, self.name, argument, text, known)
            for argument, text in formulas.items()
        }
        given = checked_arguments(self.factory, self.name, dict(self.arguments) | found)
        inner = None if self.inner is None else self.inner.settled(known)
        return dataclasses.replace(self, arguments=given, inner=inner)

    def hyperparameters(self, depth: int = 0) -> tuple[Hyperparameter, ...]:
        """All continuous hyperparameters, outermost first."""
        own = tuple(Hyperparameter(depth, n, v) for n, v in self.continuous.items())
        return own + (self.inner.hyperparameters(depth + 1) if self.inner else ())

    def has(self, name: str) -> bool:
        """Whether a continuous hyperparameter of this name exists."""
        return any(h.name == name for h in self.hyperparameters())

    def replace(self, **values: Any) -> Method:
        """The method with other arguments, each set on the innermost owner of its name.

        Raises:
            OptbenchError: no owner has such a parameter.
        """
        method = self
        for name, value in values.items():
            method = method._replace_one(name, value)
        return method

    def _replace_one(self, name: str, value: Any) -> Method:
        if self.inner is not None and self.inner.accepts(name):
            return dataclasses.replace(self, inner=self.inner._replace_one(name, value))
        known = [p.name for p in catalog.parameters(self.factory)]
        if name not in known:
            raise unknown_name(f"argument of optimizer {self.name}", name, known, GIVE_ARGUMENT)
        given = checked_arguments(self.factory, self.name, dict(self.arguments) | {name: value})
        return dataclasses.replace(self, arguments=given)

    def accepts(self, name: str) -> bool:
        """Whether it, or a method that it wraps, has an argument of this name."""
        inner = self.inner
        return _has(self.factory, name) or (inner is not None and inner.accepts(name))

    @property
    def hosted(self) -> bool:
        """Whether it has no step, and runs on the host: its factory returns a `HostSolver`."""
        return self.inner is None and catalog.returned(self.factory) == "HostSolver"

    def build(self, values: Mapping[tuple[int, str], Any], depth: int = 0) -> Optimizer:
        """The optimizer, closed over a value (a tracer, inside a trace) per hyperparameter.

        Args:
            values: (depth, name) of each hyperparameter -> its value.
            depth: how many wrappers are around this method.

        Raises:
            OptbenchError: the factory refuses its arguments, or returns no optimizer.
        """
        built = self.make(values, depth)
        if isinstance(built, Optimizer):
            return built
        if isinstance(built, optax.GradientTransformation):
            return from_optax(built)
        if self.hosted:
            raise OptbenchError(
                f"optimizer {self.name!r} has no step that could be traced or wrapped",
                "name it alone: it runs as it is, on the host",
            )
        raise OptbenchError(
            f"optimizer {self.name!r} returns a {type(built).__name__}",
            "a factory returns an optbench.Optimizer or an optax.GradientTransformation",
        )

    def make(self, values: Mapping[tuple[int, str], Any], depth: int = 0) -> Any:
        """What the factory returns, as it is; the arguments are those of `build`.

        Raises:
            OptbenchError: the factory refuses its arguments.
        """
        own = {name: values[depth, name] for name in self.continuous}
        arguments = dict(self.arguments) | own
        wrapped = _wrapped_parameter(self.factory)
        if self.inner is not None and wrapped is not None:
            arguments[wrapped.name] = (
                self.inner.build(values, depth + 1)
                if wrapped.annotation == "Optimizer"
                else _rated(self.inner, values, depth + 1)
            )
        try:
            return self.factory(**arguments)
        except (TypeError, ValueError) as error:
            hint = "give what it needs in brackets, or wrap it in a function with defaults"
            if isinstance(error, jax.errors.ConcretizationTypeError):
                hint = "its numbers arrive traced: write jnp.where instead of a Python if on them"
            message = f"optimizer {self.name!r} cannot be built: {first_line(error)}"
            raise OptbenchError(message, hint) from error


GIVE_ARGUMENT = "`optbench list optimizers --json` shows the arguments of each"


def _has(factory: Callable[..., Any], argument: str) -> bool:
    return any(p.name == argument for p in catalog.parameters(factory))


def _wrapped_parameter(factory: Callable[..., Any]) -> catalog.Parameter | None:
    wrapped = "Optimizer", "Rated"
    return next((p for p in catalog.parameters(factory) if p.annotation in wrapped), None)


def _rated(method: Method, values: Mapping[tuple[int, str], Any], depth: int) -> Rated:
    """The method with the learning rate of the innermost owner left open."""
    owner = max(key for key in values if key[1] == RATE)

    def at(factor: Any) -> Optimizer:
        return method.build(dict(values) | {owner: values[owner] * factor}, depth)

    return Rated(at, values[owner], _multiplies_rate(method))


def _multiplies_rate(method: Method) -> bool:
    wrapped = _wrapped_parameter(method.factory)
    own = wrapped is not None and wrapped.annotation == "Rated"
    return own or (method.inner is not None and _multiplies_rate(method.inner))


def make_method(
    factory: Callable[..., Any], name: str | None = None, inner: Method | None = None, **given: Any
) -> Method:
    """A method from a factory and arguments, checked against its signature.

    Args:
        factory: returns an `Optimizer` or an optax gradient transformation.
        name: defaults to the factory's own name.
        inner: the method to wrap, where the factory is a wrapper; its own default if not given.
        **given: arguments for the factory.

    Raises:
        OptbenchError: an argument the factory does not have, or a wrapper with nothing to wrap.
    """
    name = name or str(getattr(factory, "__name__", "optimizer"))
    wrapped = _wrapped_parameter(factory)
    if wrapped is None and inner is not None:
        raise OptbenchError(f"optimizer {name!r} wraps no other", catalog.GRAMMAR)
    for argument in given:
        if inner is not None and inner.accepts(argument) and not _has(factory, argument):
            wrapping = inner.replace(**{argument: given[argument]})
            raise OptbenchError(
                f"no argument of optimizer {name} named {argument!r}",
                f"it is one of what {name} wraps: write {name}({wrapping.label})",
            )
    catalog.check_arguments(factory, tuple(given.items()), "optimizer", name)
    if wrapped is not None and wrapped.name in given:
        raise OptbenchError(
            f"optimizer {name!r} is given {wrapped.name!r} as an argument",
            f"write {name}(adam), or in Python make_method({name}, inner=make_method(adam))",
        )
    if wrapped is not None and inner is None:
        if wrapped.required:
            raise OptbenchError(f"optimizer {name!r} has nothing to wrap", catalog.GRAMMAR)
        inner = make_method(wrapped.default)
    if inner is not None and wrapped and wrapped.annotation == "Rated" and not inner.has(RATE):
        raise OptbenchError(
            f"{name} cannot wrap {inner.name}, which has no {RATE}",
            "wrap an optimizer that has one",
        )
    return Method(factory, name, checked_arguments(factory, name, given), inner)


def find_method(label: str | Label, optimizers: Catalog) -> Method:
    """The method that a label names.

    Args:
        label: `adam[learning_rate=0.01]`, `clip_by_global_norm(adam)[max_norm=1.0]` or
            `file.py:function`.
        optimizers: the catalog to look in.

    Raises:
        OptbenchError: an unknown name or argument, or a label that cannot be read.
    """
    if isinstance(label, str):
        label = catalog.parse_label(label)
    factory = catalog.lookup(label.name, optimizers, "optimizer", "Optimizer")
    inner = find_method(label.inner, optimizers) if label.inner else None
    return make_method(factory, label.name, inner, **dict(label.arguments))
