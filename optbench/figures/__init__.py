"""Figures of a study, as matplotlib draws them: results in, files out. Nothing here needs JAX."""

from __future__ import annotations

import itertools
import multiprocessing
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Literal, get_args

from matplotlib.figure import Figure

from optbench.comparison import compare_rows
from optbench.database import said_plainly
from optbench.errors import OptbenchError
from optbench.figures import convergence, sensitivity, style, trajectories
from optbench.figures.diagnostics import diagnostic_figures
from optbench.figures.runs import ProblemRuns, problem_runs
from optbench.figures.tunability import tunability_figure
from optbench.results import Results
from optbench.verdict.tunability import tunability

Format = Literal["svg", "png"]
Drawing = Callable[[ProblemRuns], Figure]

RASTER_DPI = {"svg": 100, "png": 200}  # of the picture, or of the contours inside it


def plot(
    results: Results, folder: str | Path, *, format: str = "svg", workers: int = 1
) -> tuple[Path, ...]:
    """Write all figures of a study; the same results give the same bytes.

    Of the study: `tunability` (what the best of k trials is expected to cost), where it was tuned.

    Per problem: `convergence` (merit against cost, with fitted rates), `sensitivity` (cost against
    the learning rate) and, in two dimensions, `trajectories` (a few paths over contours) and
    `each-trajectory` (one picture per optimizer). Where diagnostics were asked for, those too:
    `gradient-health`, `sharpness`, `steps`, `underflow`, `parameters` and `gradients`. Problems
    without a finished cell have none.

    Args:
        results: of a study.
        folder: for the files; made if it is not there.
        format: svg or png.
        workers: processes that draw, where the results lie in a folder. More than one needs a
            main module that may be imported again.

    Returns:
        The files, in study order.

    Raises:
        OptbenchError: there is no such format, or the folder cannot be written.
    """
    if format not in get_args(Format):
        raise OptbenchError(f"no figures in format {format!r}", "use svg or png")
    folder = Path(folder)
    with said_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)
        planned = _planned(results, folder, format)
        if results.folder is None or workers == 1:
            for problem, paths in planned.items():
                _draw(results, problem, paths)
        else:
            spawn = multiprocessing.get_context("spawn")
            ignore = (signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends its workers
            with ProcessPoolExecutor(workers, spawn, signal.signal, ignore) as pool:
                stored = itertools.repeat(results.folder)
                list(pool.map(_draw_stored, stored, planned.keys(), planned.values()))
        of_study = _draw_study(results, folder, format)
    return (*(path for paths in planned.values() for path in paths), *of_study)


def _draw_study(results: Results, folder: Path, format: str) -> list[Path]:
    """Draw what is of no single problem."""
    curves = tunability(compare_rows(results))
    if all(len(curve) == 1 for curve in curves.values()):
        return []
    path = folder / f"tunability.{format}"
    save(tunability_figure(curves), path)
    return [path]


def _planned(results: Results, folder: Path, format: str) -> dict[str, list[Path]]:
    """Problem -> the files of its drawings, in order."""
    planned: dict[str, list[Path]] = {}
    taken: list[Path] = []
    for problem in results.problems:
        planned[problem] = []
        for kind, _ in drawings(problem_runs(results, problem)):
            path = folder / f"{_free_name(f'{kind}-{problem}', taken)}.{format}"
            planned[problem].append(path)
            taken.append(path)
    return planned


def _draw(results: Results, problem: str, paths: list[Path]) -> None:
    runs = problem_runs(results, problem)
    for path, (_, draw) in zip(paths, drawings(runs), strict=True):
        save(draw(runs), path)


def _draw_stored(stored: Path, problem: str, paths: list[Path]) -> None:
    _draw(Results.open(stored), problem, paths)


def drawings(runs: ProblemRuns) -> Iterator[tuple[str, Drawing]]:
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


def save(figure: Figure, path: Path) -> None:
    """Write a figure, in the format of its suffix, without a date: equal figures, equal bytes."""
    kind = path.suffix.removeprefix(".")
    with style.house_style():
        style.settle(figure)
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(path, dpi=RASTER_DPI[kind], metadata=metadata)


def _free_name(text: str, taken: list[Path]) -> str:
    """A name that files may have on any system, and that no file has yet."""
    name = re.sub(r"[^\w.-]+", "_", text).strip("_.")[:120]
    stems = {path.stem for path in taken}
    names = (name if i == 1 else f"{name}-{i}" for i in range(1, len(taken) + 2))
    return next(n for n in names if n not in stems)
