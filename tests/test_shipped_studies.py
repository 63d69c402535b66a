"""The studies that ship: their labels resolve, and they say what they are for."""

from __future__ import annotations

import pytest

from optbench import catalog
from optbench.design import load_study, shipped_studies
from optbench.labels import family_of, problem_builder
from optbench.method import find_method
from optbench.optimizers.names import known_optimizers

OPTIMIZERS = known_optimizers()
PROBLEMS = catalog.collect("problems", "Problem")
NAMES = list(shipped_studies())


def test_the_studies_that_ship():
    compared = ["clipping", "quick", "second_order", "standard", "stochastic"]
    assert NAMES == sorted([*compared, "published", "textbook"])  # the last two are for claims


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_study_resolves_and_says_what_it_is_for(name: str):
    study = load_study(name)
    assert study.name == name
    assert len(study.description) >= 100 and "\n" not in study.description.strip()
    assert study.reference in study.optimizers and study.target in study.targets
    for label in (*study.problems, *study.optimizers):
        assert str(catalog.parse_label(label)) == label
    for label in study.problems:
        assert callable(problem_builder(label, PROBLEMS)) and family_of(label, PROBLEMS)
    for label in study.optimizers:
        method = find_method(label, OPTIMIZERS)
        assert name == "published" or not method.hosted
        assert study.search().propose(method).num in (0, study.trials)


def test_standard_is_a_balanced_choice_of_families():
    study = load_study("standard")
    families = [family_of(label, PROBLEMS) for label in study.problems]
    assert (len(study.problems), len(study.optimizers)) == (40, 25)
    assert len(set(families)) >= 10 and max(map(families.count, families)) <= 5


def test_every_clip_stands_beside_the_same_optimizer_without_it():
    study = load_study("clipping")
    for label in study.optimizers:
        method = find_method(label, OPTIMIZERS)
        assert method.layers[-1].label in study.optimizers
