"""The top of a page, readable without a script: the question, the verdict, what ran."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator

from optbench.errors import OptbenchError
from optbench.page.source import Source
from optbench.report.verdict import leading_sentences
from optbench.verdict import Sentence, Verdict, power, reach_verdict

_DECISIONS = {  # -> heading of what was decided so, in this order
    "better": "Better than {}",
    "worse": "Worse than {}",
    "as good": "As good as {}",
    "too few problems": "Too few problems for a test",
    "undecided": "Undecided against {}",
}


def top(source: Source) -> str:
    """The head of the page as HTML; all text from users is escaped."""
    study = source.results.study
    parts = [
        f"<h1>{text(study['name'])}</h1>",
        f'<p class="lead">{text(" ".join(study.get("description", "").split()))}</p>',
        _question(source),
        *_verdict(source),
        *_failures(source),
        *_what_ran(source),
    ]
    return "\n".join(parts)


def text(value: object) -> str:
    """Text as HTML shows it, quotes included."""
    return html.escape(str(value), quote=True)


def _question(source: Source) -> str:
    study, compared = source.results.study, source.comparison
    problems, optimizers = len(compared.problems), len(source.results.optimizers)
    if len(compared.headlines) < 2:
        return f"<p>{problems} problems, {optimizers} optimizer: nothing to compare.</p>"
    reference = text(study.get("reference") or compared.headlines[0].optimizer)
    return (
        f'<p class="question">Which of {optimizers} optimizers reach {power(compared.target)} of '
        f"their distance at the start at less cost than <b>{reference}</b>, on {problems} "
        f"problem{'s' * (problems != 1)}, within {text(_budget(compared.budget))}?</p>"
    )


def _budget(budget: float | None) -> str:
    return "any budget" if budget is None else f"{budget:g} gradients a run"


def _verdict(source: Source) -> Iterator[str]:
    try:
        verdict = reach_verdict(source.comparison)
    except OptbenchError as error:
        yield f"<p>No verdict: {text(error.message)}; {text(error.hint)}.</p>"
        return
    yield '<section class="verdict" aria-labelledby="verdict"><h2 id="verdict">Verdict</h2>'
    if not verdict.is_complete:
        yield f'<p class="warning">Incomplete: {len(verdict.missing)} pairs have not run.</p>'
    for sentence in leading_sentences(verdict):
        yield f"<p><b>{text(sentence.text)}.</b></p>"
    for decision, heading in _DECISIONS.items():
        said = [s for s in verdict.sentences if s.contrast.decision == decision]
        yield from _sentences(heading.format(verdict.reference.optimizer), said)
    yield f'<p class="note">{text(_reading(verdict))}</p></section>'
    yield from _lints(verdict)


def _sentences(heading: str, said: list[Sentence]) -> Iterator[str]:
    if not said:
        return
    is_open = said[0].contrast.decision in ("better", "worse", "as good")
    yield f"<details{' open' * is_open}><summary>{text(heading)} ({len(said)})</summary><ul>"
    yield from (f"<li>{text(sentence.text)}.</li>" for sentence in said)
    yield "</ul></details>"


def _reading(verdict: Verdict) -> str:
    missed = ", ".join(f"{count} {kind}" for kind, count in verdict.missed.items())
    total = sum(verdict.missed.values())
    return (
        "How to read: a ratio below 1x is cheaper than the reference, its 95 % interval in "
        "brackets, over paired starts; decided only where the Bayesian signed-rank test and "
        "Wilcoxon's with Holm's adjustment agree. "
        f"{total} of {verdict.runs} runs miss the target"
        + (f" ({missed})" if missed else "")
        + "; each counts as ten budgets."
    )


def _lints(verdict: Verdict) -> Iterator[str]:
    if not verdict.lints:
        return
    yield f"<details class='lints'><summary>Lints ({len(verdict.lints)}): to mend before anyone "
    yield "relies on this</summary><dl>"
    for lint in verdict.lints:
        yield f"<dt>{text(lint.name)}</dt><dd>{text(lint.message)}; <i>{text(lint.hint)}</i></dd>"
    yield "</dl></details>"


def _failures(source: Source) -> Iterator[str]:
    """Pairs without a result, and why."""
    cells = [cell for cell in source.results.cells if cell.status != "finished"]
    if not cells:
        return
    yield f"<details><summary>Pairs that failed or cannot run ({len(cells)})</summary>"
    rows = ((c.problem, c.optimizer, c.status, c.message) for c in cells)
    yield _table(("problem", "optimizer", "status", "why"), rows)
    yield "</details>"


def _what_ran(source: Source) -> Iterator[str]:
    results, study = source.results, source.results.study
    facts = dict(results.environment)
    versions = facts.pop("versions", None) or {}
    ran = {
        "budget": _budget(study.get("budget")),
        "seeds": f"{study.get('seeds')} judged, {study.get('tuning_seeds')} for tuning",
        "trials": study.get("trials"),
        "precision": facts.get("dtype"),
        "device": facts.get("device"),
        "processor": facts.get("processor"),
        "system": facts.get("system"),
        "flags": facts.get("xla_flags") or "none",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items() if number),
    }
    yield "<details><summary>What ran, and how to run it again</summary>"
    known = ((name, value) for name, value in ran.items() if value is not None)
    yield _table(("", ""), known)
    yield f"<pre>optbench run {text(study_file(source))}\n"
    yield f"optbench report {text(source.folder)}</pre>"
    yield "<p>The study, with every default:</p>"
    yield f"<pre>{text(source.toml)}</pre></details>"


def study_file(source: Source) -> str:
    """The file of the study, as a command names it."""
    return f"{source.folder}/study.toml"


def _table(columns: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{text(name)}</th>" for name in columns if name)
    body = "".join(f"<tr>{''.join(f'<td>{text(v)}</td>' for v in row)}</tr>" for row in rows)
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'
