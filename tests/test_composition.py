"""Every wrapper around every kind of optimizer, two deep: it steps, or says in a line why not."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from command_line import optbench, write

from optbench import catalog, trees
from optbench.checks.plain_loop import START, make_problem
from optbench.design import load_study
from optbench.errors import NotApplicable, OptbenchError
from optbench.method import Method, find_method, make_method
from optbench.optimizers.adaptive.moments import adam
from optbench.optimizers.names import known_optimizers
from optbench.optimizers.wrappers.clipping import clip_by_global_norm
from optbench.optimizers.wrappers.schedules import cosine_decay
from optbench.oracle import Oracle
from optbench.problem import Problem
from optbench.results import Results
from optbench.run import run
from optbench.start import standard_normal
from optbench.study import run_study
from optbench.theory import known_of
from problems.classical.bowls import booth

KNOWN = known_optimizers()


def kind_of(name: str) -> str | None:
    """Optimizer or Rated where it is a wrapper, else None."""
    kinds = (p.annotation for p in catalog.parameters(KNOWN[name]))
    return next((kind for kind in kinds if kind in ("Optimizer", "Rated")), None)


WRAPPERS = [name for name in KNOWN if "." not in name and kind_of(name)]
ALIKE = [n for n in WRAPPERS if KNOWN[n].__module__.endswith("schedules") and n != "cosine_decay"]
INNER = [
    "gradient_descent",
    "momentum",
    "adam",
    "polyak_step",
    "lbfgs",
    "newton_cg",
    "damped_newton",
    "gradient_descent_backtracking",
    "proximal_gradient",
]

# What each wrapper is, or asks of what it wraps; all others take whatever there is.
CHANGE_THE_GRADIENT = {
    "clip_by_global_norm",
    "clip_by_value",
    "clip_by_block_rms",
    "clip_unitwise",
    "adaptive_clip",
    "projected",
    "l2_regularize",
    "accumulate",
    "sam",
    "adaptive_sam",
    "orthogonal_gradient",
    "scale_loss",
    "dynamic_loss_scale",
    "mechanize",
}
MOVE_THE_POINT = {"projected", "decouple_weight_decay", "lookahead", "mechanize"}
SEE_THE_RATE = {"decouple_weight_decay"}
ASK = {
    "sam",
    "adaptive_sam",
    "projected",
    "lbfgs",
    "newton_cg",
    "damped_newton",
    "proximal_gradient",
}
ASK |= {"gradient_descent_backtracking"}
IDLE_AT_FIRST = {"accumulate", "dynamic_loss_scale"}  # until 4 gradients, or a scale that fits
REPORT_ELSEWHERE = {"average", "exponential_average", "lookahead"}


def expected(chain: tuple[str, ...]) -> bool:
    """Whether this chain, outermost first, can run."""
    *wrappers, innermost = chain
    has_rate = method_of((innermost,)).has("learning_rate")
    for place, name in enumerate(wrappers):
        inside = set(chain[place + 1 :])
        multiplied = any(kind_of(n) == "Rated" for n in wrappers[place + 1 :])
        if (
            (kind_of(name) == "Rated" and not has_rate)
            or (name in CHANGE_THE_GRADIENT and inside & ASK)
            or (name in MOVE_THE_POINT and inside & REPORT_ELSEWHERE)
            or (name in SEE_THE_RATE and multiplied)
        ):
            return False
    return True


def method_of(chain: tuple[str, ...]) -> Method:
    return find_method("(".join(chain) + ")" * (len(chain) - 1), KNOWN)


def two_steps(method: Method, problem, start):
    """(params, state, reported point, report) at the start and after each of two steps."""
    values = {(h.depth, h.name): jnp.asarray(h.value) for h in method.hyperparameters()}
    optimizer, seen_at = method.build(values), None
    oracle = Oracle(problem, jax.random.key(0), jnp.asarray(0.5))
    seen = oracle.value_and_grad(start)
    state = optimizer.init(start)
    told = [(seen.params, state)]
    for _ in range(2):
        step = optimizer.step(seen, state, oracle)
        seen, state = step.evaluation, step.state
        if seen is None:
            seen = oracle.value_and_grad(step.params)
        told.append((step.params, state))
    seen_at = optimizer.eval_params or (lambda params, state: params)
    report = optimizer.report or (lambda state: {})
    return [(*pair, seen_at(*pair), report(pair[1])) for pair in told]


def outline(tree) -> list:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(p), x.shape, x.dtype, x.weak_type) for p, x in leaves]


def observed(chain: tuple[str, ...], dtype: str) -> bool:
    """Whether two steps can be traced, and keep structure, shapes and dtypes; else a line says why.

    Decided at trace time: nothing is compiled here.
    """
    with jax.enable_x64(dtype == "float64"):
        problem, start = trees.cast((make_problem(), START), dtype)
        try:
            method = method_of(chain).settled(known_of(make_problem()))
            told = jax.eval_shape(functools.partial(two_steps, method), problem, start)
        except OptbenchError as error:
            assert error.hint and "\n" not in error.message + error.hint
            return False
        (params, state, point, report), *later = told
        for other in later:
            assert outline(other[:2]) == outline((params, state)), chain
        for _, _, other, scalars in told:
            assert outline(other) == outline(params), chain
            assert all(leaf.shape == () for leaf in scalars.values()), chain
            assert scalars.keys() == report.keys()
        return True


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_wrapper_steps_around_every_kind_of_optimizer_or_says_why_not(wrapper: str):
    for inner, dtype in itertools.product(INNER, ("float32", "float64")):
        assert observed((wrapper, inner), dtype) is expected((wrapper, inner)), (inner, dtype)


@pytest.mark.parametrize("wrapper", [n for n in WRAPPERS if n not in ALIKE])
def test_wrappers_of_wrappers_too(wrapper: str):
    for inside in set(WRAPPERS) - set(ALIKE):
        chain = (wrapper, inside, "adam")
        assert observed(chain, "float64") is expected(chain), chain


def test_what_is_refused_is_more_than_nothing_and_less_than_half():
    chains = list(itertools.product(WRAPPERS, WRAPPERS, ["adam"]))
    refused = [chain for chain in chains if not expected(chain)]
    assert len(WRAPPERS) >= 24 and 0.05 < len(refused) / len(chains) < 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_wrappers_step_around_adam_in_one_program(dtype: str):
    methods = {name: method_of((name, "adam")) for name in WRAPPERS}

    @jax.jit
    def program(problem, start):
        return {name: two_steps(method, problem, start) for name, method in methods.items()}

    with jax.enable_x64(dtype == "float64"):
        told = program(*jax.tree.map(jnp.asarray, trees.cast((make_problem(), START), dtype)))
        for name, points in told.items():
            assert np.all(np.isfinite(points[-1][0])), name
            assert points[-1][0].dtype == dtype
            moved = not np.array_equal(points[-1][0], np.asarray(START, dtype))
            idle = IDLE_AT_FIRST | ({"mechanize"} if dtype == "float32" else set())
            assert moved is (name not in idle), name  # its first steps are 1e-9 long


# ---- one grammar, three doors

LABEL = "clip_by_global_norm(cosine_decay(adam[learning_rate=0.05]))[max_norm=0.5]"


def in_python() -> Method:
    decayed = make_method(cosine_decay, inner=make_method(adam, learning_rate=0.05))
    return make_method(clip_by_global_norm, inner=decayed, max_norm=0.5)


def test_three_doors_open_on_the_same_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    method = in_python()
    assert method.label == LABEL and find_method(LABEL, KNOWN) == method
    monkeypatch.chdir(tmp_path)
    text = f'problems = ["booth"]\noptimizers = ["{LABEL}"]\nseeds = 1\nbudget = 30\n'
    results = run_study(load_study(str(write(tmp_path / "tiny.toml", text))), tmp_path / "toml")
    assert results.optimizers == (LABEL,)
    from_toml = results.trajectory("booth", LABEL)
    told = optbench("run", "--problem", "booth", "--optimizer", LABEL, "--seeds", 1, "--budget", 30)
    assert told.exit_code == 0, told.output
    from_command = Results.open(tmp_path / told.stdout.strip()).trajectory("booth", LABEL)
    alone = run(booth(), method, 0, budget=30.0)
    for other in (from_toml, from_command):
        assert other is not None
        np.testing.assert_allclose(other.value.ravel(), alone.value, rtol=1e-10)
        assert set(other.diagnostics) == {"clipped_fraction", "clipping_cosine"}


def test_the_command_line_says_why_not_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    label = "decouple_weight_decay(cosine_decay(adam))"
    told = optbench("run", "--problem", "booth", "--optimizer", label, "--budget", 5)
    assert "cosine_decay(decouple_weight_decay(adam))" in told.output + told.stderr
    assert "Traceback" not in told.output + told.stderr


def spread(params, target):
    leaves = jax.tree.leaves(params)
    return sum(jnp.sum(jnp.abs(z - target) ** 2 + jnp.abs(z) ** 4) for z in leaves)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_params_are_params(dtype: str):
    start = {"z": np.array([1 + 2j, -0.5j]), "w": np.array([[0.1 - 1j]])}
    with jax.enable_x64(dtype == "complex128"):
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), start)
        target = jnp.asarray(0.5 - 0.5j, dtype)
        problem = Problem(objective=spread, start=standard_normal((2,)), data=(target,))
        for name in WRAPPERS:
            traced = functools.partial(two_steps, method_of((name, "gradient_descent")))
            if name == "mechanize":  # it compares numbers in order
                with pytest.raises(NotApplicable, match="takes no complex params"):
                    jax.eval_shape(traced, problem, params)
                continue
            told = jax.eval_shape(traced, problem, params)
            for other in told[1:]:
                assert outline(other[:3]) == outline(told[0][:3]), name
