"""Cells of a search for another target: their runs are the same, and are not made again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Set

from optbench.cells import Batch
from optbench.store import Store


def without_reusable(batches: Iterable[Batch], store: Store, *, keep: bool) -> list[Batch]:
    """The batches, less the pending cells that a search for another target has left.

    Trials are the same whatever the target. It decides alone whether the best of them lies on an
    edge: where that asks for trials that were never made, the cell stays pending.

    Args:
        batches: of a study.
        store: what has been computed of it.
        keep: whether to keep those cells under the keys of the batches, too.
    """
    kept = store.finished()
    left = []
    for batch in batches:
        found = {o: _reusable(batch, o, store, kept) for o in batch.pending} if kept else {}
        for label, keys in found.items():
            if keys and keep:
                store.copy(keys, batch.keys[label])
        due = tuple(label for label in batch.pending if not found.get(label))
        left.append(batch if due == batch.pending else dataclasses.replace(batch, pending=due))
    return left


def _reusable(batch: Batch, label: str, store: Store, kept: Set[str]) -> dict[str, str]:
    """Old key -> new key of a cell and of the one that extends it; empty where they are not."""
    for target in batch.instance.plan.targets:
        old = batch.keys_for(target)[label]
        if old != batch.keys[label] and old in kept:
            keys = _keys(batch, label, target, store)
            if keys.keys() <= kept:
                return keys
    return {}


def _keys(batch: Batch, label: str, target: float, store: Store) -> dict[str, str]:
    """Key in a search for another target -> key now, of a cell and of the one that extends it."""
    old = batch.keys_for(target)[label]
    log = store.trajectory(old) if batch.trials[label].space else None
    more = None if log is None else batch.extension(label, log)
    found = {old: batch.keys[label]}
    return found if more is None else found | {more.keys_for(target)[label]: more.keys[label]}
