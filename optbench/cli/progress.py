"""Live progress of a study, on stderr where that is a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from optbench.schedule import CellFinished, Compiling, Event, Running, StudyStarted

Item = TypeVar("Item")

WHOLE_STUDY = 3600.0  # seconds the estimate of the time left looks back: cells differ widely


class LiveProgress:
    """Shows cells done, what compiles or runs now, and the time left; call it with events.

    Args:
        console: where to; stderr if not given. Nothing is shown where it is no terminal.
    """

    def __init__(self, console: Console | None = None):
        console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("cells"),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            redirect_stdout=False,
            speed_estimate_period=WHOLE_STUDY,
        )
        self._task = self._bar.add_task("", total=None)
        self._done = 0
        self.computed = 0  # cells

    def __enter__(self) -> LiveProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case StudyStarted():
                self._done = event.finished
                self._show(total=event.total, completed=event.finished)
            case Compiling():
                self._show(description=f"compiling {_named(event.optimizers)} on {event.problem}")
            case Running():
                self._show(
                    description=f"running {event.optimizer} on {event.problem}",
                    completed=self._done + event.share,
                )
            case CellFinished():
                self._done += 1
                self.computed += 1
                self._show(completed=self._done)

    def _show(self, **fields: object) -> None:
        self._bar.update(self._task, **fields)  # pyright: ignore[reportArgumentType]


def _named(optimizers: tuple[str, ...]) -> str:
    return optimizers[0] if len(optimizers) == 1 else f"{len(optimizers)} optimizers"


def counted(title: str, items: Sequence[Item], console: Console | None = None) -> Iterator[Item]:
    """The items one by one, with a bar on stderr where that is a terminal."""
    console = console or Console(stderr=True)
    bar = Progress(
        console=console, transient=True, redirect_stdout=False, disable=not console.is_terminal
    )
    with bar:
        yield from bar.track(items, description=title)
