"""Findings as text: a line for each claim, its evidence below it, and a count; or as records."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from optbench.claims import VERDICTS
from optbench.claims.findings import Finding
from optbench.tables import align


def claims_text(findings: Sequence[Finding], width: int) -> str:
    """The verdicts as a table, in the order of the claims; (!) where one is not as expected.

    Args:
        findings: one for each claim.
        width: columns.
    """
    table = align(
        ("verdict", "claim"),
        [(_verdict(finding), str(finding.claim.sentence)) for finding in findings],
        width=width,
        elastic=(1,),
        wrap=True,
        notes=[finding.judgment.evidence for finding in findings],
    )
    verdicts = [finding.judgment.verdict for finding in findings]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS)
    surprises = sum(not finding.as_expected for finding in findings)
    return f"{table}\n\n{counts}; {surprises or 'none'} not as expected."


def _verdict(finding: Finding) -> str:
    return finding.judgment.verdict + " (!)" * (not finding.as_expected)


def claim_record(finding: Finding) -> dict[str, Any]:
    """A finding as one flat record."""
    claim = finding.claim
    return {
        "claim": str(claim.sentence),
        "source": claim.source,
        "note": claim.note,
        "expect": claim.expect,
        **dataclasses.asdict(finding.judgment),
        "problems": finding.problems,
        "left_out": finding.left_out,
        "as_expected": finding.as_expected,
    }
