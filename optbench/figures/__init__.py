"""Figures of a study, as matplotlib draws them: results in, files out. Nothing here needs JAX."""

from __future__ import annotations

import itertools
import multiprocessing
import re
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Literal, get_args

from optbench.database import said_plainly
from optbench.errors import OptbenchError
from optbench.figures.kinds import OF_PROBLEM, Request, check_request, refusal, study_drawings
from optbench.figures.kinds import drawings as drawings
from optbench.figures.runs import problem_runs
from optbench.figures.sheet import sheet_named
from optbench.figures.style import Picture, house_style, settle
from optbench.results import Results

Format = Literal["svg", "png", "pdf"]

RASTER_DPI = {"svg": 100, "png": 200, "pdf": 200}  # of the picture, or of the contours inside it
PAPER_DPI = 300  # of a picture that is a third as wide
_UNDATED = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}


def plot(
    results: Results,
    folder: str | Path,
    *,
    format: str = "svg",
    style: str = "screen",
    figures: Sequence[str] = (),
    problems: Sequence[str] = (),
    optimizers: Sequence[str] = (),
    workers: int = 1,
) -> tuple[Path, ...]:
    """Write figures of a study; the same results give the same bytes.

    Of the study: `tunability` (what the best of k trials is expected to cost), where it was tuned;
    and by name `profile`, `data-profile`, `pairwise-profile`, `ecdf`, `heatmap` and `failures`.

    Per problem: `convergence` (merit against cost, with fitted rates), `sensitivity` (cost against
    the learning rate) and, in two dimensions, `trajectories` (a few paths over contours) and
    `each-trajectory` (one picture per optimizer). Where diagnostics were asked for, those too:
    `gradient-health`, `sharpness`, `steps`, `underflow`, `parameters` and `gradients`. Problems
    without a finished cell have none.

    Args:
        results: of a study.
        folder: for the files; made if it is not there.
        format: svg, png or pdf.
        style: screen, or paper for a column of a paper 3.3 inches wide: no title, and how to read
            a figure stands in a text file beside it, for the caption that the paper sets.
        figures: names; those that a study has by itself if none is given.
        problems: labels; all if none is given.
        optimizers: labels of those that are shown and compared; all if none is given.
        workers: processes that draw, where the results lie in a folder. More than one needs a
            main module that may be imported again.

    Returns:
        The files, in study order.

    Raises:
        OptbenchError: there is no such format, style, figure, problem or optimizer, the study
            cannot have a figure that is named, or the folder cannot be written.
    """
    if format not in get_args(Format):
        raise OptbenchError(f"no figures in format {format!r}", "use svg, png or pdf")
    request = Request(
        figures=tuple(figures),
        problems=tuple(problems),
        optimizers=tuple(optimizers),
        sheet=sheet_named(style),
    )
    check_request(results, request)
    folder = Path(folder)
    with said_plainly(folder):
        of_study = dict(study_drawings(results, request))
        planned = _planned(results, folder, format, request)
        folder.mkdir(parents=True, exist_ok=True)
        if results.folder is None or workers == 1:
            files = [_draw(results, request, *task) for task in planned.items()]
        else:
            spawn = multiprocessing.get_context("spawn")
            ignore = (signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends its workers
            with ProcessPoolExecutor(workers, spawn, signal.signal, ignore) as pool:
                given = itertools.repeat(results.folder), itertools.repeat(request)
                files = list(pool.map(_draw_stored, *given, planned.keys(), planned.values()))
        files += [save(draw(), folder / f"{kind}.{format}") for kind, draw in of_study.items()]
    return tuple(itertools.chain(*files))


def _planned(
    results: Results, folder: Path, format: str, request: Request
) -> dict[str, dict[str, Path]]:
    """Problem -> the names of its figures, in order, with their files.

    Raises:
        OptbenchError: a figure is asked for that a problem which is named cannot have, or, where
            none is named, that none has.
    """
    wanted = request.figures or OF_PROBLEM
    if not set(wanted) & set(OF_PROBLEM):
        return {}
    labels = [p for p in results.problems if p in (request.problems or results.problems)]
    having = {p: _kinds(results, p, request) for p in labels}
    for kind in (kind for kind in request.figures if kind in OF_PROBLEM):
        lacking = [p for p in labels if kind not in having[p]]
        if lacking and (request.problems or len(lacking) == len(labels)):
            fit = [p for p in results.problems if kind in _kinds(results, p, request)]
            raise refusal(kind, problem_runs(results, lacking[0], request.optimizers), fit)
    planned: dict[str, dict[str, Path]] = {}
    taken: list[Path] = []
    for label in labels:
        planned[label] = {}
        for kind in (kind for kind in having[label] if kind in wanted):
            path = folder / f"{_free_name(f'{kind}-{label}', taken)}.{format}"
            planned[label][kind] = path
            taken.append(path)
    return planned


def _kinds(results: Results, problem: str, request: Request) -> list[str]:
    return [kind for kind, _ in drawings(problem_runs(results, problem, request.optimizers))]


def _draw(results: Results, request: Request, problem: str, paths: dict[str, Path]) -> list[Path]:
    """Draw figures of one problem, and give their files."""
    runs = problem_runs(results, problem, request.optimizers, request.sheet)
    draws = dict(drawings(runs))
    return [file for kind, path in paths.items() for file in save(draws[kind](runs), path)]


def _draw_stored(
    stored: Path, request: Request, problem: str, paths: dict[str, Path]
) -> list[Path]:
    return _draw(Results.open(stored), request, problem, paths)


def save(figure: Picture, path: Path) -> list[Path]:
    """Write a figure, in the format of its suffix, without a date: equal figures, equal bytes.

    Returns:
        Its file, and that of its caption where the figure does not show it.
    """
    kind, sheet = path.suffix.removeprefix("."), figure.sheet
    with house_style(sheet):
        settle(figure)
        dpi = RASTER_DPI[kind] if sheet.captioned else PAPER_DPI
        figure.savefig(path, dpi=dpi, metadata=_UNDATED[kind])
    if sheet.captioned:
        return [path]
    told = path.with_suffix(".txt")
    told.write_text("\n".join(figure.caption) + "\n", encoding="utf-8")
    return [path, told]


def _free_name(text: str, taken: list[Path]) -> str:
    """A name that files may have on any system, and that no file has yet."""
    name = re.sub(r"[^\w.-]+", "_", text).strip("_.")[:120]
    stems = {path.stem for path in taken}
    names = (name if i == 1 else f"{name}-{i}" for i in range(1, len(taken) + 2))
    return next(n for n in names if n not in stems)
