"""What a study would do, as text."""

from __future__ import annotations

from optbench.forecast import Forecast, Refusal

MOST_REASONS = 6  # shown


def forecast_text(found: Forecast) -> str:
    """One line per count or estimate, and one per reason why pairs do not run."""
    pairs = found.problems * found.optimizers
    rows = {
        "pairs": f"{pairs:,}: {found.problems} problems x {found.optimizers} optimizers",
        "cells": f"{found.pending:,} to do, {found.finished:,} finished",
        "lanes": f"{found.evaluation_lanes:,} to judge by, {found.tuning_lanes:,} to tune on",
        "programs": f"{found.programs:,}",
        "compile": f"about {_seconds(found.compile_seconds)}, less what is cached",
        "run": f"about {_seconds(found.run_seconds)}, while the next programs are compiled",
        "memory": f"about {found.memory_bytes / 1e9:.1f} GB at the peak",
    }
    lines = [f"{found.study}: nothing has run, nothing is written"]
    lines += [f"  {name:9} {value}" for name, value in rows.items()]
    return "\n".join([*lines, *_refusals(found.refused)])


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _refusals(refused: tuple[Refusal, ...]) -> list[str]:
    """The reasons behind the most pairs, and how many more there are."""
    groups: dict[tuple[str, str], list[Refusal]] = {}
    for one in refused:
        groups.setdefault((one.status, one.message), []).append(one)
    often = sorted(groups.items(), key=lambda item: -len(item[1]))
    lines = [
        f"  {status}: {first.optimizer} on {first.problem}"
        f"{f' and {len(more)} more' if more else ''}: {message}"
        for (status, message), (first, *more) in often[:MOST_REASONS]
    ]
    hidden = sum(len(pairs) for _, pairs in often[MOST_REASONS:])
    return lines + [f"  and {hidden} more pairs: --json shows all"] * (hidden > 0)
