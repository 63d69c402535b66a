"""The theorems that ship, by name."""

from __future__ import annotations

import functools

from optbench.bound import Theorem
from optbench.catalog import collect

THEOREMS = "optbench.bounds"


@functools.cache
def known_theorems() -> tuple[Theorem, ...]:
    """Every theorem of the catalog."""
    return tuple(function() for function in collect(THEOREMS, "Theorem").values())
