"""What the best of k trials is expected to cost, over the problems of a study."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from planted_comparisons import BUDGET, planted

from optbench.figures.tunability import tunability_figure
from optbench.tracks import Row
from optbench.verdict.tunability import tunability

TRIALS = {"a": [[4.0, 1.0, 9.0, 2.0], [3.0, 30.0, np.inf, 6.0]], "b": [[2.0], [6.0]]}


def compared(trials=None, **fields):
    trials = trials or TRIALS
    given = {
        (f"p{p}", name): {"trial_costs": np.array(costs)}
        for name, rows in trials.items()
        for p, costs in enumerate(rows)
    }
    costs = {name: [[1.0]] * len(rows) for name, rows in trials.items()}
    return planted(costs, given=given, tracks={"b": "S"}, **fields)


def by_subsets(costs, k: int) -> float:
    """The mean over all k of the trials of the best of them."""
    return float(np.mean([min(some) for some in itertools.combinations(costs, k)]))


def test_the_best_of_k_is_averaged_over_all_choices_of_k_trials_and_over_problems():
    curves = tunability(compared())
    (a, b) = curves
    assert (a, b) == (Row("a", "T_16"), Row("b", "S"))
    worst = [np.minimum(costs, 10 * BUDGET) for costs in TRIALS["a"]]
    for k in range(1, 5):
        ratios = [by_subsets(costs, k) / least for costs, least in zip(worst, (1, 3), strict=True)]
        assert curves[a][k - 1] == pytest.approx(np.sqrt(np.prod(ratios)), rel=1e-12)
    assert curves[b] == pytest.approx([np.sqrt(2 * 2)])
    with_replacement = np.mean([min(two) for two in itertools.product(worst[0], repeat=2)])
    assert with_replacement > 1.05 * by_subsets(worst[0], 2)  # the biased form would be seen


def test_more_trials_never_cost_more_and_the_best_of_all_is_the_unit():
    rng = np.random.default_rng(0)
    trials = {name: rng.lognormal(size=(3, 8)).tolist() for name in "ab"}
    curves = list(tunability(compared(trials)).values())
    assert all((np.diff(curve) <= 0).all() for curve in curves)
    assert all(curve[-1] >= 1 for curve in curves)


def test_what_no_row_solves_says_nothing_and_a_row_that_lacks_a_problem_has_no_curve():
    unsolved = {"a": [*TRIALS["a"], [np.inf] * 4], "b": [*TRIALS["b"], [np.inf]]}
    for row, curve in tunability(compared(unsolved)).items():
        np.testing.assert_allclose(curve, tunability(compared())[row])
    missing = compared(statuses={("p1", "b"): "failed"})
    assert list(tunability(missing)) == [Row("a", "T_16")]
    assert tunability(compared({"a": [[np.inf] * 4]})) == {}


def test_the_figure_draws_every_curve_and_says_where_it_ends():
    curves = tunability(compared())
    (panel,) = tunability_figure(curves).axes
    first, second = panel.get_lines()
    np.testing.assert_array_equal(first.get_ydata(), curves[Row("a", "T_16")])
    assert set(second.get_ydata()) == {2.0} and second.get_xdata()[-1] == 4
    assert [text.get_text() for text in panel.get_legend().get_texts()] == [
        f"a\n   {curves[Row('a', 'T_16')][-1]:.3g} after 4 trials",
        "b\n   2 with nothing to tune",
    ]
