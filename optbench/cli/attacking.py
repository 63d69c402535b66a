"""`optbench bounds --attack`: the worst instances that can be found, saved to be run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optbench.cli.manners import note, page_width, say_json
from optbench.errors import ExitCode, OptbenchError
from optbench.tables import align

if TYPE_CHECKING:
    from optbench.bound import Theorem
    from optbench.checks.attack import Attack

_COLUMNS = ("theorem", "setting", "k", "worst ratio", "from each start", "verdict")


def attack_all(
    theorems: Sequence[Callable[[], Theorem]], *, must_apply: bool, results: Path, as_json: bool
) -> ExitCode:
    """Attack theorems, save the worst instance of each, and tell; 1 where a bound is broken.

    Raises:
        OptbenchError: a theorem that is named cannot be attacked, or no file can be written.
    """
    from optbench.checks.attack import attack
    from optbench.cli.progress import counted
    from optbench.report.found import save_found

    attacks: list[tuple[Attack, Path]] = []
    for theorem in counted("attacking", theorems):
        try:
            found = attack(theorem())
        except OptbenchError as error:
            if must_apply:
                raise
            note("left out", error.message)
            continue
        path = save_found(found, results / "attacks")
        attacks += [(one, path) for one in found]
    if as_json:
        say_json([{**one.to_json(), "saved": path} for one, path in attacks])
    else:
        click.echo(as_text([one for one, _ in attacks], page_width()))
    for path in dict.fromkeys(path for _, path in attacks):
        click.echo(f"Saved: {path}", err=True)
    broken = [one for one, _ in attacks if one.broken]
    for one in broken:
        note("broken", one.sentence, "red")
    return ExitCode.FAILED if broken else ExitCode.OK


def as_text(attacks: Sequence[Attack], width: int) -> str:
    """One row per theorem and setting."""
    rows = [_row(one) for one in attacks]
    return align(_COLUMNS, rows, width=width, right={2, 3}, elastic=(4,))


def _row(attack: Attack) -> tuple[str, ...]:
    return (
        attack.theorem.name,
        ", ".join(f"{name} = {value:g}" for name, value in attack.setting.items()) or "-",
        str(attack.k),
        f"{attack.worst:.4f}",
        " ".join(f"{ratio:.3f}" for ratio in attack.ratios),
        str(attack.comparison.verdict),
    )
