"""Rows of the table: made, checked against their problem, merged and written."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import mpmath
import numpy as np
from certify.arithmetic import Unsupported
from certify.descents import Stationary, scaled_spectrum
from certify.polish import DIGITS, KEPT, Polished, polish
from certify.published import agrees

from optbench import trees
from optbench.checks.probes import DENSE, EPS, SLACK, Probe, layout_of, pack, site_at
from optbench.problem import Problem
from problems.minima import ABSENT, COLUMNS, TABLE, Row

STORED = 30  # coordinates at most
HEADER = f"""\
# Minima without a closed form, written by scripts/certify_minima.py: not by hand. Values have
# {KEPT} digits where Newton's method was carried on in mpmath, and 17 elsewhere. They are those of
# the function as its program states it: its constants are the float64 numbers they are.
# grad_norm is |grad f| and curvature the smallest eigenvalue of the Hessian at the point found.
"""


def probe_of(problem: Problem) -> Probe:
    """A problem that answers in flat coordinates, in float64."""
    data = trees.cast(problem.data, "float64")
    return Probe(dataclasses.replace(problem, data=data), layout_of(problem.start(0)))


def row_of(
    label: str, problem: Problem, best: Stationary, polished: Polished | None, printed: str
) -> Row:
    """The row of a minimum."""
    point, value = best.point, repr(best.value)
    grad_norm = mpmath.mpf(best.grad_norm)
    if polished is not None:
        point, value = polished.point, _digits(polished.value, KEPT)
        grad_norm = polished.grad_norm
    vector = isinstance(start := problem.start(0), np.ndarray) and start.ndim == 1
    stored = vector and start.size <= STORED
    mu, kind = problem.constants.strong_convexity, "best known"
    if problem.constants.convex and mu and grad_norm**2 / (2 * mu) <= np.spacing(abs(best.value)):
        kind = "certified"
    elif printed != ABSENT and agrees(value, printed):
        kind = "published"
    steps = (*best.solvers, "newton", *([f"mpmath{KEPT}"] if polished else []))
    names = ("jax", "scipy", "mpmath")
    return Row(
        label=label,
        kind=kind,
        value=value,
        grad_norm=str(mpmath.nstr(grad_norm, 2)),
        curvature=f"{best.curvature:.4g}",
        method="+".join(steps),
        versions=",".join(f"{name}-{importlib.metadata.version(name)}" for name in names),
        published=printed,
        minimizer=_coordinates(point) if stored else (),
    )


def _digits(number: Any, count: int) -> str:
    with mpmath.workdps(DIGITS):
        return str(mpmath.nstr(mpmath.mpf(number), count, strip_zeros=False))


def _coordinates(point: np.ndarray) -> tuple[str, ...]:
    """17 digits of each; 0 where a coordinate is rounding beside the others."""
    floor = mpmath.mpf(10) ** -KEPT * max(abs(x) for x in point)
    return tuple(_digits(x, 17) if abs(x) > floor else "0.0" for x in point)


def complaints(row: Row, problem: Problem) -> list[str]:
    """What float64 says against a row: of its kind, its digits and its point."""
    found = []
    if row.kind == "published" and row.published == ABSENT:
        found.append("of kind published without a published value")
    elif row.kind == "published" and not agrees(row.value, row.published):
        found.append(f"{row.value} is not the published {row.published}")
    if not row.minimizer:
        return found
    probe, rng = probe_of(problem), np.random.default_rng(0)
    site = site_at(probe, np.array(row.minimizer, float), rng)
    start_norm = np.linalg.norm(probe.value_and_grad(pack(problem.start(0)))[1])
    norm, value = float(np.linalg.norm(site.grad)), float(row.value)
    if not norm <= SLACK * (site.grad_noise + EPS * start_norm):
        found.append(f"the gradient is {norm:.1e} at the point")
    if not abs(site.value - value) <= SLACK * (site.value_noise + EPS * abs(value)):
        found.append(f"f is {site.value!r} at the point")
    if site.point.size <= DENSE:
        eigenvalues = scaled_spectrum(probe.hessian(site.point))[1]
        if eigenvalues[0] < -SLACK * EPS * len(eigenvalues) * eigenvalues[-1]:
            found.append(f"the Hessian has the eigenvalue {eigenvalues[0]:.1e} when scaled")
    return found


def complaints_in_mpmath(row: Row, problem: Problem) -> list[str]:
    """What multiprecision says against the value and the coordinates of a polished row."""
    try:
        polished = polish(probe_of(problem), np.array(row.minimizer, float))
    except Unsupported as reason:
        return [f"cannot be polished: {reason}"]
    found = []
    if _digits(polished.value, KEPT - 1) != _digits(row.value, KEPT - 1):
        found.append(f"f* is {_digits(polished.value, KEPT)}")
    pairs = zip(row.minimizer, _coordinates(polished.point), strict=True)
    return found + [f"the coordinate {old} is {new}" for old, new in pairs if old != new]


def merged(row: Row, old: Row | None, problem: Problem) -> tuple[Row, str]:
    """The row to keep, and why where that is not plainly the new one."""
    if old is None:
        return row, ""
    if stale := complaints(dataclasses.replace(old, published=ABSENT, kind=""), problem):
        return row, f"replaces {old.value}, of which now {stale[0]}"
    rise = Decimal(row.value) - Decimal(old.value)
    if rise > Decimal(SLACK * EPS) * max(abs(Decimal(row.value)), abs(Decimal(old.value))):
        return old, f"{row.value} is higher than {old.value}: kept; delete its line to replace it"
    updated = dataclasses.replace(old, kind=row.kind, published=row.published)
    if (row.value, row.minimizer) == (old.value, old.minimizer):
        return updated, ""
    if "mpmath" in old.method and "mpmath" not in row.method:
        return updated, "not polished now"
    return row, ""


def table_text(rows: Iterable[Row]) -> str:
    """The table, its columns aligned."""
    lines = [COLUMNS, *(_cells(row) for row in sorted(rows, key=lambda row: row.label))]
    widths = [max(map(len, column)) for column in zip(*(line[:-1] for line in lines), strict=True)]
    padded = ([*map(str.ljust, line[:-1], widths), line[-1]] for line in lines)
    first, *others = ("  ".join(line) for line in padded)
    return HEADER + "\n".join([f"# {first}", *others, ""])


def _cells(row: Row) -> tuple[str, ...]:
    texts = [getattr(row, column) for column in COLUMNS[:-1]]
    return (*texts, " ".join(row.minimizer) or ABSENT)


def write_table(rows: Iterable[Row]) -> None:
    """Replace the file in one step."""
    written = TABLE.with_suffix(".new")
    written.write_text(table_text(rows))
    os.replace(written, TABLE)
