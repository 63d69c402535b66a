"""Every optimizer that a label can name: the catalog's, and those of libraries."""

from __future__ import annotations

import functools

from optbench import catalog
from optbench.catalog import Catalog

OPTIMIZERS = "optbench.optimizers"  # the catalog of optimizers


@functools.cache
def known_optimizers() -> Catalog:
    """Name -> factory: the functions of the catalog, then `optax.NAME` and its like."""
    return catalog.collect(OPTIMIZERS, "Optimizer")
