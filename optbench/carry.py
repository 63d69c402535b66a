"""What the loop takes, logs and hands from one call to the next."""

from __future__ import annotations

from typing import Any, NamedTuple

from optbench.group import Group
from optbench.lanes import Lanes
from optbench.member import Hyperparameters
from optbench.oracle import Evaluation
from optbench.problem import Params, Problem

Leaf = Any  # a tracer in the program, a NumPy array outside it, or shape and dtype alone


class Inputs(NamedTuple):
    """What decides the numbers of a run; runtime arguments all."""

    problem: Problem
    hypers: tuple[Hyperparameters, ...]  # per member
    member: Leaf  # which member steps
    keys: Leaf  # [*seeds, 2] key data
    grid: Leaf  # [C] steps to log, padded with the last
    num_edges: Leaf  # how many of them are real
    levels: Leaf  # [K, *lanes] merit at which each target is met, descending
    stop_level: Leaf  # [*lanes] merit at which a lane is done
    diverged_level: Leaf  # [*lanes] merit above which a lane is given up
    reference: Leaf  # subtracted from f in the merit
    prices: Leaf  # [9] per kind of call
    budget: Leaf  # in gradient-equivalents
    record: Leaf  # [R] flat lanes whose points are logged


class States(NamedTuple):
    """All that decides the next step; of the slots, those shared by all lanes have no lane axis."""

    params: Params  # the point it starts from
    slots: tuple[Leaf, ...]


class Log(NamedTuple):
    """One row per log point."""

    value: Leaf  # [C, *lanes]
    gradient_norm: Leaf  # [C, *lanes]
    calls: Leaf  # [C, 9] or [C, *lanes, 9]
    params: Params  # [C, R, ...]
    diagnostics: Leaf  # [C, D, *lanes]
    states: Any  # `States`, [C, H, ...] of the first seed of a block; () where none is asked for


class Hits(NamedTuple):
    """When each lane met each target.

    Where the number of calls is shared by all lanes, it is kept once per event: a step at which
    some lane met a target. There are at most E = lanes x K of them.
    """

    next_level: Leaf  # [*lanes] the easiest level not yet met; NaN once all are
    steps: Leaf  # [K, *lanes], -1 where not met
    calls: Leaf  # [K, *lanes, 9], or [E, 9] where shared
    events: Leaf  # [E] step of each event, or [0] where calls vary
    num_events: Leaf


class Moving(NamedTuple):
    """What a step changes."""

    step: Leaf
    evaluation: Evaluation
    slots: tuple[Leaf, ...]
    calls: Leaf  # [9] or [*lanes, 9]


class Carry(NamedTuple):
    """Everything the program hands from one call to the next."""

    moving: Moving
    hits: Hits
    log: Log
    edge: Leaf  # index of the next log point
    fresh: Leaf  # whether nothing has been stepped or logged yet
    ended: Leaf  # [*lanes] whether a lane has ended, at the log point it was seen at
    ends: Params  # [*lanes, ...] the reported point there, or so far; () where none asks for it


class Form(NamedTuple):
    """What shapes the program: compiling again is the price of changing any of these."""

    group: Group
    lanes: Lanes
    by_gradient: bool  # whether the merit is |grad f|
    exact: bool  # whether hits are seen at every step, or at log points only
    replayed: int  # settings of the first seed whose states are logged: all of a block, or 0
