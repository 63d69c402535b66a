"""Stationary points to 30 digits: Newton steps whose gradients have 50."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import mpmath
import numpy as np
from certify.arithmetic import Number, Unsupported, exact
from certify.multiprecision import evaluate, multiplications

from optbench.checks.probes import Probe, pack, unpack

DIGITS = 50  # of the arithmetic
KEPT = 30  # of the value
LARGEST = 400_000  # multiplications per gradient
STEPS = 40
FLAT = 1e-13  # eigenvalues of the scaled Hessian below this count as zero


class Polished(NamedTuple):
    """A stationary point and f there.

    Attributes:
        value: f.
        point: [n] mpmath numbers.
        grad_norm: |grad f|.
        step: length of the last step over that of the point.
    """

    value: Number
    point: np.ndarray
    grad_norm: Number
    step: float


class Exact:
    """f and its gradient in flat coordinates, in mpmath's precision."""

    def __init__(self, probe: Probe):
        """Trace the objective.

        Raises:
            Unsupported: the program is too large.
        """
        data, structure = jax.tree.flatten(probe.problem.data)
        self.data = [np.asarray(leaf) for leaf in data]

        def value(flat: Any, *leaves: Any) -> Any:
            given = jax.tree.unflatten(structure, leaves)
            return probe.problem.objective(unpack(probe.layout, flat), *given)

        size = sum(np.prod(shape) * (1 + is_complex) for shape, is_complex in probe.layout.leaves)
        with jax.enable_x64(True):
            program = jax.make_jaxpr(jax.value_and_grad(value))(np.zeros(int(size)), *self.data)
        if (count := multiplications(program.jaxpr)) > LARGEST:
            raise Unsupported(f"{count} multiplications per gradient")
        self.program = program

    def __call__(self, point: np.ndarray) -> tuple[Number, np.ndarray]:
        """f and [n] its gradient at a point."""
        with jax.enable_x64(True):
            value, grad = evaluate(self.program, point, *self.data)
        return value.item(), grad


def scaled_spectrum(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales D, and eigenvalues and vectors of D H D, whose diagonal is 1 where H's is positive."""
    diagonal = np.abs(np.diag(hessian))
    top = float(np.max(diagonal)) or 1.0
    scales = 1 / np.sqrt(np.maximum(diagonal, 1e-30 * top))
    eigenvalues, vectors = np.linalg.eigh(scales[:, None] * hessian * scales)
    return scales, eigenvalues, vectors


def newton_step(hessian: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """-H^-1 g, and no move along directions in which f does not bend."""
    scales, eigenvalues, vectors = scaled_spectrum(hessian)
    bends = np.abs(eigenvalues) > FLAT * np.max(np.abs(eigenvalues))
    inverse = np.divide(1, eigenvalues, out=np.zeros_like(eigenvalues), where=bends)
    return -scales * (vectors @ (inverse * (vectors.T @ (scales * grad))))


def polish(probe: Probe, point: np.ndarray) -> Polished:
    """The stationary point nearby, to more than 30 digits.

    Raises:
        Unsupported: the program cannot be read, disagrees with float64 at the start of seed 1, or
            the steps do not shrink.
    """
    exactly = Exact(probe)
    _agrees(probe, exactly)
    with mpmath.workdps(DIGITS):
        x, last = exact(point), np.inf
        for _ in range(STEPS):
            value, grad = exactly(x)
            norm = mpmath.norm(list(grad))
            if not mpmath.isfinite(norm):
                raise Unsupported("the gradient is not finite")
            step = _step(probe, x, grad, norm)
            last = float(mpmath.norm(list(step)) / (1e-30 + mpmath.norm(list(x))))
            if last < 10.0 ** -(KEPT + 2):
                return Polished(value, x, norm, last)
            x = x + step
    raise Unsupported(f"steps do not shrink below {last:.1e}")


def _step(probe: Probe, x: np.ndarray, grad: np.ndarray, norm: Number) -> np.ndarray:
    """A Newton step, the gradient scaled into the range of float64."""
    if norm == 0:
        return exact(np.zeros(len(x)))
    direction = (grad / norm).astype(float)
    return exact(newton_step(probe.hessian(x.astype(float)), direction)) * norm


def _agrees(probe: Probe, exactly: Exact) -> None:
    point = pack(probe.problem.start(1))
    value, grad = probe.value_and_grad(point)
    with mpmath.workdps(DIGITS):
        other, other_grad = exactly(exact(point))
    errors = abs(float(other) - value), np.linalg.norm(other_grad.astype(float) - grad)
    sizes = abs(value), np.linalg.norm(grad)
    if not all(error <= 1e-8 * (1e-30 + size) for error, size in zip(errors, sizes, strict=True)):
        raise Unsupported(f"value and gradient disagree with float64 by {max(errors):.1e}")
