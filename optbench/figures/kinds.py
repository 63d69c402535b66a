"""Which figures there are, what draws them, and why a study cannot have one of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

from optbench.comparison import Comparison, compare_rows
from optbench.errors import OptbenchError, unknown_name
from optbench.exhibits import Field, failures_data, field_of, heatmap_data, select
from optbench.figures import convergence, sensitivity, shares, trajectories
from optbench.figures.diagnostics import DIAGNOSTICS, diagnostic_figures
from optbench.figures.grids import Bars, Map, failures_figure, heatmap_figure
from optbench.figures.runs import ProblemRuns
from optbench.figures.sheet import SCREEN, Sheet
from optbench.figures.style import Picture
from optbench.figures.tunability import tunability_figure
from optbench.results import Results
from optbench.verdict import reference_row
from optbench.verdict.tunability import tunability

OF_PROBLEM = ("convergence", "sensitivity", "trajectories", "each-trajectory", *DIAGNOSTICS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be drawn.

    Attributes:
        figures: names; those that a study has by itself if none is given.
        problems: labels; all if none is given.
        optimizers: labels; all if none is given.
        sheet: that they are drawn on.
    """

    figures: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    optimizers: tuple[str, ...] = ()
    sheet: Sheet = SCREEN


def check_request(results: Results, request: Request) -> None:
    """Refuse a name that is not known.

    Raises:
        OptbenchError: there is no such figure, problem or optimizer.
    """
    for kind, names, known in (
        ("figure", request.figures, [*OF_PROBLEM, *OF_STUDY]),
        ("problem", request.problems, [*results.problems]),
        ("optimizer", request.optimizers, [*results.optimizers]),
    ):
        for name in names:
            if name not in known:
                where = "there are" if kind == "figure" else "the study has"
                raise unknown_name(kind, name, known, f"{where} {', '.join(known)}")


def drawings(runs: ProblemRuns) -> Iterator[tuple[str, Callable[[ProblemRuns], Picture]]]:
    """The figures that a problem has: their names, and what draws them."""
    if not runs.tuned:
        return
    yield "convergence", convergence.convergence
    if any("learning_rate" in t.trajectory.settings for t in runs.tuned.values()):
        yield "sensitivity", sensitivity.sensitivity
    if runs.problem.surface is not None and trajectories.paths_of(runs):
        yield "trajectories", trajectories.overlay
        yield "each-trajectory", trajectories.multiples
    yield from diagnostic_figures(runs)


def refusal(kind: str, runs: ProblemRuns, having: list[str]) -> OptbenchError:
    """Why a problem has no figure of a kind, and what to do.

    Args:
        kind: of the figure, one of `OF_PROBLEM`.
        runs: of the problem.
        having: labels of the problems that have it.
    """
    if not runs.tuned:
        why, hint = "no optimizer shown has finished on it", "`optbench run` goes on with the study"
    elif kind in DIAGNOSTICS:
        why, hint = "nothing was measured on the way", "`optbench run --diagnostics` measures"
    elif kind == "sensitivity":
        why, hint = "no optimizer shown has a swept learning rate", "name an optimizer with one"
    elif runs.problem.surface is None:
        why = f"it is a problem in {runs.problem.dim} dimensions, or without a region to show"
        hint = "run a problem in two dimensions, such as rosenbrock"
    else:
        why, hint = "no path was kept", "name another optimizer"
    elsewhere = f"`--problem '{having[0]}'` has it" if having else ""
    return OptbenchError(f"no {kind} of {runs.problem.label}: {why}", elsewhere or hint)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What a figure of no single problem is drawn from.

    Attributes:
        whole: the comparison of the study.
        part: of the problems and optimizers that are shown.
        reference: the optimizer of the study that others are held against.
        request: what is to be drawn.
    """

    whole: Comparison
    part: Comparison
    reference: str
    request: Request

    def field(self, *also: str) -> Field:
        """The rows that can be compared; of named optimizers, with others that belong to them."""
        named = self.request.optimizers
        optimizers = (*named, *also) if named else ()
        return field_of(self.whole, self.request.problems, optimizers, self.reference)


def study_drawings(
    results: Results, request: Request
) -> Iterator[tuple[str, Callable[[], Picture]]]:
    """The figures of no single problem that are asked for, and what draws them.

    Where none is asked for, that is `tunability`, of a study that was tuned.

    Raises:
        OptbenchError: the study cannot have one of them.
    """
    kinds = [kind for kind in OF_STUDY if kind in (request.figures or ["tunability"])]
    if not kinds:
        return
    whole = compare_rows(results)
    part = select(whole, request.problems, request.optimizers)
    if not request.figures and not _is_tuned(part):
        return
    if not part.outcomes:
        raise OptbenchError(
            f"no {kinds[0]}: nothing that it would show has finished",
            "`optbench run` goes on with the study",
        )
    reference = reference_row(whole, None).optimizer
    asked = Asked(whole=whole, part=part, reference=reference, request=request)
    for kind in kinds:
        yield kind, OF_STUDY[kind](asked)


def _is_tuned(part: Comparison) -> bool:
    return any(len(curve) > 1 for curve in tunability(part).values())


def _tunability(asked: Asked) -> Callable[[], Picture]:
    if not _is_tuned(asked.part):
        raise OptbenchError(
            "no tunability: no optimizer shown was tuned by several trials on all problems",
            "`optbench run --trials 16` tunes",
        )
    return functools.partial(tunability_figure, tunability(asked.part), asked.request.sheet)


def _of_field(draw: Callable[..., Picture], asked: Asked) -> Callable[[], Picture]:
    return functools.partial(draw, asked.whole, asked.field(), sheet=asked.request.sheet)


def _profile(asked: Asked) -> Callable[[], Picture]:
    _check_several(asked.field(), "profile")
    return _of_field(shares.profile_figure, asked)


def _pairwise(asked: Asked) -> Callable[[], Picture]:
    field = asked.field(asked.reference)
    _check_several(field, "pairwise-profile")
    draw = functools.partial(shares.pairwise_figure, asked.whole, field, asked.reference)
    return functools.partial(draw, sheet=asked.request.sheet)


def _check_several(field: Field, kind: str) -> None:
    if len(field.rows) == 1:
        raise OptbenchError(
            f"no {kind} of {field.rows[0].optimizer} alone", "show a second optimizer"
        )


def _heatmap(asked: Asked) -> Callable[[], Picture]:
    data, target = heatmap_data(asked.part), asked.whole.target
    return functools.partial(
        heatmap_figure, Map(data=data, target=target, sheet=asked.request.sheet)
    )


def _failures(asked: Asked) -> Callable[[], Picture]:
    data, target = failures_data(asked.part), asked.whole.target
    return functools.partial(
        failures_figure, Bars(data=data, target=target, sheet=asked.request.sheet)
    )


OF_STUDY: dict[str, Callable[[Asked], Callable[[], Picture]]] = {
    "tunability": _tunability,
    "profile": _profile,
    "data-profile": functools.partial(_of_field, shares.data_profile_figure),
    "pairwise-profile": _pairwise,
    "ecdf": functools.partial(_of_field, shares.ecdf_figure),
    "heatmap": _heatmap,
    "failures": _failures,
}
