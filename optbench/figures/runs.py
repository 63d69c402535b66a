"""What the figures of one problem draw: its trajectories, each at its tuned setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from optbench import metrics
from optbench.figures.sheet import SCREEN, Sheet
from optbench.figures.style import PER_PANEL, Style, assign_styles, plain, power_of_ten
from optbench.records import ProblemRecord
from optbench.results import Results
from optbench.tracks import evaluation, headline_index, tuning
from optbench.trajectory import FAILURES, Trajectory


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Tuned:
    """One optimizer on one problem, and the setting that it was tuned to there.

    It has the smallest median cost to one target over the seeds of tuning.

    Attributes:
        trajectory: the lanes of the seeds that it is judged by.
        setting: index of the setting.
        target: index of the target that decided.
        cost: median cost to it, infinite where half of the starts or more fail.
    """

    trajectory: Trajectory
    setting: int
    target: int
    cost: float

    @property
    def median_start(self) -> int:
        """Index of the start of (lower) median cost to the target; the first if most fail."""
        costs = self.trajectory.hit_costs[:, self.setting, self.target]
        order = np.argsort(np.where(np.isfinite(costs), costs, np.inf), kind="stable")
        return int(order[(len(order) - 1) // 2]) if np.isfinite(self.cost) else 0

    @property
    def setting_text(self) -> str:
        """The tuned setting in words, as plain text; empty where nothing is swept."""
        settings = self.trajectory.settings.items()
        texts = (f"{name.replace('_', ' ')} {v[self.setting]:.3g}" for name, v in settings)
        return plain(", ".join(texts))

    @property
    def failures_text(self) -> str:
        """How many starts end in a failure at the tuned setting, by kind; empty where none does."""
        status = self.trajectory.status[:, self.setting]
        counts = {kind: int((status == kind).sum()) for kind in FAILURES}
        texts = (f"{n} of {len(status)} starts {kind}" for kind, n in counts.items() if n)
        return ", ".join(texts)

    def outcome(self, start: int) -> str:
        """How the lane of one start ends: the hardest target it meets and when, or its status."""
        hits = self.trajectory.hit_steps[start, self.setting]
        if not np.isfinite(hits).any():
            return str(self.trajectory.status[start, self.setting])
        hardest = int(np.flatnonzero(np.isfinite(hits))[-1])
        steps = f"{int(hits[hardest])} step{'' if hits[hardest] == 1 else 's'}"
        if self.trajectory.merit == "escape":
            return f"escapes in {steps}"
        return f"{power_of_ten(float(self.trajectory.targets[hardest]))} in {steps}"


def tune(trajectory: Trajectory, trials: int = 0, target: int | None = None) -> Tuned:
    """The runs that an optimizer is judged by, with the setting that it was tuned to.

    Args:
        trajectory: all lanes.
        trials: how many settings are trials; 0 where all are.
        target: index of the one to tune for; the hardest that most starts reach at some setting,
            or the easiest where none is reached, if not given.
    """
    judged = evaluation(trajectory)
    tried = trials or judged.value.shape[1]
    if target is None:
        target = metrics.hardest_target(tuning(trajectory).hit_costs[:, :tried]) or 0
    index = headline_index(trajectory, trials, target)
    cost = metrics.best_setting(judged.hit_costs[:, [index]])[target].median
    return Tuned(trajectory=judged, setting=index, target=target, cost=cost)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ProblemRuns:
    """All that the figures of one problem draw.

    Attributes:
        problem: its record.
        tuned: optimizer -> its runs, in study order; finished cells only.
        styles: optimizer -> its style, for all that are shown of the study.
        missing: what is not drawn, and why, in one line as plain text; empty if nothing.
        sheet: that they are drawn on.
        are_named: whether somebody named these optimizers: then none is left out for its family.
    """

    problem: ProblemRecord
    tuned: Mapping[str, Tuned]
    styles: Mapping[str, Style]
    missing: str = ""
    sheet: Sheet = SCREEN
    are_named: bool = False

    @property
    def panels(self) -> list[list[str]]:
        """The optimizers, in panels whose lines differ in color; one panel at least."""
        ordered = list(self.styles)
        blocks = [ordered[i : i + PER_PANEL] for i in range(0, len(ordered), PER_PANEL)]
        panels = [[name for name in block if name in self.tuned] for block in blocks]
        return [panel for panel in panels if panel] or [[]]

    @property
    def ranked(self) -> tuple[str, ...]:
        """The optimizers: cheaper ones first, then in study order."""
        return tuple(sorted(self.tuned, key=lambda optimizer: self.tuned[optimizer].cost))


def problem_runs(
    results: Results, problem: str, optimizers: Sequence[str] = (), sheet: Sheet = SCREEN
) -> ProblemRuns:
    """What the figures of one problem draw, at the settings that the table of the study tells.

    Args:
        results: of a study.
        problem: label of one of its problems.
        optimizers: labels of those that are shown; all if none is given.
        sheet: that they are drawn on.

    Raises:
        OptbenchError: the study has no such problem.
    """
    found = results.finished_on(problem)
    shown = [o for o in results.optimizers if not optimizers or o in optimizers]
    drawn = [o for o in shown if o in found.logs]
    return ProblemRuns(
        problem=results.problems[problem],
        tuned={o: tune(found.logs[o], found.cells[o].trials, found.target) for o in drawn},
        styles=assign_styles(shown),
        missing=_missing(results, problem, [o for o in shown if o not in drawn]),
        sheet=sheet,
        are_named=bool(optimizers),
    )


def _missing(results: Results, problem: str, optimizers: list[str]) -> str:
    cells = {cell.optimizer: cell.status for cell in results.cells if cell.problem == problem}
    status = {optimizer: cells.get(optimizer, "not run") for optimizer in optimizers}
    kinds = {kind: [o for o in optimizers if status[o] == kind] for kind in status.values()}
    sentences = (f"{kind.capitalize()}: {', '.join(names)}." for kind, names in kinds.items())
    return plain(" ".join(sentences))
