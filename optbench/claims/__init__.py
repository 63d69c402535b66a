"""Claims: what somebody believes of optimizers, one sentence each, and files of them."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args

from optbench.claims.grammar import parse_sentence
from optbench.claims.sentences import Sentence
from optbench.errors import OptbenchError, unknown_name
from optbench.shipped import load_named, shipped_files

Verdict = Literal["supported", "refuted", "undecided"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence that somebody believes, and who.

    Attributes:
        sentence: what is claimed.
        source: paper, book or documentation, with section or page.
        expect: the verdict that is expected.
        note: why one would believe it, or doubt it.
    """

    sentence: Sentence
    source: str
    expect: Verdict = "supported"
    note: str = ""


def load_claims(named: str | Path) -> tuple[Claim, ...]:
    """The claims of a TOML file, or those that ship under a name.

    Raises:
        OptbenchError: there are none of this name, or the file cannot be read or is refused.
    """
    return load_named(named, "claims", "file of claims", lambda text, name: parse_claims(text))


def shipped_claims() -> dict[str, Traversable]:
    """Name -> file of the claims that ship."""
    return shipped_files("claims")


def parse_claims(text: str) -> tuple[Claim, ...]:
    """The claims of a TOML text: `[[claim]]` tables of claim, source, expect and note.

    Raises:
        OptbenchError: no TOML, no claims, an unknown key, a value that is refused, or a sentence
            that cannot be read.
    """
    hint = 'write [[claim]] with claim = "..." and source = "..." below'
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptbenchError(f"this is no TOML: {error}", hint) from error
    given = tables.get("claim")
    if set(tables) != {"claim"} or not isinstance(given, list) or not given:
        raise OptbenchError("this is no file of claims", hint)
    return tuple(_claim(table, hint) for table in given)


def _claim(table: Any, hint: str) -> Claim:
    if not isinstance(table, Mapping) or not all(isinstance(v, str) for v in table.values()):
        raise OptbenchError(f"no claim is {table!r}", hint)
    values = dict(table)
    for key in values:
        if key not in (known := ["claim", "source", "expect", "note"]):
            raise unknown_name("key of a claim", key, known, f"the keys are {', '.join(known)}")
    for key in ("claim", "source"):
        if not values.get(key, "").strip():
            raise OptbenchError(f"a claim has no {key}: {values.get('claim', table)}", hint)
    if values.get("expect", "supported") not in VERDICTS:
        raise OptbenchError(f"expect is {values['expect']!r}", f"give {' or '.join(VERDICTS)}")
    return Claim(sentence=parse_sentence(values.pop("claim")), **values)
