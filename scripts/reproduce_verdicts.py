"""Run studies that ship, and keep their verdicts, tables and lints.

Examples:
    python scripts/reproduce_verdicts.py standard
    python scripts/reproduce_verdicts.py second_order clipping --results results
"""

from __future__ import annotations

import argparse
from pathlib import Path

import optbench
from optbench.environment import enable_compilation_cache
from optbench.report.comparison import as_text, comparison_lines
from optbench.report.verdict import verdict_text
from optbench.study import load_study

KEPT = Path(__file__).parents[1] / "results" / "reference" / "verdicts"


def told(results: optbench.Results) -> str:
    """The verdict of a study, every optimizer as a row, and what to mend."""
    compared = optbench.compare_rows(results)
    verdict = optbench.reach_verdict(compared)
    contrasts = [sentence.contrast for sentence in verdict.sentences]
    lines = comparison_lines(compared, verdict.reference, contrasts)
    lints = [f"lint, {lint.name}: {lint.message}; {lint.hint}" for lint in verdict.lints]
    return "\n\n".join([verdict_text(verdict), as_text(lines, 120), "\n".join(lints)])


def main() -> None:
    """Run what is missing of each study, and write what it comes to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("studies", nargs="+", help="names of studies that ship")
    parser.add_argument("--results", type=Path, default=Path("results"), help="their folder")
    given = parser.parse_args()
    enable_compilation_cache()
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in given.studies:
        text = told(optbench.run_study(load_study(name), given.results / name))
        (KEPT / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
        print(f"{name}\n{text}\n")


if __name__ == "__main__":
    main()
