"""Shares over ratios and budgets: profiles and distributions of runtimes of the rows of a field."""

from __future__ import annotations

import dataclasses
import math
import zlib

import numpy as np

from optbench import profiles
from optbench.comparison import CENSORED, Comparison
from optbench.errors import OptbenchError
from optbench.exhibits.field import Field, median_costs
from optbench.tracks import Row

BUDGETS = 200  # at which a distribution of runtimes is known
DRAWS = 100  # restarted runtimes per problem and target


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """A curve per row: a share, from 0 to 1, over a ratio or a budget.

    Attributes:
        field: what is compared.
        x: [X] ascending ratios, or budgets in gradient-equivalents.
        shares: [X, R] share within each; steps rise at x, where `exact`.
        exact: whether x holds every place where a share changes.
    """

    field: Field
    x: np.ndarray
    shares: np.ndarray
    exact: bool


def profile_data(comparison: Comparison, field: Field) -> Curves:
    """Performance profile of the median costs: share of problems within a ratio of the best.

    Args:
        comparison: the rows of a study.
        field: those that are compared; the best is the best of them.

    Source: Dolan & More (2002), section 2.
    """
    costs = median_costs(comparison, field)
    x = _places(profiles.ratios_to_best(costs))
    shares = profiles.performance_profile(costs, x)
    return Curves(field=field, x=x, shares=shares, exact=True)


def _places(values: np.ndarray) -> np.ndarray:
    """[X] the finite values, ascending, each once; 1 where there is none."""
    finite = np.unique(values[np.isfinite(values)])
    return finite if len(finite) else np.ones(1)


def data_profile_data(comparison: Comparison, field: Field) -> Curves:
    """Data profile of the median costs: share of problems within a budget.

    Args:
        comparison: the rows of a study.
        field: those that are compared.

    Source: More & Wild (2009), X
    """
    costs = median_costs(comparison, field)
    x = _places(costs)
    return Curves(field=field, x=x, shares=profiles.data_profile(costs, x), exact=True)


def pairwise_profile_data(
    comparison: Comparison, field: Field, reference: str | None = None
) -> Curves:
    """Each row against one: share of problems that it solves within a ratio of what that costs.

    Every pair is compared on its own: no third row decides anything but which problems count.

    Args:
        comparison: the rows of a study.
        field: those that are compared, the reference among them.
        reference: an optimizer; the first row if not given.

    Returns:
        Curves, that of the reference against itself among them.

    Raises:
        OptbenchError: the reference is not among the rows.

    Source: Gould & Scott (2016), A note on performance profiles for benchmarking software.
    """
    names = [row.optimizer for row in field.rows]
    if reference is not None and reference not in names:
        raise OptbenchError(
            f"the reference {reference} is not among the optimizers", "name it as well"
        )
    costs = median_costs(comparison, field)
    against = costs[:, names.index(reference) if reference else 0]
    x = profiles.PAIRWISE_RATIOS
    shares = [profiles.pairwise_profile(own, against, x) for own in costs.T]
    return Curves(field=field, x=x, shares=np.stack(shares, axis=-1), exact=False)


def ecdf_data(comparison: Comparison, field: Field, draws: int = DRAWS) -> Curves:
    """COCO's distribution of runtimes over all triples of problem, target and restarted run.

    All targets of a problem count, at the setting that was chosen for the one of the study. The
    draws of a row on a problem depend on no other row or problem.

    Args:
        comparison: the rows of a study.
        field: those that are compared.
        draws: restarted runtimes per problem and target.

    Source: Hansen et al. (2016), COCO: Performance assessment.
    """
    outcomes = [comparison.outcomes.get((p, row)) for p in field.problems for row in field.rows]
    ran = [outcome for outcome in outcomes if outcome is not None]
    least = min((np.nanmin(o.hit_costs, initial=math.inf) for o in ran), default=1.0)
    most = CENSORED * max((float(o.spent.max()) for o in ran), default=1.0)
    least = float(least) if math.isfinite(least) else most / CENSORED
    x = np.geomspace(least, most, BUDGETS)
    shares = [_runtimes(comparison, field, row, x, draws) for row in field.rows]
    return Curves(field=field, x=x, shares=np.stack(shares, axis=-1), exact=False)


def _runtimes(
    comparison: Comparison, field: Field, row: Row, budgets: np.ndarray, draws: int
) -> np.ndarray:
    """[B] share of the triples of one row within each budget; a pair that crashed reaches none."""
    reached, triples = np.zeros(len(budgets)), 0
    for problem in field.problems:
        others = (comparison.outcomes.get((problem, other)) for other in field.rows)
        targets = max((len(o.targets) for o in others if o is not None), default=1)
        triples += targets
        outcome = comparison.outcomes.get((problem, row))
        if outcome is not None:
            rng = restarts_rng(problem)
            hits, spent = outcome.hit_costs[:, None], outcome.spent[:, None]
            reached += targets * profiles.runtime_ecdf(hits, spent, budgets, rng=rng, draws=draws)
    return reached / triples


def restarts_rng(problem: str) -> np.random.Generator:
    """What decides the simulated restarts on a problem: the same draws for every row."""
    return np.random.default_rng(zlib.crc32(problem.encode()))
