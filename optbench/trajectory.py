"""What happened: the log of all lanes of one method on one problem, in NumPy."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np

Merit = Literal["suboptimality", "gradient norm", "escape"]
TUNING_SEEDS_FROM = 1_000_000  # seeds of tuning start here: no run is tuned on what it is judged by
TARGETS = tuple(float(f"1e-{k}") for k in range(1, 11))
HEADLINE = TARGETS[3]  # 1e-4: what settings are tuned for where a study names no target


class Status(enum.StrEnum):
    """How a lane ended. Every lane ends with one."""

    REACHED = "reached target"  # the hardest target
    BUDGET = "budget exhausted"
    STALLED = "stalled"  # budget exhausted, and the second half gained under 0.1 % of what is left
    DIVERGED = "diverged"  # the merit rose above DIVERGENCE_FACTOR times its start
    NON_FINITE = "non-finite"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    NOT_APPLICABLE = "not applicable"  # the pair cannot run: neither a failure nor a hole


def headline_of(targets: Sequence[float]) -> float:
    """The target that settings are tuned for where a study names none: 1e-4, else the hardest."""
    return HEADLINE if HEADLINE in targets else targets[-1]


_OF_LANES = (
    *("value", "gradient_norm", "cost", "hit_steps", "hit_costs"),
    *("initial_merit", "status", "last"),
)
_NAMED_OF_LANES = ("calls", "hit_calls", "diagnostics", "diagnostic_calls")
FAILURES = (Status.DIVERGED, Status.NON_FINITE, Status.STALLED, Status.CRASHED, Status.INTERRUPTED)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """The log of S seeds x H hyperparameter settings at T log points, for K targets.

    A single run has no S and H axes. After a lane's end its log is NaN.

    Attributes:
        steps: [T] step of each log point.
        value: [S, H, T] f at the reported point, exact also where steps saw samples.
        gradient_norm: [S, H, T] |grad f| there; where f has a prox or lives on a manifold, the
            norm of the optimality residual (`optbench.optimality`).
        cost: [S, H, T] gradient-equivalents spent up to and including that evaluation.
        calls: kind of oracle call -> [S, H, T] count so far.
        targets: [K] fractions of the start's merit, hardest last.
        hit_steps: [S, H, K] first step at which each target is met; NaN where never.
        hit_costs: [S, H, K] cost at that step; NaN where never.
        hit_calls: kind of oracle call -> [S, H, K] count at that step; NaN where never.
        resolution: whether hits are exact, or known at log points only.
        merit: what targets are fractions of: f - f*, |grad f| (f* unknown), or, at a saddle,
            f - f(saddle), where the one target -1 is escape.
        reference: the value subtracted from f in the merit; None for the gradient norm.
        initial_merit: [S, H] the merit at the start.
        status: [S, H] a `Status` per lane.
        last: [S, H] index of the lane's last log point.
        seeds: the seeds, along S.
        settings: swept hyperparameter -> [H] its values.
        recorded: [R] flat lane indices (seed index * H + setting index) whose points are kept.
        params: pytree of [R, T, ...] points of the recorded lanes, NaN after each one's end; those
            of a study in three dimensions or more are kept in single precision.
        diagnostics: name -> [S, H, T], what the method and the problem's monitors report, and, of
            the first seed's lanes, what was measured on request (`optbench.diagnostics`).
        diagnostic_calls: kind of oracle call -> [S, H] count that measuring took, in no cost.
        compile_seconds: spent building the program; shared by its group.
        run_seconds: spent running it, compilation apart.
    """

    steps: np.ndarray
    value: np.ndarray
    gradient_norm: np.ndarray
    cost: np.ndarray
    calls: Mapping[str, np.ndarray]
    targets: np.ndarray
    hit_steps: np.ndarray
    hit_costs: np.ndarray
    hit_calls: Mapping[str, np.ndarray]
    resolution: Literal["exact", "log points"]
    merit: Merit
    reference: float | None
    initial_merit: np.ndarray
    status: np.ndarray
    last: np.ndarray
    seeds: tuple[int, ...]
    settings: Mapping[str, np.ndarray]
    recorded: np.ndarray
    params: Any
    diagnostics: Mapping[str, np.ndarray]
    compile_seconds: float
    run_seconds: float
    diagnostic_calls: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def suboptimality(self) -> np.ndarray | None:
        """f - f* at the log points, or None where f* is unknown."""
        return self.value - self.reference if self.merit == "suboptimality" else None

    @property
    def merit_values(self) -> np.ndarray:
        """The merit at the log points."""
        if self.reference is None:
            return self.gradient_norm
        return self.value - self.reference

    def at_end(self, logged: np.ndarray) -> np.ndarray:
        """[S, H] a logged quantity [S, H, T] where each lane ended."""
        return np.take_along_axis(logged, self.last[..., None], axis=-1)[..., 0]

    def of_seeds(self, chosen: np.ndarray) -> Trajectory:
        """The trajectory of some seeds alone.

        Args:
            chosen: [S] whether each is one of them.
        """
        if np.all(chosen):
            return self
        count = self.value.shape[1]
        position = np.cumsum(chosen) - 1
        seed, setting = np.divmod(self.recorded, count)
        kept = np.asarray(chosen)[seed]
        cut: dict[str, Any] = {name: getattr(self, name)[chosen] for name in _OF_LANES}
        for name in _NAMED_OF_LANES:
            cut[name] = {k: v[chosen] for k, v in getattr(self, name).items()}
        return dataclasses.replace(
            self,
            **cut,
            seeds=tuple(s for s, use in zip(self.seeds, chosen, strict=True) if use),
            recorded=(position[seed] * count + setting)[kept],
            params=map_leaves(lambda leaf: leaf[kept], self.params),
        )

    def with_points_of(self, lanes: Collection[int]) -> Trajectory:
        """The trajectory with the points of some of its recorded lanes, in single precision.

        Args:
            lanes: flat indices of lanes; those that were not recorded are passed over.
        """
        kept = np.isin(self.recorded, list(lanes))

        def single(leaf: np.ndarray) -> np.ndarray:
            return leaf[kept].astype(np.complex64 if np.iscomplexobj(leaf) else np.float32)

        with np.errstate(over="ignore"):
            params = map_leaves(single, self.params)
        return dataclasses.replace(self, recorded=self.recorded[kept], params=params)

    def points_of(self, seed: int, setting: int) -> np.ndarray | None:
        """[T, d] the points of one lane, by index, up to its end; None where they were not kept.

        They are real coordinates, of which a complex number has two, in double precision.
        """
        kept = np.flatnonzero(self.recorded == seed * self.value.shape[1] + setting)[:1]
        if not len(kept):
            return None
        leaves = list(self.params.values()) if isinstance(self.params, dict) else [self.params]
        rows = slice(self.last[seed, setting] + 1)
        return np.concatenate([_coordinates(leaf[kept[0], rows]) for leaf in leaves], axis=-1)

    def lane(self, seed: int, setting: int) -> Trajectory:
        """The trajectory of one lane, by index, without axes for seeds and settings."""
        flat = seed * self.value.shape[1] + setting
        kept = np.flatnonzero(self.recorded == flat)[:1]
        cut: dict[str, Any] = {n: np.asarray(getattr(self, n)[seed, setting]) for n in _OF_LANES}
        for name in _NAMED_OF_LANES:
            cut[name] = {k: np.asarray(v[seed, setting]) for k, v in getattr(self, name).items()}
        return dataclasses.replace(
            self,
            **cut,
            seeds=(self.seeds[seed],),
            settings={n: np.asarray(values[setting]) for n, values in self.settings.items()},
            recorded=self.recorded[kept],
            params=map_leaves(lambda leaf: leaf[kept[0]] if len(kept) else leaf[:0], self.params),
        )


def _coordinates(points: np.ndarray) -> np.ndarray:
    """[T, n] real coordinates of [T, ...] points."""
    if np.iscomplexobj(points):
        points = np.stack([np.real(points), np.imag(points)], axis=-1)
    return points.reshape(len(points), -1).astype(float)


def map_leaves(function: Callable[[np.ndarray], np.ndarray], tree: Any) -> Any:
    """Apply a function to every array of a pytree; what a store holds needs no JAX for that."""
    if isinstance(tree, np.ndarray):
        return function(tree)
    if type(tree) is dict:
        return {key: map_leaves(function, branch) for key, branch in tree.items()}
    import jax

    return jax.tree.map(function, tree)
