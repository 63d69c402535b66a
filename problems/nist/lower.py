"""Data sets of lower difficulty."""

from __future__ import annotations

from optbench.problem import Problem
from problems.nist.fits import fit
from problems.nist.models import (
    decay_over_line,
    inverse_square_saturation,
    power_law,
    saturation,
    three_exponentials,
    two_peaks,
)


def nist_misra1a(start: int = 1, batch_size: int | None = None) -> Problem:
    """Misra1a: adsorbed volume y against pressure x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 14 observations, m = b1 (1 - exp(-b2 x)).

    Dimension: 2. Start: (500, 0.0001), or near x*: (250, 0.0005); other seeds multiply each
    coordinate by 1 + 0.1 times a standard normal.
    x*: (238.942, 0.000550156), certified to 11 digits. f*: 1.2455138894E-01 / 28, the certified
    residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Misra1a; Misra (1978), "Dental research monomolecular
    adsorption study".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Misra1a", saturation, start, batch_size)


def nist_chwirut2(start: int = 1, batch_size: int | None = None) -> Problem:
    """Chwirut2: ultrasonic response y against metal distance x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 54 observations, m = exp(-b1 x) / (b2 + b3 x).
    A local minimum, with a pole beyond the observations, has a residual sum of 771.178.

    Dimension: 3. Start: (0.1, 0.01, 0.02), or near x*: (0.15, 0.008, 0.01); other seeds multiply
    each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.166577, 0.00516533, 0.01215), certified to 11 digits. f*: 5.1304802941E+02 / 108, the
    certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Chwirut2; Chwirut, "Ultrasonic reference block study".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Chwirut2", decay_over_line, start, batch_size)


def nist_chwirut1(start: int = 1, batch_size: int | None = None) -> Problem:
    """Chwirut1: ultrasonic response y against metal distance x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 214 observations, with m =
    exp(-b1 x) / (b2 + b3 x).
    A local minimum, with a pole between two observations, has a residual sum of 117324.

    Dimension: 3. Start: (0.1, 0.01, 0.02), or near x*: (0.15, 0.008, 0.01); other seeds multiply
    each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.190278, 0.0061314, 0.0105309), certified to 11 digits. f*: 2.3844771393E+03 / 428, the
    certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Chwirut1; Chwirut, "Ultrasonic reference block study".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Chwirut1", decay_over_line, start, batch_size)


def nist_lanczos3(start: int = 1, batch_size: int | None = None) -> Problem:
    """Lanczos3: three exponentials, rounded to 5 digits.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 24 observations, with m =
    b1 exp(-b2 x) + b3 exp(-b4 x) + b5 exp(-b6 x).
    The terms may be exchanged: 6 equal minima.

    Dimension: 6. Start: (1.2, 0.3, 5.6, 5.5, 6.5, 7.6), or near x*: (0.5, 0.7, 3.6, 4.2, 4, 6.3);
    other seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.0868164, 0.954981, 0.844008, 2.9516, 1.58257, 4.98636), certified to 11 digits. f*:
    1.6117193594E-08 / 48, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Lanczos3; Lanczos (1956), "Applied analysis", pages
    272-280.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Lanczos3", three_exponentials, start, batch_size)


def nist_gauss1(start: int = 1, batch_size: int | None = None) -> Problem:
    """Gauss1: two well-separated peaks on a decaying baseline.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 250 observations, with m =
    b1 exp(-b2 x) + b3 exp(-((x - b4) / b5)^2) + b6 exp(-((x - b7) / b8)^2).
    The peaks may be exchanged and b5, b8 change sign: 8 equal minima. Two of its local minima have
    residual sums of 65563.1 and 150977.

    Dimension: 8. Start: (97, 0.009, 100, 65, 20, 70, 178, 16.5), or near x*: (94, 0.0105, 99, 63,
    25, 71, 180, 20); other seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (98.7782, 0.0104973, 100.49, 67.4811, 23.1298, 71.9945, 178.998, 18.3894), certified to 11
    digits. f*: 1.3158222432E+03 / 500, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Gauss1; Rust (1996).

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Gauss1", two_peaks, start, batch_size)


def nist_gauss2(start: int = 1, batch_size: int | None = None) -> Problem:
    """Gauss2: two slightly blended peaks on a decaying baseline.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 250 observations, with m =
    b1 exp(-b2 x) + b3 exp(-((x - b4) / b5)^2) + b6 exp(-((x - b7) / b8)^2).
    The peaks may be exchanged and b5, b8 change sign: 8 equal minima. Two of its local minima have
    residual sums of 21829.7 and 30825.4.

    Dimension: 8. Start: (96, 0.009, 103, 106, 18, 72, 151, 18), or near x*: (98, 0.0105, 103, 105,
    20, 73, 150, 20); other seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (99.0183, 0.0109949, 101.88, 107.031, 23.5786, 72.0456, 153.27, 19.526), certified to 11
    digits. f*: 1.2475282092E+03 / 500, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Gauss2; Rust (1996).

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Gauss2", two_peaks, start, batch_size)


def nist_danwood(start: int = 1, batch_size: int | None = None) -> Problem:
    """DanWood: radiated energy y against temperature x of a filament.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 6 observations, m = b1 x^b2.

    Dimension: 2. Start: (1, 5), or near x*: (0.7, 4); other seeds multiply each coordinate by 1 +
    0.1 times a standard normal.
    x*: (0.768862, 3.86041), certified to 11 digits. f*: 4.3173084083E-03 / 12, the certified
    residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, DanWood; Daniel & Wood (1980), "Fitting equations to
    data", pages 428-431.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("DanWood", power_law, start, batch_size)


def nist_misra1b(start: int = 1, batch_size: int | None = None) -> Problem:
    """Misra1b: adsorbed volume y against pressure x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 14 observations, with m =
    b1 (1 - (1 + b2 x / 2)^-2).

    Dimension: 2. Start: (500, 0.0001), or near x*: (300, 0.0002); other seeds multiply each
    coordinate by 1 + 0.1 times a standard normal.
    x*: (337.997, 0.000390391), certified to 11 digits. f*: 7.5464681533E-02 / 28, the certified
    residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Misra1b; Misra (1978), "Dental research monomolecular
    adsorption study".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Misra1b", inverse_square_saturation, start, batch_size)
