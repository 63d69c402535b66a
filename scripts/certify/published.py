"""Minima as papers print them, and whether a number agrees with all their digits."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from problems.minima import TABLE

FILE = TABLE.with_name("published.txt")


class Published(NamedTuple):
    """A printed minimum.

    Attributes:
        printed: the digits as text, such as 8.21487...e-3; 1.24E-01/28 where f is a 28th of it.
        source: where they stand.
    """

    printed: str
    source: str


def read_published(text: str) -> dict[str, Published]:
    """Printed minima by label."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    cells = (re.split(r" {2,}", line.strip()) for line in lines)
    return {label: Published(printed, source) for label, printed, source in cells}


def agrees(value: str, printed: str) -> bool:
    """Whether a number, rounded or cut off to as many digits, is the printed one."""
    text, _, factor = printed.replace("...", "").partition("/")
    digits, number = Decimal(text), Decimal(value) * Decimal(factor or 1)
    if digits * number < 0:
        return False
    unit = Decimal(1).scaleb(int(digits.as_tuple().exponent))
    excess = abs(number) - abs(digits)
    return (0 if "..." in printed else -unit / 2) <= excess < unit
