"""Claims: what their grammar reads and refuses."""

from __future__ import annotations

import pytest
from command_line import optbench

from optbench.claims import Claim, parse_claims
from optbench.claims.grammar import parse_sentence
from optbench.claims.sentences import FORMS, Beats, Condition, Selection, Subject, Takes
from optbench.errors import OptbenchError

NORMAL = [
    "momentum beats gradient_descent by 3x at 1e-6 on quadratics with condition >= 100",
    "momentum beats gradient_descent at 0.01 on rosenbrock",
    "adam @D beats adam @T_16+edge by 1.5x in steps at 1e-10 on all problems with dim < 50",
    "clip_by_global_norm(adam)[max_norm=1.0] is as good as adam within 1.1x at 0.001 on beale",
    "lbfgs is as good as bfgs within 2x in evaluations at 1e-6 on deterministic convex problems",
    "newton reaches 1e-10 on quadratic[dim=3,condition_number=10] within 1 steps",
    "newton reaches 1e-10 on quadratics and rosenbrock with condition > 10 and dim >= 3",
    "adam fails to reach 1e-6 on stochastic problems",
    "gradient_descent[learning_rate=2.5] diverges on quadratics",
    "newton ends at a saddle on saddle",
    "scipy.BFGS takes 21 steps within 10% to 1e-12 on rosenbrock",
    "noisy_sgd beats newton in hessian_products at escape on saddles",
]
REFUSED = [  # the text, and the word it stumbles over
    ("momentum bets adam at 1e-6 on quadratics", "'bets'"),
    ("momentum beats adam by three at 1e-6 on quadratics", "'three'"),
    ("momentum beats adam by 0x at 1e-6 on quadratics", "'0x'"),
    ("momentum beats adam in seconds at 1e-6 on quadratics", "'seconds'"),
    ("momentum beats adam at 2 on quadratics", "'2'"),
    ("momentum beats adam at nan on quadratics", "'nan'"),
    ("momentum beats adam at 1e-6 in quadratics", "'in'"),
    ("momentum beats adam at 1e-6 on quadratics with kappa >= 100", "'kappa'"),
    ("momentum beats adam at 1e-6 on quadratics with condition = 100", "'='"),
    ("momentum beats adam at 1e-6 on quadratics today", "'today'"),
    ("momentum beats adam[b1= at 1e-6 on quadratics", "'adam[b1="),
    ("momentum @ beats adam at 1e-6 on quadratics", "'@'"),
    ("momentum is as good as adam within 1x at 1e-6 on quadratics", "'1x'"),
    ("momentum is better", "'better'"),
    ("momentum fails at 1e-6 on quadratics", "'at'"),
    ("momentum takes 12 to 1e-6 on quadratics", "'to'"),
    ("momentum beats adam at 1e-6 on convex stochastic", "'stochastic'"),
    ("momentum beats adam at 1e-6 on", "ends where a problem is expected"),
    ("", "ends where an optimizer is expected"),
]


@pytest.mark.parametrize("text", NORMAL)
def test_the_normal_form_reads_back_as_itself(text):
    assert str(parse_sentence(text)) == text


def test_a_sentence_is_read_into_its_parts():
    read = parse_sentence("momentum  @S beats adam[ b1 = 0.5 ] at 1.0e-06 on convex problems")
    problems = Selection(("convex problems",))
    second = Subject("adam[b1=0.5]")
    assert read == Beats(Subject("momentum", "S"), second, 1.0, "gradients", 1e-6, problems)
    read = parse_sentence("a takes 21 steps within 12.5% to 1e-3 on b and c with dim > 2")
    problems = Selection(("b", "c"), (Condition("dim", ">", 2),))
    assert read == Takes(Subject("a"), 21, "steps", 0.125, 1e-3, problems)


@pytest.mark.parametrize(("text", "word"), REFUSED)
def test_the_word_that_is_not_understood_is_named_and_the_grammar_shown(text, word):
    with pytest.raises(OptbenchError) as refused:
        parse_sentence(text)
    assert word in refused.value.message
    assert "PROBLEMS" in refused.value.hint
    assert "\n" not in refused.value.message + refused.value.hint


def test_a_file_of_claims_is_read():
    (claim,) = parse_claims(f'[[claim]]\nclaim = "{NORMAL[0]}"\nsource = "Polyak (1964)"\n')
    assert claim == Claim(sentence=parse_sentence(NORMAL[0]), source="Polyak (1964)")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("claim = 3", "no file of claims"),
        ("[[claim]", "no TOML"),
        ("", "no file of claims"),
        ("[[claim]]\nsource = 'me'", "has no claim"),
        ("[[claim]]\nclaim = 'a diverges on b'", "has no source"),
        ("[[claim]]\nclaim = 'a diverges on b'\nsource = 'me'\nexpect = 'yes'", "'yes'"),
        ("[[claim]]\nclaim = 'a diverges on b'\nsource = 'me'\nwhy = 'so'", "'why'"),
        ("[[claim]]\nclaim = 3\nsource = 'me'", "no claim"),
    ],
)
def test_what_is_no_file_of_claims_is_refused_with_a_hint(text, word):
    with pytest.raises(OptbenchError) as refused:
        parse_claims(text)
    assert word in refused.value.message and refused.value.hint


def test_problems_without_a_kind_are_all_problems():
    assert str(parse_sentence("adam beats b at 0.1 on problems")).endswith(" on all problems")


def test_the_help_page_has_every_form():
    page = " ".join(optbench("claims", "--help").stdout.split())
    assert all(form in page for form in FORMS.values())
