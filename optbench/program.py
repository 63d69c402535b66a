"""Compiling: one executable per form, kept for every run that differs only in its arguments."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from optbench import trees
from optbench.carry import Carry, Form, Hits, Inputs, Log, Moving, States
from optbench.errors import OptbenchError
from optbench.group import Group, make_group
from optbench.lanes import LANES, SEEDS, Lanes, lead
from optbench.loop import advance, evaluate
from optbench.member import Member, examine
from optbench.method import Method
from optbench.oracle import Calls, Evaluation
from optbench.problem import Problem

MOST_STATE_BYTES = 4 << 30  # kept of a run that is measured along its path
TARGET_BLOCK = 5  # targets come in multiples of this
MOST_PROGRAMS = 256  # kept at once: Linux maps 65,530 pieces of memory a process, a program several
# A step with an inner search compiles 2.4 times faster so, and runs up to 1.8 times slower.
SEARCH_OPTIONS = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}


Swept = frozenset[str]  # names of the hyperparameters of a method with one value per setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes that a program is compiled for.

    Attributes:
        block: (seeds, settings) that run together.
        nested: whether lanes are nested: where samples are shared by the settings of a seed.
        grid: capacity of the log.
        targets: capacity of the table of hits.
        recorded: lanes of one block whose points are logged.
        by_gradient: whether the merit is the gradient norm.
        dtype: "float64" or "float32".
        replayed: whether the states of the first seed of a block are logged.
    """

    block: tuple[int, int]
    nested: bool
    grid: int
    targets: int
    recorded: int
    by_gradient: bool
    dtype: str
    replayed: bool = False

    @property
    def lanes(self) -> Lanes:
        """The leading axes of lane arrays."""
        return self.block if self.nested else (self.num_lanes,)

    @property
    def num_lanes(self) -> int:
        """How many lanes run together."""
        return self.block[0] * self.block[1]


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """A compiled group on problems of one structure.

    Attributes:
        form: what shaped it.
        shape: the sizes it was compiled for.
        evaluate: (problem, params [S, ...], keys) -> first evaluations.
        advance: (inputs, carry, stop_step) -> carry; the carry is donated.
        blank: a carry of zeros to start from (shapes and dtypes).
        compile_seconds: what building it took.
    """

    form: Form
    shape: Shape
    evaluate: Callable[..., Any]
    advance: Callable[..., Any]
    blank: Carry
    compile_seconds: float

    @property
    def group(self) -> Group:
        """The group that it runs."""
        return self.form.group


def precision(dtype: str) -> Any:
    """The context in which arrays of this precision are traced, compiled and run."""
    return jax.enable_x64(dtype == "float64")


def round_up(count: int, block: int) -> int:
    """The least positive multiple of `block` that is no less than `count`."""
    return block * max(1, -(-count // block))


def abstract(tree: Any) -> Any:
    """Shapes and dtypes of a tree."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype), tree)


_PROGRAMS: dict[Any, Program] = {}  # under everything that would compile another one
_EVALUATORS: dict[Any, Callable[..., Any]] = {}


def forget_programs() -> None:
    """Let go of every executable, and of the memory that it maps."""
    _PROGRAMS.clear()
    _EVALUATORS.clear()


def _kept(programs: dict[Any, Any], key: Any, build: Callable[[], Any]) -> Any:
    """What is kept under a key, built where it is not; the `MOST_PROGRAMS` last used stay."""
    found = programs.pop(key, None) or build()
    programs[key] = found
    while len(programs) > MOST_PROGRAMS:
        programs.pop(next(iter(programs)))
    return found


def compile_program(
    problem: Problem, methods: Sequence[Method], swept: Sequence[Swept], shape: Shape
) -> Program:
    """The executable for methods on problems of this structure, compiled once while it is kept.

    Args:
        problem: its data already cast.
        methods: the members of the group, in the order of the switch.
        swept: per method, the names of the hyperparameters with one value per setting.
        shape: the sizes to compile for.

    Raises:
        OptbenchError: a method cannot be built, or its state is not stable.
        NotApplicable: a method needs structure that the problem lacks.
    """
    start = abstract(trees.cast(problem.start(0), shape.dtype))
    key = program_key(problem, methods, swept, shape)
    return _kept(_PROGRAMS, key, lambda: _build(problem, tuple(methods), swept, shape, start))


def program_key(
    problem: Problem, methods: Sequence[Method], swept: Sequence[Swept], shape: Shape
) -> Any:
    """Equal where one executable serves both; arguments as of `compile_program`."""
    start = abstract(trees.cast(problem.start(0), shape.dtype))
    structures = tuple(method.structure for method in methods)
    return structures, tuple(swept), outline(problem), outline(start), shape


def _build(
    problem: Problem, methods: tuple[Method, ...], swept: Sequence[Swept], shape: Shape, start: Any
) -> Program:
    began = time.perf_counter()
    with precision(shape.dtype):
        group, seen = trace_group(problem, methods, swept, start, shape.dtype)
        elsewhere = group.reports_elsewhere
        exact, replayed = not (problem.stochastic or elsewhere), shape.replayed * shape.block[1]
        form = Form(group, shape.lanes, shape.by_gradient, exact, replayed)
        inputs, carry = _avals(form, shape, abstract(problem), seen)
        stop = jax.ShapeDtypeStruct((), np.int32)
        options = SEARCH_OPTIONS if any(m.asks for m in group.members) else None
        advance_jit = jax.jit(functools.partial(advance, form), donate_argnums=1)
        advancing = _compiled(advance_jit.lower(inputs, carry, stop), options)
        evaluating = _evaluator(problem, shape, start)
    seconds = time.perf_counter() - began
    return Program(form, shape, evaluating, advancing, carry, seconds)


_MEMBERS: dict[Any, Member] = {}
_OVERS: dict[Any, Any] = {}  # what varies in a method's state, as last seen


def trace_group(
    problem: Problem,
    methods: Sequence[Method],
    swept: Sequence[Swept],
    start: Any,
    dtype: str,
) -> tuple[Group, Evaluation]:
    """The group of the given methods, and the shapes of one lane's evaluation.

    A method that asks the oracle nothing is traced once for all problems of the same parameters.

    Args:
        problem: shapes and dtypes of its data suffice.
        methods: the members, in the order of the switch.
        swept: per method, the names of the hyperparameters with one value per setting.
        start: shapes and dtypes of the parameters.
        dtype: "float64" or "float32".

    Raises:
        OptbenchError: a method cannot be built, or its state is not stable.
        NotApplicable: a method needs structure that the problem lacks.
    """
    with precision(dtype):
        seen = Evaluation(start, jax.ShapeDtypeStruct((), np.dtype(dtype)), start)
        shapes = abstract(problem)
        members = []
        for method, names in zip(methods, swept, strict=True):
            anywhere = (method.structure, names, dtype, problem.constrained, outline(start))
            here = (*anywhere, outline(shapes))
            member = _MEMBERS.get(anywhere) or _MEMBERS.get(here)
            if member is None:
                guess = _OVERS.get((method.structure, names, jax.tree.structure(start)))
                member = examine(shapes, method, names, seen, guess=guess)
                _MEMBERS[here if member.asks else anywhere] = member
                overs = member.state_over, member.calls_over
                _OVERS[method.structure, names, jax.tree.structure(start)] = overs
            members.append(dataclasses.replace(member, method=method))
        return make_group(members), seen


def outline(tree: Any) -> tuple[Any, ...]:
    """Structure, shapes and dtypes of a tree, hashable."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((np.shape(leaf), str(leaf.dtype)) for leaf in leaves)


def _compiled(lowered: Any, options: dict[str, Any] | None) -> Callable[..., Any]:
    if options is None:
        return lowered.compile()
    try:
        return lowered.compile(compiler_options=options)
    except (RuntimeError, ValueError):  # an internal flag, which other versions may refuse
        return lowered.compile()


def _evaluator(problem: Problem, shape: Shape, start: Any) -> Callable[..., Any]:
    seeds = shape.block[0]
    points = jax.tree.map(lambda s: jax.ShapeDtypeStruct((seeds, *s.shape), s.dtype), start)
    keys = jax.ShapeDtypeStruct((seeds, 2), np.uint32)
    arguments = (abstract(problem), points, keys)
    key = outline(arguments)
    return _kept(_EVALUATORS, key, lambda: jax.jit(evaluate).lower(*arguments).compile())


def _avals(form: Form, shape: Shape, problem: Any, seen: Evaluation) -> tuple[Inputs, Carry]:
    """Shapes and dtypes of what the program takes."""
    aval = _Avals(shape)
    lanes, kinds = shape.lanes, len(Calls._fields)
    inputs = Inputs(
        problem=problem,
        hypers=tuple(
            {name: aval.real(*lead(over, lanes)) for name, over in member.over.items()}
            for member in form.group.members
        ),
        member=aval.integer(),
        keys=aval.of(np.dtype(np.uint32), *lead(SEEDS, lanes), 2),
        grid=aval.integer(shape.grid),
        num_edges=aval.integer(),
        levels=aval.real(shape.targets, *lanes),
        stop_level=aval.real(*lanes),
        diverged_level=aval.real(*lanes),
        reference=aval.real(),
        prices=aval.real(kinds),
        budget=aval.real(),
        record=aval.integer(shape.recorded),
    )
    calls = (*lead(form.group.calls_over, lanes), kinds)
    moving = Moving(
        step=aval.integer(),
        evaluation=aval.stacked(seen, *lanes),
        slots=tuple(aval.of(s.dtype, *lead(s.over, lanes), *s.shape) for s in form.group.slots),
        calls=aval.integer(*calls),
    )
    diagnostics = len(problem.monitors) + form.group.num_diagnostics
    log = Log(
        value=aval.real(shape.grid, *lanes),
        gradient_norm=aval.real(shape.grid, *lanes),
        calls=aval.integer(shape.grid, *calls),
        params=aval.stacked(seen.params, shape.grid, shape.recorded),
        diagnostics=aval.real(shape.grid, diagnostics, *lanes),
        states=_state_avals(form, shape, aval, seen),
    )
    flags = aval.of(np.dtype(bool)), aval.of(np.dtype(bool), *lanes)
    ends = aval.stacked(seen.params, *lanes) if form.by_gradient else ()
    return inputs, Carry(moving, _hit_avals(form, shape, aval), log, aval.integer(), *flags, ends)


def _state_avals(form: Form, shape: Shape, aval: _Avals, seen: Evaluation) -> Any:
    """The states of all log points, of every setting.

    Raises:
        OptbenchError: they take more than `MOST_STATE_BYTES`.
    """
    if not form.replayed:
        return ()
    rows = shape.grid, form.replayed
    slots = ((s.dtype, rows[: 1 + (s.over == LANES)], s.shape) for s in form.group.slots)
    states = States(
        params=aval.stacked(seen.params, *rows),
        slots=tuple(aval.of(dtype, *lead, *dims) for dtype, lead, dims in slots),
    )
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(states))
    if size > MOST_STATE_BYTES:
        raise OptbenchError(
            f"diagnostics would keep {size / 2**30:.3g} GiB of states",
            "measure one learning rate, as in adam[learning_rate=0.01], or a smaller problem",
        )
    return states


def _hit_avals(form: Form, shape: Shape, aval: _Avals) -> Hits:
    table, kinds = (shape.targets, *shape.lanes), len(Calls._fields)
    events = 0 if form.group.calls_over == LANES else int(np.prod(table))
    return Hits(
        next_level=aval.real(*shape.lanes),
        steps=aval.integer(*table),
        calls=aval.integer(*((events,) if events else table), kinds),
        events=aval.integer(events),
        num_events=aval.integer(),
    )


@dataclasses.dataclass(frozen=True)
class _Avals:
    """Shapes and dtypes, in the precision of the program."""

    shape: Shape

    def of(self, dtype: Any, *dims: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(dims, dtype)

    def real(self, *dims: int) -> jax.ShapeDtypeStruct:
        return self.of(np.dtype(self.shape.dtype), *dims)

    def integer(self, *dims: int) -> jax.ShapeDtypeStruct:
        return self.of(np.dtype(np.int32), *dims)

    def stacked(self, tree: Any, *dims: int) -> Any:
        return jax.tree.map(lambda leaf: self.of(leaf.dtype, *dims, *leaf.shape), tree)
