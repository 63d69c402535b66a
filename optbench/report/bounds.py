"""Theorems next to runs as a page of text and as a table of comparisons."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from optbench.bound import Theorem
from optbench.checks import BoundReport, Verdict
from optbench.checks.comparison import Comparison
from optbench.database import said_plainly
from optbench.report.bound_records import FILE, pack_bounds
from optbench.report.export import replaced
from optbench.tables import UNKNOWN

Named = tuple[str, BoundReport]  # the group of a theorem, and its report
COLUMNS = (
    "group",
    "theorem",
    "standing",
    "direction",
    "setting",
    "instance",
    "kind",
    "seed",
    "method",
    "precise",
    "verdict",
    "ratio",
    "ratio_k",
    "first_k",
    "last_k",
    "crossed_k",
    "crossed_observed",
    "crossed_bound",
)
_READING = (
    "**ratio** is observed / bound where a run comes nearest to crossing, or is farthest beyond. "
    "**tightness** is how near worst cases come to a bound that is said to be attained, the least "
    "over settings and steps. **catches** is the smallest error in the constant (3 %, 2x, 10x) "
    "that these comparisons would have shown; where the bound is zero, the step was made 3 % "
    "longer instead. **k** are the steps compared: after the last one, rounding hides the bound."
)


def group_of(function: Callable[..., Theorem]) -> str:
    """The group of a theorem: the first line of the docstring of its module, without its period."""
    module = inspect.getmodule(function)
    said = inspect.getdoc(module) if module else None
    return said.splitlines()[0].rstrip(".") if said else "Theorems"


def verdict_of(report: BoundReport) -> str:
    """What the comparisons say, with the standing of what is no theorem."""
    standing = report.theorem.standing
    return str(report.verdict) if standing == "theorem" else f"{report.verdict} ({standing})"


def row_of(report: BoundReport) -> tuple[str, ...]:
    """Verdict, ratio at its step, tightness, power, steps compared, number of runs."""
    nearest = report.nearest
    ks = [k for c in report.comparisons if c.last_k is not None for k in (int(c.k[0]), c.last_k)]
    return (
        verdict_of(report),
        UNKNOWN if nearest is None else f"{nearest.ratio:.4g} at {nearest.ratio_k}",
        UNKNOWN if report.tightness is None else f"{report.tightness:.4f}",
        report.power,
        _steps(ks),
        str(len(report.comparisons)),
    )


def _steps(ks: Sequence[int]) -> str:
    """First and last step, or the one step."""
    if not ks:
        return UNKNOWN
    return f"{min(ks)}..{max(ks)}" if min(ks) < max(ks) else str(ks[0])


def write_bounds(reports: Sequence[Named], folder: Path, planned: int | None = None) -> list[Path]:
    """Write bounds.md, a page in groups, bounds.csv, one row per comparison, and bounds.npz.

    The last holds every curve, as `optbench.report.bound_records.read_bounds` reads it.

    Args:
        reports: of theorems that were compared.
        folder: made where it is missing; files of these names are replaced.
        planned: how many there are to be, said where some are missing; None where they were
            compared on somebody's own problem, or with one's own optimizer.

    Raises:
        OptbenchError: the folder cannot be written.
    """
    page, table, curves = folder / "bounds.md", folder / "bounds.csv", folder / FILE
    with said_plainly(folder):
        with replaced(page) as part:
            part.write_text("\n".join(_page(reports, planned or len(reports))) + "\n")
        with replaced(table) as part, part.open("w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            for group, report in reports:
                rows.writerows(_csv_row(group, report, c) for c in report.comparisons)
        with replaced(curves) as part:
            part.write_bytes(pack_bounds(reports, own=planned is None))
    return [page, table, curves]


def _page(reports: Sequence[Named], planned: int) -> Iterator[str]:
    yield "# Theorems next to runs"
    yield ""
    yield from _outcome([report for _, report in reports])
    if len(reports) < planned:
        yield f"\nUnfinished: {planned - len(reports)} of {planned} theorems were not compared."
    yield ""
    yield _READING
    for group in dict.fromkeys(group for group, _ in reports):
        own = [report for name, report in reports if name == group]
        yield f"\n## {group}\n"
        yield "| theorem | verdict | ratio at k | tightness | catches | k | runs |"
        yield "|---|---|---|---|---|---|---|"
        for report in own:
            yield f"| `{report.theorem.name}` | {' | '.join(row_of(report))} |"
        for report in own:
            yield from _entry(report)


def _outcome(reports: Sequence[BoundReport]) -> Iterator[str]:
    """How many hold, and which do not, of what kind."""
    held = [r for r in reports if r.verdict is Verdict.HOLDS]
    yield f"{len(held)} of {len(reports)} statements hold on every instance they are compared on."
    for report in (r for r in reports if r.verdict is not Verdict.HOLDS):
        yield f"- `{report.theorem.name}`: {verdict_of(report)}"


def _entry(report: BoundReport) -> Iterator[str]:
    theorem = report.theorem
    yield f"\n**`{theorem.name}`.** {theorem.statement}"
    yield f"\n$${theorem.latex}$$\n"
    needs = ", ".join(a.name for a in theorem.needs)
    yield f"- of: {theorem.method.label}" + (f"; needs {needs}" if needs else "")
    yield f"- source: {theorem.source}"
    if theorem.unattained:
        yield f"- tight, and attained by no instance here: {theorem.unattained}"
    for crossed in (c for c in report.comparisons if c.crossing is not None):
        yield f"- {crossing_of(crossed)}"


def crossing_of(comparison: Comparison) -> str:
    """Where a run is beyond the bound, in one line."""
    crossing = comparison.crossing
    assert crossing is not None
    setting = ", ".join(f"{name} = {value:g}" for name, value in comparison.setting.items())
    place = f"{comparison.instance} (seed {comparison.seed}{', ' if setting else ''}{setting})"
    return (
        f"crossed at k = {crossing.k} on {place} by {comparison.optimizer}: "
        f"observed {crossing.observed:.6g}, bound {crossing.bound:.6g}"
    )


def _csv_row(group: str, report: BoundReport, comparison: Comparison) -> list[Any]:
    told = comparison.to_json()
    crossing = told["crossing"] or {"k": None, "observed": None, "bound": None}
    setting = " ".join(f"{name}={value:.17g}" for name, value in comparison.setting.items())
    theorem = report.theorem
    found = [told[name] for name in ("instance", "kind", "seed", "optimizer", "precise")]
    seen = [told[name] for name in ("verdict", "ratio", "ratio_k", "first_k", "last_k")]
    crossed = [crossing[name] for name in ("k", "observed", "bound")]
    start = [group, theorem.name, theorem.standing, theorem.direction, setting]
    return [*start, *found, *seen, *crossed]
