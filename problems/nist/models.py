"""The models: (parameters, predictors [n] or [n, 2]) -> [n] what they predict."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp


def saturation(params: Any, x: Any) -> Any:
    """b1 (1 - exp(-b2 x))."""
    b1, b2 = params
    return -b1 * jnp.expm1(-b2 * x)


def inverse_square_saturation(params: Any, x: Any) -> Any:
    """b1 (1 - (1 + b2 x / 2)^-2), without the cancellation."""
    b1, b2 = params
    q = b2 * x / 2
    return b1 * q * (2 + q) / (1 + q) ** 2


def inverse_root_saturation(params: Any, x: Any) -> Any:
    """b1 (1 - (1 + 2 b2 x)^(-1/2)), without the cancellation."""
    b1, b2 = params
    return -b1 * jnp.expm1(-jnp.log1p(2 * b2 * x) / 2)


def hyperbolic_saturation(params: Any, x: Any) -> Any:
    """b1 b2 x / (1 + b2 x)."""
    b1, b2 = params
    return b1 * b2 * x / (1 + b2 * x)


def decay_over_line(params: Any, x: Any) -> Any:
    """exp(-b1 x) / (b2 + b3 x)."""
    b1, b2, b3 = params
    return jnp.exp(-b1 * x) / (b2 + b3 * x)


def three_exponentials(params: Any, x: Any) -> Any:
    """b1 exp(-b2 x) + b3 exp(-b4 x) + b5 exp(-b6 x)."""
    b1, b2, b3, b4, b5, b6 = params
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)


def raised_exponentials(params: Any, x: Any) -> Any:
    """b1 + b2 exp(-b4 x) + b3 exp(-b5 x)."""
    b1, b2, b3, b4, b5 = params
    return b1 + b2 * jnp.exp(-b4 * x) + b3 * jnp.exp(-b5 * x)


def two_peaks(params: Any, x: Any) -> Any:
    """b1 exp(-b2 x) + b3 exp(-((x - b4) / b5)^2) + b6 exp(-((x - b7) / b8)^2)."""
    b1, b2, b3, b4, b5, b6, b7, b8 = params
    first, second = ((x - b4) / b5) ** 2, ((x - b7) / b8) ** 2
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-first) + b6 * jnp.exp(-second)


def bell(params: Any, x: Any) -> Any:
    """(b1 / b2) exp(-((x - b3) / b2)^2 / 2)."""
    b1, b2, b3 = params
    return b1 / b2 * jnp.exp(-(((x - b3) / b2) ** 2) / 2)


def power_law(params: Any, x: Any) -> Any:
    """b1 x^b2."""
    b1, b2 = params
    return b1 * x**b2


def shifted_power_law(params: Any, x: Any) -> Any:
    """b1 (b2 + x)^(-1 / b3)."""
    b1, b2, b3 = params
    return b1 * (b2 + x) ** (-1 / b3)


def inverse_exponent(params: Any, x: Any) -> Any:
    """b1 exp(b2 / (x + b3))."""
    b1, b2, b3 = params
    return b1 * jnp.exp(b2 / (x + b3))


def logistic_growth(params: Any, x: Any) -> Any:
    """b1 / (1 + exp(b2 - b3 x))."""
    b1, b2, b3 = params
    return b1 * jax.nn.sigmoid(b3 * x - b2)


def skewed_growth(params: Any, x: Any) -> Any:
    """b1 / (1 + exp(b2 - b3 x))^(1 / b4)."""
    b1, b2, b3, b4 = params
    return b1 * jnp.exp(-jax.nn.softplus(b2 - b3 * x) / b4)


def enzyme_kinetics(params: Any, x: Any) -> Any:
    """b1 (x^2 + b2 x) / (x^2 + b3 x + b4)."""
    b1, b2, b3, b4 = params
    return b1 * x * (x + b2) / (x * (x + b3) + b4)


def quantum_defect(params: Any, x: Any) -> Any:
    """b1 - b2 x - arctan(b3 / (x - b4)) / pi."""
    b1, b2, b3, b4 = params
    return b1 - b2 * x - jnp.arctan(b3 / (x - b4)) / jnp.pi


def three_cycles(params: Any, x: Any) -> Any:
    """b1 and waves of the periods 12, b4 and b7."""
    b1, b2, b3, b4, b5, b6, b7, b8, b9 = params
    year, first, second = 2 * jnp.pi * x / 12, 2 * jnp.pi * x / b4, 2 * jnp.pi * x / b7
    annual = b2 * jnp.cos(year) + b3 * jnp.sin(year)
    longer = b5 * jnp.cos(first) + b6 * jnp.sin(first)
    return b1 + annual + longer + b8 * jnp.cos(second) + b9 * jnp.sin(second)


def accelerated_aging(params: Any, x: Any) -> Any:
    """b1 - b2 x1 exp(-b3 x2)."""
    b1, b2, b3 = params
    return b1 - b2 * x[:, 0] * jnp.exp(-b3 * x[:, 1])


@dataclasses.dataclass(frozen=True)
class Rational:
    """(b_1 + b_2 x + ... + b_(k+1) x^k) / (1 + b_(k+2) x + ... + b_(2k+1) x^k).

    Attributes:
        degree: k.
    """

    degree: int

    def __call__(self, params: Any, x: Any) -> Any:
        """The ratio of both polynomials."""
        above, below = params[: self.degree + 1], params[self.degree + 1 :]
        return _polynomial(above, x) / (1 + x * _polynomial(below, x))


def _polynomial(coefficients: Any, x: Any) -> Any:
    """sum_i coefficients_i x^i."""
    total = jnp.zeros_like(x)
    for coefficient in reversed(tuple(coefficients)):
        total = coefficient + x * total
    return total
