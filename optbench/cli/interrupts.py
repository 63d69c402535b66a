"""Ctrl-C at the right moment: not inside an import, and never lost."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def interrupt_deferred() -> Iterator[None]:
    """Hold Ctrl-C back: some of JAX's modules abort the process when it hits their import."""
    held: list[int] = []
    with _on_interrupt(lambda number, frame: held.append(number)):
        yield
    if held:
        raise KeyboardInterrupt


@contextlib.contextmanager
def interrupt_remembered() -> Iterator[Callable[[], None]]:
    """Raise at Ctrl-C, and again when the function it gives is called.

    Python drops an exception raised in a callback of the garbage collector, and JAX has one.
    """
    seen: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        seen.append(number)
        raise KeyboardInterrupt

    def raise_again() -> None:
        if seen:
            raise KeyboardInterrupt

    tell = sys.unraisablehook
    sys.unraisablehook = lambda dropped: None if seen else tell(dropped)
    try:
        with _on_interrupt(interrupt):
            yield raise_again
    finally:
        sys.unraisablehook = tell


@contextlib.contextmanager
def _on_interrupt(handler: Callable[[int, Any], Any]) -> Iterator[None]:
    """Handle Ctrl-C so, unless whoever started this process wants it ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
