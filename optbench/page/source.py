"""What the sections of a page are made from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from optbench.catalog import collect
from optbench.comparison import Comparison, compare_rows
from optbench.errors import OptbenchError
from optbench.figures.runs import ProblemRuns, problem_runs
from optbench.figures.style import Style, assign_styles
from optbench.landscape import Landscape
from optbench.optimizers.names import known_optimizers
from optbench.report.rates import Catalogs
from optbench.results import Results


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A study, read once for all sections.

    Attributes:
        results: of the study.
        folder: as the reader of the page names it in commands.
        bounds: folder of what `optbench bounds` wrote; None to show none.
        problems: package or module in which theory looks problems up.
    """

    results: Results
    folder: str
    bounds: Path | None = None
    problems: str = "problems"

    @functools.cached_property
    def comparison(self) -> Comparison:
        """The rows of the study at its target."""
        return compare_rows(self.results)

    @property
    def toml(self) -> str:
        """The study, with every default."""
        return tomli_w.dumps(dict(self.results.study))

    @functools.cached_property
    def styles(self) -> Mapping[str, Style]:
        """Optimizer -> how it is drawn, in every figure of the study."""
        return assign_styles(self.results.optimizers)

    @functools.cached_property
    def runs(self) -> Mapping[str, ProblemRuns]:
        """Problem -> its runs, each optimizer at its tuned setting."""
        return {label: problem_runs(self.results, label) for label in self.results.problems}

    @functools.cached_property
    def landscapes(self) -> Mapping[str, Landscape | None]:
        """Problem -> what it looks like where optimizers went; None where that is not known."""
        return {label: self.results.landscape(label) for label in self.results.problems}

    @functools.cached_property
    def catalogs(self) -> Catalogs:
        """Where theory looks labels up; of problems none, where their package is not there."""
        try:
            problems = collect(self.problems, "Problem")
        except OptbenchError:
            problems = {}
        return Catalogs(problems, known_optimizers())
