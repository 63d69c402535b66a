"""The rows of a comparison as a table: text, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from optbench.comparison import Comparison
from optbench.profiles import profile_score
from optbench.statistics import censor
from optbench.tables import UNKNOWN, align, number
from optbench.tracks import Row
from optbench.verdict.contrasts import (
    DRAWS,
    Contrast,
    contrast_rows,
    num_reached,
    paired_costs,
    shared_problems,
)
from optbench.verdict.cost_axes import standing_rows

COLUMNS = ("optimizer", "track", "solved", "ratio", "interval", "PAR-10", "score", "P(better)",
           "verdict")  # fmt: skip
NO_HEADLINE = "no headline"
REFERENCE = "reference"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """One row of a comparison in numbers; what is unknown is None.

    Attributes:
        optimizer: label.
        track: D, T_16, S, O or T_16+edge.
        solved: problems that most seeds reach the target on.
        applicable: problems it has run on.
        shared: problems that the reference has run on too, behind all that follows but the score.
        ratio: geometric mean of the ratio to the reference, failures as 10 budgets.
        low: lower end of its 95 % interval.
        high: upper end.
        par10: mean cost over all problems and seeds that it has run on, failures as 10 budgets.
        score: AlgoPerf's, among the headlines that run wherever the reference does.
        better: P(it needs less than the reference).
        equal: P(both need as much, within 10 %).
        worse: P(it needs more).
        p_value: of the Wilcoxon test, held against all headlines by Holm's method.
        verdict: what is decided; `REFERENCE`, or `NO_HEADLINE` where nothing may be.
    """

    optimizer: str
    track: str
    solved: int
    applicable: int
    shared: int
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    par10: float | None = None
    score: float | None = None
    better: float | None = None
    equal: float | None = None
    worse: float | None = None
    p_value: float | None = None
    verdict: str = UNKNOWN


def comparison_lines(
    comparison: Comparison,
    reference: Row,
    contrasts: Sequence[Contrast],
    *,
    unit: str = "gradients",
    every_track: bool = False,
    draws: int = DRAWS,
) -> tuple[Line, ...]:
    """The rows of a comparison, the headline of each optimizer or all its tracks.

    Args:
        comparison: the rows of a study.
        reference: the row that all are held against.
        contrasts: of the headlines against it, over all problems, as the verdict has them.
        unit: what cost is counted in.
        every_track: whether rows are shown that are no headline; nothing is decided of them.
        draws: of their intervals.
    """
    known = {c.row: c for c in contrasts if c.reference == reference and not c.kind}
    rows = comparison.rows if every_track else comparison.headlines
    others = [(row, reference) for row in rows if row not in comparison.headlines]
    more = contrast_rows(comparison, others, unit=unit, draws=draws)
    undecided = {c.row: c for c in more if not c.kind}
    scores = _scores(comparison, reference, unit)
    return tuple(
        dataclasses.replace(
            _line(comparison, row, reference, unit),
            score=scores.get(row),
            **_evidence(known.get(row) or undecided.get(row)),
            verdict=_verdict(row, reference, known.get(row), comparison),
        )
        for row in rows
    )


def _line(comparison: Comparison, row: Row, reference: Row, unit: str) -> Line:
    """What a row comes to by itself."""
    own = shared_problems(comparison, row, row, unit)
    shared = shared_problems(comparison, row, reference, unit)
    line = Line(
        optimizer=row.optimizer,
        track=row.track,
        solved=0,
        applicable=len(own),
        shared=len(shared),
        ratio=1.0 if row == reference else None,
    )
    if not own:
        return line
    costs, _, budgets = paired_costs(comparison, row, row, own, unit)
    mean = float(censor(costs, budgets[:, None]).mean())
    return dataclasses.replace(line, solved=num_reached(costs), par10=mean)


def _evidence(contrast: Contrast | None) -> dict[str, float | None]:
    """What is known of a row against the reference."""
    if contrast is None:
        return {}
    found, posterior = contrast.evidence, contrast.evidence.posterior
    known: dict[str, float | None] = dict(
        ratio=found.ratio.estimate,
        low=None if np.isnan(found.ratio.low) else found.ratio.low,
        high=None if np.isnan(found.ratio.high) else found.ratio.high,
        p_value=contrast.adjusted,
    )
    if posterior is None:
        return known
    chances = dict(better=posterior.a_better, equal=posterior.equal, worse=posterior.b_better)
    return known | chances


def _verdict(row: Row, reference: Row, decided: Contrast | None, comparison: Comparison) -> str:
    if row == reference:
        return REFERENCE
    if row not in comparison.headlines:
        return NO_HEADLINE
    return UNKNOWN if decided is None else decided.decision


def _scores(comparison: Comparison, reference: Row, unit: str) -> Mapping[Row, float]:
    """The score of every headline that runs wherever the reference does, among them."""
    rows = standing_rows(comparison, reference, unit)
    problems = shared_problems(comparison, reference, reference, unit)
    if not problems:
        return {}
    costs = [paired_costs(comparison, row, reference, problems, unit)[0] for row in rows]
    medians = np.median(np.stack(costs, axis=1), axis=-1)
    return dict(zip(rows, profile_score(medians).tolist(), strict=True))


def as_text(lines: Sequence[Line], width: int) -> str:
    """The rows as text, no line beyond the width; what there is no room for is named below."""
    table = align(
        COLUMNS, _cells(lines), width=width, right={2, 3, 5, 6, 7}, spare=(6, 5, 7), wrap=True
    )
    header = table.partition("\n")[0].split()
    missing = [name for name in COLUMNS if name not in header]
    left_out = f"No room for {', '.join(missing)}: `--format csv` shows all."
    return "\n".join([table, *(textwrap.wrap(left_out, width) if missing else [])])


def as_markdown(lines: Sequence[Line]) -> str:
    """The rows as a table in Markdown."""
    rows = [COLUMNS, ["---"] * len(COLUMNS), *_cells(lines)]
    return "\n".join(
        f"| {' | '.join(c.replace('|', chr(92) + '|') for c in row)} |" for row in rows
    )


def as_latex(lines: Sequence[Line]) -> str:
    """The rows as a tabular in LaTeX, with the rules of booktabs."""
    rows = [f"  {' & '.join(map(_escaped, row))} \\\\" for row in (COLUMNS, *_cells(lines))]
    return "\n".join(
        [
            r"\begin{tabular}{llrrlrrrl}",
            r"  \toprule",
            rows[0],
            r"  \midrule",
            *rows[1:],
            r"  \bottomrule",
            r"\end{tabular}",
        ]
    )


def as_csv(lines: Sequence[Line]) -> str:
    """The rows in full precision, what is unknown left empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(Line))
    writer.writerows(dataclasses.astuple(line) for line in lines)
    return buffer.getvalue().rstrip("\n")


def _cells(lines: Iterable[Line]) -> list[list[str]]:
    return [
        [
            line.optimizer,
            line.track,
            f"{line.solved}/{line.applicable}",
            UNKNOWN if line.ratio is None else f"{number(line.ratio)}x",
            UNKNOWN if line.low is None else f"[{line.low:.2g}, {line.high:.2g}]",
            number(line.par10),
            UNKNOWN if line.score is None else f"{line.score:.2f}",
            UNKNOWN if line.better is None else f"{line.better:.2f}",
            line.verdict.removesuffix(" problems"),
        ]
        for line in lines
    ]


_LATEX = {c: "\\" + c for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
}


def _escaped(text: str) -> str:
    """Text as LaTeX sets it letter by letter; a bracket opens no argument of the line before."""
    escaped = "".join(_LATEX.get(c, c) for c in text)
    return "{" + escaped + "}" if escaped.startswith("[") else escaped


FORMATS: Mapping[str, Callable[[Sequence[Line]], str]] = {
    "markdown": as_markdown,
    "latex": as_latex,
    "csv": as_csv,
}
