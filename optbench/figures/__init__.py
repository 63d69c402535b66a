"""Figures of a study, as matplotlib draws them: results in, files out. Nothing here needs JAX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args

from matplotlib.figure import Figure

from optbench.database import said_plainly
from optbench.errors import OptbenchError
from optbench.figures import convergence, sensitivity, style, trajectories
from optbench.figures.runs import ProblemRuns, problem_runs
from optbench.results import Results

Format = Literal["svg", "png"]
Drawing = Callable[[ProblemRuns], Figure]

RASTER_DPI = {"svg": 100, "png": 200}  # of the picture, or of the contours inside it


def plot(results: Results, folder: str | Path, *, format: str = "svg") -> tuple[Path, ...]:
    """Write all figures of a study; the same results give the same bytes.

    Per problem: `convergence` (merit against cost, with fitted rates), `sensitivity` (cost against
    the learning rate) and, in two dimensions, `trajectories` (a few paths over contours) and
    `each-trajectory` (one picture per optimizer). Problems without a finished cell have none.

    Args:
        results: of a study.
        folder: for the files; made if it is not there.
        format: svg or png.

    Returns:
        The files, in study order.

    Raises:
        OptbenchError: there is no such format, or the folder cannot be written.
    """
    if format not in get_args(Format):
        raise OptbenchError(f"no figures in format {format!r}", "use svg or png")
    folder, paths = Path(folder), []
    with said_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for problem in results.problems:
            runs = problem_runs(results, problem)
            for kind, draw in drawings(runs):
                path = folder / f"{_free_name(f'{kind}-{problem}', paths)}.{format}"
                save(draw(runs), path)
                paths.append(path)
    return tuple(paths)


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
