"""Every optimizer that a label can name: the catalog's, and those of libraries."""

from __future__ import annotations

import functools

from optbench import catalog
from optbench.catalog import Catalog
from optbench.optimizers.libraries import optimistix_names, scipy_names

OPTIMIZERS = "optbench.optimizers"  # the catalog of optimizers


@functools.cache
def known_optimizers() -> Catalog:
    """Name -> factory: the functions of the catalog, then `optax.NAME` and its like."""
    own = catalog.collect(OPTIMIZERS, "Optimizer")
    return own | optimistix_names.entries() | scipy_names.entries()
