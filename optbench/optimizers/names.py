"""Every optimizer that a label can name: the catalog's, and those of libraries."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from optbench import catalog
from optbench.catalog import Catalog
from optbench.optimizers import libraries

OPTIMIZERS = "optbench.optimizers"  # the catalog of optimizers


@functools.cache
def known_optimizers() -> Catalog:
    """Name -> factory: the functions of the catalog, then `optax.NAME` and its like."""
    return {**catalog.collect(OPTIMIZERS, "Optimizer"), **library_optimizers()}


@functools.cache
def library_optimizers() -> Catalog:
    """Label -> factory, of the optimizers of libraries: `optax.NAME` and its like."""
    names = sorted(m.name for m in pkgutil.iter_modules(libraries.__path__))
    modules = [importlib.import_module(f"{libraries.__name__}.{name}") for name in names]
    return {
        label: factory
        for module in modules
        if hasattr(module, "entries")
        for label, factory in module.entries().items()
    }
