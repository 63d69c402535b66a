"""What goes wrong, said in one line with one hint, and the exit codes that follow from it."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of the command line."""

    OK = 0
    FAILED = 1  # a check, a bound or a cell failed
    BAD_INPUT = 2
    INTERRUPTED = 130


class OptbenchError(Exception):
    """Bad input: one line that says what is wrong, one hint that says what to do.

    Args:
        message: what is wrong, in one line.
        hint: what to do about it, in one line.
    """

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self):
        return type(self), (self.message, self.hint)


class NotApplicable(OptbenchError):
    """The optimizer cannot run on this problem (natural gradient without a Fisher)."""


def unknown_name(kind: str, name: str, known: list[str], where: str) -> OptbenchError:
    """The error for a name that is not in a catalog, with the nearest names offered."""
    import difflib

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    offer = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    return OptbenchError(f"no {kind} named {name!r}", f"{offer}{where}")


def require_count(owner: str, name: str, count: int, least: int = 1) -> None:
    """Refuse a count that is too small.

    Raises:
        OptbenchError: it is below `least`.
    """
    if count < least:
        raise OptbenchError(f"{owner} has {name} = {count}", f"give a number from {least} on")


def first_line(error: Exception) -> str:
    """What an error says first; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
