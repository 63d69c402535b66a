"""Put the claims that ship to the studies that ship, and keep the verdicts.

Examples:
    python scripts/reproduce_claims.py
    python scripts/reproduce_claims.py --to my_folder
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import optbench
from optbench.claims import load_claims, shipped_claims
from optbench.claims.findings import evaluate_claims
from optbench.environment import enable_compilation_cache
from optbench.report.claims import claims_text
from optbench.study import load_study

FOLDER = Path("results/reference/claims")
WIDTH = 112


def main() -> int:
    """Run what is missing of each study; 1 where a verdict is not as expected, else 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder of the verdicts")
    folder = parser.parse_args().to
    enable_compilation_cache()
    folder.mkdir(parents=True, exist_ok=True)
    surprises = 0
    for name in shipped_claims():
        results = optbench.run_study(load_study(name), Path("results") / name)
        findings = evaluate_claims(load_claims(name), results)
        surprises += sum(not finding.as_expected for finding in findings)
        text = claims_text(findings, WIDTH)
        (folder / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
        print(f"{name}\n{text}\n")
    return int(surprises > 0)


if __name__ == "__main__":
    sys.exit(main())
