"""The result of one check."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Check:
    """What one law said.

    Attributes:
        law: its name.
        passed: whether it holds.
        detail: what was compared, in one line.
        measured: the figure that decides.
        threshold: the most that `measured` may be.
        exception: why it is known not to hold, and so passes where it fails.
    """

    law: str
    passed: bool
    detail: str
    measured: float | None = None
    threshold: float | None = None
    exception: str = ""


def at_most(law: str, measured: float | int, threshold: float | int, detail: str) -> Check:
    """The law that a figure does not exceed a threshold; one that is not a number does."""
    measured, threshold = float(measured), float(threshold)
    return Check(law, measured <= threshold, detail, measured, threshold)
