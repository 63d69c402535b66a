"""Worst instances as a file of Python: problems to be run again, by hand or by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optbench.checks.attack import Attack
from optbench.database import said_plainly
from optbench.report.export import replaced

_HEAD = '''"""The worst instances found for {name}: {statement}

Run one again: optbench bounds {name} --problem {path}:worst_{last}
"""

import numpy as np

from optbench import Problem
from optbench.bounds.found_instances import {builder}
'''
_FUNCTION = '''

def worst_{index}() -> Problem:
    """{setting}: observed / bound is {ratio:.6f} at k = {k}."""
    return {builder}(
{arguments}
        smoothness={smoothness!r},
        strong_convexity={convexity!r},
    )
'''


def save_found(attacks: Sequence[Attack], folder: Path) -> Path:
    """Write the worst instance of each setting as a function that returns the problem.

    Args:
        attacks: on one theorem.
        folder: made where it is missing; a file of the theorem's name is replaced.

    Raises:
        OptbenchError: the folder cannot be written.
    """
    theorem = attacks[0].theorem
    path = folder / f"{theorem.name}.py"
    builder = attacks[0].builder.__name__
    text = _HEAD.format(
        name=theorem.name,
        statement=theorem.statement,
        path=path,
        last=len(attacks) - 1,
        builder=builder,
    )
    for index, attack in enumerate(attacks):
        setting = ", ".join(f"{name} = {value:g}" for name, value in attack.setting.items())
        text += _FUNCTION.format(
            index=index,
            setting=setting or "The one setting",
            ratio=attack.worst,
            k=attack.k,
            builder=builder,
            arguments="\n".join(f"        {n}={_literal(v)}," for n, v in attack.arguments.items()),
            smoothness=attack.smoothness,
            convexity=attack.strong_convexity,
        )
    with said_plainly(folder), replaced(path) as part:
        part.write_text(text)
    return path


def _literal(value: Any) -> str:
    """An array as Python, to the last bit."""
    return f"np.array({np.asarray(value).tolist()!r})"
