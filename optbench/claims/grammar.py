"""The grammar of claims, read: from text to a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn, cast

from optbench.catalog import parse_label
from optbench.claims.sentences import (
    ESCAPE,
    FORMS,
    KINDS,
    UNITS,
    Beats,
    Condition,
    Diverges,
    EndsAtSaddle,
    FailsToReach,
    IsAsGoodAs,
    Reaches,
    Selection,
    Sentence,
    Subject,
    Takes,
    Unit,
)
from optbench.errors import OptbenchError

_PROBLEMS = (
    "PROBLEMS is a problem, a family, or `all problems`, `stochastic convex problems` and so on "
    "[and others] [with condition >= 100 [and dim < 50]]"
)


def parse_sentence(text: str) -> Sentence:
    """Read one sentence; its text is the normal form, which reads back as the same sentence.

    Raises:
        OptbenchError: the text does not follow the grammar; the word that does not is named.
    """
    words = _Words(text)
    first = _subject(words)
    verb = words.take("a verb")
    if verb not in _READERS:
        words.refuse(verb, f"a verb ({', '.join(_READERS)})")
    words.form = FORMS[verb]
    sentence = _READERS[verb](words, first)
    if words.next is not None:
        words.refuse(words.next, "the end")
    return sentence


class _Words:
    """The words of a text, taken one by one; brackets and quotes hold a word together."""

    def __init__(self, text: str):
        self.text = text
        self.words = _split(text)
        self.form = "; ".join(FORMS.values())

    @property
    def next(self) -> str | None:
        """The word to be taken next; None at the end."""
        return self.words[0] if self.words else None

    def take(self, what: str) -> str:
        """The next word."""
        if not self.words:
            raise OptbenchError(f"{self.text!r} ends where {what} is expected", self.hint)
        return self.words.pop(0)

    def expect(self, phrase: str) -> None:
        """Take these words."""
        for wanted in phrase.split():
            word = self.take(repr(wanted))
            if word != wanted:
                self.refuse(word, repr(wanted))

    def accept(self, wanted: str) -> bool:
        """Take this word if it is the next."""
        found = self.next == wanted
        if found:
            self.words.pop(0)
        return found

    def refuse(self, word: str, what: str) -> NoReturn:
        """Say which word is not understood.

        Raises:
            OptbenchError: always.
        """
        raise OptbenchError(f"cannot read {word!r} in {self.text!r}: {what} is expected", self.hint)

    @property
    def hint(self) -> str:
        """The grammar, as far as the verb is known."""
        return f"write {self.form}; {_PROBLEMS}"


def _split(text: str) -> list[str]:
    words, depth = [""], 0
    for piece in re.findall(r"'[^']*'|\"[^\"]*\"|.", text, re.DOTALL):
        depth += (piece in "[(") - (piece in "])")
        if piece.isspace() and depth <= 0:
            words.append("")
        else:
            words[-1] += piece
    return [word for word in words if word]


def _label(words: _Words, what: str) -> str:
    word = words.take(what)
    try:
        return str(parse_label(word))
    except OptbenchError as error:
        message = f"cannot read {word!r} in {words.text!r}: {what} is expected"
        raise OptbenchError(message, words.hint) from error


def _subject(words: _Words) -> Subject:
    optimizer = _label(words, "an optimizer")
    track = None
    if words.next is not None and words.next.startswith("@"):
        track = words.take("a track")[1:]
        if not re.fullmatch(r"\w+(\+\w+)?", track):
            words.refuse(f"@{track}", "a track such as @D or @T_16")
    return Subject(optimizer, track)


def _number(words: _Words, what: str, suffix: str = "", low: float = 0.0) -> float:
    """A finite number above `low`, with its suffix."""
    word = words.take(what)
    match = re.fullmatch(r"(\d+\.?\d*(?:e[+-]?\d+)?)" + re.escape(suffix), word)
    value = float(match[1]) if match else float("nan")
    if not low < value < float("inf"):
        words.refuse(word, what)
    return value


def _factor(words: _Words, low: float) -> float:
    return _number(words, f"a factor above {low:g}, such as 3x,", "x", low)


def _unit(words: _Words) -> Unit:
    word = words.take("a unit")
    if word not in UNITS:
        words.refuse(word, f"one of {', '.join(UNITS)}")
    return cast(Unit, word)


def _unit_told(words: _Words) -> Unit:
    return _unit(words) if words.accept("in") else "gradients"


def _target(words: _Words) -> float:
    if words.accept("escape"):
        return ESCAPE
    before = words.next or ""
    value = _number(words, "a target between 0 and 1, such as 1e-6, or escape")
    if value >= 1:
        words.refuse(before, "a target between 0 and 1")
    return value


def _selection(words: _Words) -> Selection:
    words.expect("on")
    names = [_problems(words)]
    while words.accept("and"):
        names.append(_problems(words))
    conditions = []
    if words.accept("with"):
        conditions.append(_condition(words))
        while words.accept("and"):
            conditions.append(_condition(words))
    return Selection(tuple(names), tuple(conditions))


def _problems(words: _Words) -> str:
    """A label, a family, or a kind: adjectives before `problems`."""
    kinds = []
    while words.next in KINDS and words.words[1:2] != [] and words.words[1] in (*KINDS, "problems"):
        kinds.append(words.take("a kind"))
    if kinds or words.next == "problems":
        words.expect("problems")
        return " ".join([*(kinds or ["all"]), "problems"])
    return _label(words, "a problem")


def _condition(words: _Words) -> Condition:
    quantity, relation = words.take("condition or dim"), words.take("a relation")
    if quantity not in ("condition", "dim"):
        words.refuse(quantity, "condition or dim")
    if relation not in (">=", "<=", ">", "<"):
        words.refuse(relation, "one of >=, <=, >, <")
    return Condition(cast(Any, quantity), cast(Any, relation), _number(words, "a number"))


def _at(words: _Words) -> float:
    words.expect("at")
    return _target(words)


def _beats(words: _Words, first: Subject) -> Sentence:
    second = _subject(words)
    factor = _factor(words, 0.0) if words.accept("by") else 1.0
    return Beats(first, second, factor, _unit_told(words), _at(words), _selection(words))


def _is_as_good_as(words: _Words, first: Subject) -> Sentence:
    words.expect("as good as")
    second = _subject(words)
    words.expect("within")
    factor = _factor(words, 1.0)
    return IsAsGoodAs(first, second, factor, _unit_told(words), _at(words), _selection(words))


def _reaches(words: _Words, first: Subject) -> Sentence:
    target, problems = _target(words), _selection(words)
    if not words.accept("within"):
        return Reaches(first, target, problems)
    return Reaches(first, target, problems, _number(words, "a number"), _unit(words))


def _fails(words: _Words, first: Subject) -> Sentence:
    words.expect("to reach")
    return FailsToReach(first, _target(words), _selection(words))


def _diverges(words: _Words, first: Subject) -> Sentence:
    return Diverges(first, _selection(words))


def _ends(words: _Words, first: Subject) -> Sentence:
    words.expect("at a saddle")
    return EndsAtSaddle(first, _selection(words))


def _takes(words: _Words, first: Subject) -> Sentence:
    count, unit = _number(words, "a number"), _unit(words)
    percent = _number(words, "a share such as 10%", "%") if words.accept("within") else 0.0
    words.expect("to")
    return Takes(first, count, unit, percent / 100, _target(words), _selection(words))


_READERS: dict[str, Callable[[_Words, Subject], Sentence]] = {
    "beats": _beats,
    "is": _is_as_good_as,
    "reaches": _reaches,
    "fails": _fails,
    "diverges": _diverges,
    "ends": _ends,
    "takes": _takes,
}
