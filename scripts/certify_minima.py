"""Fill problems/minima.txt: minima without a closed form, to rounding and where possible beyond.

Every problem that asks the table is solved by several solvers from several starts; Newton's method
carries the lowest end on until the gradient is rounding, and then in mpmath to 30 digits. A value
higher than the one in the table is reported, and not written. Published values stand in
problems/published.txt; those that do not agree to all their digits are reported.
"""

from __future__ import annotations

import argparse

from certify.survey import update

EXAMPLES = """examples:
  python scripts/certify_minima.py
  python scripts/certify_minima.py --only bard 'chebyquad[dim=8]'"""


def main() -> None:
    """Solve, write the table, and print what is found."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("labels", nargs="*", help="problems besides those of catalog and table")
    parser.add_argument("--only", action="store_true", help="these problems and no others")
    given = parser.parse_args()
    update(given.labels, given.only)


if __name__ == "__main__":
    main()
