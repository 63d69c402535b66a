"""How the command line speaks: errors in two lines, exit codes, JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from optbench.database import FILE
from optbench.errors import ExitCode, OptbenchError

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100  # of a page, where there is no terminal
MIN_WIDTH, MAX_WIDTH = 60, 160


class Program(click.Group):
    """A group whose commands return an `ExitCode`, and whose errors are two lines on stderr.

    What is no bad input keeps its traceback.
    """

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command line, and leave with its exit code."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # what a terminal cannot show is a "?"
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)
        try:
            code = super().main(*args, standalone_mode=False, **extra)
        except OptbenchError as error:
            _leave(error.message, error.hint)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else "optbench"
            _leave(error.format_message(), f"`{command} --help` shows examples")
        except click.ClickException as error:
            _leave(error.format_message(), "")
        except click.Abort:
            note("interrupted", "nothing is lost")
            code = ExitCode.INTERRUPTED
        sys.exit(code or ExitCode.OK)


def _leave(message: str, hint: str) -> NoReturn:
    note("error", message, "red")
    if hint:
        note("hint", hint, "cyan")
    sys.exit(ExitCode.BAD_INPUT)


def note(kind: str, text: str, color: str = "yellow") -> None:
    """One line on stderr, `kind: text`; in color on a terminal, unless NO_COLOR is set."""
    start = click.style(f"{kind}:", fg=color, bold=True)
    click.echo(f"{start} {' '.join(text.split())}", err=True, color=use_color())


@contextlib.contextmanager
def busy(doing: str, console: Console | None = None) -> Iterator[None]:
    """Say on stderr what is being done meanwhile, where that is a terminal."""
    from rich.console import Console

    console = console or Console(stderr=True)
    with console.status(doing) if console.is_terminal else contextlib.nullcontext():
        yield


def use_color() -> bool | None:
    """False where NO_COLOR forbids colors; None leaves it to whether there is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def page_width() -> int:
    """Columns of the terminal, from `MIN_WIDTH` to `MAX_WIDTH`."""
    return max(MIN_WIDTH, min(MAX_WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def spark_levels(*, err: bool = False) -> str:
    """The characters of a sparkline that stdout, or stderr, can show."""
    from optbench.summary.sparklines import levels_for

    return levels_for((sys.stderr if err else sys.stdout).encoding)


def catalog_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option of every command that knows problems: where they come from."""
    return click.option(
        "--problems",
        "catalog",
        default="problems",
        metavar="MODULE",
        callback=_importable,
        help="Somebody else's catalog of problems.",
    )(command)


def _importable(context: click.Context, option: click.Parameter, module: str) -> str:
    """Let a module in the current folder be found, as `python -m` would."""
    if module != option.default and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    return module


def results_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument of every command that reads results: their folder, or the file in it."""
    return click.argument("results", type=click.Path(path_type=Path), callback=folder_of_results)(
        command
    )


def folder_of_results(context: click.Context, option: click.Parameter, path: Path) -> Path:
    """The folder, where the file in it is given."""
    return path.parent if path.name == FILE else path


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option of every command that reads: print JSON, not text."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def say_json(value: Any) -> None:
    """Print records, arrays and paths as JSON; what is not a finite number is null."""
    click.echo(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if hasattr(value, "_asdict"):  # a named tuple
        return _plain(value._asdict())
    if hasattr(value, "tolist"):  # an array or scalar of NumPy
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def say_files(paths: Sequence[Path], as_json: bool) -> ExitCode:
    """Print the files that were written, one a line."""
    if as_json:
        say_json({"files": paths})
    else:
        click.echo("\n".join(map(str, paths)))
    return ExitCode.OK


def examples(*lines: str) -> str:
    """The end of a help page: commands to copy."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
