"""`optbench plot` and `animate`: figures of a folder of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from optbench.cli.manners import examples, json_option, results_argument, say_files
from optbench.errors import ExitCode

FIGURES = (
    *("convergence", "sensitivity", "trajectories", "each-trajectory"),
    *("gradient-health", "sharpness", "steps", "underflow", "parameters", "gradients"),
    *("tunability", "profile", "data-profile", "pairwise-profile", "ecdf", "heatmap", "failures"),
)


def _labels(*names: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(*names, multiple=True, metavar="LABEL", help=help)


@click.command(
    epilog=examples(
        "optbench plot results/quick",
        "optbench plot results/quick --figure profile --figure heatmap",
        "optbench plot results/quick --figure convergence --problem rosenbrock --optimizer adam",
        "optbench plot results/quick --figure profile --style paper --format pdf --to paper",
    )
)
@results_argument
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help=f"What to draw, more than once for several: {', '.join(FIGURES)}. "
    "If not given, all that a study has by itself.",
)
@_labels("--problem", "problems", help="A problem that is shown; all if not given.")
@_labels(
    "--optimizer",
    "optimizers",
    help="An optimizer that is shown, and compared with those shown alone; all if not given.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["svg", "png", "pdf"]),
    default="svg",
    show_default=True,
    help="Kind of image.",
)
@click.option(
    "--style",
    type=click.Choice(["screen", "paper"]),
    default="screen",
    show_default=True,
    help="Paper is for a column 3.3 inches wide, with the caption in a text file beside.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the figures; RESULTS/figures if not given.",
)
@json_option
def plot(results: Path, kind: str, to: Path | None, as_json: bool, **chosen: Any) -> ExitCode:
    """Draw the figures of a study."""
    from optbench.database import said_plainly
    from optbench.figures import plot as draw
    from optbench.results import Results

    folder = to or results / "figures"
    found = Results.open(results)
    with said_plainly(folder):
        return say_files(draw(found, folder, format=kind, **chosen), as_json)


@click.command(
    epilog=examples(
        "optbench animate results/quick --problem rosenbrock --to rosenbrock.gif",
        "optbench animate results/quick --problem beale --optimizer adam --optimizer lbfgs "
        "--to beale.gif --seconds 5",
    )
)
@results_argument
@click.option("--problem", required=True, metavar="LABEL", help="A problem in two dimensions.")
@_labels("--optimizer", "optimizers", help="An optimizer; one of each family if not given.")
@click.option(
    "--start", type=int, default=0, show_default=True, metavar="N", help="Which start, from 0."
)
@click.option("--seconds", type=float, default=8.0, show_default=True, help="How long it takes.")
@click.option(
    "--frames-per-second", type=float, default=12.0, show_default=True, help="How smooth it is."
)
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="File, .gif or .webp.",
)
@json_option
def animate(
    results: Path, problem: str, optimizers: tuple[str, ...], as_json: bool, **chosen: Any
) -> ExitCode:
    """Draw paths over contours as they grow with cost, next to the loss."""
    from optbench.cli.progress import counted
    from optbench.figures.animation import animate as draw
    from optbench.figures.kinds import Request, check_request
    from optbench.figures.runs import problem_runs
    from optbench.results import Results

    found = Results.open(results)
    check_request(found, Request(problems=(problem,), optimizers=optimizers))
    runs = problem_runs(found, problem, optimizers)
    written = draw(runs, progress=lambda frames: counted("frames", frames), **chosen)
    return say_files([written], as_json)
