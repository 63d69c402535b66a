"""The claims that ship: what they say, of what, and the command that tests claims."""

from __future__ import annotations

import json
import tomllib

import pytest
from command_line import optbench, write

from optbench.catalog import parse_label
from optbench.claims import VERDICTS, load_claims, shipped_claims
from optbench.claims.sentences import Beats, EndsAtSaddle, IsAsGoodAs, Takes
from optbench.errors import OptbenchError
from optbench.study import load_study

LEAST = {"textbook": 30, "published": 15}
FAMILIES = ("quadratics",)
KINDS = ("saddles", "problems")

STUDY = """
problems = ["ill_conditioned_bowl", "saddle"]
optimizers = ["gradient_descent[learning_rate=0.05]", "newton[learning_rate=1.0]"]
seeds = 2
budget = 500
targets = [0.1, 1e-6]
"""
HOLDS = """
[[claim]]
claim = "newton[learning_rate=1.0] reaches 1e-6 on quadratics within 1 steps"
source = "Newton"
[[claim]]
claim = "newton[learning_rate=1.0] ends at a saddle on saddle"
source = "Dauphin et al. (2014)"
[[claim]]
claim = "gradient_descent[learning_rate=0.05] beats newton[learning_rate=1.0] at 1e-6 on quadratics"
source = "nobody"
expect = "refuted"
[[claim]]
claim = "adam beats newton[learning_rate=1.0] at 1e-6 on quadratics"
source = "nobody"
expect = "undecided"
"""
FAILS = """
[[claim]]
claim = "gradient_descent[learning_rate=0.05] ends at a saddle on saddle"
source = "nobody"
"""


@pytest.mark.parametrize("name", LEAST)
def test_the_files_that_ship_have_claims_with_sources(name):
    claims = load_claims(name)
    assert len(claims) >= LEAST[name]
    assert len({str(claim.sentence) for claim in claims}) == len(claims)
    assert all(len(claim.source) > 20 for claim in claims)


@pytest.mark.parametrize("name", LEAST)
def test_they_name_what_their_study_has(name):
    study = load_study(name)
    optimizers = {str(parse_label(label)) for label in study.optimizers}
    problems = {str(parse_label(label)) for label in study.problems}
    for claim in load_claims(name):
        sentence = claim.sentence
        subjects = [sentence.first]
        if isinstance(sentence, Beats | IsAsGoodAs):
            subjects.append(sentence.second)
        assert {subject.optimizer for subject in subjects} <= optimizers, str(sentence)
        named = {n for n in sentence.problems.names if n.split()[-1] not in KINDS}
        assert named <= problems | set(FAMILIES), str(sentence)
        target = getattr(sentence, "target", study.targets[0])
        assert target < 0 or any(abs(target - t) < 1e-9 * t for t in study.targets), str(sentence)


def test_textbooks_are_not_always_right():
    claims = load_claims("textbook")
    assert sum(claim.expect != "supported" for claim in claims) >= 5
    assert any(
        isinstance(claim.sentence, EndsAtSaddle) and "newton" in str(claim.sentence.first)
        for claim in claims
    )


def test_published_numbers_come_from_five_sources_at_least():
    numbers = [c for c in load_claims("published") if isinstance(c.sentence, Takes)]
    assert len({claim.source.split(",")[0] for claim in numbers}) >= 5


@pytest.mark.parametrize("name", LEAST)
def test_their_verdicts_are_kept(name, pytestconfig):
    kept = pytestconfig.rootpath / "results" / "reference" / "claims" / f"{name}.txt"
    lines = kept.read_text().splitlines()
    said = [line for line in lines if line.split(" ")[0] in VERDICTS]
    claims = load_claims(name)
    assert [line.split(" ")[0] for line in said] == [claim.expect for claim in claims]
    assert lines[-1].endswith("none not as expected.")


def test_an_unknown_file_offers_those_that_ship():
    with pytest.raises(OptbenchError, match="textbok") as refused:
        load_claims("textbok")
    assert "textbook" in refused.value.hint
    assert set(shipped_claims()) == set(LEAST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a small study, with files of claims beside it."""
    root = tmp_path_factory.mktemp("claims")
    ran = optbench("run", write(root / "small.toml", STUDY), "--results", root / "out")
    assert ran.exit_code == 0, ran.output
    write(root / "holds.toml", HOLDS)
    write(root / "fails.toml", HOLDS + FAILS)
    write(root / "bad.toml", FAILS.replace("ends", "begins"))
    return root


def test_the_exit_code_tells_whether_all_is_as_expected(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    holds = optbench("claims", folder / "holds.toml", folder / "out")
    assert holds.exit_code == 0, holds.output
    assert "2 supported, 1 refuted, 1 undecided; none not as expected." in holds.stdout
    assert "2 of 2 starts" in holds.stdout
    assert max(map(len, holds.stdout.splitlines())) <= 80
    fails = optbench("claims", folder / "fails.toml", folder / "out")
    assert fails.exit_code == 1
    assert "refuted (!)" in fails.stdout and "1 not as expected" in fails.stdout


@pytest.mark.parametrize(
    ("file", "results", "said"),
    [
        ("bad.toml", "out", "'begins'"),
        ("none.toml", "out", "cannot read"),
        ("holds.toml", "nowhere", "nowhere"),
    ],
)
def test_bad_input_is_two_lines_and_exit_code_2(folder, file, results, said):
    refused = optbench("claims", folder / file, folder / results)
    assert refused.exit_code == 2 and said in refused.stderr
    assert refused.stderr.startswith("error:") and refused.stderr.count("\n") == 2


def test_json_tells_the_numbers(folder):
    said = optbench("claims", folder / "holds.toml", folder / "out", "--json")
    newton, saddle, slower, absent = json.loads(said.stdout)
    assert newton["verdict"] == "supported" and newton["problems"] == ["ill_conditioned_bowl"]
    assert newton["left_out"] == {"saddle": "no target 1e-6"}
    assert saddle["ratio"] is None and saddle["as_expected"]
    assert slower["ratio"]["low"] > 1 and slower["probability"] is None
    assert "adam is not in the study" in absent["evidence"]


def test_the_text_of_a_claim_in_toml_is_its_normal_form():
    files = {name: tomllib.loads(file.read_text()) for name, file in shipped_claims().items()}
    for name, tables in files.items():
        for table, claim in zip(tables["claim"], load_claims(name), strict=True):
            assert str(claim.sentence) == table["claim"]
