"""Data sets of higher difficulty."""

from __future__ import annotations

from optbench.problem import Problem
from problems.nist.fits import fit
from problems.nist.models import (
    Rational,
    bell,
    enzyme_kinetics,
    inverse_exponent,
    logistic_growth,
    saturation,
    shifted_power_law,
    skewed_growth,
)


def nist_mgh09(start: int = 1, batch_size: int | None = None) -> Problem:
    """MGH09: Kowalik and Osborne's ratio of quadratics.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 11 observations, with m =
    b1 (x^2 + b2 x) / (x^2 + b3 x + b4).
    As b1, -b3 and -b4 grow together, f falls to 1.02734e-3 / 22. A local minimum, with a pole
    between two observations, has a residual sum of 0.000423675.

    Dimension: 4. Start: (25, 39, 41.5, 39), or near x*: (0.25, 0.39, 0.415, 0.39); other seeds
    multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.192807, 0.191282, 0.123057, 0.136062), certified to 11 digits. f*: 3.0750560385E-04 / 22,
    the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, MGH09; Kowalik & Osborne (1978), "Methods for
    unconstrained optimization problems".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("MGH09", enzyme_kinetics, start, batch_size)


def nist_thurber(start: int = 1, batch_size: int | None = None) -> Problem:
    """Thurber: electron mobility y against the logarithm x of density.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 37 observations, with m =
    (b1 + b2 x + b3 x^2 + b4 x^3) / (1 + b5 x + b6 x^2 + b7 x^3).
    Two local minima, with a pole between two observations, have residual sums of 7682.24 and
    14691.3.

    Dimension: 7. Start: (1000, 1000, 400, 40, 0.7, 0.3, 0.03), or near x*: (1300, 1500, 500, 75, 1,
    0.4, 0.05); other seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (1288.14, 1491.08, 583.238, 75.4166, 0.966295, 0.397973, 0.0497273), certified to 11 digits.
    f*: 5.6427082397E+03 / 74, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Thurber; Thurber, "Semiconductor electron mobility
    modeling".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Thurber", Rational(3), start, batch_size)


def nist_boxbod(start: int = 1, batch_size: int | None = None) -> Problem:
    """BoxBOD: biochemical oxygen demand y after x days.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 6 observations, m = b1 (1 - exp(-b2 x)).
    As b2 grows, f falls to 9771.5 / 12 at b1 = 172.5, the mean of y: a plateau on which solvers
    from start 1 may end.

    Dimension: 2. Start: (1, 1), or near x*: (100, 0.75); other seeds multiply each coordinate by 1
    + 0.1 times a standard normal.
    x*: (213.809, 0.547237), certified to 11 digits. f*: 1.1680088766E+03 / 12, the certified
    residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, BoxBOD; Box, Hunter & Hunter (1978), "Statistics for
    experimenters", pages 483-487.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("BoxBOD", saturation, start, batch_size)


def nist_rat42(start: int = 1, batch_size: int | None = None) -> Problem:
    """Rat42: pasture yield y against growing time x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 9 observations, m = b1 / (1 + exp(b2 - b3 x)).

    Dimension: 3. Start: (100, 1, 0.1), or near x*: (75, 2.5, 0.07); other seeds multiply each
    coordinate by 1 + 0.1 times a standard normal.
    x*: (72.4622, 2.61808, 0.0673592), certified to 11 digits. f*: 8.0565229338E+00 / 18, the
    certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Rat42; Ratkowsky (1983), "Nonlinear regression
    modeling", pages 61 and 88.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Rat42", logistic_growth, start, batch_size)


def nist_mgh10(start: int = 1, batch_size: int | None = None) -> Problem:
    """MGH10: Meyer's thermistor.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 16 observations, m = b1 exp(b2 / (x + b3)).

    Dimension: 3. Start: (2, 400000, 25000), or near x*: (0.02, 4000, 250); other seeds multiply
    each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.00560964, 6181.35, 345.224), certified to 11 digits. f*: 8.7945855171E+01 / 32, the
    certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, MGH10; Meyer (1970), "Theoretical and computational
    aspects of nonlinear regression", pages 465-486.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("MGH10", inverse_exponent, start, batch_size)


def nist_eckerle4(start: int = 1, batch_size: int | None = None) -> Problem:
    """Eckerle4: transmittance y against wavelength x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 35 observations, with m =
    (b1 / b2) exp(-((x - b3) / b2)^2 / 2).
    b1 and b2 may change sign together: 2 equal minima.

    Dimension: 3. Start: (1, 10, 500), or near x*: (1.5, 5, 450); other seeds multiply each
    coordinate by 1 + 0.1 times a standard normal.
    x*: (1.55438, 4.08883, 451.541), certified to 11 digits. f*: 1.4635887487E-03 / 70, the
    certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Eckerle4; Eckerle, "Circular interference transmittance
    study".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Eckerle4", bell, start, batch_size)


def nist_rat43(start: int = 1, batch_size: int | None = None) -> Problem:
    """Rat43: dry weight y of onions against growing time x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 15 observations, with m =
    b1 / (1 + exp(b2 - b3 x))^(1 / b4).

    Dimension: 4. Start: (100, 10, 1, 1), or near x*: (700, 5, 0.75, 1.3); other seeds multiply each
    coordinate by 1 + 0.1 times a standard normal.
    x*: (699.642, 5.27713, 0.759629, 1.27925), certified to 11 digits. f*: 8.7864049080E+03 / 30,
    the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Rat43; Ratkowsky (1983), "Nonlinear regression
    modeling", pages 62 and 88.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Rat43", skewed_growth, start, batch_size)


def nist_bennett5(start: int = 1, batch_size: int | None = None) -> Problem:
    """Bennett5: magnetism y of a superconductor against log-time x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 154 observations, m = b1 (b2 + x)^(-1 / b3).
    Not finite where b2 + x < 0.

    Dimension: 3. Start: (-2000, 50, 0.8), or near x*: (-1500, 45, 0.85); other seeds multiply each
    coordinate by 1 + 0.1 times a standard normal.
    x*: (-2523.51, 46.7366, 0.932185), certified to 11 digits. f*: 5.2404744073E-04 / 308, the
    certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Bennett5; Bennett, Swartzendruber & Brown (1994),
    "Superconductivity magnetization modeling".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Bennett5", shifted_power_law, start, batch_size)
